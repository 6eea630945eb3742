/* check_moves: does a plan use its spaces as it may? Includes nothing of what
   makes plans. */
#ifndef SNUG_CHECK_MOVES_H
#define SNUG_CHECK_MOVES_H

#include "ir/graph.h"

/* What is wrong with the transfers of an entry, a sentence each: a vector. The
   first space of the module is that of the arena. */
const char **check_moves(Arena *a, const Graph *g);

/* The same of what is claimed of the spaces behind the first: meta budget.NAME
   is not exceeded. */
const char **check_capacities(Arena *a, const Module *m);

#endif
