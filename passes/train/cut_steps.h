/* cut_steps: steps of a loop that are drawn. */
#ifndef SNUG_CUT_STEPS_H
#define SNUG_CUT_STEPS_H

#include "ir/graph.h"

typedef struct CutSteps CutSteps;

/* At the end of g's order, which is empty yet. */
CutSteps *cut_steps_new(Arena *a, Graph *g, int64_t subset);
/* 1 or 0, drawn anew in each run of g: does a gradient come into step `at` of
   a loop of `steps`? */
ValueId cut_steps_drawn(CutSteps *c, int64_t steps, int64_t at);
/* The run is over. */
void cut_steps_count(CutSteps *c);

#endif
