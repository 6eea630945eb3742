/* expand_norm: softmax and normalizations. */
#include "frontend/onnx/expand.h"

static ValueId
log_softmax(Import *I, ValueId x, int naxes, const int64_t *axes, bool log)
{
    Builder *b = &I->b;
    ValueId top = build_reduce(b, "max", x, naxes, axes, NULL);
    ValueId z = build_map2(b, OP_sub, x,
                           build_map1(b, OP_detach, top, NULL), NULL);
    ValueId e = build_map1(b, OP_exp, z, NULL);
    ValueId sum = build_reduce(b, "sum", e, naxes, axes, NULL);

    if (log)
        return build_map2(b, OP_sub, z, build_map1(b, OP_log, sum, NULL),
                          NULL);
    return build_map2(b, OP_div, e, sum, NULL);
}

/* Before opset 13 all axes from `axis` on are normalized together. */
static void
softmax(Import *I, bool log)
{
    const Type *t = input_type(I, 0);
    int64_t axis, axes[MAXRANK];
    int n = 0;

    if (!t || !normal_axis(I, attr_int(I, "axis", I->opset < 13 ? 1 : -1),
                           t->rank, &axis))
        return;
    axes[n++] = axis;
    while (I->opset < 13 && axis + n < t->rank)
        axes[n] = axis + n, n++;
    bind_output(I, 0, log_softmax(I, input(I, 0), n, axes, log));
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
    int64_t axis, axes[MAXRANK];
    Text inverse = text_new(I->a);
    int n = 0;

    if (!t || !normal_axis(I, attr_int(I, "axis", -1), t->rank, &axis))
        return;
    attr_int(I, "stash_type", 1);
    while (axis + n < t->rank)
        axes[n] = axis + n, n++;
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
    bind_output(I, 1, middle);
    bind_output(I, 2, scale);
}
