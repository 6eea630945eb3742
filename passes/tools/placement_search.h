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

/* What goes first: the higher key, then the earlier item. */
typedef struct First {
    double key;
    int item;
} First;

static inline int
first_by_key(const void *a, const void *b)
{
    const First *x = a, *y = b;

    if (x->key < y->key || x->key > y->key)
        return x->key > y->key ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

#endif
