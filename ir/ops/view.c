/* view, part and broadcast: the same elements under another shape. */
#include "ir/ops/ops.h"

#include <string.h>

bool
infer_view(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);

    if (!needs_given(g, n, given, x->dtype))
        return false;
    if (type_elements(given) != type_elements(x))
        return REFUSE(g, n,
                      "view: %" PRId64 " elements cannot take a shape "
                      "of %" PRId64,
                      type_elements(x), type_elements(given));
    *out = *given;
    return true;
}

void
grad_view(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    Type x = *operand_type(b->g, n, 0);

    if (want[0])
        dx[0] = build_view(b, dy[0], x.rank, x.dim, NULL);
}

void
eval_view(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    (void)a;
    (void)g;
    (void)n;
    memcpy(out->data, in->data, (size_t)type_bytes(&out->type));
}

Cost
cost_view(const Graph *g, NodeId n)
{
    (void)g;
    (void)n;
    return (Cost){0, 0};
}

bool
infer_part(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);
    int64_t at = node_int(node_at(g, n), "at"), count = type_elements(x);

    if (!needs_given(g, n, given, x->dtype))
        return false;
    if (at < 0 || at > count || type_elements(given) > count - at)
        return REFUSE(g, n,
                      "part: %" PRId64 " elements from %" PRId64
                      " on are not among %" PRId64,
                      type_elements(given), at, count);
    *out = *given;
    return true;
}

void
grad_part(Builder *b, NodeId n, const ValueId *dy, const bool *want,
          ValueId *dx)
{
    Type x = *operand_type(b->g, n, 0), y = value_at(b->g, dy[0])->type;
    int64_t at = node_int(node_at(b->g, n), "at");
    int64_t whole = type_elements(&x), count = type_elements(&y);
    Type flat = {.dtype = y.dtype, .rank = 1, .dim = {whole}};
    ValueId g;

    if (!want[0])
        return;
    g = build_view(b, dy[0], 1, &count, NULL);
    g = build_pad(b, g, &at, 0, flat, NULL);
    dx[0] = build_view(b, g, x.rank, x.dim, NULL);
}

void
eval_part(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    (void)a;
    memcpy(out->data, (const char *)in->data + node_ahead(g, n),
           (size_t)type_bytes(&out->type));
}

Cost
cost_part(const Graph *g, NodeId n)
{
    return cost_view(g, n);
}

bool
infer_broadcast(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);

    if (!needs_given(g, n, given, x->dtype))
        return false;
    if (!type_broadcasts_to(x, given))
        return REFUSE(g, n, "broadcast: %s does not go to %s",
                      type_text(g->module->arena, x),
                      type_text(g->module->arena, given));
    *out = *given;
    return true;
}

void
grad_broadcast(Builder *b, NodeId n, const ValueId *dy, const bool *want,
               ValueId *dx)
{
    Type x = *operand_type(b->g, n, 0);

    if (want[0])
        dx[0] = build_unbroadcast(b, dy[0], x, NULL);
}

void
eval_broadcast(Arena *a, const Graph *g, NodeId n, const Tensor *in,
               Tensor *out)
{
    Strided from = {.data = in->data}, to = {.data = out->data};

    (void)a;
    (void)g;
    (void)n;
    type_broadcast_strides(&in->type, &out->type, from.stride);
    type_strides(&out->type, to.stride);
    copy_strided(&out->type, to, from);
}

Cost
cost_broadcast(const Graph *g, NodeId n)
{
    return cost_moving(g, n, 0);
}
