/* narrow: floating types of 16 bits and less. They are only stored: whoever
   computes with one widens it to f32 and rounds the result once, to nearest,
   ties to even. Everything is integer arithmetic that codegen/scalar repeats,
   so every target has the same bits; a NaN loses its sign and its payload. */
#ifndef SNUG_NARROW_H
#define SNUG_NARROW_H

#include "ir/type.h"

/* What stands for infinity and NaN; M is the largest finite number. */
typedef enum NarrowKind {
    NARROW_IEEE,  /* the largest exponent, as in f32 */
    NARROW_LAST,  /* no infinity, NaN is all ones; beyond M: NaN */
    NARROW_FNUZ,  /* the same, NaN is what would be -0; no -0 */
    NARROW_SMALL, /* neither; beyond M: M, NaN: -0 */
    NARROW_SCALE  /* exponents only: rounded up, no sign, no 0; NaN is all ones,
                     beyond M: M, infinity: NaN */
} NarrowKind;

typedef struct Narrow {
    NarrowKind kind;
    int bits;          /* of all, with the sign */
    int fraction;      /* bits of it */
    int bias;          /* of the exponent */
    unsigned infinity; /* the code of what lies beyond M, without sign */
    unsigned nan;      /* code of NaN */
} Narrow;

/* NULL: not a narrow type. */
const Narrow *narrow_of(DType d);

float narrow_read(const Narrow *f, unsigned code);
unsigned narrow_code(const Narrow *f, float x);
/* x in f32, the last bit set where bits were lost: rounding it once more to
   less than 23 bits is as good as rounding x. */
float narrow_middle(double x);

/* The same for n elements in memory. */
void narrow_unpack(DType d, int64_t n, const void *from, float *to);
void narrow_pack(DType d, int64_t n, const float *from, void *to);

#endif
