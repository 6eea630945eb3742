/* placement_rounds: greedy placements again and again: what came out too high
   goes earlier the next time. */
#ifndef SNUG_PLACEMENT_ROUNDS_H
#define SNUG_PLACEMENT_ROUNDS_H

#include "passes/tools/placement.h"

typedef struct Rounds Rounds;

Rounds *rounds_new(Arena *scratch, Interval *x, int count, int64_t goal);
/* One round more: the offsets are in the intervals; its height. */
int64_t rounds_next(Rounds *r);
int rounds_done(const Rounds *r);
/* Intervals looked at so far. */
int64_t rounds_work(const Rounds *r);

#endif
