/* expand_norm: softmax and normalizations. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

/* The axes from `axis` on. */
static int
axes_from(int64_t axis, int rank, int64_t *axes)
{
    int n = 0;

    while (axis + n < rank)
        axes[n] = axis + n, n++;
    return n;
}

/* Before opset 13 all axes from `axis` on are normalized together. */
static void
softmax(Import *I, bool log)
{
    const Type *t = input_type(I, 0);
    int64_t axis, axes[MAXRANK];
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", I->opset < 13 ? 1 : -1),
                           t->rank, &axis))
        return;
    n = axes_from(axis, I->opset < 13 ? t->rank : (int)axis + 1, axes);
    bind_output(I, 0, softmax_over(I, input(I, 0), n, axes, log));
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

void
lower_LayerNormalization(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0), middle, center, scale, y;
    int64_t axis, axes[MAXRANK], stash;
    Text inverse = text_new(I->a);
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", -1), t->rank, &axis))
        return;
    stash = attr_int(I, "stash_type", 1);
    n = axes_from(axis, t->rank, axes);
    middle = mean(I, x, n, axes);
    center = build_map2(&I->b, OP_sub, x, middle, NULL);
    scale = mean(I, build_map1(&I->b, OP_square, center, NULL), n, axes);
    text_add(&inverse, "1/sqrt(a+%s)",
             number_text(I, attr_float(I, "epsilon", 1e-5)));
    scale = build_formula(&I->b, inverse.s, 1, &scale, DT_NONE, NULL);
    y = build_map2(&I->b, OP_mul, center, scale, NULL);
    if (has_input(I, 1))
        y = affine(I, OP_mul, y, input(I, 1));
    if (has_input(I, 2))
        y = affine(I, OP_add, y, input(I, 2));
    bind_output(I, 0, y);
    if (stash == 1)
        I->narrow = DT_NONE; /* the others are f32 whatever x is */
    bind_output(I, 1, middle);
    bind_output(I, 2, scale);
}

/* y * scale + shift; a shift of 0 is none. */
static ValueId
scale_and_shift(Import *I, ValueId y, ValueId scale, ValueId shift)
{
    y = affine(I, OP_mul, y, scale);
    return shift ? affine(I, OP_add, y, shift) : y;
}

void
lower_RMSNormalization(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0), square, y;
    int64_t axis, axes[MAXRANK];
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", -1), t->rank, &axis))
        return;
    attr_int(I, "stash_type", 1);
    n = axes_from(axis, t->rank, axes);
    square = mean(I, build_map1(&I->b, OP_square, x, NULL), n, axes);
    y = compose2(I, x, square, "a/sqrt(b+(%.17g))",
                 attr_float(I, "epsilon", 1e-5));
    bind_output(I, 0, scale_and_shift(I, y, input(I, 1), 0));
}

/* Is input i a vector of `size`, and is x of (batch, channels, ...)? */
static bool
channel_vector(Import *I, int i, int64_t size)
{
    const Type *t = input_type(I, i);

    if (t && (t->rank != 1 || t->dim[0] != size))
        lower_fault(I, "input %d must be a vector of %lld, is %s", i,
                    (long long)size, type_text(I->a, t));
    return t && t->rank == 1 && t->dim[0] == size;
}

static bool
has_channels(Import *I, const Type *t, int rank)
{
    if (t && t->rank < rank)
        lower_fault(I, "normalizes %s, at least %d axes are needed",
                    type_text(I->a, t), rank);
    return t && t->rank >= rank;
}

void
lower_InstanceNormalization(Import *I)
{
    const Type *x = input_type(I, 0);
    int64_t axes[MAXRANK];
    int n, rank;
    ValueId y;

    if (!has_channels(I, x, 3) || !channel_vector(I, 1, x->dim[1]) ||
        !channel_vector(I, 2, type_of(I, input(I, 0)).dim[1]))
        return;
    rank = type_of(I, input(I, 0)).rank;
    n = axes_from(2, rank, axes);
    y = normalized(I, input(I, 0), n, axes, attr_float(I, "epsilon", 1e-5));
    bind_output(I, 0,
                scale_and_shift(I, y, along_axis(I, input(I, 1), rank, 1),
                                along_axis(I, input(I, 2), rank, 1)));
}

/* Scale and bias: one a group in opset 18, one a channel since 21. */
static void
normalize_groups(Import *I, int64_t groups)
{
    const Type t = type_of(I, input(I, 0));
    int64_t dim[3] = {t.dim[0], groups, t.dim[1] / groups}, axes[1] = {2};
    bool by_group = I->opset < 21;
    ValueId y;

    for (int i = 2; i < t.rank; i++)
        dim[2] *= t.dim[i];
    y = normalized(I, build_view(&I->b, input(I, 0), 3, dim, NULL), 1, axes,
                   attr_float(I, "epsilon", 1e-5));
    if (by_group)
        y = scale_and_shift(I, y, along_axis(I, input(I, 1), 3, 1),
                            along_axis(I, input(I, 2), 3, 1));
    y = build_view(&I->b, y, t.rank, t.dim, NULL);
    if (!by_group)
        y = scale_and_shift(I, y, along_axis(I, input(I, 1), t.rank, 1),
                            along_axis(I, input(I, 2), t.rank, 1));
    bind_output(I, 0, y);
}

void
lower_GroupNormalization(Import *I)
{
    const Type *x = input_type(I, 0);
    int64_t groups = attr_int(I, "num_groups", 0), size;

    attr_int(I, "stash_type", 1);
    if (!has_channels(I, x, 2))
        return;
    if (groups < 1 || x->dim[1] % groups != 0) {
        lower_fault(I, "num_groups %lld does not divide %lld channels",
                    (long long)groups, (long long)x->dim[1]);
        return;
    }
    size = I->opset < 21 ? groups : x->dim[1];
    if (channel_vector(I, 1, size) && channel_vector(I, 2, size))
        normalize_groups(I, groups);
}

/* 0 where the norm is 0, in value and gradient. */
void
lower_LpNormalization(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t p = attr_int(I, "p", 2), axis;
    ValueId x = input(I, 0), sum;

    if (!t || !normal_axis(I, attr_int(I, "axis", -1), t->rank, &axis))
        return;
    if (p != 1 && p != 2) {
        lower_fault(I, "p is 1 or 2, not %lld", (long long)p);
        return;
    }
    sum = build_map1(&I->b, p == 1 ? OP_abs : OP_square, x, NULL);
    sum = build_reduce(&I->b, "sum", sum, 1, &axis, NULL);
    bind_output(I, 0,
                compose2(I, x, sum,
                         p == 1 ? "where(b==0,0,a/where(b==0,1,b))"
                                : "where(b==0,0,a/sqrt(where(b==0,1,b)))"));
}

/* The standard's own form: 1e-9 is added to the deviation. */
void
lower_MeanVarianceNormalization(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t axes[MAXRANK] = {0, 2, 3};
    ValueId x = input(I, 0), center, variance;
    int n;

    if (!t)
        return;
    if (attr_given(I, "axes"))
        attr_ints(I, "axes", MAXRANK, axes, &n);
    else
        n = 3;
    for (int i = 0; i < n; i++)
        if (!normal_axis(I, axes[i], t->rank, &axes[i]))
            return;
    center = build_map2(&I->b, OP_sub, x, mean(I, x, n, axes), NULL);
    variance = mean(I, build_map1(&I->b, OP_square, center, NULL), n, axes);
    bind_output(I, 0, compose2(I, center, variance, "a/(sqrt(b)+1e-9)"));
}

/* The sum of squares over a window of channels: shifted copies, added. */
static ValueId
channel_window(Import *I, ValueId square, int64_t size)
{
    int64_t channels = type_of(I, square).dim[1];
    ValueId padded =
        pad_axis(I, square, 1, (size - 1) / 2, channels + size - 1, 0);
    ValueId sum = slice_axis(I, padded, 1, 0, channels);

    for (int64_t k = 1; k < size; k++)
        sum = build_map2(&I->b, OP_add, sum,
                         slice_axis(I, padded, 1, k, channels), NULL);
    return sum;
}

void
lower_LRN(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t size = attr_int(I, "size", 0);
    double alpha = attr_float(I, "alpha", 1e-4);
    double beta = attr_float(I, "beta", 0.75), bias = attr_float(I, "bias", 1);
    ValueId x = input(I, 0), sum;

    if (!has_channels(I, t, 2))
        return;
    if (size < 1 || size > 64) {
        lower_fault(I,
                    "a window of %lld channels is not supported: 1 to 64 "
                    "are",
                    (long long)size);
        return;
    }
    sum = channel_window(I, build_map1(&I->b, OP_square, x, NULL), size);
    bind_output(I, 0,
                compose2(I, x, sum, "a/pow((%.17g)+(%.17g)*b,(%.17g))", bias,
                         alpha / (double)size, beta));
}
