/* move: transpose, slice, pad, put and concat: elements under other indices. */
#include "ir/eval.h"
#include "ir/ops/ops.h"

#include <string.h>

static void
row_major(const Tensor *t, Strided *s)
{
    *s = (Strided){.data = t->data};
    type_strides(&t->type, s->stride);
}

bool
infer_transpose(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);
    const int64_t *perm = node_list(&g->node[n], "perm");
    bool seen[MAXRANK] = {false};

    (void)given;
    if (!needs_list(g, n, "perm", x->rank, 0, x->rank - 1))
        return false;
    *out = *x;
    for (int i = 0; i < x->rank; i++) {
        if (seen[perm[i]])
            return REFUSE(g, n, "transpose: axis %" PRId64 " is named twice",
                          perm[i]);
        seen[perm[i]] = true;
        out->dim[i] = x->dim[perm[i]];
    }
    return true;
}

void
grad_transpose(Builder *b, NodeId n, const ValueId *dy, const bool *want,
               ValueId *dx)
{
    Node node = *node_at(b->g, n);
    const int64_t *perm = node_list(&node, "perm");
    int64_t inverse[MAXRANK];

    for (int i = 0; i < (int)vec_len(perm); i++)
        inverse[perm[i]] = i;
    if (want[0])
        dx[0] = build_transpose(b, dy[0], inverse, NULL);
}

void
eval_transpose(Arena *a, const Graph *g, NodeId n, const Tensor *in,
               Tensor *out)
{
    const int64_t *perm = node_list(&g->node[n], "perm");
    Strided from, x, to;

    (void)a;
    row_major(in, &x);
    row_major(out, &to);
    from = x;
    for (int i = 0; i < out->type.rank; i++)
        from.stride[i] = x.stride[perm[i]];
    copy_strided(&out->type, to, from);
}

Cost
cost_transpose(const Graph *g, NodeId n)
{
    return cost_moving(g, n, 0);
}

/* Is the last index read, start + (count - 1) * step, inside the axis? */
static bool
slice_inside(int64_t dim, int64_t start, int64_t step, int64_t count)
{
    int64_t last;

    if (count == 0)
        return start >= 0 && start <= dim;
    return start >= 0 && start < dim &&
           !__builtin_mul_overflow(count - 1, step, &last) &&
           !__builtin_add_overflow(last, start, &last) && last >= 0 &&
           last < dim;
}

bool
infer_slice(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);
    const int64_t *starts = node_list(&g->node[n], "starts");
    const int64_t *steps = node_list(&g->node[n], "steps");

    if (!needs_given(g, n, given, x->dtype) ||
        !needs_list(g, n, "starts", x->rank, 0, INT64_MAX) ||
        !needs_list(g, n, "steps", x->rank, INT64_MIN, INT64_MAX))
        return false;
    if (given->rank != x->rank)
        return REFUSE(g, n, "slice: rank %d cannot become rank %d", x->rank,
                      given->rank);
    for (int i = 0; i < x->rank; i++) {
        if (steps[i] == 0)
            return REFUSE(g, n, "slice: steps[%d] is 0", i);
        if (!slice_inside(x->dim[i], starts[i], steps[i], given->dim[i]))
            return REFUSE(g, n,
                          "slice: %" PRId64 " elements from %" PRId64
                          " in steps of %" PRId64
                          " leave axis %d of size %" PRId64,
                          given->dim[i], starts[i], steps[i], i, x->dim[i]);
    }
    *out = *given;
    return true;
}

static Type
shape3(const Builder *b, DType d, int64_t x, int64_t y, int64_t z)
{
    Type t;

    if (!type_make(d, 3, (int64_t[]){x, y, z}, &t)) {
        complain((Loc){b->g->module->file, 0, b->source, b->source_op},
                 "the gradient of a slice in steps is too large");
        t = type_scalar(d);
    }
    return t;
}

/* x reversed along one axis. */
static ValueId
build_reverse(Builder *b, ValueId x, int axis)
{
    Type t = value_at(b->g, x)->type;
    int64_t starts[MAXRANK] = {0}, steps[MAXRANK];

    for (int i = 0; i < t.rank; i++)
        steps[i] = 1;
    starts[axis] = t.dim[axis] - 1;
    steps[axis] = -1;
    return build_slice(b, x, starts, steps, t, NULL);
}

/* x with step - 1 zeros between its elements along one axis. */
static ValueId
build_stretch(Builder *b, ValueId x, int axis, int64_t step)
{
    Type t = value_at(b->g, x)->type, out = t;
    int64_t count = t.dim[axis], outer = 1, inner = 1, zero[4] = {0};
    Type padded, cut;

    for (int i = 0; i < axis; i++)
        outer *= t.dim[i];
    for (int i = axis + 1; i < t.rank; i++)
        inner *= t.dim[i];
    x = build_view(b, x, 3, (int64_t[]){outer * count, 1, inner}, NULL);
    padded = shape3(b, t.dtype, outer * count, step, inner);
    x = build_pad(b, x, zero, 0, padded, NULL);
    cut = shape3(b, t.dtype, outer, count * step, inner);
    x = build_view(b, x, 3, cut.dim, NULL);
    cut.dim[1] = (count - 1) * step + 1;
    x = build_slice(b, x, zero, (int64_t[]){1, 1, 1}, cut, NULL);
    out.dim[axis] = cut.dim[1];
    return build_view(b, x, out.rank, out.dim, NULL);
}

/* dy goes back to where it was read, among zeros. */
void
grad_slice(Builder *b, NodeId n, const ValueId *dy, const bool *want,
           ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0), y = *result_type(b->g, n, 0);
    const int64_t *step = node_list(&node, "steps");
    int64_t starts[MAXRANK] = {0};
    ValueId v = dy[0];

    if (!want[0] || type_elements(&y) == 0)
        return;
    for (int i = 0; i < x.rank; i++) {
        int64_t size = step[i] < 0 ? -step[i] : step[i];

        starts[i] = node_list(&node, "starts")[i];
        if (y.dim[i] == 1)
            continue;
        if (step[i] < 0) {
            starts[i] += (y.dim[i] - 1) * step[i];
            v = build_reverse(b, v, i);
        }
        if (size != 1)
            v = build_stretch(b, v, i, size);
    }
    dx[0] = build_pad(b, v, starts, 0, x, NULL);
}

void
eval_slice(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const int64_t *starts = node_list(&g->node[n], "starts");
    const int64_t *steps = node_list(&g->node[n], "steps");
    int64_t bytes = dtype_bytes(out->type.dtype);
    Strided from, to;

    (void)a;
    if (type_elements(&out->type) == 0)
        return;
    row_major(in, &from);
    row_major(out, &to);
    for (int i = 0; i < out->type.rank; i++) {
        from.data += starts[i] * from.stride[i] * bytes;
        if (out->type.dim[i] > 1)
            from.stride[i] *= steps[i];
    }
    copy_strided(&out->type, to, from);
}

/* What is left out is not read. */
Cost
cost_slice(const Graph *g, NodeId n)
{
    Cost c = cost_moving(g, n, 0);

    c.bytes = 2 * (double)type_bytes(&value_at(g, g->node[n].out[0])->type);
    return c;
}

/* Does `x` at `starts` lie inside of `whole`? */
static bool
fits_inside(const Graph *g, NodeId n, const Type *x, const Type *whole)
{
    const int64_t *starts = node_list(&g->node[n], "starts");
    const char *op = op_info(g->node[n].op)->name;

    if (!needs_list(g, n, "starts", x->rank, 0, INT64_MAX))
        return false;
    if (whole->rank != x->rank)
        return REFUSE(g, n, "%s: rank %d does not go into rank %d", op,
                      x->rank, whole->rank);
    for (int i = 0; i < x->rank; i++)
        if (starts[i] > whole->dim[i] || x->dim[i] > whole->dim[i] - starts[i])
            return REFUSE(g, n,
                          "%s: %" PRId64 " elements at %" PRId64
                          " leave axis %d of size %" PRId64,
                          op, x->dim[i], starts[i], i, whole->dim[i]);
    return true;
}
bool
infer_pad(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0);

    if (!needs_given(g, n, given, x->dtype) || !fits_inside(g, n, x, given))
        return false;
    *out = *given;
    return true;
}

void
grad_pad(Builder *b, NodeId n, const ValueId *dy, const bool *want, ValueId *dx)
{
    Node node = *node_at(b->g, n);
    Type x = *operand_type(b->g, n, 0);
    int64_t steps[MAXRANK];

    for (int i = 0; i < x.rank; i++)
        steps[i] = 1;
    if (want[0])
        dx[0] =
            build_slice(b, dy[0], node_list(&node, "starts"), steps, x, NULL);
}

void
eval_pad(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const Node *node = &g->node[n];
    const int64_t *starts = node_list(node, "starts");
    Tensor value = tensor_new(a, type_scalar(out->type.dtype));
    int64_t bytes = dtype_bytes(out->type.dtype);
    Strided to, from = {.data = value.data};
    Strided x;

    row_major(out, &to);
    row_major(in, &x);
    tensor_set(&value, 0, node_attr(node, "value")->f);
    copy_strided(&out->type, to, from);
    if (type_elements(&in->type) == 0)
        return;
    for (int i = 0; i < out->type.rank; i++)
        to.data += starts[i] * to.stride[i] * bytes;
    copy_strided(&in->type, to, x);
}

Cost
cost_pad(const Graph *g, NodeId n)
{
    return cost_moving(g, n, 0);
}

bool
infer_put(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Type *x = operand_type(g, n, 0), *p = operand_type(g, n, 1);

    (void)given;
    if (p->dtype != x->dtype)
        return REFUSE(g, n, "put: %s does not go into %s",
                      dtype_name(p->dtype), dtype_name(x->dtype));
    *out = *x;
    return fits_inside(g, n, p, x);
}

/* What is written over has no part in the result. */
void
grad_put(Builder *b, NodeId n, const ValueId *dy, const bool *want, ValueId *dx)
{
    Node node = *node_at(b->g, n);
    const int64_t *starts = node_list(&node, "starts");
    Type p = *operand_type(b->g, n, 1);
    int64_t steps[MAXRANK];
    ValueId none;

    for (int i = 0; i < p.rank; i++)
        steps[i] = 1;
    if (want[1])
        dx[1] = build_slice(b, dy[0], starts, steps, p, NULL);
    if (!want[0])
        return;
    none = build_broadcast(b, build_number(b, 0, p.dtype, NULL), p.rank, p.dim,
                           NULL);
    dx[0] = build_put(b, dy[0], none, starts, NULL);
}

void
eval_put(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const int64_t *starts = node_list(&g->node[n], "starts");
    int64_t bytes = dtype_bytes(out->type.dtype);
    Strided to, p;

    (void)a;
    if (out->data != in[0].data && type_elements(&out->type))
        memcpy(out->data, in[0].data, (size_t)type_bytes(&out->type));
    if (type_elements(&in[1].type) == 0)
        return;
    row_major(out, &to);
    row_major(&in[1], &p);
    for (int i = 0; i < out->type.rank; i++)
        to.data += starts[i] * to.stride[i] * bytes;
    copy_strided(&in[1].type, to, p);
}

/* In place only p moves. */
Cost
cost_put(const Graph *g, NodeId n)
{
    Cost c = cost_moving(g, n, 0);

    if (value_at(g, g->node[n].out[0])->over)
        c.bytes -= 2 * (double)type_bytes(operand_type(g, n, 0));
    c.bytes += (double)type_bytes(operand_type(g, n, 1));
    return c;
}

/* Operand i may follow `first` along the axis. */
static bool
joins(const Type *first, const Type *x, int64_t axis)
{
    if (x->dtype != first->dtype || x->rank != first->rank)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (i != axis && x->dim[i] != first->dim[i])
            return false;
    return true;
}

bool
infer_concat(const Graph *g, NodeId n, const Type *given, Type *out)
{
    const Node *node = &g->node[n];
    int64_t axis = node_int(node, "axis"), total = 0;
    const Type *first;

    (void)given;
    if (node->nin == 0)
        return REFUSE(g, n, "concat: has no operands");
    if (node->nout != 1)
        return REFUSE(g, n, "concat: has one result, not %d", node->nout);
    first = operand_type(g, n, 0);
    if (axis < 0 || axis >= first->rank)
        return REFUSE(g, n, "concat: axis %" PRId64 " of operands of rank %d",
                      axis, first->rank);
    for (int i = 0; i < node->nin; i++) {
        const Type *x = operand_type(g, n, i);

        if (!joins(first, x, axis))
            return REFUSE(g, n, "concat: operand %d is %s beside %s", i + 1,
                          type_text(g->module->arena, x),
                          type_text(g->module->arena, first));
        if (__builtin_add_overflow(total, x->dim[axis], &total))
            return REFUSE(g, n, "concat: the result is too large");
    }
    *out = *first;
    out->dim[axis] = total;
    return type_make(first->dtype, first->rank, out->dim, out) ||
           REFUSE(g, n, "concat: the result is too large");
}

void
grad_concat(Builder *b, NodeId n, const ValueId *dy, const bool *want,
            ValueId *dx)
{
    Node node = *node_at(b->g, n);
    int64_t axis = node_int(&node, "axis");
    int64_t starts[MAXRANK] = {0}, steps[MAXRANK];

    for (int i = 0; i < MAXRANK; i++)
        steps[i] = 1;
    for (int i = 0; i < node.nin; i++) {
        Type x = value_at(b->g, node.in[i])->type;

        if (want[i])
            dx[i] = build_slice(b, dy[0], starts, steps, x, NULL);
        starts[axis] += x.dim[axis];
    }
}

void
eval_concat(Arena *a, const Graph *g, NodeId n, const Tensor *in, Tensor *out)
{
    const Node *node = &g->node[n];
    int64_t axis = node_int(node, "axis");
    int64_t bytes = dtype_bytes(out->type.dtype);
    Strided to, x;

    (void)a;
    row_major(out, &to);
    for (int i = 0; i < node->nin; i++) {
        row_major(&in[i], &x);
        copy_strided(&in[i].type, to, x);
        to.data += in[i].type.dim[axis] * to.stride[axis] * bytes;
    }
}

Cost
cost_concat(const Graph *g, NodeId n)
{
    return cost_moving(g, n, 0);
}
