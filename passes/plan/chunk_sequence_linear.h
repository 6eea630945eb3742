/* chunk_sequence_linear: what of a backward part is linear in gradients. */
#ifndef SNUG_CHUNK_SEQUENCE_LINEAR_H
#define SNUG_CHUNK_SEQUENCE_LINEAR_H

#include "ir/graph.h"

/* ValueId -> if all seeds are scaled, so is this. What no seed goes into is
   not. blame: a node of which neither is true; 0: there is none. */
bool *find_linear(Arena *a, const Graph *g, const NodeId *node,
                  const bool *seed, NodeId *blame);

#endif
