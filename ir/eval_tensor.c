/* eval_tensor: elements of tensors of any element type. */
#include "ir/eval.h"
#include "ir/narrow.h"

#include <math.h>
#include <string.h>

int64_t
tensor_get_integer(const Tensor *t, int64_t i)
{
    switch (t->type.dtype) {
    case DT_I64: return ((const int64_t *)t->data)[i];
    case DT_I32: return ((const int32_t *)t->data)[i];
    case DT_I16: return ((const int16_t *)t->data)[i];
    case DT_I8:
    case DT_I4:
    case DT_I2: return ((const int8_t *)t->data)[i];
    case DT_U64: return (int64_t)((const uint64_t *)t->data)[i];
    case DT_U32: return ((const uint32_t *)t->data)[i];
    case DT_U16: return ((const uint16_t *)t->data)[i];
    case DT_U8:
    case DT_U4:
    case DT_U2:
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
    case DT_I4: ((int8_t *)t->data)[i] = (int8_t)(((x & 15) ^ 8) - 8); return;
    case DT_I2: ((int8_t *)t->data)[i] = (int8_t)(((x & 3) ^ 2) - 2); return;
    case DT_U4: ((uint8_t *)t->data)[i] = (uint8_t)(x & 15); return;
    case DT_U2: ((uint8_t *)t->data)[i] = (uint8_t)(x & 3); return;
    case DT_I1: ((uint8_t *)t->data)[i] = x != 0; return;
    default: UNREACHABLE();
    }
}

double
tensor_get(const Tensor *t, int64_t i)
{
    float x;

    switch (t->type.dtype) {
    case DT_F64: return ((const double *)t->data)[i];
    case DT_F32: return (double)((const float *)t->data)[i];
    case DT_U64: return (double)((const uint64_t *)t->data)[i];
    default: break;
    }
    if (!dtype_float(t->type.dtype))
        return (double)tensor_get_integer(t, i);
    narrow_unpack(t->type.dtype, 1,
                  (const char *)t->data + i * dtype_bytes(t->type.dtype), &x);
    return (double)x;
}

/* Truncates and saturates to the type, an i32 where it has less than 8 bits; a
   NaN is 0. */
static void
set_saturated(Tensor *t, int64_t i, double x)
{
    DType d = t->type.dtype;
    bool is_signed = !dtype_unsigned(d) || dtype_bits(d) < 8;
    int bits = dtype_bits(d) < 8 ? 32 : dtype_bits(d);
    double top = ldexp(1, is_signed ? bits - 1 : bits);
    double low = is_signed ? -top : 0;

    if (d == DT_I1)
        tensor_set_integer(t, i, x != 0);
    else if (isnan(x))
        tensor_set_integer(t, i, 0);
    else if (x >= top)
        tensor_set_integer(
            t, i, is_signed ? (int64_t)(UINT64_MAX >> (65 - bits)) : -1);
    else if (x <= low)
        tensor_set_integer(t, i, (int64_t)low);
    else
        tensor_set_integer(t, i,
                           d == DT_U64 ? (int64_t)(uint64_t)x : (int64_t)x);
}

void
tensor_set(Tensor *t, int64_t i, double x)
{
    DType d = t->type.dtype;
    float middle;

    switch (d) {
    case DT_F64: ((double *)t->data)[i] = x; return;
    case DT_F32: ((float *)t->data)[i] = (float)x; return;
    default: break;
    }
    if (!dtype_float(d)) {
        set_saturated(t, i, x);
        return;
    }
    middle = narrow_middle(x);
    narrow_pack(d, 1, &middle, (char *)t->data + i * dtype_bytes(d));
}

Tensor
tensor_new(Arena *a, Type t)
{
    int64_t bytes = type_bytes(&t);

    return (Tensor){.type = t, .data = NEWN(a, char, bytes ? bytes : 1)};
}
