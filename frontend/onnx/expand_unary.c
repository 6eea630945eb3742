/* expand_unary: element-wise operators that are formulas of their inputs. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"

#include <string.h>

/* One value through a formula in `a`. */
#define bind_formula(I, ...) \
    bind_output((I), 0, compose1((I), input((I), 0), __VA_ARGS__))

void
lower_Celu(Import *I)
{
    double alpha = attr_float(I, "alpha", 1);

    bind_formula(I, "where(a>0,a,(%.17g)*expm1(min(a,0)/(%.17g)))", alpha,
                 alpha);
}

void
lower_Selu(Import *I)
{
    double alpha = attr_float(I, "alpha", 1.6732631921768188);
    double gamma = attr_float(I, "gamma", 1.0507010221481323);

    bind_formula(I, "(%.17g)*where(a>0,a,(%.17g)*expm1(min(a,0)))", gamma,
                 alpha);
}

void
lower_Mish(Import *I)
{
    bind_formula(I, "a*tanh(softplus(a))");
}

void
lower_Swish(Import *I)
{
    bind_formula(I, "a*sigmoid((%.17g)*a)", attr_float(I, "alpha", 1));
}

void
lower_SwiGLU(Import *I)
{
    double alpha = attr_float(I, "alpha", 1);

    bind_output(
        I, 0,
        compose2(I, input(I, 0), input(I, 1), "a*sigmoid((%.17g)*a)*b", alpha));
}

void
lower_ThresholdedRelu(Import *I)
{
    bind_formula(I, "where(a>(%.17g),a,0)", attr_float(I, "alpha", 1));
}

void
lower_Shrink(Import *I)
{
    double edge = attr_float(I, "lambd", 0.5), bias = attr_float(I, "bias", 0);

    bind_formula(I, "where(a<-(%.17g),a+(%.17g),where(a>(%.17g),a-(%.17g),0))",
                 edge, bias, edge, bias);
}

void
lower_Softsign(Import *I)
{
    bind_formula(I, "a/(1+abs(a))");
}

/* The slope broadcasts to x, aligned at the right. */
void
lower_PRelu(Import *I)
{
    const Type *x = input_type(I, 0), *slope = input_type(I, 1);

    if (!x || !slope)
        return;
    if (!type_broadcasts_to(slope, x)) {
        lower_fault(I, "its slope %s does not broadcast to %s",
                    type_text(I->a, slope), type_text(I->a, x));
        return;
    }
    bind_output(I, 0,
                compose2(I, input(I, 0), input(I, 1), "where(a<0,a*b,a)"));
}

void
lower_Mean(Import *I)
{
    ValueId sum = input(I, 0);
    int n = input_count(I);

    for (int i = 1; sum && i < n; i++) {
        ValueId x = input(I, i);

        sum = x ? build_map2(&I->b, OP_add, sum, x, NULL) : 0;
    }
    bind_output(I, 0, compose1(I, sum, "a/%d", n));
}

/* Floating remainders: the quotient is rounded in f64, so that for f32 the
   result is exact while it is below 2^29. */
void
lower_Mod(Import *I)
{
    const Type *t = input_type(I, 0);
    bool like_c = attr_int(I, "fmod", 0) != 0;
    const char *formula = like_c ? "a-a/b*b" : "a%b";

    if (!t)
        return;
    if (dtype_float(t->dtype))
        formula = like_c ? "x = f64(a); m = f64(b); q = x/m; t = "
                           "where(q<0,-floor(-q),floor(q)); where(m==inf or "
                           "m==-inf,where(x-x==0,x,nan),x-t*m)"
                         : "x = f64(a); m = f64(b); where(m==inf or m==-inf,"
                           "where(x-x==0,where((x<0 and m>0) or (x>0 and m<0),"
                           "m,x),nan),x-floor(x/m)*m)";
    bind_output(I, 0,
                compose(I, t->dtype, 2, (ValueId[]){input(I, 0), input(I, 1)},
                        "%s", formula));
}

static void
bits(Import *I, const char *formula)
{
    ValueId in[2];

    if (take_operands(I, 2, in))
        bind_output(I, 0, compose(I, DT_NONE, 2, in, "%s", formula));
}

void
lower_BitwiseAnd(Import *I)
{
    bits(I, "band(a,b)");
}

void
lower_BitwiseOr(Import *I)
{
    bits(I, "bor(a,b)");
}

void
lower_BitwiseXor(Import *I)
{
    bits(I, "bxor(a,b)");
}

void
lower_BitwiseNot(Import *I)
{
    const Type *t = input_type(I, 0);

    if (t)
        bind_output(I, 0,
                    compose(I, t->dtype, 1, (ValueId[]){input(I, 0)}, "-1-a"));
}

/* A count below 0 or from the width on leaves nothing but the sign. */
void
lower_BitShift(Import *I)
{
    const char *direction = attr_text(I, "direction", "");
    bool left = strcmp(direction, "LEFT") == 0;
    const Type *t = input_type(I, 0);
    ValueId in[2];
    int width;

    if (!take_operands(I, 2, in))
        return;
    if (!left && strcmp(direction, "RIGHT") != 0) {
        lower_fault(I, "its direction is LEFT or RIGHT, not '%s'", direction);
        return;
    }
    width = dtype_bits(t->dtype);
    bind_output(I, 0,
                compose(I, t->dtype, 2, in,
                        left ? "where(b<0 or b>=%d,0,shl(a,band(b,%d)))"
                        : dtype_unsigned(t->dtype)
                            ? "where(b<0 or b>=%d,0,shr(a,band(b,%d)))"
                            : "where(b<0 or b>=%d,where(a<0,-1,0),"
                              "sar(a,band(b,%d)))",
                        width, width - 1));
}

static void
truth(Import *I, const char *formula)
{
    bind_output(I, 0,
                compose(I, DT_I1, 1, (ValueId[]){input(I, 0)}, "%s", formula));
}

void
lower_IsNaN(Import *I)
{
    truth(I, "a!=a");
}

void
lower_IsInf(Import *I)
{
    bool low = attr_int(I, "detect_negative", 1) != 0;
    bool high = attr_int(I, "detect_positive", 1) != 0;

    truth(I, low && high ? "a==inf or a==-inf"
             : low       ? "a==-inf"
             : high      ? "a==inf"
                         : "a!=a and a==a");
}

/* A bound of Clip: an attribute before opset 11, then an input of one element;
   0: none, or after a fault. */
static ValueId
clip_bound(Import *I, const char *name, int i)
{
    DType d = type_of(I, input(I, 0)).dtype;
    const Type *t;

    if (I->opset < 11)
        return attr_given(I, name)
                   ? build_number(&I->b, attr_float(I, name, 0), d, NULL)
                   : 0;
    t = has_input(I, i) ? input_type(I, i) : NULL;
    if (t && type_elements(t) != 1) {
        lower_fault(I, "its bound %s is %s, must be one number", name,
                    type_text(I->a, t));
        return 0;
    }
    return !t             ? 0
           : t->rank == 0 ? input(I, i)
                          : build_view(&I->b, input(I, i), 0, NULL, NULL);
}

/* Where the bounds cross, the upper one wins. The gradient at a bound is x's;
   the comparisons keep a NaN. */
void
lower_Clip(Import *I)
{
    ValueId x = input(I, 0), low, high;

    if (!x)
        return;
    low = clip_bound(I, "min", 1);
    high = clip_bound(I, "max", 2);
    if (low)
        x = build_map2(&I->b, OP_max, x, low, NULL);
    if (high)
        x = build_map2(&I->b, OP_min, x, high, NULL);
    if (!low && !high)
        x = build_map1(&I->b, OP_copy, x, NULL);
    bind_output(I, 0, x);
}

/* 1 at the first of the largest. */
static ValueId
first_largest(Import *I, ValueId x, int axis)
{
    const Type t = type_of(I, x);
    int64_t axes[1] = {axis}, size = t.dim[axis];
    ValueId top = build_reduce(&I->b, "max", x, 1, axes, NULL);
    ValueId index = counting(I, DT_I64, t.rank, axis, size);
    ValueId at = compose(I, DT_I64, 3, (ValueId[]){x, top, index},
                         "where(a==b,c,%lld)", (long long)size);
    ValueId first = build_reduce(&I->b, "min", at, 1, axes, NULL);

    return compose(I, t.dtype, 2, (ValueId[]){index, first}, "a==b");
}

/* Before opset 13 all axes from `axis` on are one. */
void
lower_Hardmax(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t axis, flat[2] = {1, 1};
    Type whole;

    if (!t || !normal_axis(I, attr_int(I, "axis", I->opset < 13 ? 1 : -1),
                           t->rank, &axis))
        return;
    whole = *t;
    if (I->opset >= 13) {
        bind_output(I, 0, first_largest(I, input(I, 0), (int)axis));
        return;
    }
    for (int i = 0; i < whole.rank; i++)
        flat[i >= axis] *= whole.dim[i];
    bind_output(
        I, 0,
        build_view(
            &I->b,
            first_largest(I, build_view(&I->b, input(I, 0), 2, flat, NULL), 1),
            whole.rank, whole.dim, NULL));
}
