/* compact: a module as a reader of its text would number it. */
#ifndef SNUG_COMPACT_H
#define SNUG_COMPACT_H

#include "ir/graph.h"

/* Drops nodes that are not in the order, values that nobody defines or reads,
   and their names, and numbers the rest by inputs, stores, order. The runner
   calls it after every pass, so that what a pass sees is what stands in the
   text, and a pipeline can be cut anywhere. Ids of before are void. */
void compact_module(Module *m);

#endif
