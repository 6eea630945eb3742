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

/* The sizes of the result; pads become what gives them. */
static bool
take_output(Import *I, Windows *w, int64_t out[3])
{
    const char *pad = attr_text(I, "auto_pad", "NOTSET");
    bool same = strncmp(pad, "SAME_", 5) == 0;
    bool upper = strcmp(pad, "SAME_UPPER") == 0;
    int64_t more[3] = {0};

    memset(out, 0, 3 * sizeof *out);
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
    if (w->axes == 3) {
        lower_fault(I, "has input %s; one or two spatial axes are supported",
                    type_text(I->a, x));
        return false;
    }
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

void
lower_ConvTranspose(Import *I)
{
    const Type *x = input_type(I, 0), *k = input_type(I, 1);
    Windows w = {.groups = attr_int(I, "group", 1)};
    int64_t out[3];
    ValueId in[2];
    NodeId made;
    Type y;

    if (!x || !k || !deconv_fits(I, x, k, &w) || !take_output(I, &w, out))
        return;
    y = (Type){.dtype = x->dtype,
               .rank = 4,
               .dim = {x->dim[0], k->dim[1] * w.groups, out[1], out[2]}};
    in[0] = reach_output(I, as_planes(I, input(I, 0)), &w, out);
    in[1] = as_planes(I, input(I, 1));
    made = build_node(&I->b, OP_conv_grad_input, 2, in, 1, &y, set_windows, &w,
                      NULL);
    bind_output(I, 0,
                plus_bias(I,
                          from_planes(I, node_at(I->g, made)->out[0], &w), 2));
}
