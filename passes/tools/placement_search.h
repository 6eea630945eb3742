/* placement_search: is there a placement of these intervals below a height?
   The exact part of placement. */
#ifndef SNUG_PLACEMENT_SEARCH_H
#define SNUG_PLACEMENT_SEARCH_H

#include "passes/tools/placement.h"

typedef enum FitAnswer {
    FIT_FOUND, /* the offsets hold it */
    FIT_NONE,  /* proven: there is none */
    FIT_OUT    /* the nodes ran out; the offsets are not touched */
} FitAnswer;

/* What a search knows about the intervals, whatever the height. */
typedef struct FitSearch FitSearch;

FitSearch *fit_new(Arena *scratch, const Interval *x, int count);

/* Spends at most *nodes, and takes what it spent from there. */
FitAnswer fit_below(FitSearch *s, Interval *x, int64_t height, int64_t *nodes);

/* From 0 to 1, the same ones every time. */
static inline double
placement_draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (1 << 24);
}

#endif
