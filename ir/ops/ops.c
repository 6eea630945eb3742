/* ops: checks, costs, offsets and strided copies for all op kinds. */
#include "ir/ops/ops.h"

#include <string.h>

bool
needs_given(const Graph *g, NodeId n, const Type *given, DType dtype)
{
    const char *name = op_info(g->node[n].op)->name;

    if (!given || given->dtype == DT_NONE)
        return REFUSE(g, n, "%s: the type of the result must be given", name);
    if (dtype != DT_NONE && given->dtype != dtype)
        return REFUSE(g, n, "%s: the result is %s, but the operand is %s", name,
                      dtype_name(given->dtype), dtype_name(dtype));
    return true;
}

bool
needs_real(const Graph *g, NodeId n, DType dtype)
{
    if (dtype == DT_F32 || dtype == DT_F64)
        return true;
    return REFUSE(g, n, "%s: works on f32 and f64, not on %s",
                  op_info(g->node[n].op)->name, dtype_name(dtype));
}

bool
needs_list(const Graph *g, NodeId n, const char *name, int length, int64_t low,
           int64_t high)
{
    const char *op = op_info(g->node[n].op)->name;
    const int64_t *list = node_list(&g->node[n], name);

    if (vec_len(list) != (size_t)length)
        return REFUSE(g, n, "%s: %s has %zu elements, not %d", op, name,
                      vec_len(list), length);
    for (int i = 0; i < length; i++)
        if (list[i] < low || list[i] > high)
            return REFUSE(g, n,
                          "%s: %s[%d] is %" PRId64 ", not in [%" PRId64
                          ", %" PRId64 "]",
                          op, name, i, list[i], low, high);
    return true;
}

bool
needs_split(const Graph *g, NodeId n, int64_t k)
{
    int64_t split = node_int(&g->node[n], "split");

    if (split == 1)
        return true;
    if (split < 1 || split > k ||
        (split - 1) * (k / split + (k % split != 0)) >= k)
        return REFUSE(
            g, n, "%s: k of %" PRId64 " cannot be cut into %" PRId64 " parts",
            op_info(g->node[n].op)->name, k, split);
    return true;
}

Cost
cost_moving(const Graph *g, NodeId n, double flops)
{
    const Node *node = &g->node[n];
    ValueId scratch = node_scratch(g, node);
    Cost c = {.flops = flops};

    for (int i = 0; i < node->nin; i++)
        c.bytes += (double)type_bytes(operand_type(g, n, i));
    for (int i = 0; i < node->nout; i++)
        if (node->out[i] != scratch)
            c.bytes += (double)type_bytes(result_type(g, n, i));
    return c;
}

bool
gradient_fits(const Graph *g, NodeId n, const Type *y, const Type *dy)
{
    if (type_equal(y, dy))
        return true;
    return REFUSE(g, n, "%s: the gradient is %s, not %s",
                  op_info(g->node[n].op)->name,
                  type_text(g->module->arena, dy),
                  type_text(g->module->arena, y));
}

void
no_gradient(const Builder *b, NodeId n, ValueId *dx, const char *why)
{
    for (int i = 0; i < b->g->node[n].nin; i++)
        dx[i] = 0;
    complain(graph_loc(b->g, n), E(E0501) "%s: %s",
             op_info(b->g->node[n].op)->name, why);
}

int64_t *
axis_offsets(Arena *a, int naxes, const int64_t *size, const int64_t *stride)
{
    int64_t total = 1, *offset;

    for (int i = 0; i < naxes; i++)
        total *= size[i];
    offset = NEWN(a, int64_t, total ? total : 1);
    if (!total)
        return offset;
    for (int64_t done = 1, i = naxes - 1; i >= 0; done *= size[i--])
        for (int64_t k = size[i] - 1; k >= 0; k--)
            for (int64_t j = 0; j < done; j++)
                offset[k * done + j] = offset[j] + k * stride[i];
    return offset;
}

static void
copy_row(int64_t count, int64_t bytes, char *dst, int64_t dst_step,
         const char *src, int64_t src_step)
{
    if (dst_step == bytes && src_step == bytes) {
        memcpy(dst, src, (size_t)(count * bytes));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        memcpy(dst + i * dst_step, src + i * src_step, (size_t)bytes);
}

static void
copy_axes(const Type *shape, int axis, const Strided *dst, char *to,
          const Strided *src, const char *from)
{
    int64_t bytes = dtype_bytes(shape->dtype);
    int64_t count = shape->rank ? shape->dim[axis] : 1;

    if (axis >= shape->rank - 1) {
        copy_row(count, bytes, to, dst->stride[axis] * bytes, from,
                 src->stride[axis] * bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        copy_axes(shape, axis + 1, dst, to + i * dst->stride[axis] * bytes, src,
                  from + i * src->stride[axis] * bytes);
}

void
copy_strided(const Type *shape, Strided dst, Strided src)
{
    if (type_elements(shape))
        copy_axes(shape, 0, &dst, dst.data, &src, src.data);
}
