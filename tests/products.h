/* products: graphs of one product each, for what contract's kernels do, of any
   element types and labels. */
#ifndef SNUG_TESTS_PRODUCTS_H
#define SNUG_TESTS_PRODUCTS_H

#include <string.h>

#include "tests/compiled.h"
#include "tests/source.h"

/* Labels by which products differ: turned operands, batches, sums of two axes,
   rows and columns alone. */
static const char *const layouts[] = {
    "mk,kn->mn",       "mk,nk->mn",    "km,kn->mn",   "km,nk->mn",
    "mk,nk->nm",       "bmk,bkn->bmn", "bmk,kn->bmn", "mk,bnk->bmn",
    "mkb,nkb->mnb",    "mxk,nxk->mn",  "xkm,kxn->mn", "mxk,kn->xnm",
    "mk,kxn->mxn",     "mk,k->m",      "k,k->",       "m,n->mn",
    "bxmk,bxnk->bmxn", "bm,bm->bm",
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

/* size: of the labels, by letter. */
static inline void
set_sizes(int *size, int m, int n, int k)
{
    size['m' - 'a'] = m;
    size['n' - 'a'] = n;
    size['k' - 'a'] = k;
    size['b' - 'a'] = 3;
    size['x' - 'a'] = 2 + m % 4;
}

static inline void
add_shape(Text *t, const char *dtype, const char *labels, size_t length,
          const int *size)
{
    text_add(t, "%s[", dtype);
    for (size_t i = 0; i < length; i++)
        text_add(t, "%s%d", i ? "," : "", size[labels[i] - 'a']);
    text_add(t, "]");
}

/* dtype: of the two operands and the result; more: what follows the product. */
static inline void
add_product_of(Source *s, const char *const dtype[3], const char *labels,
               int split, const int *size, const char *more)
{
    Arena *a = s->text.arena;
    Text t[3] = {text_new(a), text_new(a), text_new(a)};
    const char *b = strchr(labels, ',') + 1, *c = strchr(labels, '>') + 1;

    add_shape(&t[0], dtype[0], labels, (size_t)(b - labels - 1), size);
    add_shape(&t[1], dtype[1], b, (size_t)(c - b - 2), size);
    add_shape(&t[2], dtype[2], c, strlen(c), size);
    add_graph(s,
              "input %%a : %s\ninput %%b : %s\n"
              "f %%y = contract %%a, %%b labels=\"%s\" split=%d : %s\n"
              "%soutput %%y\n",
              text_str(&t[0]), text_str(&t[1]), labels, split, text_str(&t[2]),
              more);
}

/* The results of every graph, three times, are the interpreter's. */
static inline void
check_on(const Source *s, const char *passes, const char *target)
{
    Compiled c = compiled_new(text_str(&s->text), passes, target);

    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++)
            compiled_check(&c, k, seed);
    compiled_free(&c);
}

/* check() for this CPU and its vectors of 32 bytes; dots: also for those of 64
   without dot products. Then the source begins anew. */
static inline void
check_here(Source *s, const char *passes, bool dots,
           void (*check)(const Source *s, const char *passes,
                         const char *target))
{
    check(s, passes, "native");
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        check(s, passes, "x86-64-v3");
    if (dots && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512vl"))
        check(s, passes, "x86-64-v4");
#endif
    *s = source_new(s->text.arena);
}

#endif
