/* iota: the index along an axis. */
#include "ir/eval.h"
#include "ir/ops/ops.h"

bool
infer_iota(const Graph *g, NodeId n, const Type *given, Type *out)
{
    int64_t axis = node_int(&g->node[n], "axis");

    if (!needs_given(g, n, given, DT_NONE))
        return false;
    if (dtype_computed(given->dtype) != given->dtype)
        return REFUSE(g, n, "iota: %s is only stored\ncast the result of "
                            "another type",
                      dtype_name(given->dtype));
    if (axis < 0 || axis >= given->rank)
        return REFUSE(g, n, "iota: axis %" PRId64 " of a result of rank %d",
                      axis, given->rank);
    *out = *given;
    return true;
}

void
grad_iota(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    (void)b; /* there is no operand */
    (void)n;
    (void)dy;
    (void)want;
    (void)dx;
}

void
eval_iota(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    int64_t axis = node_int(&g->node[n], "axis"), stride[MAXRANK];
    int64_t count = type_elements(&out->type);

    (void)a;
    (void)in;
    type_strides(&out->type, stride);
    for (int64_t i = 0; i < count; i++)
        tensor_set(out, i, (double)(i / stride[axis] % out->type.dim[axis]));
}

Cost
cost_iota(const Graph *g, NodeId n)
{
    return cost_moving(g, n, 0);
}
