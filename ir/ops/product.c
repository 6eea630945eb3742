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

/* Rows, each `k` elements side by side. */
static uint32_t *
dense(Arena *a, int64_t rows, int64_t k, const uint32_t *from,
      const int64_t *row, const int64_t *step)
{
    uint32_t *made = NEWN(a, uint32_t, rows * k + 1);

    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < k; j++)
            made[i * k + j] = from[row[i] + step[j]];
    return made;
}

static void
product_i32(Arena *scratch, const Product *p)
{
    const uint32_t *a = dense(scratch, p->m, p->k, p->a, p->am, p->ak);
    const uint32_t *b = dense(scratch, p->n, p->k, p->b, p->bn, p->bk);
    uint32_t *c = p->c;

    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            const uint32_t *x = a + i * p->k, *y = b + j * p->k;
            uint32_t sum = 0;

            for (int64_t k = 0; k < p->k; k++)
                sum += x[k] * y[k];
            c[p->cm[i] + p->cn[j]] = sum;
        }
}

void
product(Arena *scratch, DType dtype, const Product *p)
{
    if (dtype == DT_F32)
        product_f32(scratch, p);
    else if (dtype == DT_I32)
        product_i32(scratch, p);
    else
        product_f64(scratch, p);
}
