/* expand_reduce: reductions over axes, running sums and products. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

ValueId
mean(Import *I, ValueId x, int naxes, const int64_t *axes)
{
    const Type t = value_at(I->g, x)->type;
    double count = 1;

    for (int i = 0; i < naxes; i++)
        count *= (double)t.dim[axes[i]];
    return scaled(I, build_reduce(&I->b, "sum", x, naxes, axes, NULL),
                  1 / count);
}

/* The axes of a Reduce*: an attribute, or an input since opset 13 (ReduceSum)
   or 18 (the others). */
static bool
reduce_axes(Import *I, int since, const Type *t, int64_t *axes, int *n)
{
    int64_t given[MAXRANK];
    unsigned seen = 0;

    if (I->opset >= since && has_input(I, 1)) {
        if (!input_integers(I, 1, MAXRANK, given, n))
            return false;
    } else {
        attr_ints(I, "axes", MAXRANK, given, n);
    }
    for (int i = 0; i < *n; i++) {
        if (!normal_axis(I, given[i], t->rank, &axes[i]))
            return false;
        if (seen >> axes[i] & 1) {
            lower_fault(I, "names axis %lld twice in its axes",
                        (long long)axes[i]);
            return false;
        }
        seen |= 1u << axes[i];
    }
    if (attr_int(I, "noop_with_empty_axes", 0) == 0 && *n == 0)
        for (; *n < t->rank; (*n)++)
            axes[*n] = *n;
    return true;
}

/* The largest or smallest ("max", "min") over the axes; of nothing it is what
   any number would replace. */
static ValueId
extreme(Import *I, const char *op, ValueId x, int naxes, const int64_t *axes)
{
    Type t = type_of(I, x);
    bool nothing = false, max = strcmp(op, "max") == 0;
    double none = dtype_float(t.dtype) ? (max ? -INFINITY : INFINITY) : !max;

    for (int i = 0; i < naxes; i++) {
        nothing |= t.dim[axes[i]] == 0;
        t.dim[axes[i]] = 1;
    }
    if (!nothing || (!dtype_float(t.dtype) && t.dtype != DT_I1))
        return build_reduce(&I->b, op, x, naxes, axes, NULL);
    return build_broadcast(&I->b, build_number(&I->b, none, t.dtype, NULL),
                           t.rank, t.dim, NULL);
}

typedef struct Reduction {
    const char *op, *before, *after; /* formulas in `a`, NULL: none */
    bool mean;
} Reduction;

static void
reduction(Import *I, int since, Reduction r)
{
    const Type *t = input_type(I, 0);
    bool keep = attr_int(I, "keepdims", 1) != 0;
    int64_t axes[MAXRANK];
    ValueId x = input(I, 0);
    int n;

    if (!t || !reduce_axes(I, since, t, axes, &n))
        return;
    if (r.before)
        x = compose1(I, x, "%s", r.before);
    x = r.mean             ? mean(I, x, n, axes)
        : *r.op == 'm'     ? extreme(I, r.op, x, n, axes)
                           : build_reduce(&I->b, r.op, x, n, axes, NULL);
    if (r.after)
        x = compose1(I, x, "%s", r.after);
    bind_output(I, 0, keep ? x : without_axes(I, x, axes, n));
}

void
lower_ReduceSum(Import *I)
{
    reduction(I, 13, (Reduction){.op = "sum"});
}

void
lower_ReduceMean(Import *I)
{
    reduction(I, 18, (Reduction){.op = "sum", .mean = true});
}

void
lower_ReduceSumSquare(Import *I)
{
    reduction(I, 18, (Reduction){.op = "sum", .before = "a*a"});
}

void
lower_ReduceL1(Import *I)
{
    reduction(I, 18, (Reduction){.op = "sum", .before = "abs(a)"});
}

/* The gradient of a zero vector is nan, as that of sqrt at 0. */
void
lower_ReduceL2(Import *I)
{
    reduction(I, 18,
              (Reduction){.op = "sum", .before = "a*a", .after = "sqrt(a)"});
}

void
lower_ReduceLogSum(Import *I)
{
    reduction(I, 18, (Reduction){.op = "sum", .after = "log(a)"});
}

void
lower_ReduceProd(Import *I)
{
    reduction(I, 18, (Reduction){.op = "prod"});
}

void
lower_ReduceMax(Import *I)
{
    reduction(I, 18, (Reduction){.op = "max"});
}

void
lower_ReduceMin(Import *I)
{
    reduction(I, 18, (Reduction){.op = "min"});
}

void
lower_GlobalMaxPool(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t axes[MAXRANK];
    int n = 0;

    if (!t)
        return;
    for (int i = 2; i < t->rank; i++)
        axes[n++] = i;
    bind_output(I, 0, build_reduce(&I->b, "max", input(I, 0), n, axes, NULL));
}

/* log(sum(exp(x - m))) + m with m the largest, where that is finite. */
void
lower_ReduceLogSumExp(Import *I)
{
    const Type *t = input_type(I, 0);
    bool keep = attr_int(I, "keepdims", 1) != 0;
    int64_t axes[MAXRANK];
    ValueId x = input(I, 0), top, sum;
    int n;

    if (!t || !reduce_axes(I, 18, t, axes, &n))
        return;
    top = extreme(I, "max", x, n, axes);
    top = build_map1(&I->b, OP_detach,
                     compose1(I, top, "where(a<inf and a>-inf,a,0)"), NULL);
    sum = build_reduce(&I->b, "sum", compose2(I, x, top, "exp(a-b)"), n, axes,
                       NULL);
    sum = compose2(I, sum, top, "log(a)+b");
    bind_output(I, 0, keep ? sum : without_axes(I, sum, axes, n));
}

/* x moved by `by` along the axis, towards the end or (reverse) the start, the
   gap filled with the operation's identity. */
static ValueId
shifted(Import *I, ValueId x, int axis, int64_t by, bool reverse,
        double identity)
{
    int64_t size = type_of(I, x).dim[axis];

    return pad_axis(I, slice_axis(I, x, axis, reverse ? by : 0, size - by),
                    axis, reverse ? 0 : by, size, identity);
}

/* Running results by doubling: after step k every element holds 2^k of them. */
static void
running(Import *I, Op op, double identity)
{
    bool exclusive = attr_int(I, "exclusive", 0) != 0;
    bool reverse = attr_int(I, "reverse", 0) != 0;
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0);
    int64_t axis;
    Type whole;
    int count;

    if (!t || !input_integers(I, 1, 1, &axis, &count) ||
        !normal_axis(I, count ? axis : 0, t->rank, &axis))
        return;
    whole = *t;
    if (exclusive && whole.dim[axis] > 0)
        x = shifted(I, x, (int)axis, 1, reverse, identity);
    for (int64_t by = 1; by < whole.dim[axis]; by *= 2)
        x = build_map2(&I->b, op, x,
                       shifted(I, x, (int)axis, by, reverse, identity), NULL);
    bind_output(I, 0,
                x == input(I, 0) ? build_map1(&I->b, OP_copy, x, NULL) : x);
}

void
lower_CumSum(Import *I)
{
    running(I, OP_add, 0);
}

void
lower_CumProd(Import *I)
{
    running(I, OP_mul, 1);
}

/* The first (or last) index along an axis of what is largest or smallest: the
   least (or greatest) of the indices where the element equals it. */
static void
index_of(Import *I, const char *extreme)
{
    const Type *t = input_type(I, 0);
    bool last = attr_int(I, "select_last_index", 0) != 0;
    bool keep = attr_int(I, "keepdims", 1) != 0;
    ValueId x = input(I, 0), best, at;
    int64_t axis, size;

    if (!t || !normal_axis(I, attr_int(I, "axis", 0), t->rank, &axis))
        return;
    size = t->dim[axis];
    best = build_reduce(&I->b, extreme, x, 1, &axis, NULL);
    at = counting(I, DT_I64, t->rank, (int)axis, size);
    at = compose(I, DT_I64, 3, (ValueId[]){x, best, at},
                 "where(a==b,c,(%lld))", last ? -1 : (long long)size);
    at = build_reduce(&I->b, last ? "max" : "min", at, 1, &axis, NULL);
    bind_output(I, 0, keep ? at : without_axes(I, at, &axis, 1));
}

void
lower_ArgMax(Import *I)
{
    index_of(I, "max");
}

void
lower_ArgMin(Import *I)
{
    index_of(I, "min");
}
