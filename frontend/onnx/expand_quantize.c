/* expand_quantize: quantized tensors. The rounding of QuantizeLinear has a
   straight-through gradient: where the rounded number is in the range of the
   integers that of x divided by the scale, elsewhere 0. It flows through pairs
   of QuantizeLinear and DequantizeLinear, the second reading directly what the
   first has made; an operator between them that computes with the integers
   ends it. Scales and zero points are constants. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"
#include "ir/narrow.h"

/* ---- scales and zero points --------------------------------------------- */

/* How the elements of a scale go with those of x. */
typedef struct Grid {
    Type x;
    int64_t axis, block;
} Grid;

static bool
take_grid(Import *I, const Type *x, Grid *g)
{
    *g = (Grid){.x = *x, .axis = attr_int(I, "axis", 1)};
    g->block = attr_int(I, "block_size", 0);
    if (g->axis < -x->rank || g->axis >= x->rank)
        g->axis = -1; /* read by no scale of a single number */
    else
        g->axis += g->axis < 0 ? x->rank : 0;
    if (g->axis >= 0 && g->block > x->dim[g->axis])
        g->block = x->dim[g->axis]; /* one block */
    if (g->block >= 0)
        return true;
    lower_fault(I, "its block_size %lld is negative", (long long)g->block);
    return false;
}

/* Each element of v `block` times along the axis, as many as x has. */
static ValueId
repeated(Import *I, ValueId v, const Grid *g)
{
    Type t = type_of(I, v);
    int64_t wide[MAXRANK + 1], merged[MAXRANK];
    int axis = (int)g->axis;

    if (t.rank == MAXRANK) {
        lower_fault(I, "blocks of a tensor of %d axes are not supported",
                    t.rank);
        return 0;
    }
    for (int i = 0; i < t.rank; i++) {
        wide[i + (i > axis)] = merged[i] = t.dim[i];
        if (i == axis)
            wide[i + 1] = 1;
    }
    v = build_view(&I->b, v, t.rank + 1, wide, NULL);
    wide[axis + 1] = g->block;
    v = build_broadcast(&I->b, v, t.rank + 1, wide, NULL);
    merged[axis] *= g->block;
    v = build_view(&I->b, v, t.rank, merged, NULL);
    return merged[axis] == g->x.dim[axis]
               ? v
               : slice_axis(I, v, axis, 0, g->x.dim[axis]);
}

static bool
block_fits(const Type *t, const Grid *g)
{
    bool fits = g->block > 0 && g->axis >= 0 && t->rank == g->x.rank;

    for (int i = 0; fits && i < t->rank; i++) {
        int64_t size = g->x.dim[i];

        if (i == g->axis)
            size = size / g->block + (size % g->block != 0);
        fits = t->dim[i] == size;
    }
    return fits;
}

/* v, a scale or zero point, such that it broadcasts to x; 0 after a fault. */
static ValueId
spread(Import *I, ValueId v, const Grid *g, const char *what)
{
    Type t;

    if (!v)
        return 0;
    t = type_of(I, v);
    if (type_elements(&t) == 1)
        return t.rank ? build_view(&I->b, v, 0, NULL, NULL) : v;
    if (!g->block && t.rank == 1 && g->axis >= 0 &&
        t.dim[0] == g->x.dim[g->axis])
        return along_axis(I, v, g->x.rank, (int)g->axis);
    if (block_fits(&t, g))
        return repeated(I, v, g);
    lower_fault(I, "its %s %s does not go with %s, axis %lld, block_size %lld",
                what, type_text(I->a, &t), type_text(I->a, &g->x),
                (long long)g->axis, (long long)g->block);
    return 0;
}

/* What the model fixes; training leaves it as it is. */
static ValueId
fixed_input(Import *I, int i)
{
    ValueId v = has_input(I, i) ? input(I, i) : 0;
    Store *s = v && value_at(I->g, v)->kind == V_STORE
                   ? &I->m->store[value_at(I->g, v)->store]
                   : NULL;

    if (s && s->kind == SK_PARAM)
        s->kind = SK_CONST;
    return v;
}

/* Input i spread over x in f32; the number 0 where it is not given. */
static ValueId
zero_point(Import *I, int i, const Grid *g)
{
    ValueId v = fixed_input(I, i);

    if (!has_input(I, i))
        return build_number(&I->b, 0, DT_F32, NULL);
    v = spread(I, v, g, "zero point");
    return compose(I, DT_F32, 1, &v, "a");
}

/* ---- QuantizeLinear ----------------------------------------------------- */

static void
remember(Import *I, ValueId value, ValueId real)
{
    vec_push(I->a, I->quantized, (Quantized){I->g, value, real});
}

/* The numbers that v was rounded from, as floats with a gradient; else v. */
static ValueId
real_of(const Import *I, ValueId v)
{
    for (size_t i = 0; i < vec_len(I->quantized); i++)
        if (I->quantized[i].graph == I->g && I->quantized[i].value == v)
            return I->quantized[i].real;
    return v;
}

static double
integer_most(DType d)
{
    return (double)(((int64_t)1
                     << (dtype_bits(d) - !dtype_unsigned(d))) - 1);
}

/* rint(x) whose gradient is that of x. The sum is exact. */
static ValueId
rounded(Import *I, ValueId x)
{
    ValueId rest = compose1(I, x, "rint(a)-a");

    return rest ? compose2(I, x, build_map1(&I->b, OP_detach, rest, NULL),
                           "a+b")
                : 0;
}

/* q = x / scale, rounded and shifted into the range of the integer type d;
   NaN becomes 0. Infinities would not survive the rounding. */
static ValueId
to_integers(Import *I, ValueId q, ValueId zero, DType d)
{
    double high = integer_most(d), low = dtype_unsigned(d) ? 0 : -high - 1;

    q = compose(I, DT_F32, 1, &q, "min(max(a,-1e9),1e9)");
    q = rounded(I, q);
    return compose2(I, q, zero,
                    "y = min(max(a+b,%g),%g); where(y==y,y,0)", low, high);
}

/* The same as a narrow float. */
static ValueId
to_floats(Import *I, ValueId q, DType d)
{
    double most = largest_of(d);
    bool saturate = attr_int(I, "saturate", 1) != 0;

    q = compose(I, DT_F32, 1, &q, "a");
    if (saturate && most > 0)
        q = compose1(I, q, "min(max(a,%g),%g)", -most, most);
    return compose1(I, q, "f32(%s(a))", dtype_name(d));
}

static void
bind_quantized(Import *I, ValueId q, ValueId zero, DType d, bool has_zero)
{
    ValueId real, y;

    attr_int(I, "saturate", 1);
    if (!dtype_float(d))
        real = to_integers(I, q, zero, d);
    else
        real = to_floats(I, d == DT_F4 && has_zero
                                ? compose2(I, q, zero, "a+b")
                                : q,
                         d);
    y = compose(I, d, 1, &real, "a");
    if (!y)
        return;
    remember(I, y, real);
    bind_output(I, 0, y);
}

/* The element type of the result: the zero point's, an attribute's, or u8; 0
   after a fault. */
static DType
quantized_type(Import *I, ValueId zero)
{
    int64_t given = attr_int(I, "output_dtype", 0);
    DType d = given ? onnx_dtype((int32_t)given) : DT_U8;

    if (zero && given && d != type_of(I, zero).dtype)
        lower_fault(I, "its output_dtype is %s, but its zero point is %s",
                    onnx_type_name((int32_t)given),
                    dtype_name(type_of(I, zero).dtype));
    if (zero)
        d = type_of(I, zero).dtype;
    if (d && d != DT_F8E8M0 && dtype_bits(d) <= (dtype_float(d) ? 8 : 16) &&
        d != DT_I1)
        return d;
    lower_fault(I, "quantizes to %s, which is not supported",
                d ? dtype_name(d) : onnx_type_name((int32_t)given));
    return DT_NONE;
}

/* x / scale in the type that both have, or in that of `precision`. */
static ValueId
quotient(Import *I, ValueId x, ValueId scale)
{
    int64_t precision = attr_int(I, "precision", 0);
    DType d = dtype_promote(type_of(I, x).dtype, type_of(I, scale).dtype);

    if (precision)
        d = onnx_dtype((int32_t)precision);
    if (!dtype_float(d)) {
        if (precision)
            lower_fault(I, "divides in %s, which is no floating type",
                        onnx_type_name((int32_t)precision));
        d = DT_F32; /* of an i32 */
    }
    if (precision) {
        x = compose(I, d, 1, &x, "a");
        scale = compose(I, d, 1, &scale, "a");
    }
    return compose(I, d, 2, (ValueId[]){x, scale}, "a/b");
}

void
lower_QuantizeLinear(Import *I)
{
    ValueId x = input(I, 0), scale = fixed_input(I, 1), zero, q;
    ValueId given = fixed_input(I, 2);
    DType d;
    Grid g;

    if (!x || !scale || !take_grid(I, &value_at(I->g, x)->type, &g))
        return;
    d = quantized_type(I, given);
    scale = spread(I, scale, &g, "scale");
    zero = zero_point(I, 2, &g);
    if (!d || !scale || !zero)
        return;
    q = quotient(I, x, scale);
    bind_quantized(I, q, zero, d, given != 0);
}

void
lower_DequantizeLinear(Import *I)
{
    int64_t to = attr_int(I, "output_dtype", 0);
    ValueId x = input(I, 0), scale = fixed_input(I, 1), zero;
    DType d;
    Grid g;

    if (!x || !scale || !take_grid(I, &value_at(I->g, x)->type, &g))
        return;
    d = to ? onnx_dtype((int32_t)to) : type_of(I, scale).dtype;
    if (!dtype_float(d)) {
        lower_fault(I, "its output_dtype is %s, must be a floating type",
                    onnx_type_name((int32_t)to));
        return;
    }
    scale = spread(I, scale, &g, "scale");
    zero = zero_point(I, 2, &g);
    bind_output(I, 0,
                compose(I, d, 3, (ValueId[]){real_of(I, x), scale, zero},
                        narrow_of(g.x.dtype) ? "f32(a)*b" : "(f32(a)-c)*b"));
}

/* ---- DynamicQuantizeLinear ---------------------------------------------- */

static ValueId
extreme(Import *I, const char *op, ValueId x)
{
    int64_t axes[MAXRANK];
    Type t = type_of(I, x);

    for (int i = 0; i < t.rank; i++)
        axes[i] = i;
    x = build_map1(&I->b, OP_detach, x, NULL);
    x = build_reduce(&I->b, op, x, t.rank, axes, NULL);
    x = build_view(&I->b, x, 0, NULL, NULL);
    return compose1(I, x, "%s(a,0)", op);
}

void
lower_DynamicQuantizeLinear(Import *I)
{
    ValueId x = input(I, 0), high, low, scale, zero;

    if (!x)
        return;
    high = extreme(I, "max", x);
    low = extreme(I, "min", x);
    scale = compose2(I, high, low, "where(a==b,1,a-b)/255");
    zero = compose2(I, low, scale, "rint(min(max(0-a/b,0),255))");
    bind_quantized(I, compose2(I, x, scale, "a/b"), zero, DT_U8, true);
    bind_output(I, 1, scale);
    bind_output(I, 2, compose(I, DT_U8, 1, &zero, "a"));
}

/* ---- products of integers ----------------------------------------------- */

/* Products of 16 bits in a sum that f32 holds, that i32 holds. */
enum { EXACT_F32 = 256, EXACT_I32 = 1 << 15 };

/* Input i less its zero point, input z: a number, or one for each element of
   `axis` (from the end if negative), or of a shape that broadcasts. */
static ValueId
centered(Import *I, int i, int z, int axis, DType d)
{
    ValueId x = input(I, i), zero = has_input(I, z) ? input(I, z) : 0;
    Type t, zt, both;

    if (!x || !has_input(I, z))
        return compose(I, d, 1, &x, "a");
    if (!zero)
        return 0;
    t = type_of(I, x);
    zt = type_of(I, zero);
    axis += axis < 0 ? t.rank : 0;
    if (type_elements(&zt) == 1)
        zero = build_view(&I->b, zero, 0, NULL, NULL);
    else if (zt.rank == 1 && axis >= 0 && axis < t.rank &&
             zt.dim[0] == t.dim[axis])
        zero = along_axis(I, zero, t.rank, axis);
    else if (!type_broadcast(&t, &zt, &both) || !type_equal(&both, &t)) {
        lower_fault(I, "its zero point %s does not go with %s",
                    type_text(I->a, &zt), type_text(I->a, &t));
        return 0;
    }
    return compose(I, d, 2, (ValueId[]){x, zero}, "i32(a)-i32(b)");
}

/* Where sums of n products are exact. */
static DType
exact_type(int64_t n)
{
    return n <= EXACT_F32 ? DT_F32 : DT_F64;
}

static int64_t
last_size(Import *I, int i)
{
    const Type *t = input_type(I, i);

    return t && t->rank ? t->dim[t->rank - 1] : 1;
}

static bool
is_zero(Import *I, int z)
{
    const Tensor *t = has_input(I, z) ? input_constant(I, z) : NULL;

    for (int64_t i = 0; t && i < type_elements(&t->type); i++)
        if (tensor_get(t, i) != 0)
            return false;
    return t || !has_input(I, z);
}

static bool
is_byte(Import *I, int i)
{
    const Type *t = input_type(I, i);

    return t && (t->dtype == DT_I8 || t->dtype == DT_U8);
}

/* Inputs a and b, matrices of 8 bits, less their zero points: a product in
   i32, of the elements as they are where a zero point is 0, else of i16.
   Others, and sums that do not fit, in a float that holds them. */
static ValueId
whole_product(Import *I, int a, int b, int a_zero, int b_zero, int64_t most)
{
    const int in[] = {a, b}, zero[] = {a_zero, b_zero};
    int64_t k = last_size(I, 0);
    bool bytes = is_byte(I, a) && is_byte(I, b) && k <= most;
    ValueId x[2];

    for (int i = 0; i < 2; i++) {
        x[i] = bytes && is_zero(I, zero[i])
                   ? input(I, in[i])
                   : centered(I, in[i], zero[i], i - 2,
                              bytes ? DT_I16 : exact_type(k));
        if (!x[i])
            return 0;
    }
    return matrix_product(I, x[0], x[1]);
}

void
lower_MatMulInteger(Import *I)
{
    ValueId y = whole_product(I, 0, 1, 2, 3, INT64_MAX);

    bind_output(I, 0, compose(I, DT_I32, 1, &y, "a"));
}

/* Products that a weight sums up for one result. */
static int64_t
weight_size(Import *I, int i)
{
    const Type *t = input_type(I, i);

    return t && t->rank && t->dim[0] ? type_elements(t) / t->dim[0] : 1;
}

void
lower_ConvInteger(Import *I)
{
    DType d = exact_type(weight_size(I, 1));
    ValueId x = centered(I, 0, 2, 0, d), w = centered(I, 1, 3, 0, d), y;

    y = x && w ? convolution(I, x, w) : 0;
    bind_output(I, 0, compose(I, DT_I32, 1, &y, "a"));
}

/* y, exact sums, times scales a*b/c and shifted, as an integer of the type of
   zero point input z. */
static void
bind_requantized(Import *I, ValueId y, ValueId a, ValueId b, int c, int z)
{
    ValueId zero = input(I, z), scale, by = input(I, c);
    DType d;

    if (!y || !a || !b || !by || !zero)
        return;
    d = type_of(I, zero).dtype;
    if (d != DT_I8 && d != DT_U8) {
        lower_fault(I, "its zero point is %s, must be i8 or u8",
                    dtype_name(d));
        return;
    }
    scale = compose2(I, compose2(I, a, b, "a*b"), by, "a/b");
    if (type_of(I, zero).rank)
        zero = build_view(&I->b, zero, 0, NULL, NULL);
    y = compose3(I, y, scale, zero, "rint(f64(a)*f64(b)+f64(c))");
    bind_output(I, 0, compose(I, d, 1, &y, "a"));
}

/* Input i, one number, or one for each element of an axis of a result of this
   rank. */
static ValueId
input_along(Import *I, int i, int rank, int axis)
{
    ValueId v = input(I, i);
    Type t;

    if (!v)
        return 0;
    t = type_of(I, v);
    if (type_elements(&t) == 1)
        return build_view(&I->b, v, 0, NULL, NULL);
    if (t.rank == 1 && axis >= 0 && axis < rank)
        return along_axis(I, v, rank, axis);
    lower_fault(I, "its input %d is %s, neither one number nor a vector along "
                   "an axis",
                i, type_text(I->a, &t));
    return 0;
}

void
lower_QLinearMatMul(Import *I)
{
    ValueId y = whole_product(I, 0, 3, 2, 5, EXACT_I32);
    int rank;

    if (!y)
        return;
    rank = type_of(I, y).rank;
    bind_requantized(I, y, input_along(I, 1, rank, rank - 2),
                     input_along(I, 4, rank, rank - 1), 6, 7);
}

void
lower_QLinearConv(Import *I)
{
    DType d = exact_type(weight_size(I, 3));
    ValueId x = centered(I, 0, 2, 0, d), w = centered(I, 3, 5, 0, d), y, bias;
    int rank;

    y = x && w ? convolution(I, x, w) : 0;
    if (!y)
        return;
    rank = type_of(I, y).rank;
    if (has_input(I, 8)) { /* integers of scale x * w */
        bias = input_along(I, 8, rank, 1);
        y = compose(I, DT_F64, 2, (ValueId[]){y, bias}, "f64(a)+f64(b)");
    }
    if (y)
        bind_requantized(I, y, input_along(I, 1, rank, -1),
                         input_along(I, 4, rank, 1), 6, 7);
}
