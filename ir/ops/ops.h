/* ops: what the rules of several op kinds share. Included by ir/ops only. */
#ifndef SNUG_OPS_H
#define SNUG_OPS_H

#include "ir/ops/rules.h"

#include <inttypes.h>

/* `return REFUSE(g, n, "kind: ...");` in an infer rule. */
#define REFUSE(g, n, ...) (complain(graph_loc((g), (n)), __VA_ARGS__), false)

static inline const Type *
operand_type(const Graph *g, NodeId n, int i)
{
    return &g->value[g->node[n].in[i]].type;
}

static inline const Type *
result_type(const Graph *g, NodeId n, int i)
{
    return &g->value[g->node[n].out[i]].type;
}

/* Is there a given type, of this element type? Complains otherwise. */
bool needs_given(const Graph *g, NodeId n, const Type *given, DType dtype);

/* Is the element type f32 or f64? Complains otherwise. */
bool needs_real(const Graph *g, NodeId n, DType dtype);

/* Does the list attribute have `length` elements, each in [low, high]? */
bool needs_list(const Graph *g, NodeId n, const char *name, int length,
                int64_t low, int64_t high);

/* Does the attribute split cut k into parts of which none is empty? */
bool needs_split(const Graph *g, NodeId n, int64_t k);

/* Is dy of the type of y, whose gradient it is? Complains otherwise. */
bool gradient_fits(const Graph *g, NodeId n, const Type *y, const Type *dy);

/* The largest stride, pad, dilation or group count that is taken. */
#define MOST_ATTR ((int64_t)INT32_MAX)

/* Bytes of operands and results (without scratch) with `flops`. */
Cost cost_moving(const Graph *g, NodeId n, double flops);

/* A gradient rule for what is not differentiated: complains, dx are zero. */
void no_gradient(const Builder *b, NodeId n, ValueId *dx, const char *why);

/* Offsets in elements of every point of the axes listed, row-major, for the
   given strides; an array of the product of the sizes. */
int64_t *axis_offsets(Arena *a, int naxes, const int64_t *size,
                      const int64_t *stride);

/* dst[i] = src[i] over all points of `shape`, by strides in elements; any
   element type of `bytes`. */
typedef struct Strided {
    char *data; /* of the first element */
    int64_t stride[MAXRANK];
} Strided;
void copy_strided(const Type *shape, Strided dst, Strided src);

#endif
