/* recompute_search: what to run again so that a course fits. */
#ifndef SNUG_RECOMPUTE_SEARCH_H
#define SNUG_RECOMPUTE_SEARCH_H

#include "passes/plan/time_bound.h"

/* What is looked at. */
typedef enum Effort {
    EFFORT_CHAINS, /* chains of blocks, whether they fit or not */
    EFFORT_QUICK,  /* chains; all, where they do not fit */
    EFFORT_ALL
} Effort;

/* Changes c until its peak is at most `goal`, at little time; false: this is
   as low as was found. What bounds keep (NULL: none) is one of the things begun
   with. Deterministic. */
bool recompute_fit(Arena *a, Course *c, int64_t goal, TimeBounds *b,
                   Effort effort);

#endif
