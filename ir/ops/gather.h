/* gather: the loops of gather and scatter_add, for reference and kernel. */
#ifndef SNUG_OPS_GATHER_H
#define SNUG_OPS_GATHER_H

#include "ir/graph.h"

/* x is [outer, size, inner], y or g is [outer, count, inner]. */
typedef struct Gather {
    int64_t outer, size, count, inner;
} Gather;

Gather gather_of(const Graph *g, NodeId n);

#endif
