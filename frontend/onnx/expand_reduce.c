/* expand_reduce: reductions over axes. */
#include <string.h>

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
