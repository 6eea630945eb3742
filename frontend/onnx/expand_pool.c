/* expand_pool: pooling over one to three spatial axes. Three are pooled in two
   steps: largest, mean and sum of a box are those of its planes'. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/windows.h"

/* ceil_mode: the end is padded until the last window that begins within the
   data or the padding before it is whole. more[i]: by how much; false where
   that is nothing. */
static bool
ceil_pads(const Windows *w, int64_t more[3])
{
    bool any = false;

    for (int i = 0; i < 3; i++) {
        int64_t size = w->size[i] + w->before[i] + w->after[i];
        int64_t reach = (w->kernel[i] - 1) * w->dilations[i] + 1;
        int64_t out = (size - reach + w->strides[i] - 1) / w->strides[i] + 1;

        more[i] = 0;
        if (reach > size)
            continue; /* refused later */
        out -= (out - 1) * w->strides[i] >= w->size[i] + w->before[i];
        more[i] = (out - 1) * w->strides[i] + reach - size;
        more[i] = more[i] > 0 ? more[i] : 0;
        any |= more[i] > 0;
    }
    return any;
}

/* The padding becomes zeros of the data. */
static ValueId
pads_as_data(Import *I, ValueId x, Windows *w)
{
    for (int i = 3 - w->axes; i < 3; i++) {
        int64_t size = w->size[i] + w->before[i] + w->after[i];

        if (size != w->size[i])
            x = pad_axis(I, x, 2 + i - (3 - w->axes), w->before[i], size, 0);
        w->size[i] = size;
        w->before[i] = w->after[i] = 0;
    }
    return x;
}

static ValueId
pool_planes(Import *I, ValueId x, const Windows *w)
{
    NodeId n = build_node(&I->b, OP_window, 1, &x, 1, NULL, set_windows, w,
                          NULL);

    return node_at(I->g, n)->out[0];
}

static ValueId
pool_deep(Import *I, ValueId x, const Windows *w)
{
    const Type t = type_of(I, x);
    Windows plane = windows_plane(w), depth = windows_depth(w);
    Type y;

    x = build_view(&I->b, x, 4,
                   (int64_t[]){t.dim[0], t.dim[1] * t.dim[2], t.dim[3],
                               t.dim[4]},
                   NULL);
    x = pool_planes(I, x, &plane);
    y = type_of(I, x);
    if (y.rank != 4)
        return 0;
    x = build_view(&I->b, x, 4,
                   (int64_t[]){t.dim[0], t.dim[1], t.dim[2],
                               y.dim[2] * y.dim[3]},
                   NULL);
    x = pool_planes(I, x, &depth);
    if (type_of(I, x).rank != 4)
        return 0;
    return build_view(&I->b, x, 5,
                      (int64_t[]){t.dim[0], t.dim[1], type_of(I, x).dim[2],
                                  y.dim[2], y.dim[3]},
                      NULL);
}

static ValueId
pool(Import *I, ValueId x, const Windows *w)
{
    if (!x)
        return 0;
    if (w->axes == 3)
        return pool_deep(I, x, w);
    return from_planes(I, pool_planes(I, as_planes(I, x), w), w);
}

static bool
take_kernel(Import *I, Windows *w)
{
    if (!windows_list(I, "kernel_shape", 1, w->kernel, w) ||
        !windows_take(I, w))
        return false;
    if (!attr_given(I, "kernel_shape"))
        lower_fault(I, "has no kernel_shape");
    return attr_given(I, "kernel_shape");
}

/* Reads the node's window; *x is padded where that has to be counted. */
static bool
take_pool(Import *I, ValueId *x, Windows *w)
{
    int64_t more[3];

    if (!take_kernel(I, w))
        return false;
    if (attr_int(I, "ceil_mode", 0) == 0 || !ceil_pads(w, more))
        return true;
    if (w->count_pad) { /* what ceil_mode adds is not counted */
        *x = pads_as_data(I, *x, w);
        w->count_pad = 0;
    }
    for (int i = 0; i < 3; i++)
        w->after[i] += more[i];
    return true;
}

/* Integers are pooled as f32, which holds those of a byte exactly. */
void
lower_MaxPool(Import *I)
{
    ValueId x = input(I, 0), y;
    Windows w = {.op = "max"};
    bool columns;
    Type t;

    if (!x)
        return;
    t = type_of(I, x);
    if (!windows_begin(I, &t, &w) || !take_pool(I, &x, &w))
        return;
    if (t.dtype == DT_I8 || t.dtype == DT_U8)
        x = compose(I, DT_F32, 1, &x, "a");
    y = pool(I, x, &w);
    columns = attr_int(I, "storage_order", 0) != 0;
    if (y && reads_output(I, 1))
        bind_output(I, 1, pooled_positions(I, x, y, &w, columns));
    if (t.dtype == DT_I8 || t.dtype == DT_U8)
        y = compose(I, t.dtype, 1, &y, "a");
    bind_output(I, 0, y);
}

void
lower_AveragePool(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0);
    Windows w = {.op = "mean",
                 .count_pad = attr_int(I, "count_include_pad", 0)};

    if (t && windows_begin(I, t, &w) && take_pool(I, &x, &w))
        bind_output(I, 0, pool(I, x, &w));
}

static int
spatial_axes(const Type *t, int64_t axes[MAXRANK])
{
    int n = 0;

    for (int i = 2; i < t->rank; i++)
        axes[n++] = i;
    return n;
}

void
lower_GlobalAveragePool(Import *I)
{
    const Type *t = input_type(I, 0);
    Windows w = {.op = "mean"};
    int64_t axes[MAXRANK];

    if (!t)
        return;
    if (t->rank != 4) {
        int n = spatial_axes(t, axes);

        bind_output(I, 0, mean(I, input(I, 0), n, axes));
        return;
    }
    windows_begin(I, t, &w);
    memcpy(w.kernel, w.size, sizeof w.kernel);
    bind_output(I, 0, pool(I, input(I, 0), &w));
}

/* ---- LpPool ----------------------------------------------------------- */

static ValueId
to_power(Import *I, ValueId x, int64_t p)
{
    if (p == 2)
        return build_map1(&I->b, OP_square, x, NULL);
    return compose1(I, x, p == 1 ? "abs(a)" : "pow(abs(a),%lld)",
                    (long long)p);
}

/* The p-th root of count*x >= 0; where it is 0 its gradient is 0, too. */
static ValueId
to_root(Import *I, ValueId x, int64_t p, double count)
{
    if (p == 1)
        return scaled(I, x, count);
    if (p == 2)
        return compose1(I, x,
                        "t = a*(%.17g); where(t>0,sqrt(where(t>0,t,1)),0)",
                        count);
    return compose1(I, x,
                    "t = a*(%.17g); where(t>0,pow(where(t>0,t,1),%.17g),0)",
                    count, 1 / (double)p);
}

static bool
take_order(Import *I, int64_t *p)
{
    *p = attr_int(I, "p", 2);
    if (*p >= 1 && *p <= INT16_MAX)
        return true;
    lower_fault(I, "its p is %lld, must be at least 1", (long long)*p);
    return false;
}

void
lower_LpPool(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0);
    Windows w = {.op = "mean", .count_pad = 1};
    int64_t p, more[3];

    if (!t || !take_order(I, &p) || !windows_begin(I, t, &w) ||
        !take_kernel(I, &w))
        return;
    if (attr_int(I, "ceil_mode", 0) && ceil_pads(&w, more))
        for (int i = 0; i < 3; i++)
            w.after[i] += more[i];
    x = pool(I, to_power(I, x, p), &w);
    if (!x)
        return;
    bind_output(I, 0,
                to_root(I, x, p,
                        (double)w.kernel[0] * (double)w.kernel[1] *
                            (double)w.kernel[2]));
}

void
lower_GlobalLpPool(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0);
    int64_t p, axes[MAXRANK];
    int n;

    if (!t || !take_order(I, &p))
        return;
    n = spatial_axes(t, axes);
    x = build_reduce(&I->b, "sum", to_power(I, x, p), n, axes, NULL);
    bind_output(I, 0, to_root(I, x, p, 1));
}
