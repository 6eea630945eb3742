/* expand_unpool: where windows were: the positions of pooled elements, and
   elements put back to their positions. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "frontend/onnx/windows.h"
#include "ir/ops/gather.h"

/* For each axis the coordinate that tap k of window o reads, over the axes
   o1, ..., k1, ... of rank 2 * axes. */
static ValueId
tap_coordinate(Import *I, const Windows *w, int i, const int64_t out[3])
{
    int axis = i - (3 - w->axes);

    return compose(I, DT_I64, 2,
                   (ValueId[]){counting(I, DT_I64, 2 * w->axes, axis, out[i]),
                               counting(I, DT_I64, 2 * w->axes,
                                        w->axes + axis, w->kernel[i])},
                   "a*%lld+b*%lld-%lld", (long long)w->strides[i],
                   (long long)w->dilations[i], (long long)w->before[i]);
}

/* The position in a plane of every tap of every window, -1 outside:
   [windows, taps]. */
static ValueId
tap_positions(Import *I, const Windows *w, const int64_t out[3])
{
    int64_t windows = out[0] * out[1] * out[2], stride = 1;
    ValueId in[3] = {0}, at;
    Text inside = text_new(I->a), sum = text_new(I->a);

    for (int n = 0; n < w->axes; n++) {
        int i = 2 - n;
        const char *letter = formula_letter(I->a, n);

        in[n] = tap_coordinate(I, w, i, out);
        text_add(&inside, "%s%s>=0 and %s<%lld", n ? " and " : "", letter,
                 letter, (long long)w->size[i]);
        text_add(&sum, "%s%s*%lld", n ? "+" : "", letter, (long long)stride);
        stride *= w->size[i];
    }
    at = compose(I, DT_I64, w->axes, in, "where(%s,%s,-1)", text_str(&inside),
                 text_str(&sum));
    return build_view(
        &I->b, at, 2,
        (int64_t[]){windows, w->kernel[0] * w->kernel[1] * w->kernel[2]},
        NULL);
}

/* Row-major positions become column-major ones: the first axis runs
   fastest. */
static ValueId
column_major(Import *I, ValueId at, const Windows *w)
{
    int64_t row = 1, column = w->size[0] * w->size[1] * w->size[2];
    Text text = text_new(I->a);

    for (int i = 2; i >= 3 - w->axes; i--) {
        column /= w->size[i];
        text_add(&text, "%sa//%lld%%%lld*%lld", i < 2 ? "+" : "",
                 (long long)row, (long long)w->size[i], (long long)column);
        row *= w->size[i];
    }
    return compose1(I, at, "%s", text_str(&text));
}

/* The first position of each window where the largest element y is, counted
   over all of x. */
ValueId
pooled_positions(Import *I, ValueId x, ValueId y, const Windows *w,
                 bool columns)
{
    const Type t = type_of(I, x), to = type_of(I, y);
    int64_t plane = span(&t, 2, t.rank), out[3] = {1, 1, 1}, last = 2;
    ValueId at = 0, hit, first;

    for (int i = 3 - w->axes; i < 3; i++)
        out[i] = to.dim[2 + i - (3 - w->axes)];
    at = tap_positions(I, w, out);
    hit = build_gather(&I->b, as_rows(I, x, 2), compose1(I, at, "max(a,0)"),
                       1);
    y = build_view(&I->b, y, 3,
                   (int64_t[]){type_of(I, hit).dim[0], span(&to, 2, to.rank),
                               1},
                   NULL);
    hit = compose(I, DT_I64, 3, (ValueId[]){hit, y, at},
                  "where(a==b and c>=0,c,%lld)", (long long)plane - 1);
    first = build_reduce(&I->b, "min", hit, 1, &last, NULL);
    if (columns)
        first = column_major(I, first, w);
    first = compose(I, DT_I64, 2,
                    (ValueId[]){first, counting(I, DT_I64, 3, 0,
                                                type_of(I, first).dim[0])},
                    "a+b*%lld", (long long)plane);
    return build_view(&I->b, first, to.rank, to.dim, NULL);
}

/* ---- MaxUnpool -------------------------------------------------------- */

/* The shape that was pooled to x; false after a fault. */
static bool
unpooled_shape(Import *I, const Type *x, Type *out)
{
    Windows w;

    *out = *x;
    if (!windows_begin(I, x, &w) ||
        !windows_list(I, "kernel_shape", 1, w.kernel, &w) ||
        !windows_take(I, &w))
        return false;
    if (!attr_given(I, "kernel_shape")) {
        lower_fault(I, "has no kernel_shape");
        return false;
    }
    for (int i = 3 - w.axes; i < 3; i++)
        out->dim[2 + i - (3 - w.axes)] = (w.size[i] - 1) * w.strides[i] -
                                         w.before[i] - w.after[i] +
                                         w.kernel[i];
    if (type_make(x->dtype, x->rank, out->dim, out))
        return true;
    lower_fault(I, "unpools %s to an impossible size", type_text(I->a, x));
    return false;
}

/* y placed at the beginning of the shape of input 2. */
static ValueId
enlarged(Import *I, ValueId y)
{
    Type t = type_of(I, y), to = t;
    int n;

    if (!input_integers(I, 2, MAXRANK, to.dim, &n))
        return 0;
    for (int i = 0; i < t.rank; i++)
        if (n != t.rank || to.dim[i] < t.dim[i] ||
            (i < 2 && to.dim[i] != t.dim[i])) {
            lower_fault(I, "its output_shape does not hold %s",
                        type_text(I->a, &t));
            return 0;
        }
    for (int i = 2; y && i < t.rank; i++)
        if (to.dim[i] != t.dim[i])
            y = pad_axis(I, y, i, 0, to.dim[i], 0);
    return y;
}

void
lower_MaxUnpool(Import *I)
{
    ValueId x = input(I, 0), i = input(I, 1), y;
    Type t, at, to;
    int64_t count;

    if (!x || !i)
        return;
    t = type_of(I, x);
    at = type_of(I, i);
    at.dtype = t.dtype;
    if (!unpooled_shape(I, &t, &to))
        return;
    if (!type_equal(&t, &at) || type_of(I, i).dtype != DT_I64) {
        lower_fault(I, "has %s, but indices %s", type_text(I->a, &t),
                    type_text(I->a, &value_at(I->g, i)->type));
        return;
    }
    count = type_elements(&t);
    y = build_number(&I->b, 0, t.dtype, NULL);
    y = build_broadcast(&I->b, y, 2, (int64_t[]){type_elements(&to), 1}, NULL);
    i = build_view(&I->b, i, 1, &count, NULL);
    y = put_rows(I, y, i, as_rows(I, x, t.rank), "none");
    if (y)
        y = build_view(&I->b, y, to.rank, to.dim, NULL);
    bind_output(I, 0, y && has_input(I, 2) ? enlarged(I, y) : y);
}

/* ---- Col2Im ----------------------------------------------------------- */

/* The windows over an image whose sizes are inputs 1 and 2. */
static bool
take_image(Import *I, Windows *w)
{
    Type image = {.dtype = DT_F32, .dim = {1, 1}};
    int64_t block[3];
    int n, blocks;

    if (!input_integers(I, 1, 3, image.dim + 2, &n) ||
        !input_integers(I, 2, 3, block, &blocks))
        return false;
    image.rank = 2 + n;
    if (!windows_begin(I, &image, w))
        return false;
    for (int i = 0; i < n; i++)
        if (n != blocks || block[i] < 1 || block[i] > INT32_MAX ||
            image.dim[2 + i] < 1) {
            lower_fault(I, "its image_shape and block_shape must be as many "
                           "numbers, each at least 1");
            return false;
        }
    for (int i = 0; i < n; i++)
        w->kernel[3 - n + i] = block[i];
    return windows_take(I, w);
}

/* How often the window fits along each axis; 0 is possible. */
static void
count_windows(const Windows *w, int64_t out[3])
{
    for (int i = 0; i < 3; i++) {
        int64_t room = w->size[i] + w->before[i] + w->after[i] -
                       (w->kernel[i] - 1) * w->dilations[i] - 1;

        out[i] = room < 0 ? 0 : room / w->strides[i] + 1;
    }
}

/* n * m, or -1 where that does not fit or one of them is negative. */
static int64_t
times(int64_t n, int64_t m)
{
    int64_t product;

    return n < 0 || m < 0 || __builtin_mul_overflow(n, m, &product) ? -1
                                                                    : product;
}

/* Every column is a window; what windows share is added. A tap outside the
   image adds to one more element, which is cut off. */
void
lower_Col2Im(Import *I)
{
    ValueId x = input(I, 0), at;
    int64_t out[3], windows, taps, plane;
    Windows w;
    Type t, to;

    if (!x || !take_image(I, &w))
        return;
    t = type_of(I, x);
    count_windows(&w, out);
    windows = times(times(out[0], out[1]), out[2]);
    taps = times(times(w.kernel[0], w.kernel[1]), w.kernel[2]);
    plane = times(times(w.size[0], w.size[1]), w.size[2]);
    if (t.rank != 3 || windows < 1 || t.dim[2] != windows || taps < 1 ||
        t.dim[1] % taps != 0 || plane < 1 || plane == INT64_MAX) {
        lower_fault(I, "makes no image of %s: %lld windows of %lld elements "
                       "are expected",
                    type_text(I->a, &t), (long long)windows, (long long)taps);
        return;
    }
    to = (Type){t.dtype, 2 + w.axes, {t.dim[0], t.dim[1] / taps}};
    memcpy(to.dim + 2, w.size + 3 - w.axes, (size_t)w.axes * sizeof *to.dim);
    if (!type_make(t.dtype, to.rank, to.dim, &to)) {
        lower_fault(I, "makes an image of too many elements");
        return;
    }
    x = build_view(&I->b, x, 3,
                   (int64_t[]){to.dim[0] * to.dim[1], taps, windows}, NULL);
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 1}, NULL);
    at = compose1(I, tap_positions(I, &w, out), "where(a<0,%lld,a)",
                  (long long)plane);
    x = build_scatter(&I->b, "add", x, at, 1,
                      (Type){t.dtype, 2, {to.dim[0] * to.dim[1], plane + 1}});
    x = slice_axis(I, x, 1, 0, plane);
    bind_output(I, 0, build_view(&I->b, x, to.rank, to.dim, NULL));
}
