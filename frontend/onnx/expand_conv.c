/* expand_conv: convolution over one to three spatial axes. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/windows.h"

static bool
conv_fits(Import *I, const Type *x, const Type *k, Windows *w)
{
    if (!windows_begin(I, x, w))
        return false;
    if (k->rank != x->rank) {
        lower_fault(I, "has input %s and weight %s of another rank",
                    type_text(I->a, x), type_text(I->a, k));
        return false;
    }
    for (int i = 0; i < w->axes; i++)
        w->kernel[3 - w->axes + i] = k->dim[2 + i];
    if (!kernel_agrees(I, w, k))
        return false;
    if (w->groups < 1 || x->dim[1] % w->groups || k->dim[0] % w->groups ||
        x->dim[1] / w->groups != k->dim[1]) {
        lower_fault(I, "channels of input %s and weight %s do not go with "
                       "group %lld",
                    type_text(I->a, x), type_text(I->a, k),
                    (long long)w->groups);
        return false;
    }
    return true;
}

/* The planes that the taps of the first axis see, each tap as channels of its
   own: (n, c, d, h, w) becomes (n*od, c*kd, h, w). */
static ValueId
depth_as_channels(Import *I, ValueId x, const Windows *w, int64_t *depth)
{
    const Type t = type_of(I, x);
    int64_t reach = (w->kernel[0] - 1) * w->dilations[0] + 1;
    int64_t padded = w->size[0] + w->before[0] + w->after[0];
    int64_t out = (padded - reach) / w->strides[0] + 1;
    int64_t dim[6] = {t.dim[0], t.dim[1], 1, out, t.dim[3], t.dim[4]};
    ValueId *tap = NEWN(I->a, ValueId, w->kernel[0] + 1);

    *depth = out;
    if (reach > padded || w->kernel[0] > INT16_MAX) {
        lower_fault(I, "its window is larger than the padded input %s",
                    type_text(I->a, &t));
        return 0;
    }
    if (padded != w->size[0])
        x = pad_axis(I, x, 2, w->before[0], padded, 0);
    for (int64_t k = 0; k < w->kernel[0]; k++)
        tap[k] = build_view(&I->b,
                            slice_steps(I, x, 2, k * w->dilations[0],
                                        w->strides[0], out),
                            6, dim, NULL);
    x = joined(I, (int)w->kernel[0], tap, 2);
    x = build_transpose(&I->b, x, (int64_t[]){0, 3, 1, 2, 4, 5}, NULL);
    return build_view(&I->b, x, 4,
                      (int64_t[]){t.dim[0] * out, t.dim[1] * w->kernel[0],
                                  t.dim[3], t.dim[4]},
                      NULL);
}

static ValueId
conv_planes(Import *I, ValueId x, ValueId k, const Windows *w)
{
    NodeId n = build_node(&I->b, OP_conv, 2, (ValueId[]){x, k}, 1, NULL,
                          set_windows, w, NULL);

    return node_at(I->g, n)->out[0];
}

/* Three spatial axes: the taps of the first one are channels, which stand in
   the weight side by side. */
static ValueId
conv_deep(Import *I, ValueId x, ValueId k, const Windows *w)
{
    const Type kt = type_of(I, k);
    int64_t images = type_of(I, x).dim[0], depth;
    Type t;

    x = depth_as_channels(I, x, w, &depth);
    if (!x)
        return 0;
    k = build_view(&I->b, k, 4,
                   (int64_t[]){kt.dim[0], kt.dim[1] * kt.dim[2], kt.dim[3],
                               kt.dim[4]},
                   NULL);
    x = conv_planes(I, x, k, w);
    t = type_of(I, x);
    if (t.rank != 4)
        return 0;
    x = build_view(&I->b, x, 5,
                   (int64_t[]){images, depth, t.dim[1], t.dim[2], t.dim[3]},
                   NULL);
    return build_transpose(&I->b, x, (int64_t[]){0, 2, 1, 3, 4}, NULL);
}

ValueId
convolution(Import *I, ValueId x, ValueId k)
{
    const Type xt = type_of(I, x), kt = type_of(I, k);
    Windows w = {.groups = attr_int(I, "group", 1)};

    if (!conv_fits(I, &xt, &kt, &w) || !windows_take(I, &w))
        return 0;
    if (w.axes == 3)
        return conv_deep(I, x, k, &w);
    return from_planes(I, conv_planes(I, as_planes(I, x), as_planes(I, k), &w),
                       &w);
}

void
lower_Conv(Import *I)
{
    ValueId x = input(I, 0), k = input(I, 1);

    if (x && k)
        bind_output(I, 0, plus_bias(I, convolution(I, x, k), 2));
}
