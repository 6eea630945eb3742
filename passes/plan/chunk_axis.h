/* chunk_axis: which axis of its operands an axis of a result comes from. */
#ifndef SNUG_CHUNK_AXIS_H
#define SNUG_CHUNK_AXIS_H

#include "ir/graph.h"

/* Can the results of node `id` be made for a part of one of their axes alone,
   from the same part of an axis of operands? from[i]: that axis of operand i,
   -1: it is read whole. */
bool axis_goes_back(const Graph *g, NodeId id, int axis, int *from);

#endif
