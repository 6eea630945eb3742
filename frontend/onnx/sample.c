/* sample: compositions of floor, gather and products; the gradient for the
   coordinates flows through the weights. */
#include "frontend/onnx/sample.h"

#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "ir/ops/gather.h"

/* A coordinate outside [low, high] mirrored into it. */
static ValueId
reflected(Import *I, ValueId c, double low, double high)
{
    if (!(high > low))
        return compose1(I, c, "a*0+(%.17g)", low);
    return compose1(I, c,
                    "t = a-(%.17g); m = t-floor(t/%.17g)*%.17g; "
                    "where(a<(%.17g) or a>(%.17g),min(m,%.17g-m)+(%.17g),a)",
                    low, 2 * (high - low), 2 * (high - low), low, high,
                    2 * (high - low), low);
}

static ValueId
limited(Import *I, ValueId c, int64_t size, Outside outside, bool aligned)
{
    double low = aligned ? 0 : -0.5;
    double high = (double)size - 1 - low;

    if (outside == OUTSIDE_REFLECTION)
        return reflected(I, c, low, high);
    if (outside == OUTSIDE_BORDER)
        return compose1(I, c,
                        "where(a<(%.17g),0,where(a>(%.17g),%lld,a))", low,
                        high, (long long)size - 1);
    return c;
}

/* The pixel at an integral position. */
static ValueId
pixel(Import *I, ValueId position, int64_t size, Outside outside, bool aligned)
{
    position = limited(I, position, size, outside, aligned);
    return compose(I, DT_I64, 1, &position, "i64(max(min(rint(a),%lld),0))",
                   (long long)size - 1);
}

/* Weights of the four pixels around a coordinate whose fraction is f: Keys'
   cubic convolution with -0.75. */
static const char *
cubic_weight(int k)
{
    static const char *const weight[] = {
        "f = a-b; u = f+1; ((-0.75*u+3.75)*u-6)*u+3",
        "f = a-b; (1.25*f-2.25)*f*f+1",
        "f = 1-(a-b); (1.25*f-2.25)*f*f+1",
        "f = a-b; u = 2-f; ((-0.75*u+3.75)*u-6)*u+3",
    };

    return weight[k];
}

/* The weight of tap k of coordinate c, whose floor is `low`; 0: it is 1. */
static ValueId
weight_of(Import *I, ValueId c, ValueId low, Between between, int k)
{
    if (between == BETWEEN_NEAREST)
        return 0;
    if (between == BETWEEN_CUBIC)
        return compose2(I, c, low, "%s", cubic_weight(k));
    return compose2(I, c, low, k ? "a-b" : "1-(a-b)");
}

Taps
taps_at(Import *I, ValueId c, int64_t size, Between between, Outside outside,
        bool aligned)
{
    static const int counts[] = {1, 2, 4};
    Taps t = {.size = size, .count = counts[between]};
    ValueId low;

    if (between == BETWEEN_NEAREST)
        c = compose1(I, c, "rint(a)");
    if (between != BETWEEN_CUBIC) /* then its taps are, each for itself */
        c = limited(I, c, size, outside, aligned);
    low = between == BETWEEN_NEAREST ? c : compose1(I, c, "floor(a)");
    for (int k = 0; k < t.count; k++) {
        int step = between == BETWEEN_CUBIC ? k - 1 : k;
        ValueId at = step ? compose1(I, low, "a+(%d)", step) : low, w;

        t.at[k] = pixel(I, at, size, outside, aligned);
        t.weight[k] = w = weight_of(I, c, low, between, k);
        if (outside == OUTSIDE_ZEROS)
            t.weight[k] =
                compose(I, type_of(I, c).dtype, w ? 2 : 1,
                        (ValueId[]){at, w}, "where(a>=0 and a<=%lld,%s,0)",
                        (long long)size - 1, w ? "b" : "1");
    }
    return t;
}

ValueId
pixel_rows(Import *I, ValueId x)
{
    const Type t = type_of(I, x);
    int64_t pixels = span(&t, 2, t.rank);

    x = build_view(&I->b, x, 3, (int64_t[]){t.dim[0], t.dim[1], pixels}, NULL);
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 1}, NULL);
    return as_rows(I, x, 2);
}

/* Tap which[i] of each axis: their row, as a vector. */
static ValueId
row_of(Import *I, ValueId base, int axes, const Taps *taps, const int *which)
{
    ValueId in[4] = {base}, at;
    Text text = text_new(I->a);
    int64_t stride = 1, count;

    text_add(&text, "a");
    for (int i = axes - 1; i >= 0; i--) {
        in[1 + i] = taps[i].at[which[i]];
        text_add(&text, "+%s*%lld", formula_letter(I->a, 1 + i),
                 (long long)stride);
        stride *= taps[i].size;
    }
    at = compose(I, DT_I64, 1 + axes, in, "%s", text_str(&text));
    if (!at)
        return 0;
    count = span(&value_at(I->g, at)->type, 0, type_of(I, at).rank);
    return build_view(&I->b, at, 1, &count, NULL);
}

/* The product of their weights over the points, [points,1]; 0: it is 1. */
static ValueId
weight_product(Import *I, int axes, const Taps *taps, const int *which,
               int64_t points)
{
    ValueId w = 0;

    for (int i = 0; i < axes; i++) {
        ValueId next = taps[i].weight[which[i]];

        w = w && next ? build_map2(&I->b, OP_mul, w, next, NULL)
            : w       ? w
                      : next;
    }
    return w ? build_view(&I->b, w, 2, (int64_t[]){points, 1}, NULL) : 0;
}

ValueId
sampled(Import *I, ValueId rows, ValueId base, int axes, const Taps *taps,
        bool largest)
{
    int which[3] = {0}, combinations = 1;
    ValueId sum = 0;

    for (int i = 0; i < axes; i++)
        combinations *= taps[i].count;
    for (int n = 0; n < combinations; n++) {
        ValueId at, v, w;

        for (int i = axes - 1, left = n; i >= 0; left /= taps[i--].count)
            which[i] = left % taps[i].count;
        at = row_of(I, base, axes, taps, which);
        if (!at)
            return 0;
        v = build_gather(&I->b, rows, at, 0);
        w = weight_product(I, axes, taps, which, type_of(I, at).dim[0]);
        if (w && sum)
            sum = compose3(I, v, w, sum, largest ? "max(c,a*b)" : "c+a*b");
        else if (sum)
            sum = build_map2(&I->b, largest ? OP_max : OP_add, sum, v, NULL);
        else
            sum = w ? build_map2(&I->b, OP_mul, v, w, NULL) : v;
    }
    return sum;
}
