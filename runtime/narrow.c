/* narrow: one table of formats; a code counts up with the number that it stands
   for, so that a carry out of the fraction is one into the exponent. */
#include "runtime/narrow.h"

#include <math.h>
#include <string.h>

/* How infinity and NaN are told, if at all. */
typedef enum Special {
    SPECIAL_IEEE, /* the largest exponent is theirs */
    SPECIAL_LAST, /* NaN is all ones */
    SPECIAL_ZERO, /* NaN is what would be -0 */
    SPECIAL_NONE,
    SPECIAL_SCALE /* exponents without a sign; NaN is all ones */
} Special;

typedef struct Format {
    Special special;
    int bits, fraction, bias;
} Format;

static const Format format[] = {
    [RT_BF16] = {SPECIAL_IEEE, 16, 7, 127},
    [RT_F16] = {SPECIAL_IEEE, 16, 10, 15},
    [RT_F8E4M3] = {SPECIAL_LAST, 8, 3, 7},
    [RT_F8E4M3FNUZ] = {SPECIAL_ZERO, 8, 3, 8},
    [RT_F8E5M2] = {SPECIAL_IEEE, 8, 2, 15},
    [RT_F8E5M2FNUZ] = {SPECIAL_ZERO, 8, 2, 16},
    [RT_F8E8M0] = {SPECIAL_SCALE, 8, 0, 127},
    [RT_F4] = {SPECIAL_NONE, 4, 1, 1},
};

bool
rt_is_narrow(RtType t)
{
    return (int)t <= (int)RT_F4 && format[t].bits;
}

/* The code of the largest finite number. */
static int
largest(const Format *f)
{
    int all = (1 << (f->bits - (f->special != SPECIAL_SCALE))) - 1;
    if (f->special == SPECIAL_IEEE)
        return (all >> f->fraction << f->fraction) - 1;
    return all - (f->special == SPECIAL_LAST || f->special == SPECIAL_SCALE);
}

static int
nan_code(const Format *f)
{
    if (f->special == SPECIAL_ZERO)
        return 1 << (f->bits - 1);
    if (f->special == SPECIAL_IEEE)
        return largest(f) + 1 + (1 << (f->fraction - 1));
    return largest(f) + 1;
}

/* Of a code without a sign. */
static double
value_of(const Format *f, int code)
{
    int exponent = code >> f->fraction;
    int rest = code & ((1 << f->fraction) - 1);
    if (f->special == SPECIAL_SCALE)
        return ldexp(1, code - f->bias);
    if (exponent == 0)
        return ldexp(rest, 1 - f->bias - f->fraction);
    return ldexp(rest + (1 << f->fraction), exponent - f->bias - f->fraction);
}

double
rt_narrow_read(RtType t, const void *from)
{
    const Format *f = &format[t];
    uint16_t wide = 0;
    int sign, code;
    memcpy(&wide, from, f->bits == 16 ? 2 : 1);
    sign = f->special == SPECIAL_SCALE ? 0 : wide >> (f->bits - 1) & 1;
    code = wide - (sign << (f->bits - 1));
    if (f->special == SPECIAL_ZERO ? wide == nan_code(f)
                                   : f->special != SPECIAL_NONE &&
                                         code > largest(f))
        return f->special == SPECIAL_IEEE && code == largest(f) + 1
                   ? (sign ? -HUGE_VAL : HUGE_VAL)
                   : (double)NAN;
    return sign ? -value_of(f, code) : value_of(f, code);
}

static int
rounded(const Format *f, double size)
{
    int exponent;
    double part = frexp(size, &exponent);
    if (f->special == SPECIAL_SCALE) {
        exponent += f->bias - (part <= 0.5);
        return size == 0 ? 0 : exponent < 1 ? 1 : exponent;
    }
    if (size == 0 || exponent < 2 - f->bias)
        exponent = 2 - f->bias;
    return (int)rint(ldexp(size, f->fraction + 1 - exponent)) +
           ((exponent - 2 + f->bias) << f->fraction);
}

bool
rt_narrow_holds(RtType t, double value)
{
    const Format *f = &format[t];
    return fabs(value) <= value_of(f, largest(f)) ||
           (isinf(value) && f->special == SPECIAL_IEEE);
}

void
rt_narrow_write(RtType t, void *to, double value)
{
    const Format *f = &format[t];
    int most = largest(f), code;
    uint16_t wide;
    if (isnan(value)) {
        code = nan_code(f); /* -0 where there is none */
    } else if (!rt_narrow_holds(t, value)) {
        code = most;
    } else {
        code = isinf(value) ? most + 1 : rounded(f, fabs(value));
    }
    if (signbit(value) && !isnan(value) && f->special != SPECIAL_SCALE &&
        !(code == 0 && f->special == SPECIAL_ZERO))
        code |= 1 << (f->bits - 1);
    wide = (uint16_t)code;
    memcpy(to, &wide, f->bits == 16 ? 2 : 1);
}
