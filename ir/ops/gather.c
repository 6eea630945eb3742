/* gather: elements at indices known only when the program runs. An index is
   brought into range, so that nothing outside x is ever touched: a negative one
   counts from the end, then what is still out of range becomes the nearest
   index that is not. */
#include "ir/ops/gather.h"

#include "ir/eval.h"
#include "ir/ops/ops.h"

#include <string.h>

Gather
gather_of(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];
    bool back = node->op == OP_scatter;
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

bool
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

static void
set_axis(Node *n, const void *from, Builder *b)
{
    (void)b;
    node_attr_set(n, "axis")->i = *(const int64_t *)from;
}

ValueId
build_gather(Builder *b, ValueId x, ValueId i, int64_t axis)
{
    NodeId made = build_node(b, OP_gather, 2, (ValueId[]){x, i}, 1, NULL,
                             set_axis, &axis, NULL);

    return node_at(b->g, made)->out[0];
}

ValueId
build_flat_index(Builder *b, ValueId i, const Type *x, int axis)
{
    const Type t = value_at(b->g, i)->type;
    int64_t stride[MAXRANK], last = x->dim[axis] - 1;
    ValueId in[MAXRANK + 1] = {i};
    Text text = text_new(b->g->module->arena);
    int nin = 1;

    type_strides(x, stride);
    text_add(&text,
             "t = i64(a); u = where(t<0,t+%" PRId64
             ",t); max(min(u,%" PRId64 "),0)*%" PRId64,
             last + 1, last, stride[axis]);
    for (int k = 0; k < t.rank; k++) {
        Type line = {.dtype = DT_I64, .rank = t.rank};

        if (k == axis || t.dim[k] == 1)
            continue;
        for (int j = 0; j < t.rank; j++)
            line.dim[j] = j == k ? t.dim[k] : 1;
        text_add(&text, "+%s*%" PRId64,
                 formula_letter(b->g->module->arena, nin), stride[k]);
        in[nin++] = build_iota(b, line, k, NULL);
    }
    return build_formula(b, text_str(&text), nin, in, DT_I64, NULL);
}

void
grad_gather(Builder *b, NodeId n, const ValueId *dy, const bool *want,
            ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);

    if (want[0])
        dx[0] = build_scatter(b, "add", dy[0], node.in[1],
                              node_int(&node, "axis"), x);
}

int64_t
gather_row(const Tensor *indices, int64_t k, int64_t size)
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
                   from + (o * r.size + gather_row(&in[1], k, r.size)) * bytes,
                   (size_t)bytes);
}

/* x is read only where an index points to. */
Cost
cost_gather(const Graph *g, NodeId n)
{
    double moved = (double)type_bytes(result_type(g, n, 0));

    return (Cost){.bytes = 2 * moved +
                           (double)type_bytes(operand_type(g, n, 1))};
}
