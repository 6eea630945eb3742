/* placement_lanes: what has an address already, by rising address, and again
   for each part of the time: what lives shortly meets little. */
#ifndef SNUG_PLACEMENT_LANES_H
#define SNUG_PLACEMENT_LANES_H

#include "passes/tools/placement.h"

typedef struct Laid {
    int64_t from, to; /* addresses */
    int lower, upper; /* times, numbered */
    int item;
} Laid;

/* By rising address; behind the last lies the end. */
typedef struct Lane {
    Laid *laid;
    int count;
} Lane;

typedef struct Lanes {
    int lanes, width;   /* numbered times in a lane */
    int *lower, *upper; /* of items, numbered */
    Lane *lane, all;
} Lanes;

Lanes *laid_new(Arena *scratch, const Interval *x, int count, int lanes);
/* Nothing is laid. */
void laid_clear(Lanes *l, int64_t end);
/* Item i of x lies at its offset, or does so no longer. */
void laid_put(Lanes *l, const Interval *x, int i);
void laid_take(Lanes *l, const Interval *x, int i);

/* All that is laid in [lower, upper), and more. */
static inline const Lane *
laid_of(const Lanes *l, int lower, int upper)
{
    int k = lower / l->width;

    return k == (upper - 1) / l->width ? &l->lane[k] : &l->all;
}

#endif
