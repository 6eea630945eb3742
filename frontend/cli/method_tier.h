/* method_tier: the mechanism `tier` of --method. */
#ifndef SNUG_METHOD_TIER_H
#define SNUG_METHOD_TIER_H

#include "ir/base/arena.h"

/* What stands behind the word `tier`; adds to *set, a vector of
   "PASS.OPTION=V". What is no such line is raised. */
void method_tier(Arena *a, const char *line, const char ***set);

#endif
