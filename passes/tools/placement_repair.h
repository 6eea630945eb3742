/* placement_repair: a placement below a height, from one that is too high. */
#ifndef SNUG_PLACEMENT_REPAIR_H
#define SNUG_PLACEMENT_REPAIR_H

#include "passes/tools/placement_search.h"

typedef struct Repair Repair;

Repair *repair_new(Arena *scratch, Interval *x, int count);

/* Begins with the offsets of x, and draws other numbers every time. Spends
   about *nodes, a node for every thousand intervals looked at, and takes what
   it spent from there. Never FIT_NONE; only where one is found do the offsets
   hold a placement. */
FitAnswer repair_below(Repair *r, int64_t height, int64_t *nodes);

#endif
