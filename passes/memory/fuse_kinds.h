/* fuse_kinds: which nodes may share a kernel: what the two generators want. */
#ifndef SNUG_FUSE_KINDS_H
#define SNUG_FUSE_KINDS_H

#include "ir/graph.h"

typedef enum ClusterKind {
    CK_ALONE,    /* not to be fused */
    CK_COUNT,    /* an iota, to be made where it is read */
    CK_MAP,      /* element-wise over `space` */
    CK_ROWS,     /* maps and reductions over the same trailing axes */
    CK_TAIL,     /* any other reductions and the maps in front of them */
    CK_CONTRACT  /* a product or convolution and maps on its result */
} ClusterKind;

typedef struct Shape {
    ClusterKind kind;
    Type space;    /* the iteration space; its element type is of no account */
    unsigned axes; /* CK_ROWS, CK_TAIL: bit i: axis i of space is reduced */
    unsigned columns; /* CK_ROWS: axes of what is reduced over the rows, or 0 */
} Shape;

Type shape_row(const Shape *s); /* the space with the reduced axes 1 */

Shape node_shape(const Graph *g, const Node *n);

/* The shape of a cluster that holds producers of shape p and a consumer of
   shape m; kind CK_ALONE: they do not go together. */
Shape join_shapes(const Shape *p, const Shape *m);

/* fuse_again.c. Instructions an element of an element-wise node; what costs at
   most MAP_COST_MOST, about an exp, is cheaper to make again than to read. */
enum { MAP_COST_MOST = 28 };

/* An iota that is read for every row, of more bytes than the second cache can
   spare, is made again too. */
enum { COUNT_BYTES_LEAST = 256 << 10 };
int map_cost(Arena *scratch, const Graph *g, const Node *n);
/* *large: the operand of n's size, if there are no others but small ones; 0:
   none at all. */
bool map_one_large_operand(const Graph *g, const Node *n, ValueId *large);

#endif
