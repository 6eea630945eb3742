/* gather: elements at indices known only when the program runs, and its
   gradient, scatter_add. An index is brought into range, so that nothing
   outside x is ever touched: a negative one counts from the end, then what is
   still out of range becomes the nearest index that is not. */
#include "ir/ops/gather.h"

#include "ir/eval.h"
#include "ir/ops/ops.h"

#include <string.h>

Gather
gather_of(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    bool back = node->op == OP_scatter_add;
    const Type *x = back ? result_type(g, n, 0) : operand_type(g, n, 0);
    int64_t axis = node_int(node, "axis");
    Gather r = {.outer = 1,
                .size = x->dim[axis],
                .count = type_elements(operand_type(g, n, 1)),
                .inner = 1};

    for (int i = 0; i < axis; i++)
        r.outer *= x->dim[i];
    for (int i = (int)axis + 1; i < x->rank; i++)
        r.inner *= x->dim[i];
    return r;
}

/* The type that x gathered by i along the axis has; false after a complaint. */
static bool
gathered_type(const Graph *g, NodeId n, const Type *x, Type *out)
{
    const char *name = op_info(g->node[n].op)->name;
    const Type *i = operand_type(g, n, 1);
    int64_t axis = node_int(&g->node[n], "axis");
    int64_t dim[2 * MAXRANK];
    int rank = 0;

    if (i->dtype != DT_I64 && i->dtype != DT_I32)
        return REFUSE(g, n, "%s: indices are i64 or i32, not %s", name,
                      dtype_name(i->dtype));
    if (axis < 0 || axis >= x->rank)
        return REFUSE(g, n, "%s: axis %" PRId64 " of rank %d", name, axis,
                      x->rank);
    if (x->rank - 1 + i->rank > MAXRANK)
        return REFUSE(g, n, "%s: more than %d axes", name, MAXRANK);
    if (x->dim[axis] == 0 && type_elements(i) != 0)
        return REFUSE(g, n, "%s: axis %" PRId64 " is empty", name, axis);
    for (int k = 0; k < axis; k++)
        dim[rank++] = x->dim[k];
    for (int k = 0; k < i->rank; k++)
        dim[rank++] = i->dim[k];
    for (int k = (int)axis + 1; k < x->rank; k++)
        dim[rank++] = x->dim[k];
    return type_make(x->dtype, rank, dim, out) ||
           REFUSE(g, n, "%s: the result is too large", name);
}

bool
infer_gather(const Graph *g, NodeId n, const Type *given, Type *out)
{
    (void)given;
    return gathered_type(g, n, operand_type(g, n, 0), out);
}

bool
infer_scatter_add(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *dy = operand_type(g, n, 0);
    Type expected;

    if (!needs_given(g, n, given, dy->dtype) ||
        !needs_real(g, n, dy->dtype) ||
        !gathered_type(g, n, given, &expected))
        return false;
    if (!type_equal(&expected, dy))
        return REFUSE(g, n, "scatter_add: g is %s, but %s takes %s",
                      type_text(g->module->arena, dy),
                      type_text(g->module->arena, given),
                      type_text(g->module->arena, &expected));
    *out = *given;
    return true;
}

static void
set_axis(Node *n, const void *from, Builder *b)
{
    (void)b;
    node_attr_set(n, "axis")->i = *(const int64_t *)from;
}

void
grad_gather(Builder *b, NodeId n, const ValueId *dy, const bool *want,
            ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);
    int64_t axis = node_int(&node, "axis");
    NodeId made;

    if (!want[0])
        return;
    made = build_node(b, OP_scatter_add, 2, (ValueId[]){dy[0], node.in[1]}, 1,
                      &x, set_axis, &axis, NULL);
    dx[0] = node_at(b->g, made)->out[0];
}

void
grad_scatter_add(Builder *b, NodeId n, const ValueId *dy, const bool *want,
                 ValueId *dx)
{
    Node node = *node_at(b->g, n);
    int64_t axis = node_int(&node, "axis");
    NodeId made;

    if (!want[0])
        return;
    made = build_node(b, OP_gather, 2, (ValueId[]){dy[0], node.in[1]}, 1, NULL,
                      set_axis, &axis, NULL);
    dx[0] = node_at(b->g, made)->out[0];
}

static int64_t
index_at(const Tensor *indices, int64_t k, int64_t size)
{
    int64_t i = indices->type.dtype == DT_I32
                    ? ((const int32_t *)indices->data)[k]
                    : ((const int64_t *)indices->data)[k];

    if (i < 0)
        i = i < -size ? 0 : i + size;
    return i >= size ? size - 1 : i;
}

void
eval_gather(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    Gather r = gather_of(g, n);
    int64_t bytes = r.inner * dtype_bytes(out->type.dtype);
    const char *from = in[0].data;
    char *to = out->data;

    (void)a;
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t k = 0; k < r.count; k++, to += bytes)
            memcpy(to,
                   from + (o * r.size + index_at(&in[1], k, r.size)) * bytes,
                   (size_t)bytes);
}

void
eval_scatter_add(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                 Tensor *out)
{
    Gather r = gather_of(g, n);
    int64_t at = 0;

    (void)a;
    memset(out->data, 0, (size_t)type_bytes(&out->type));
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t k = 0; k < r.count; k++) {
            int64_t row = o * r.size + index_at(&in[1], k, r.size);

            for (int64_t j = 0; j < r.inner; j++, at++)
                tensor_set(out, row * r.inner + j,
                           tensor_get(out, row * r.inner + j) +
                               tensor_get(&in[0], at));
        }
}

/* x is read only where an index points to. */
Cost
cost_gather(const Graph *g, NodeId n)
{
    double moved = (double)type_bytes(result_type(g, n, 0));

    return (Cost){.bytes = 2 * moved +
                           (double)type_bytes(operand_type(g, n, 1))};
}

Cost
cost_scatter_add(const Graph *g, NodeId n)
{
    Cost c = cost_moving(g, n, 0);

    c.flops = (double)type_elements(operand_type(g, n, 0));
    c.bytes += 2 * (double)type_bytes(operand_type(g, n, 0));
    return c;
}
