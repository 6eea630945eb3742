/* gather: what gather and scatter share, for reference, kernel and builders. */
#ifndef SNUG_OPS_GATHER_H
#define SNUG_OPS_GATHER_H

#include "ir/ops/rules.h"

/* x is [outer, size, inner], y or u is [outer, count, inner]. */
typedef struct Gather {
    int64_t outer, size, count, inner;
} Gather;

Gather gather_of(const Graph *g, NodeId n);
/* The type that x gathered by the node's indices along its axis has; false
   after a complaint. */
bool gathered_type(const Graph *g, NodeId n, const Type *x, Type *out);
/* The row that index k names. */
int64_t gather_row(const Tensor *indices, int64_t k, int64_t size);

/* Bytes that the kernel of a scatter needs beside: lists of the indices of each
   row. 0: indices are too few, or too many, for that. */
int64_t scatter_scratch(const Graph *g, NodeId n);

/* How scatter joins what meets at one index. */
typedef enum ScatterOp {
    SCATTER_ADD,
    SCATTER_MUL,
    SCATTER_MAX,
    SCATTER_MIN,
    SCATTER_SET, /* the last row named stays */
    SCATTER_OPS
} ScatterOp;

ScatterOp scatter_named(const char *name); /* SCATTER_OPS: there is none */
/* What nothing was joined to holds; of integers, exactly. */
double scatter_identity(ScatterOp op, DType d);

ValueId build_gather(Builder *b, ValueId x, ValueId i, int64_t axis);
/* A tensor of type x in which the rows of u are joined at i. */
ValueId build_scatter(Builder *b, const char *op, ValueId u, ValueId i,
                      int64_t axis, Type x);
/* c, to whose rows at i those of u are added. */
ValueId build_scatter_onto(Builder *b, ValueId u, ValueId i, int64_t axis,
                           ValueId c);
/* c, whose rows at i are those of u. */
ValueId build_scatter_set(Builder *b, ValueId u, ValueId i, int64_t axis,
                          ValueId c);
/* For indices along one axis of x, of x's rank: their positions in x seen as a
   vector. Indices are brought into range as gather does. */
ValueId build_flat_index(Builder *b, ValueId i, const Type *x, int axis);

#endif
