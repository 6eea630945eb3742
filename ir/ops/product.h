/* product: sums of products over gathered elements; what contract and the
   convolutions are computed with. */
#ifndef SNUG_PRODUCT_H
#define SNUG_PRODUCT_H

#include "ir/type.h"

/* c[cm[i] + cn[j]] = sum over k of a[am[i] + ak[k]] * b[bk[k] + bn[j]],
   offsets in elements. Each part of k (cut at ceil(k / split)) has one
   accumulator from +0 and fma in the order of k; parts add in order. One part
   may begin from `begin`, laid out as c (and perhaps the same bytes). */
typedef struct Product {
    int64_t m, n, k, split;
    const void *a, *b;
    const void *begin; /* NULL: +0; else split is 1 */
    void *c;
    const int64_t *am, *ak, *bk, *bn, *cm, *cn;
} Product;

/* dtype: f32, f64 or i32 (sums modulo 2^32, in any order), of a, b and c. */
void product(Arena *scratch, DType dtype, const Product *p);

#endif
