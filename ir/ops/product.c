/* product: tiles of fused multiply-adds whose lanes are different results, so
   that vectors change no bit. */
#include "ir/ops/product.h"

#include <math.h>
#include <string.h>

/* Tile height; longest stretch of k that is packed at once. */
enum { ROWS = 4, CHUNK = 512 };

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Without this the compiler must call fma() once an element. */
#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_FMA __attribute__((target("avx2,fma")))
#define HAS_FMA() \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#endif

static int64_t
groups_of(int64_t count, int64_t size)
{
    return count / size + (count % size != 0);
}

#define REAL    float
#define LANES   16
#define FMA     __builtin_fmaf
#define NAME(x) x##_f32
#include "ir/ops/product.inc"
#undef REAL
#undef LANES
#undef FMA
#undef NAME

#define REAL    double
#define LANES   8
#define FMA     __builtin_fma
#define NAME(x) x##_f64
#include "ir/ops/product.inc"
#undef REAL
#undef LANES
#undef FMA
#undef NAME

void
product(Arena *scratch, DType dtype, const Product *p)
{
    if (dtype == DT_F32)
        product_f32(scratch, p);
    else
        product_f64(scratch, p);
}
