/* recompute_early: what reads a large value that others read much later, and
   makes little of it, runs as soon as it can: so that value may go until
   then. */
#ifndef SNUG_RECOMPUTE_EARLY_H
#define SNUG_RECOMPUTE_EARLY_H

#include "ir/graph.h"

/* Changes the order of the entry only. */
void recompute_early(Arena *scratch, Graph *g);

#endif
