/* narrow: floating types of 16 bits and less, to f32 and back. */
#include "ir/narrow.h"

#include <math.h>
#include <string.h>

static const Narrow formats[DT_COUNT] = {
    [DT_BF16] = {NARROW_IEEE, 16, 7, 127, 0x7f80, 0x7fc0},
    [DT_F16] = {NARROW_IEEE, 16, 10, 15, 0x7c00, 0x7e00},
    [DT_F8E4M3] = {NARROW_LAST, 8, 3, 7, 0x7f, 0x7f},
    [DT_F8E4M3FNUZ] = {NARROW_FNUZ, 8, 3, 8, 0x80, 0x80},
    [DT_F8E5M2] = {NARROW_IEEE, 8, 2, 15, 0x7c, 0x7e},
    [DT_F8E5M2FNUZ] = {NARROW_FNUZ, 8, 2, 16, 0x80, 0x80},
    [DT_F8E8M0] = {NARROW_SCALE, 8, 0, 127, 0xfe, 0xff},
    [DT_F4] = {NARROW_SMALL, 4, 1, 1, 7, 8},
};

const Narrow *
narrow_of(DType d)
{
    return formats[d].bits ? &formats[d] : NULL;
}

static float
of_bits(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t
bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float
narrow_middle(double x)
{
    float near = (float)x;
    uint32_t bits = bits_of(near);

    if ((double)near == x || isnan(x))
        return near;
    return of_bits((bits - (fabs((double)near) > fabs(x))) | 1);
}

float
narrow_read(const Narrow *f, unsigned code)
{
    unsigned sign = f->kind == NARROW_SCALE ? 0 : code >> (f->bits - 1) & 1;
    unsigned size = code & ((1u << (f->bits - 1)) - 1);
    float x;

    if (f->kind == NARROW_SCALE)
        return code == f->nan ? (float)NAN
                              : of_bits(code ? code << 23 : 1u << 22);
    if (f->kind == NARROW_IEEE ? size > f->infinity
                               : f->kind == NARROW_LAST ? size == f->nan
                                                        : code == 0x80 &&
                                     f->kind == NARROW_FNUZ)
        return (float)NAN;
    x = of_bits(size << (23 - f->fraction)) *
        of_bits((uint32_t)(254 - f->bias) << 23); /* 2^(127-bias) */
    if (f->kind == NARROW_IEEE && size == f->infinity)
        x = (float)INFINITY;
    return sign ? -x : x;
}

/* The magnitude rounded; codes count up with it, so that a carry out of the
   fraction is one into the exponent. Below the least normal number an addition
   rounds to the fixed place of the last bit. */
static uint32_t
rounded(const Narrow *f, uint32_t size)
{
    int shift = 23 - f->fraction;
    uint32_t least = (uint32_t)(128 - f->bias) << 23;
    float magic = of_bits((uint32_t)(151 - f->bias - f->fraction) << 23);

    if (f->bias != 127 && size < least)
        return bits_of(of_bits(size) + magic) - bits_of(magic);
    return ((size + (1u << (shift - 1)) - 1 + (size >> shift & 1)) >> shift) -
           ((uint32_t)(127 - f->bias) << f->fraction);
}

static unsigned
scale_code(const Narrow *f, uint32_t size)
{
    uint32_t up = (size + 0x7fffff) >> 23;

    return size >= 0x7f800000 ? f->nan : up > f->infinity ? f->infinity : up;
}

unsigned
narrow_code(const Narrow *f, float x)
{
    uint32_t bits = bits_of(x), size = bits & 0x7fffffff, code;

    if (f->kind == NARROW_SCALE)
        return scale_code(f, size);
    if (size > 0x7f800000)
        return f->nan;
    code = rounded(f, size);
    if (code > f->infinity - (f->kind == NARROW_FNUZ))
        code = f->infinity;
    if (f->kind == NARROW_FNUZ && (code == 0 || code == f->nan))
        return code;
    return code | (bits >> 31) << (f->bits - 1);
}

void
narrow_unpack(DType d, int64_t n, const void *from, float *to)
{
    const Narrow *f = narrow_of(d);
    const uint16_t *wide = from;
    const uint8_t *byte = from;

    for (int64_t i = 0; i < n; i++)
        to[i] = narrow_read(f, f->bits == 16 ? wide[i] : byte[i]);
}

void
narrow_pack(DType d, int64_t n, const float *from, void *to)
{
    const Narrow *f = narrow_of(d);
    uint16_t *wide = to;
    uint8_t *byte = to;

    for (int64_t i = 0; i < n; i++)
        if (f->bits == 16)
            wide[i] = (uint16_t)narrow_code(f, from[i]);
        else
            byte[i] = (uint8_t)narrow_code(f, from[i]);
}
