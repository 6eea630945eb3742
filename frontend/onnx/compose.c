/* compose: the small pieces that lowering functions build operators from. */
#include "frontend/onnx/compose.h"

#include "frontend/onnx/expand.h"
#include "ir/eval.h"

#include <stdarg.h>
#include <stdio.h>

ValueId
compose(Import *I, DType dtype, int n, const ValueId *in, const char *format,
        ...)
{
    char text[1024];
    va_list args;
    int length;

    for (int i = 0; i < n; i++)
        if (!in[i])
            return 0;
    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ASSERT(length > 0 && length < (int)sizeof text);
    return build_formula(&I->b, text, n, in, dtype, NULL);
}

Type
type_of(const Import *I, ValueId v)
{
    return value_at(I->g, v)->type;
}

ValueId
normalized(Import *I, ValueId x, int naxes, const int64_t *axes, double epsilon)
{
    ValueId middle = mean(I, x, naxes, axes);
    ValueId center = build_map2(&I->b, OP_sub, x, middle, NULL);
    ValueId variance =
        mean(I, build_map1(&I->b, OP_square, center, NULL), naxes, axes);

    return compose2(I, center, variance, "a/sqrt(b+(%.17g))", epsilon);
}

ValueId
without_axes(Import *I, ValueId x, const int64_t *axes, int n)
{
    const Type t = type_of(I, x);
    int64_t dim[MAXRANK];
    unsigned drop = 0;
    int rank = 0;

    for (int i = 0; i < n; i++)
        drop |= 1u << axes[i];
    for (int i = 0; i < t.rank; i++)
        if (!(drop >> i & 1))
            dim[rank++] = t.dim[i];
    return build_view(&I->b, x, rank, dim, NULL);
}

ValueId
with_axis(Import *I, ValueId x, int axis)
{
    const Type t = type_of(I, x);
    int64_t dim[MAXRANK];

    for (int i = 0; i <= t.rank; i++)
        dim[i] = i < axis ? t.dim[i] : i == axis ? 1 : t.dim[i - 1];
    return build_view(&I->b, x, t.rank + 1, dim, NULL);
}

typedef struct Placing {
    int64_t start[MAXRANK];
    int axis, rank;
    int64_t step; /* along the axis */
    double value;
} Placing;

static void
set_slice(Node *n, const void *from, Builder *b)
{
    int64_t steps[MAXRANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    const Placing *p = from;

    steps[p->axis] = p->step;
    node_attr_set(n, "starts")->list =
        list_new(b->g->module->arena, p->rank, p->start);
    node_attr_set(n, "steps")->list =
        list_new(b->g->module->arena, p->rank, steps);
}

static void
set_pad(Node *n, const void *from, Builder *b)
{
    const Placing *p = from;

    node_attr_set(n, "starts")->list =
        list_new(b->g->module->arena, p->rank, p->start);
    node_attr_set(n, "value")->f = p->value;
}

static ValueId
placed(Import *I, Op op, ValueId x, int64_t size, Placing *p)
{
    Type to = type_of(I, x);
    int64_t start = p->start[0];
    NodeId n;

    p->rank = to.rank;
    p->start[0] = 0;
    p->start[p->axis] = start;
    to.dim[p->axis] = size;
    if (!type_make(to.dtype, to.rank, to.dim, &to)) {
        lower_fault(I, "asks for more elements than there can be");
        return x;
    }
    n = build_node(&I->b, op, 1, &x, 1, &to,
                   op == OP_slice ? set_slice : set_pad, p, NULL);
    return node_at(I->g, n)->out[0];
}

ValueId
slice_steps(Import *I, ValueId x, int axis, int64_t start, int64_t step,
            int64_t size)
{
    return placed(I, OP_slice, x, size,
                  &(Placing){.start = {start}, .axis = axis, .step = step});
}

ValueId
slice_axis(Import *I, ValueId x, int axis, int64_t start, int64_t size)
{
    return slice_steps(I, x, axis, start, 1, size);
}

ValueId
joined(Import *I, int n, const ValueId *x, int axis)
{
    for (int i = 0; i < n; i++)
        if (!x[i])
            return 0;
    return n == 1 ? x[0] : build_concat(&I->b, n, x, axis, NULL);
}

ValueId
pad_axis(Import *I, ValueId x, int axis, int64_t start, int64_t size,
         double value)
{
    return placed(I, OP_pad, x, size,
                  &(Placing){.start = {start}, .axis = axis, .value = value});
}

ValueId
along_axis(Import *I, ValueId vector, int rank, int axis)
{
    int64_t dim[MAXRANK];

    if (!vector)
        return 0;
    for (int i = 0; i < rank; i++)
        dim[i] = i == axis ? type_of(I, vector).dim[0] : 1;
    return build_view(&I->b, vector, rank, dim, NULL);
}

ValueId
counting(Import *I, DType dtype, int rank, int axis, int64_t size)
{
    Type t = {.dtype = dtype, .rank = rank};

    for (int i = 0; i < rank; i++)
        t.dim[i] = i == axis ? size : 1;
    return build_iota(&I->b, t, axis, NULL);
}

ValueId
softmax_over(Import *I, ValueId x, int naxes, const int64_t *axes, bool log)
{
    Builder *b = &I->b;
    ValueId top = build_map1(
        b, OP_detach, build_reduce(b, "max", x, naxes, axes, NULL), NULL);
    ValueId z = build_map2(b, OP_sub, x, top, NULL);
    ValueId e = build_map1(b, OP_exp, z, NULL);
    ValueId sum = build_reduce(b, "sum", e, naxes, axes, NULL);

    if (!log)
        return build_map2(b, OP_div, e, sum, NULL);
    return build_map2(b, OP_sub, z, build_map1(b, OP_log, sum, NULL), NULL);
}

const Tensor *
input_literal(Import *I, int i)
{
    enum { LITERAL_MOST = 64 };
    Known *k;
    Type t;

    if (!has_input(I, i))
        return NULL;
    k = know(I, I->node->input[i]);
    if (!k->constant && k->proto &&
        tensor_type(k->proto, here(I), &t) && type_elements(&t) <= LITERAL_MOST)
        return initializer_content(I->a, I->m, I->file, k->proto, k->data);
    return input_constant(I, i);
}

bool
input_number(Import *I, int i, const char *what, double *x)
{
    const Tensor *t = input_literal(I, i);

    if (!t || type_elements(&t->type) != 1) {
        lower_fault(I, "its input %s must be one number known at compile time",
                    what);
        return false;
    }
    *x = tensor_get(t, 0);
    return true;
}

static ValueId
copied(Import *I, ValueId x, const char *name, int64_t step)
{
    Text text = text_new(I->a);

    text_add(&text, "%s.%lld", name, (long long)step);
    return build_map1(&I->b, OP_copy, x, text_str(&text));
}

ValueId
carried(Import *I, ValueId x, int64_t step)
{
    return copied(I, x, "carry", step);
}

ValueId
step_result(Import *I, ValueId x, int64_t step)
{
    return copied(I, x, "step", step);
}
