/* expand_conv: convolution and pooling over two spatial axes. */
#include <string.h>

#include "frontend/onnx/expand.h"

/* The window of a convolution or pooling, all lists of two or four numbers. */
typedef struct Window {
    const char *op; /* pooling: max or mean */
    int64_t kernel[2], strides[2], dilations[2], pads[4];
    int64_t groups, count_pad;
} Window;

static void
take_pair(Import *I, const char *name, int64_t otherwise, int64_t x[2])
{
    int n;

    x[0] = x[1] = otherwise;
    attr_ints(I, name, 2, x, &n);
    if (n == 1)
        lower_fault(I, "%s has one number; two spatial axes are supported",
                    name);
    for (int i = 0; i < 2; i++) {
        if (x[i] < 1 || x[i] > INT32_MAX) {
            lower_fault(I, "%s is %lld, must be at least 1", name,
                        (long long)x[i]);
            x[i] = 1;
        }
    }
}

/* auto_pad SAME: the output is ceil(size/stride); the odd row goes to the end
   (UPPER) or the beginning (LOWER). */
static void
same_pads(const Type *x, Window *w, bool upper)
{
    for (int i = 0; i < 2; i++) {
        int64_t size = x->dim[2 + i];
        int64_t out = (size + w->strides[i] - 1) / w->strides[i];
        int64_t total = (out - 1) * w->strides[i] +
                        (w->kernel[i] - 1) * w->dilations[i] + 1 - size;

        total = total > 0 ? total : 0;
        w->pads[i] = upper ? total / 2 : total - total / 2;
        w->pads[2 + i] = total - w->pads[i];
    }
}

static bool
take_window(Import *I, const Type *x, Window *w)
{
    const char *pad = attr_text(I, "auto_pad", "NOTSET");
    int before = complaints(), n;

    take_pair(I, "strides", 1, w->strides);
    take_pair(I, "dilations", 1, w->dilations);
    memset(w->pads, 0, sizeof w->pads);
    attr_ints(I, "pads", 4, w->pads, &n);
    if (n != 0 && n != 4)
        lower_fault(I, "pads has %d numbers, four are expected", n);
    for (int i = 0; i < 4; i++)
        if (w->pads[i] < 0 || w->pads[i] > INT32_MAX)
            lower_fault(I, "pads[%d] is %lld, must be at least 0", i,
                        (long long)w->pads[i]);
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] > INT32_MAX || x->dim[2 + i] > INT32_MAX)
            lower_fault(I, "is larger than 2^31 - 1 along axis %d", 2 + i);
    if (complaints() != before)
        return false;
    if (strcmp(pad, "SAME_UPPER") == 0 || strcmp(pad, "SAME_LOWER") == 0)
        same_pads(x, w, strcmp(pad, "SAME_UPPER") == 0);
    else if (strcmp(pad, "NOTSET") != 0 && strcmp(pad, "VALID") != 0)
        lower_fault(I, "auto_pad '%s' is not known", pad);
    return complaints() == before;
}

/* ceil_mode: the end is padded until the last window that begins within the
   data or the padding before it is whole. */
static void
ceil_pads(Import *I, const Type *x, Window *w)
{
    for (int i = 0; i < 2; i++) {
        int64_t size = x->dim[2 + i] + w->pads[i] + w->pads[2 + i];
        int64_t reach = (w->kernel[i] - 1) * w->dilations[i] + 1;
        int64_t out = (size - reach + w->strides[i] - 1) / w->strides[i] + 1;
        int64_t more;

        if (reach > size)
            continue; /* refused later */
        out -= (out - 1) * w->strides[i] >= x->dim[2 + i] + w->pads[i];
        more = (out - 1) * w->strides[i] + reach - size;
        if (more > 0 && w->count_pad)
            lower_fault(I, "ceil_mode with count_include_pad is not supported "
                           "yet");
        w->pads[2 + i] += more > 0 ? more : 0;
    }
}

static void
set_conv(Node *n, const void *from, Builder *b)
{
    const Window *w = from;
    Arena *a = b->g->module->arena;

    node_attr_set(n, "strides")->list = list_new(a, 2, w->strides);
    node_attr_set(n, "pads")->list = list_new(a, 4, w->pads);
    node_attr_set(n, "dilations")->list = list_new(a, 2, w->dilations);
    node_attr_set(n, "groups")->i = w->groups;
}

static bool
conv_fits(Import *I, const Type *x, const Type *k, const Window *w)
{
    int64_t shape[2];
    int n;

    if (x->rank != 4 || k->rank != 4) {
        lower_fault(I, "has input %s and weight %s; two spatial axes (rank 4) "
                       "are supported",
                    type_text(I->a, x), type_text(I->a, k));
        return false;
    }
    attr_ints(I, "kernel_shape", 2, shape, &n);
    if (n == 2 && (shape[0] != k->dim[2] || shape[1] != k->dim[3])) {
        lower_fault(I, "kernel_shape differs from the weight %s",
                    type_text(I->a, k));
        return false;
    }
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

void
lower_Conv(Import *I)
{
    const Type *x = input_type(I, 0), *k = input_type(I, 1);
    Window w = {.groups = attr_int(I, "group", 1)};
    ValueId in[2], y;
    NodeId made;

    if (!x || !k || !conv_fits(I, x, k, &w))
        return;
    w.kernel[0] = k->dim[2];
    w.kernel[1] = k->dim[3];
    if (!take_window(I, x, &w))
        return;
    in[0] = input(I, 0);
    in[1] = input(I, 1);
    made = build_node(&I->b, OP_conv, 2, in, 1, NULL, set_conv, &w, NULL);
    y = node_at(I->g, made)->out[0];
    if (has_input(I, 2)) {
        ValueId bias = input(I, 2);
        int64_t dim[4] = {1, 0, 1, 1};

        if (!bias)
            return;
        if (value_at(I->g, bias)->type.rank != 1) {
            lower_fault(I, "its bias is %s, one axis is expected",
                        type_text(I->a, &value_at(I->g, bias)->type));
            return;
        }
        dim[1] = value_at(I->g, bias)->type.dim[0];
        bias = build_view(&I->b, bias, 4, dim, NULL);
        y = affine(I, OP_add, y, bias);
    }
    bind_output(I, 0, y);
}

static void
set_window(Node *n, const void *from, Builder *b)
{
    const Window *w = from;
    Arena *a = b->g->module->arena;

    node_attr_set(n, "op")->s = sym(b->g->module->syms, w->op);
    node_attr_set(n, "kernel")->list = list_new(a, 2, w->kernel);
    node_attr_set(n, "strides")->list = list_new(a, 2, w->strides);
    node_attr_set(n, "pads")->list = list_new(a, 4, w->pads);
    node_attr_set(n, "dilations")->list = list_new(a, 2, w->dilations);
    node_attr_set(n, "count_pad")->i = w->count_pad;
}

static void
pooling(Import *I, const char *op, bool global)
{
    const Type *x = input_type(I, 0);
    ValueId in = input(I, 0);
    Window w = {.op = op};
    NodeId made;

    if (!x)
        return;
    if (x->rank != 4) {
        lower_fault(I, "pools %s; two spatial axes (rank 4) are supported",
                    type_text(I->a, x));
        return;
    }
    if (reads_output(I, 1)) {
        lower_fault(I, "its index output is not supported yet");
        return;
    }
    attr_int(I, "storage_order", 0);
    w.count_pad = attr_int(I, "count_include_pad", 0);
    if (global) {
        w.kernel[0] = x->dim[2];
        w.kernel[1] = x->dim[3];
    } else {
        if (!attr_given(I, "kernel_shape"))
            lower_fault(I, "has no kernel_shape");
        take_pair(I, "kernel_shape", 1, w.kernel);
    }
    if (!take_window(I, x, &w))
        return;
    if (attr_int(I, "ceil_mode", 0))
        ceil_pads(I, x, &w);
    made = build_node(&I->b, OP_window, 1, &in, 1, NULL, set_window, &w, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

void
lower_MaxPool(Import *I)
{
    pooling(I, "max", false);
}

void
lower_AveragePool(Import *I)
{
    pooling(I, "mean", false);
}

void
lower_GlobalAveragePool(Import *I)
{
    pooling(I, "mean", true);
}
