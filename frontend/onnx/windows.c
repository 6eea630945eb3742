/* windows: windows moving over one to three spatial axes, as convolutions and
   pooling read them from a node. */
#include "frontend/onnx/windows.h"

#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

bool
windows_begin(Import *I, const Type *x, Windows *w)
{
    w->axes = x->rank - 2;
    if (w->axes < 1 || w->axes > 3) {
        lower_fault(I, "has input %s; one to three spatial axes (rank 3 to 5) "
                       "are supported",
                    type_text(I->a, x));
        return false;
    }
    for (int i = 2; i < x->rank; i++)
        if (x->dim[i] > INT32_MAX) {
            lower_fault(I, "is larger than 2^31 - 1 along axis %d", i);
            return false;
        }
    for (int i = 0; i < 3; i++) {
        int axis = i - (3 - w->axes);

        w->size[i] = axis < 0 ? 1 : x->dim[2 + axis];
        w->kernel[i] = w->strides[i] = w->dilations[i] = 1;
        w->before[i] = w->after[i] = 0;
    }
    return true;
}

bool
windows_list(Import *I, const char *name, int64_t least, int64_t x[3],
             const Windows *w)
{
    int64_t list[3];
    int n;

    attr_ints(I, name, 3, list, &n);
    if (n != 0 && n != w->axes) {
        lower_fault(I, "%s has %d numbers for %d spatial axes", name, n,
                    w->axes);
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (list[i] < least || list[i] > INT32_MAX) {
            lower_fault(I, "%s is %lld, must be at least %lld", name,
                        (long long)list[i], (long long)least);
            return false;
        }
        x[3 - n + i] = list[i];
    }
    return true;
}

/* auto_pad SAME: the output is ceil(size/stride); the odd row goes to the end
   (UPPER) or the beginning (LOWER). */
static void
same_pads(Windows *w, bool upper)
{
    for (int i = 3 - w->axes; i < 3; i++) {
        int64_t out = (w->size[i] + w->strides[i] - 1) / w->strides[i];
        int64_t total = (out - 1) * w->strides[i] +
                        (w->kernel[i] - 1) * w->dilations[i] + 1 - w->size[i];

        total = total > 0 ? total : 0;
        w->before[i] = upper ? total / 2 : total - total / 2;
        w->after[i] = total - w->before[i];
    }
}

static bool
take_pads(Import *I, Windows *w)
{
    int64_t pads[6];
    int n;

    attr_ints(I, "pads", 6, pads, &n);
    if (n != 0 && n != 2 * w->axes)
        lower_fault(I, "pads has %d numbers, %d are expected", n, 2 * w->axes);
    for (int i = 0; i < n; i++)
        if (pads[i] < 0 || pads[i] > INT32_MAX) {
            lower_fault(I, "pads[%d] is %lld, must be at least 0", i,
                        (long long)pads[i]);
            return false;
        }
    if (n != 2 * w->axes)
        return n == 0;
    for (int i = 0; i < w->axes; i++) {
        w->before[3 - w->axes + i] = pads[i];
        w->after[3 - w->axes + i] = pads[w->axes + i];
    }
    return true;
}

bool
windows_take(Import *I, Windows *w)
{
    const char *pad = attr_text(I, "auto_pad", "NOTSET");

    if (!windows_list(I, "strides", 1, w->strides, w) ||
        !windows_list(I, "dilations", 1, w->dilations, w) || !take_pads(I, w))
        return false;
    if (strcmp(pad, "NOTSET") == 0)
        return true;
    memset(w->before, 0, sizeof w->before);
    memset(w->after, 0, sizeof w->after);
    if (strcmp(pad, "VALID") == 0)
        return true;
    if (strcmp(pad, "SAME_UPPER") == 0 || strcmp(pad, "SAME_LOWER") == 0) {
        same_pads(w, strcmp(pad, "SAME_UPPER") == 0);
        return true;
    }
    lower_fault(I, "auto_pad '%s' is not known", pad);
    return false;
}

Windows
windows_plane(const Windows *w)
{
    Windows plane = *w;

    plane.size[0] = plane.kernel[0] = plane.strides[0] = 1;
    plane.dilations[0] = 1;
    plane.before[0] = plane.after[0] = 0;
    return plane;
}

Windows
windows_depth(const Windows *w)
{
    Windows depth = windows_plane(w);

    depth.size[1] = w->size[0];
    depth.kernel[1] = w->kernel[0];
    depth.strides[1] = w->strides[0];
    depth.dilations[1] = w->dilations[0];
    depth.before[1] = w->before[0];
    depth.after[1] = w->after[0];
    depth.kernel[2] = depth.strides[2] = depth.dilations[2] = 1;
    depth.before[2] = depth.after[2] = 0;
    return depth;
}

void
set_windows(Node *n, const void *from, Builder *b)
{
    const Windows *w = from;
    Arena *a = b->g->module->arena;
    int64_t pads[4] = {w->before[1], w->before[2], w->after[1], w->after[2]};

    node_attr_set(n, "strides")->list = list_new(a, 2, w->strides + 1);
    node_attr_set(n, "pads")->list = list_new(a, 4, pads);
    node_attr_set(n, "dilations")->list = list_new(a, 2, w->dilations + 1);
    if (n->op != OP_window) {
        node_attr_set(n, "groups")->i = w->groups;
        return;
    }
    node_attr_set(n, "op")->s = sym(b->g->module->syms, w->op);
    node_attr_set(n, "kernel")->list = list_new(a, 2, w->kernel + 1);
    node_attr_set(n, "count_pad")->i = w->count_pad;
}

ValueId
as_planes(Import *I, ValueId x)
{
    const Type t = type_of(I, x);

    return t.rank != 3 ? x
                       : build_view(&I->b, x, 4,
                                    (int64_t[]){t.dim[0], t.dim[1], 1,
                                                t.dim[2]},
                                    NULL);
}

ValueId
from_planes(Import *I, ValueId x, const Windows *w)
{
    const Type t = type_of(I, x);

    return !x || w->axes != 1 || t.rank != 4
               ? x
               : build_view(&I->b, x, 3,
                            (int64_t[]){t.dim[0], t.dim[1], t.dim[3]}, NULL);
}

ValueId
plus_bias(Import *I, ValueId y, int i)
{
    ValueId bias;
    Type t;

    if (!y || !has_input(I, i))
        return y;
    bias = input(I, i);
    if (!bias)
        return 0;
    t = type_of(I, bias);
    if (t.rank != 1) {
        lower_fault(I, "its bias is %s, one axis is expected",
                    type_text(I->a, &t));
        return 0;
    }
    bias = along_axis(I, bias, type_of(I, y).rank, 1);
    return build_map2(&I->b, OP_add, y, bias, NULL);
}

bool
kernel_agrees(Import *I, const Windows *w, const Type *weight)
{
    Windows given = *w;

    if (!windows_list(I, "kernel_shape", 1, given.kernel, w))
        return false;
    for (int i = 0; i < 3; i++)
        if (w->kernel[i] > INT32_MAX) {
            lower_fault(I, "its weight is larger than 2^31 - 1 along an axis");
            return false;
        }
    if (memcmp(given.kernel, w->kernel, sizeof w->kernel) == 0)
        return true;
    lower_fault(I, "kernel_shape differs from the weight %s",
                type_text(I->a, weight));
    return false;
}
