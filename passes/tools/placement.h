/* placement: offsets for intervals of time, so that those alive at once do not
   overlap: best fit first, then exact search. */
#ifndef SNUG_PLACEMENT_H
#define SNUG_PLACEMENT_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Alive in [lower, upper); sizes are multiples of the alignment already. */
typedef struct Interval {
    int64_t lower, upper, size;
    int64_t offset; /* the answer */
} Interval;

typedef struct Placement {
    int64_t height; /* the end of the highest interval */
    int64_t bound;  /* the largest sum of sizes alive at once */
    int64_t nodes;  /* of the search */
    bool proven;    /* no placement is lower */
} Placement;

/* The largest sum alive at once, and a time at which it is reached. */
int64_t placement_bound(Arena *scratch, const Interval *x, int count,
                        int64_t *at);

/* Searches until the bound is met, `nodes` search nodes are spent, or the
   height is at most `capacity` (0: the least height is wanted). The best
   placement found is in the offsets. Deterministic. */
Placement placement_solve(Arena *scratch, Interval *x, int count,
                          int64_t capacity, int64_t nodes);

#endif
