/* expand_deconv: ConvTranspose, the gradient of a convolution for its input. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/windows.h"

/* The axis' whole length without any pads. */
static int64_t
full_length(const Windows *w, int i, int64_t more)
{
    return w->strides[i] * (w->size[i] - 1) + more +
           (w->kernel[i] - 1) * w->dilations[i] + 1;
}

/* An output of `want` elements along axis i decides the pads. */
static void
pads_for(Windows *w, int i, int64_t want, int64_t more, bool upper)
{
    int64_t total = full_length(w, i, more) - want;

    total = total > 0 ? total : 0;
    w->before[i] = upper ? total / 2 : total - total / 2;
    w->after[i] = total - w->before[i];
}

/* output_shape may name the spatial axes, or all. */
static bool
take_shape(Import *I, const Windows *w, int64_t shape[3])
{
    int64_t list[5];
    int n;

    attr_ints(I, "output_shape", 5, list, &n);
    if (n != 0 && n != w->axes && n != w->axes + 2) {
        lower_fault(I, "output_shape has %d numbers for %d spatial axes", n,
                    w->axes);
        return false;
    }
    for (int i = 0; n && i < w->axes; i++) {
        shape[3 - w->axes + i] = list[n - w->axes + i];
        if (list[n - w->axes + i] < 1) {
            lower_fault(I, "output_shape holds %lld, must be at least 1",
                        (long long)list[n - w->axes + i]);
            return false;
        }
    }
    return true;
}

/* The sizes of the result; pads become what gives them. more:
   output_padding. */
static bool
take_output(Import *I, Windows *w, int64_t out[3], int64_t more[3])
{
    const char *pad = attr_text(I, "auto_pad", "NOTSET");
    bool same = strncmp(pad, "SAME_", 5) == 0;
    bool upper = strcmp(pad, "SAME_UPPER") == 0;

    memset(out, 0, 3 * sizeof *out);
    memset(more, 0, 3 * sizeof *more);
    if (!windows_list(I, "output_padding", 0, more, w) ||
        !take_shape(I, w, out))
        return false;
    for (int i = 0; i < 3; i++) {
        bool told = out[i] != 0;

        if (same && !told)
            out[i] = w->size[i] * w->strides[i];
        if (same || told)
            pads_for(w, i, out[i], more[i], upper);
        else
            out[i] = full_length(w, i, more[i]) - w->before[i] - w->after[i];
        if (out[i] < 1 || out[i] > INT32_MAX) {
            lower_fault(I, "its output has %lld elements along an axis",
                        (long long)out[i]);
            return false;
        }
    }
    return true;
}

static bool
deconv_fits(Import *I, const Type *x, const Type *k, Windows *w)
{
    if (!windows_begin(I, x, w))
        return false;
    if (k->rank != x->rank || w->groups < 1 || x->dim[1] != k->dim[0] ||
        k->dim[0] % w->groups || k->dim[1] > INT32_MAX / w->groups) {
        lower_fault(I, "input %s and weight %s do not go with group %lld",
                    type_text(I->a, x), type_text(I->a, k),
                    (long long)w->groups);
        return false;
    }
    for (int i = 0; i < w->axes; i++)
        w->kernel[3 - w->axes + i] = k->dim[2 + i];
    return kernel_agrees(I, w, k) && windows_take(I, w);
}

/* The planes that a convolution of `out` would be made for hold the input and
   perhaps more: zeros behind it, where the output is padded by a stride or
   more. */
static ValueId
reach_output(Import *I, ValueId x, const Windows *w, const int64_t out[3])
{
    for (int i = 1; i < 3; i++) {
        int64_t reach = (w->kernel[i] - 1) * w->dilations[i] + 1;
        int64_t steps = (out[i] + w->before[i] + w->after[i] - reach) /
                            w->strides[i] + 1;

        if (steps > w->size[i])
            x = pad_axis(I, x, 1 + i, 0, steps, 0);
    }
    return x;
}

/* The two last spatial axes of images x (n, c, h, w) by k. */
static ValueId
deconv_planes(Import *I, ValueId x, ValueId k, const Windows *w,
              const int64_t out[3])
{
    const Type xt = type_of(I, x), kt = type_of(I, k);
    int64_t dim[4] = {xt.dim[0], kt.dim[1] * w->groups, out[1], out[2]};
    ValueId in[2] = {x, k};
    NodeId made;
    Type y;

    if (!x || !k)
        return 0;
    if (!type_make(xt.dtype, 4, dim, &y)) {
        lower_fault(I, "its output has an impossible shape");
        return 0;
    }
    in[0] = reach_output(I, x, w, out);
    made = build_node(&I->b, OP_conv_grad_input, 2, in, 1, &y, set_windows, w,
                      NULL);
    return node_at(I->g, made)->out[0];
}

/* Elements of axis 2 at distance `step`, zeros between, from `start` on along
   an axis of `size`. */
static ValueId
spread_depth(Import *I, ValueId x, int64_t step, int64_t start, int64_t size)
{
    const Type t = type_of(I, x);
    int64_t apart[6] = {t.dim[0], t.dim[1], t.dim[2], 1, t.dim[3], t.dim[4]};
    int64_t joint[5] = {t.dim[0], t.dim[1], t.dim[2] * step, t.dim[3],
                        t.dim[4]};
    int64_t reach = (t.dim[2] - 1) * step + 1;

    if (step > 1) {
        x = build_view(&I->b, x, 6, apart, NULL);
        x = pad_axis(I, x, 3, 0, step, 0);
        x = build_view(&I->b, x, 5, joint, NULL);
        x = slice_axis(I, x, 2, 0, reach);
    }
    return pad_axis(I, x, 2, start, size, 0);
}

/* The length of the first axis that holds all taps and what is asked for. */
static int64_t
deepest(const Windows *w, const int64_t out[3], int64_t more)
{
    int64_t full = full_length(w, 0, more), end = w->before[0] + out[0];

    return full > end ? full : end;
}

/* A tap, spread over the depth, must be a possible tensor. */
static bool
deep_fits(Import *I, const int64_t tap[5], int64_t full, const Windows *w)
{
    int64_t dim[5] = {tap[0], tap[1], full + w->strides[0], tap[3], tap[4]};
    Type t;

    if (w->kernel[0] <= INT16_MAX && type_make(DT_F64, 5, dim, &t))
        return true;
    lower_fault(I, "its output has an impossible shape");
    return false;
}

/* Three spatial axes: the taps of the first one are channels, which are then
   spread over the depth and summed. */
static ValueId
deconv_deep(Import *I, ValueId x, ValueId k, const Windows *w,
            const int64_t out[3], int64_t more)
{
    const Type xt = type_of(I, x), kt = type_of(I, k);
    int64_t planes[4] = {xt.dim[0] * xt.dim[2], xt.dim[1], xt.dim[3],
                         xt.dim[4]};
    int64_t taps[4] = {kt.dim[0], kt.dim[1] * kt.dim[2], kt.dim[3], kt.dim[4]};
    int64_t split[6] = {xt.dim[0], xt.dim[2], kt.dim[1] * w->groups,
                        kt.dim[2], out[1], out[2]};
    int64_t one[5] = {split[0], split[2], split[1], split[4], split[5]};
    int64_t full = deepest(w, out, more);
    ValueId sum = 0;

    if (!deep_fits(I, one, full, w))
        return 0;
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 1, 3, 4}, NULL);
    x = build_view(&I->b, x, 4, planes, NULL);
    x = deconv_planes(I, x, build_view(&I->b, k, 4, taps, NULL), w, out);
    if (!x)
        return 0;
    x = build_view(&I->b, x, 6, split, NULL);
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 3, 1, 4, 5}, NULL);
    for (int64_t i = 0; i < kt.dim[2]; i++) {
        ValueId tap =
            build_view(&I->b, slice_axis(I, x, 2, i, 1), 5, one, NULL);

        tap = spread_depth(I, tap, w->strides[0], i * w->dilations[0], full);
        sum = sum ? build_map2(&I->b, OP_add, sum, tap, NULL) : tap;
    }
    return slice_axis(I, sum, 2, w->before[0], out[0]);
}

void
lower_ConvTranspose(Import *I)
{
    const Type *x = input_type(I, 0), *k = input_type(I, 1);
    Windows w = {.groups = attr_int(I, "group", 1)};
    int64_t out[3], more[3];
    ValueId y;

    if (!x || !k || !deconv_fits(I, x, k, &w) ||
        !take_output(I, &w, out, more))
        return;
    if (w.axes == 3)
        y = deconv_deep(I, input(I, 0), input(I, 1), &w, out, more[0]);
    else
        y = from_planes(I,
                        deconv_planes(I, as_planes(I, input(I, 0)),
                                      as_planes(I, input(I, 1)), &w, out),
                        &w);
    bind_output(I, 0, plus_bias(I, y, 2));
}
