/* scratch: the scratch of kernels as values of the graph. */
#ifndef SNUG_SCRATCH_H
#define SNUG_SCRATCH_H

#include "ir/graph.h"
#include "ir/machine.h"

/* Every kernel of g that needs scratch gets it as its last result. */
void show_scratch(Graph *g, const Machine *machine);

#endif
