/* check: the independent checker of plans. It includes nothing of verify,
   facts or the passes, and believes nothing: from the module alone it derives
   again who lives when, and then overlap, alignment, order, sizes, budget and
   the bound from its witness. */
#ifndef SNUG_CHECK_H
#define SNUG_CHECK_H

#include "ir/graph.h"

#include <stdio.h>

/* Writes every fault by name, then a verdict of a few lines (report may be
   NULL: nothing); true if the plan holds. What the plan says of itself stands
   in meta: peak, bound, bound_at
   ("train:17"), order ("optimal" or "heuristic"), order_bound, budget. */
bool check_plan(const Module *m, FILE *report);

#endif
