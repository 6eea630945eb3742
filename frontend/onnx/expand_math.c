/* expand_math: products, activations, normalizations, reductions. */
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* One value through a formula in `a`. */
static void
formula1(Import *I, const char *formula)
{
    ValueId x = input(I, 0);

    if (x)
        bind_output(I, 0, build_formula(&I->b, formula, 1, &x, DT_NONE, NULL));
}

static const char *
number_text(Import *I, double x)
{
    Text t = text_new(I->a);

    text_add_double(&t, x);
    return t.s;
}

void
lower_LeakyRelu(Import *I)
{
    Text t = text_new(I->a);

    text_add(&t, "where(a>0,a,%s*a)",
             number_text(I, attr_float(I, "alpha", 0.01)));
    formula1(I, t.s);
}

void
lower_Elu(Import *I)
{
    Text t = text_new(I->a);

    text_add(&t, "where(a>0,a,%s*(exp(min(a,0))-1))",
             number_text(I, attr_float(I, "alpha", 1)));
    formula1(I, t.s);
}

void
lower_HardSigmoid(Import *I)
{
    const char *alpha = number_text(I, attr_float(I, "alpha", 0.2));
    const char *beta = number_text(I, attr_float(I, "beta", 0.5));
    Text t = text_new(I->a);

    text_add(&t, "max(min(%s*a+(%s),1),0)", alpha, beta);
    formula1(I, t.s);
}

void
lower_HardSwish(Import *I)
{
    formula1(I, "a*max(min(a*0.16666666666666666+0.5,1),0)");
}

void
lower_Gelu(Import *I)
{
    const char *form = attr_text(I, "approximate", "none");

    if (strcmp(form, "tanh") == 0)
        formula1(I, "0.5*a*(1+tanh(0.7978845608028654*"
                    "(a+0.044715*a*a*a)))");
    else
        formula1(I, "gelu(a)");
}

/* A bound of Clip: an attribute before opset 11, then a constant input. */
static bool
clip_bound(Import *I, const char *name, int i, double *x, bool *given)
{
    const Tensor *t;

    *given = I->opset < 11 ? attr_given(I, name) : has_input(I, i);
    if (!*given)
        return true;
    if (I->opset < 11) {
        *x = attr_float(I, name, 0);
        return true;
    }
    t = input_constant(I, i);
    if (!t || type_elements(&t->type) != 1) {
        lower_fault(I, "its bound %s must be a constant number", name);
        return false;
    }
    *x = tensor_get(t, 0);
    return true;
}

void
lower_Clip(Import *I)
{
    double low = 0, high = 0;
    bool has_low, has_high;
    Text t = text_new(I->a);

    if (!clip_bound(I, "min", 1, &low, &has_low) ||
        !clip_bound(I, "max", 2, &high, &has_high))
        return;
    text_add(&t, "a");
    if (has_low) {
        t = text_new(I->a);
        text_add(&t, "max(a,%s)", number_text(I, low));
    }
    if (has_high) {
        Text outer = text_new(I->a);

        text_add(&outer, "min(%s,%s)", t.s, number_text(I, high));
        t = outer;
    }
    formula1(I, t.s);
}

/* A chain of a two-operand row over any number of inputs. */
static void
chain(Import *I, Op op)
{
    ValueId x = input(I, 0);

    for (int i = 1; x && i < input_count(I); i++) {
        ValueId y = input(I, i);

        x = y ? build_map2(&I->b, op, x, y, NULL) : 0;
    }
    if (x && input_count(I) == 1)
        x = build_map1(&I->b, OP_copy, x, NULL);
    bind_output(I, 0, x);
}

void
lower_Sum(Import *I)
{
    chain(I, OP_add);
}

void
lower_Max(Import *I)
{
    chain(I, OP_max);
}

void
lower_Min(Import *I)
{
    chain(I, OP_min);
}

static ValueId
scaled(Import *I, ValueId x, double factor)
{
    Text t = text_new(I->a);

    if (factor == 1)
        return x;
    text_add(&t, "(%s)*a", number_text(I, factor));
    return build_formula(&I->b, t.s, 1, &x, DT_NONE, NULL);
}

void
lower_Gemm(Import *I)
{
    double alpha = attr_float(I, "alpha", 1), beta = attr_float(I, "beta", 1);
    bool ta = attr_int(I, "transA", 0) != 0, tb = attr_int(I, "transB", 0);
    const Type *at = input_type(I, 0), *bt = input_type(I, 1);
    char labels[16];
    ValueId y;

    if (!at || !bt)
        return;
    if (at->rank != 2 || bt->rank != 2 || at->dim[!ta] != bt->dim[tb]) {
        lower_fault(I, "multiplies %s%s by %s%s: the inner sizes differ",
                    type_text(I->a, at), ta ? " transposed" : "",
                    type_text(I->a, bt), tb ? " transposed" : "");
        return;
    }
    snprintf(labels, sizeof labels, "%s,%s->mn", ta ? "km" : "mk",
             tb ? "nk" : "kn");
    y = build_contract(&I->b, labels, input(I, 0), input(I, 1), NULL);
    y = scaled(I, y, alpha);
    if (has_input(I, 2)) {
        ValueId c = input(I, 2);

        if (!c)
            return;
        y = build_map2(&I->b, OP_add, y, scaled(I, c, beta), NULL);
    }
    bind_output(I, 0, y);
}

/* Labels of the batch axes, aligned at the right; a broadcast axis of size 1
   must have been dropped by the caller. */
static void
batch_labels(char *to, int batch, int most)
{
    for (int i = 0; i < batch; i++)
        *to++ = (char)('a' + (most - batch) + i);
    *to = 0;
}

static bool
matmul_fits(Import *I, const Type *a, const Type *b)
{
    bool fits = a->rank >= 1 && b->rank >= 1 &&
                a->dim[a->rank - 1] == b->dim[b->rank > 1 ? b->rank - 2 : 0];
    int na = a->rank > 2 ? a->rank - 2 : 0, nb = b->rank > 2 ? b->rank - 2 : 0;

    for (int i = 1; fits && i <= na && i <= nb; i++)
        fits = a->dim[na - i] == b->dim[nb - i];
    if (!fits)
        lower_fault(I, "multiplies %s by %s, which do not go together\nhint: "
                       "batch axes must be equal, or absent in one",
                    type_text(I->a, a), type_text(I->a, b));
    return fits;
}

void
lower_MatMul(Import *I)
{
    ValueId x = input(I, 0), y = input(I, 1);
    char la[MAXRANK + 1], lb[MAXRANK + 1], labels[6 * MAXRANK];
    const char *ma, *nb;
    int ba, bb, most;

    if (!x || !y)
        return;
    ma = value_at(I->g, x)->type.rank > 1 ? "m" : "";
    nb = value_at(I->g, y)->type.rank > 1 ? "n" : "";
    ba = value_at(I->g, x)->type.rank - (*ma ? 2 : 1);
    bb = value_at(I->g, y)->type.rank - (*nb ? 2 : 1);
    if (!matmul_fits(I, &value_at(I->g, x)->type, &value_at(I->g, y)->type))
        return;
    most = ba > bb ? ba : bb;
    batch_labels(la, ba, most);
    batch_labels(lb, bb, most);
    snprintf(labels, sizeof labels, "%s%sk,%sk%s->%s%s%s", la, ma, lb, nb,
             ba > bb ? la : lb, ma, nb);
    bind_output(I, 0, build_contract(&I->b, labels, x, y, NULL));
}

/* ---- softmax and norms ------------------------------------------------ */

static ValueId
log_softmax(Import *I, ValueId x, int naxes, const int64_t *axes, bool log)
{
    Builder *b = &I->b;
    ValueId top = build_reduce(b, "max", x, naxes, axes, NULL);
    ValueId z = build_map2(b, OP_sub, x,
                           build_map1(b, OP_detach, top, NULL), NULL);
    ValueId e = build_map1(b, OP_exp, z, NULL);
    ValueId sum = build_reduce(b, "sum", e, naxes, axes, NULL);

    if (log)
        return build_map2(b, OP_sub, z, build_map1(b, OP_log, sum, NULL),
                          NULL);
    return build_map2(b, OP_div, e, sum, NULL);
}

/* Before opset 13 all axes from `axis` on are normalized together. */
static void
softmax(Import *I, bool log)
{
    const Type *t = input_type(I, 0);
    int64_t axis, axes[MAXRANK];
    int n = 0;

    if (!t || !normal_axis(I, attr_int(I, "axis", I->opset < 13 ? 1 : -1),
                           t->rank, &axis))
        return;
    axes[n++] = axis;
    while (I->opset < 13 && axis + n < t->rank)
        axes[n] = axis + n, n++;
    bind_output(I, 0, log_softmax(I, input(I, 0), n, axes, log));
}

void
lower_Softmax(Import *I)
{
    softmax(I, false);
}

void
lower_LogSoftmax(Import *I)
{
    softmax(I, true);
}

static ValueId
mean(Import *I, ValueId x, int naxes, const int64_t *axes)
{
    const Type t = value_at(I->g, x)->type;
    double count = 1;

    for (int i = 0; i < naxes; i++)
        count *= (double)t.dim[axes[i]];
    return scaled(I, build_reduce(&I->b, "sum", x, naxes, axes, NULL),
                  1 / count);
}

void
lower_LayerNormalization(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0), center, y;
    int64_t axis, axes[MAXRANK];
    Text t2 = text_new(I->a);
    int n = 0;

    if (!t || !normal_axis(I, attr_int(I, "axis", -1), t->rank, &axis))
        return;
    if (wants_output(I, 1) || wants_output(I, 2))
        lower_fault(I, "its second and third output are not supported yet");
    attr_int(I, "stash_type", 1);
    while (axis + n < t->rank)
        axes[n] = axis + n, n++;
    center = build_map2(&I->b, OP_sub, x, mean(I, x, n, axes), NULL);
    y = mean(I, build_map1(&I->b, OP_square, center, NULL), n, axes);
    text_add(&t2, "a/sqrt(b+%s)",
             number_text(I, attr_float(I, "epsilon", 1e-5)));
    y = build_formula(&I->b, t2.s, 2, (ValueId[]){center, y}, DT_NONE, NULL);
    for (int i = 1; i < 3; i++) {
        ValueId v = has_input(I, i) ? input(I, i) : 0;

        if (v)
            y = build_map2(&I->b, i == 1 ? OP_mul : OP_add, y, v, NULL);
    }
    bind_output(I, 0, y);
}

void
lower_BatchNormalization(Import *I)
{
    attr_float(I, "epsilon", 0);
    attr_float(I, "momentum", 0);
    attr_int(I, "spatial", 0);
    attr_int(I, "training_mode", 0);
    lower_fault(I, "batch normalization is not supported yet\nhint: a model "
                   "without it (LayerNormalization instead) trains today");
}

/* ---- reductions ------------------------------------------------------- */

/* The axes of a Reduce*: an attribute, or an input since opset 13 (ReduceSum)
   or 18 (the others). */
static bool
reduce_axes(Import *I, bool is_sum, const Type *t, int64_t *axes, int *n)
{
    bool as_input = I->opset >= (is_sum ? 13 : 18);
    int64_t given[MAXRANK];

    if (as_input && has_input(I, 1)) {
        if (!input_integers(I, 1, MAXRANK, given, n))
            return false;
    } else {
        attr_ints(I, "axes", MAXRANK, given, n);
    }
    for (int i = 0; i < *n; i++)
        if (!normal_axis(I, given[i], t->rank, &axes[i]))
            return false;
    if (*n == 0 && attr_int(I, "noop_with_empty_axes", 0) == 0)
        for (; *n < t->rank; (*n)++)
            axes[*n] = *n;
    return true;
}

static ValueId
without_axes(Import *I, ValueId x, const int64_t *axes, int n)
{
    const Type t = value_at(I->g, x)->type;
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

static void
reduction(Import *I, const char *op, bool is_mean, bool squared)
{
    const Type *t = input_type(I, 0);
    bool is_sum = strcmp(op, "sum") == 0 && !is_mean && !squared;
    bool keep = attr_int(I, "keepdims", 1) != 0;
    int64_t axes[MAXRANK];
    ValueId x = input(I, 0);
    int n;

    if (!t || !reduce_axes(I, is_sum, t, axes, &n))
        return;
    if (squared)
        x = build_map1(&I->b, OP_square, x, NULL);
    x = is_mean ? mean(I, x, n, axes)
                : build_reduce(&I->b, op, x, n, axes, NULL);
    bind_output(I, 0, keep ? x : without_axes(I, x, axes, n));
}

void
lower_ReduceSum(Import *I)
{
    reduction(I, "sum", false, false);
}

void
lower_ReduceMean(Import *I)
{
    reduction(I, "sum", true, false);
}

void
lower_ReduceSumSquare(Import *I)
{
    reduction(I, "sum", false, true);
}

void
lower_ReduceMax(Import *I)
{
    reduction(I, "max", false, false);
}

void
lower_ReduceMin(Import *I)
{
    reduction(I, "min", false, false);
}
