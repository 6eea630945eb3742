/* infer: result types by the rules that op.def names. */
#ifndef SNUG_INFER_H
#define SNUG_INFER_H

#include "ir/graph.h"

/* Computes result types of node n into out[n.nout]. Where a result's type is
   not determined by operands and attributes (view, broadcast, iota, slice,
   pad, conv_grad_*, window_grad_mean, dtype of maps), `given` supplies it and
   is checked; given may be NULL where it is not needed. False after a
   complaint naming the node. */
bool infer_node(const Graph *g, NodeId n, const Type *given, Type *out);

/* Cost of a node: floating operations and bytes that must move. */
typedef struct Cost {
    double flops, bytes;
} Cost;
Cost cost_node(const Graph *g, NodeId n);

#endif
