/* eval_tensor: elements of tensors of any element type. */
#include "ir/eval.h"

#include <math.h>
#include <string.h>

/* A 16-bit floating format: bits of the fraction, and the bias. */
typedef struct Half {
    int fraction, bias;
} Half;

static const Half bfloat16 = {7, 127}, float16 = {10, 15};

static double
half_get(Half f, uint16_t bits)
{
    int exponent = (bits & 0x7fff) >> f.fraction;
    int fraction = bits & ((1 << f.fraction) - 1);
    int most = (1 << (15 - f.fraction)) - 1;
    double x = exponent == most ? (fraction ? (double)NAN : (double)INFINITY)
               : exponent == 0  ? ldexp(fraction, 1 - f.bias - f.fraction)
                                : ldexp(fraction + (1 << f.fraction),
                                        exponent - f.bias - f.fraction);

    return bits & 0x8000 ? -x : x;
}

/* x rounded once to nearest, ties to even. The bits of a positive number count
   up with it, so a carry out of the fraction is a carry into the exponent. */
static uint16_t
half_bits(Half f, double x)
{
    int most = (1 << (15 - f.fraction)) - 1, exponent;
    double size = fabs(x), steps;
    int bits;

    frexp(size, &exponent);
    if (size == 0 || exponent < 2 - f.bias)
        exponent = 2 - f.bias; /* denormals */
    if (isnan(x))
        bits = (most << f.fraction) | (1 << (f.fraction - 1));
    else if (exponent > f.bias + 1 || isinf(x))
        bits = most << f.fraction;
    else {
        steps = rint(ldexp(size, f.fraction + 1 - exponent));
        bits = (int)steps + ((exponent - 2 + f.bias) << f.fraction);
    }
    return (uint16_t)(bits | (signbit(x) ? 0x8000 : 0));
}

int64_t
tensor_get_integer(const Tensor *t, int64_t i)
{
    switch (t->type.dtype) {
    case DT_I64: return ((const int64_t *)t->data)[i];
    case DT_I32: return ((const int32_t *)t->data)[i];
    case DT_I16: return ((const int16_t *)t->data)[i];
    case DT_I8: return ((const int8_t *)t->data)[i];
    case DT_U64: return (int64_t)((const uint64_t *)t->data)[i];
    case DT_U32: return ((const uint32_t *)t->data)[i];
    case DT_U16: return ((const uint16_t *)t->data)[i];
    case DT_U8:
    case DT_I1: return ((const uint8_t *)t->data)[i];
    default: UNREACHABLE();
    }
}

void
tensor_set_integer(Tensor *t, int64_t i, int64_t x)
{
    switch (t->type.dtype) {
    case DT_I64:
    case DT_U64: ((int64_t *)t->data)[i] = x; return;
    case DT_I32:
    case DT_U32: ((uint32_t *)t->data)[i] = (uint32_t)x; return;
    case DT_I16:
    case DT_U16: ((uint16_t *)t->data)[i] = (uint16_t)x; return;
    case DT_I8:
    case DT_U8: ((uint8_t *)t->data)[i] = (uint8_t)x; return;
    case DT_I1: ((uint8_t *)t->data)[i] = x != 0; return;
    default: UNREACHABLE();
    }
}

double
tensor_get(const Tensor *t, int64_t i)
{
    switch (t->type.dtype) {
    case DT_F64: return ((const double *)t->data)[i];
    case DT_F32: return (double)((const float *)t->data)[i];
    case DT_BF16: return half_get(bfloat16, ((const uint16_t *)t->data)[i]);
    case DT_F16: return half_get(float16, ((const uint16_t *)t->data)[i]);
    case DT_U64: return (double)((const uint64_t *)t->data)[i];
    default: return (double)tensor_get_integer(t, i);
    }
}

static bool
is_signed(DType d)
{
    return d == DT_I64 || d == DT_I32 || d == DT_I16 || d == DT_I8;
}

/* Truncates and saturates to the type; a NaN is 0. */
static void
set_saturated(Tensor *t, int64_t i, double x)
{
    DType d = t->type.dtype;
    int bits = (int)dtype_bytes(d) * 8;
    double top = ldexp(1, is_signed(d) ? bits - 1 : bits);
    double low = is_signed(d) ? -top : 0;

    if (d == DT_I1)
        tensor_set_integer(t, i, x != 0);
    else if (isnan(x))
        tensor_set_integer(t, i, 0);
    else if (x >= top)
        tensor_set_integer(
            t, i, is_signed(d) ? (int64_t)(UINT64_MAX >> (65 - bits)) : -1);
    else if (x <= low)
        tensor_set_integer(t, i, (int64_t)low);
    else
        tensor_set_integer(t, i,
                           d == DT_U64 ? (int64_t)(uint64_t)x : (int64_t)x);
}

void
tensor_set(Tensor *t, int64_t i, double x)
{
    switch (t->type.dtype) {
    case DT_F64: ((double *)t->data)[i] = x; return;
    case DT_F32: ((float *)t->data)[i] = (float)x; return;
    case DT_BF16: ((uint16_t *)t->data)[i] = half_bits(bfloat16, x); return;
    case DT_F16: ((uint16_t *)t->data)[i] = half_bits(float16, x); return;
    default: set_saturated(t, i, x);
    }
}

Tensor
tensor_new(Arena *a, Type t)
{
    int64_t bytes = type_bytes(&t);

    return (Tensor){.type = t, .data = NEWN(a, char, bytes ? bytes : 1)};
}
