/* draw: random numbers that follow from the run's seed and a count of steps
   that is saved with it, so that a run that goes on after a stop draws the
   same. */
#ifndef SNUG_DRAW_H
#define SNUG_DRAW_H

#include "ir/graph.h"

/* The input `seed`; a model that drops out has it already. */
ValueId draw_seed(Graph *g);

/* A scalar state of the module, made if it is not there. */
ValueId draw_state(Graph *g, Sym name, DType d);

/* One more step, behind all that draws. */
void draw_count(Graph *g, ValueId count, const char *name);

#endif
