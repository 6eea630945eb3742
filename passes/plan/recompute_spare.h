/* recompute_spare: fewer bytes where they cost next to no time. */
#ifndef SNUG_RECOMPUTE_SPARE_H
#define SNUG_RECOMPUTE_SPARE_H

#include "passes/plan/course.h"

/* Lowers the peak of c as far as that adds at most `share` of its predicted
   time; false: it is as it was. Deterministic. */
bool recompute_spare(Arena *a, Course *c, double share);

#endif
