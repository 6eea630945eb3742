/* expand_random: operators that draw numbers. What they draw follows from their
   seed, their place in the model and, in training, the step. */
#include <math.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

enum { CLASSES_MOST = 4096 };

/* The floating type that the attribute dtype says, else that of t. */
static bool
take_dtype(Import *I, Type *t)
{
    int64_t wanted = attr_int(I, "dtype", 0);

    if (wanted)
        t->dtype = wanted > 0 && wanted < 100 ? onnx_dtype((int32_t)wanted)
                                              : DT_NONE;
    if (dtype_float(t->dtype))
        return true;
    lower_fault(I, "draws elements of another type than floats");
    return false;
}

static bool
take_shape(Import *I, Type *t)
{
    int64_t dim[MAXRANK];
    int rank;

    attr_ints(I, "shape", MAXRANK, dim, &rank);
    if (type_make(DT_F32, rank, dim, t) && type_elements(t) > 0)
        return take_dtype(I, t);
    lower_fault(I, "has no shape, or one that cannot be");
    return false;
}

static bool
take_shape_like(Import *I, Type *t)
{
    const Type *like = first_type(I);

    if (!like)
        return false;
    *t = *like;
    return take_dtype(I, t);
}

static void
bind_normal(Import *I, const Type *t)
{
    double mean = attr_float(I, "mean", 0), scale = attr_float(I, "scale", 1);
    double seed = attr_float(I, "seed", 0);
    ValueId in[2];

    if (!isfinite(mean) || !isfinite(scale) || !isfinite(seed)) {
        lower_fault(I, "has a mean, scale or seed that is no number");
        return;
    }
    in[0] = drawn(I, *t, seed);
    in[1] = drawn(I, *t, seed);
    bind_output(I, 0,
                compose(I, t->dtype, 2, in,
                        "(%.17g)+(%.17g)*sqrt(-2*log(1-a))*"
                        "cos(6.283185307179586*b)",
                        mean, scale));
}

static void
bind_uniform(Import *I, const Type *t)
{
    double low = attr_float(I, "low", 0), high = attr_float(I, "high", 1);
    double seed = attr_float(I, "seed", 0);
    ValueId u;

    if (!isfinite(low) || !isfinite(high) || !isfinite(seed)) {
        lower_fault(I, "has a low, high or seed that is no number");
        return;
    }
    u = drawn(I, *t, seed);
    bind_output(I, 0, compose(I, t->dtype, 1, &u, "(%.17g)+(%.17g)*a", low,
                              high - low));
}

void
lower_RandomNormal(Import *I)
{
    Type t;

    if (take_shape(I, &t))
        bind_normal(I, &t);
}

void
lower_RandomNormalLike(Import *I)
{
    Type t;

    if (take_shape_like(I, &t))
        bind_normal(I, &t);
}

void
lower_RandomUniform(Import *I)
{
    Type t;

    if (take_shape(I, &t))
        bind_uniform(I, &t);
}

void
lower_RandomUniformLike(Import *I)
{
    Type t;

    if (take_shape_like(I, &t))
        bind_uniform(I, &t);
}

void
lower_Bernoulli(Import *I)
{
    int64_t wanted = attr_int(I, "dtype", 0);
    double seed = attr_float(I, "seed", 0);
    ValueId x = input(I, 0);
    DType made;

    if (!x)
        return;
    made = !wanted                       ? type_of(I, x).dtype
           : wanted > 0 && wanted < 100 ? onnx_dtype((int32_t)wanted)
                                        : DT_NONE;
    if (made == DT_NONE || !isfinite(seed)) {
        lower_fault(I, "has a dtype or a seed that is not known");
        return;
    }
    bind_output(I, 0,
                compose(I, made, 2,
                        (ValueId[]){drawn(I, type_of(I, x), seed), x},
                        "where(a<b,1,0)"));
}

/* How many classes of each row lie wholly below a drawn part of the row's sum:
   log-probabilities x[rows, classes], one result for each of `count` draws. */
static ValueId
picked(Import *I, ValueId x, int64_t count, double seed)
{
    const Type t = type_of(I, x);
    int64_t axis[] = {1, 2, 3}, n = t.dim[1];
    Type draw = {.dtype = DT_F32, .rank = 2, .dim = {t.dim[0], count}};
    ValueId p = softmax_over(I, x, 1, axis, false), sum, u;

    p = with_axis(I, with_axis(I, p, 1), 1); /* rows, 1, 1, classes */
    sum = compose3(I, p, counting(I, DT_I64, 4, 2, n),
                   counting(I, DT_I64, 4, 3, n), "where(c<=b,a,0)");
    sum = build_reduce(&I->b, "sum", sum, 1, axis + 2, NULL);
    u = drawn(I, draw, seed);
    u = with_axis(I, with_axis(I, u, 2), 3); /* rows, count, 1, 1 */
    sum = compose(I, DT_I32, 3,
                  (ValueId[]){sum, u, counting(I, DT_I64, 4, 2, n)},
                  "where(a<=b and c<%lld,1,0)", (long long)n - 1);
    sum = build_reduce(&I->b, "sum", sum, 1, axis + 1, NULL);
    return without_axes(I, sum, axis + 1, 2);
}

void
lower_Multinomial(Import *I)
{
    int64_t count = attr_int(I, "sample_size", 1);
    int64_t wanted = attr_int(I, "dtype", 6);
    double seed = attr_float(I, "seed", 0);
    const Type *t = input_type(I, 0);
    ValueId y;

    if (!t)
        return;
    if (t->rank != 2 || t->dim[1] > CLASSES_MOST || count < 1 ||
        count > 1 << 20 || (wanted != 6 && wanted != 7) || !isfinite(seed)) {
        lower_fault(I, "draws %lld times of %s; at most %d classes of a batch "
                       "are supported",
                    (long long)count, type_text(I->a, t), CLASSES_MOST);
        return;
    }
    y = picked(I, input(I, 0), count, seed);
    bind_output(I, 0, compose(I, onnx_dtype((int32_t)wanted), 1, &y, "a"));
}
