/* precision_test: products of bf16 operands give the interpreter's bits, with
   dot products and without them. */
#include "tests/compiled.h"
#include "tests/source.h"

static void
check(Source *s, const char *passes, const char *target)
{
    Compiled c = compiled_new(text_str(&s->text), passes, target);

    for (int k = 0; k < c.program->entries; k++)
        for (uint64_t seed = 0; seed < 3; seed++)
            compiled_check(&c, k, seed);
    compiled_free(&c);
}

static void
check_here(Source *s, const char *passes)
{
    check(s, passes, "native");
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        check(s, passes, "x86-64-v3");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        check(s, passes, "x86-64-v4");
#endif
    *s = source_new(s->text.arena);
}

/* size: of the labels, by letter. */
static void
add_shape(Text *t, const char *dtype, const char *labels, size_t length,
          const int *size)
{
    text_add(t, "%s[", dtype);
    for (size_t i = 0; i < length; i++)
        text_add(t, "%s%d", i ? "," : "", size[labels[i] - 'a']);
    text_add(t, "]");
}

/* types: which of the operands is bf16, in the lowest bits. */
static void
add_product(Source *s, int types, const char *labels, int split,
            const int *size)
{
    Arena *a = s->text.arena;
    Text t[3] = {text_new(a), text_new(a), text_new(a)};
    const char *b = strchr(labels, ',') + 1, *c = strchr(labels, '>') + 1;

    add_shape(&t[0], types & 1 ? "bf16" : "f32", labels,
              (size_t)(b - labels - 1), size);
    add_shape(&t[1], types & 2 ? "bf16" : "f32", b, (size_t)(c - b - 2), size);
    add_shape(&t[2], "f32", c, strlen(c), size);
    add_graph(s,
              "input %%a : %s\ninput %%b : %s\n"
              "f %%y = contract %%a, %%b labels=\"%s\" split=%d : %s\n"
              "output %%y\n",
              text_str(&t[0]), text_str(&t[1]), labels, split, text_str(&t[2]));
}

static const char *const layouts[] = {
    "mk,kn->mn",       "mk,nk->mn",    "km,kn->mn",   "km,nk->mn",
    "mk,nk->nm",       "bmk,bkn->bmn", "bmk,kn->bmn", "mk,bnk->bmn",
    "mkb,nkb->mnb",    "mxk,nxk->mn",  "xkm,kxn->mn", "mxk,kn->xnm",
    "mk,kxn->mxn",     "mk,k->m",      "k,k->",       "m,n->mn",
    "bxmk,bxnk->bmxn", "bm,bm->bm",
};

static void
set_sizes(int *size, int m, int n, int k)
{
    size['m' - 'a'] = m;
    size['n' - 'a'] = n;
    size['k' - 'a'] = k;
    size['b' - 'a'] = 3;
    size['x' - 'a'] = 2 + m % 4;
}

Test(precision, layouts)
{
    static const int sizes[][3] = {{1, 1, 1},    {17, 33, 5}, {64, 10, 84},
                                   {5, 67, 23},  {3, 0, 2},   {3, 2, 0},
                                   {31, 48, 64}, {30, 70, 97}};
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_sizes(size, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++)
            add_product(&s, 1 + (int)(i + l) % 3, layouts[l], 1, size);
        check_here(&s, PLAIN);
    }
    arena_free(a);
}

Test(precision, split)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    for (int i = 0; i < 14; i++) {
        set_sizes(size, 10 + i, 3 * i + 1, 100 + i);
        add_product(&s, 1 + i % 3, layouts[i], 2 + i % 6, size);
    }
    check_here(&s, PLAIN);
    arena_free(a);
}

/* Panels for a worker alone, and sums that wait for the next terms. */
Test(precision, large)
{
    Arena *a = arena_new();
    Source s = source_new(a);
    int size[26] = {0};

    set_sizes(size, 30, 50, 9001);
    add_product(&s, 3, "mk,kn->mn", 1, size);
    add_product(&s, 2, "km,nk->mn", 1, size);
    set_sizes(size, 130, 2100, 600);
    add_product(&s, 3, "mk,kn->mn", 1, size);
    add_product(&s, 1, "mk,nk->mn", 1, size);
    set_sizes(size, 2100, 1200, 500);
    add_product(&s, 3, "km,kn->mn", 1, size);
    check_here(&s, PLAIN);
    arena_free(a);
}
