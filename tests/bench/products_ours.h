/* products_ours: a generated product in this process, and what the benchmarks
   of products have in common. */
#ifndef SNUG_BENCH_PRODUCTS_OURS_H
#define SNUG_BENCH_PRODUCTS_OURS_H

#include "tests/bench/products_shapes.h"
#include "tests/bench/turns.h"

#include <math.h>
#include <stdio.h>

static inline void
add_matrix(Text *t, const char *dtype, const ProductShape *s, int64_t rows,
           int64_t columns, bool turned)
{
    text_add(t, "%s[", dtype);
    if (s->batch > 1)
        text_add(t, "%lld,", (long long)s->batch);
    text_add(t, "%lld,%lld]", (long long)(turned ? columns : rows),
             (long long)(turned ? rows : columns));
}

static inline const char *
source_of(Arena *a, const ProductShape *s, const char *const dtype[3])
{
    Text t = text_new(a);
    const char *b = s->batch > 1 ? "b" : "";

    text_add(&t, "snug 1 stage=train\nmodule \"bench\"\ngraph train {\n"
                 "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\n"
                 "output %%loss\n}\ngraph bench {\ninput %%a : ");
    add_matrix(&t, dtype[0], s, s->m, s->k, s->turned[0]);
    text_add(&t, "\ninput %%b : ");
    add_matrix(&t, dtype[1], s, s->k, s->n, s->turned[1]);
    text_add(&t, "\nf %%y = contract %%a, %%b labels=\"%s%s,%s%s->%smn\" "
                 "split=1 : ",
             b, s->turned[0] ? "km" : "mk", b, s->turned[1] ? "nk" : "kn", b);
    add_matrix(&t, dtype[2], s, s->m, s->n, false);
    text_add(&t, "\noutput %%y\n}\n");
    return text_str(&t);
}

/* Any element type takes the bits of the operands; as f32 they are small. */
static inline Ours
product_new(const ProductShape *s, RtPool *pool, const char *const dtype[3])
{
    Arena *a = arena_new();
    Ours o = ours_new(source_of(a, s, dtype), s->name, pool);

    arena_free(a);
    return o;
}

/* Seconds of one product: the mean over `seconds` of run(o, of), which has run
   already. */
static inline double
mean_time(void (*run)(const Ours *o, const void *of), const Ours *o,
          const void *of, double seconds)
{
    double from = now(), to;
    int64_t count = 0;

    do {
        run(o, of);
        count++;
        to = now();
    } while (to - from < seconds);
    return (to - from) / (double)count;
}

static inline double
giga_flops(const ProductShape *s)
{
    return 2e-9 * (double)(s->batch * s->m * s->n) * (double)s->k;
}

static inline void
print_shape(const ProductShape *s, double seconds)
{
    printf("| %-14s | %s%lld x %lld x %lld %c%c | %.1f |", s->name,
           s->batch > 1 ? "12 * " : "", (long long)s->m, (long long)s->n,
           (long long)s->k, s->turned[0] ? 'T' : 'N', s->turned[1] ? 'T' : 'N',
           giga_flops(s) / seconds);
}

/* PAIRS, MILLISECONDS, PART OF NAME, LOG TOPICS of the command line. */
static inline int
products_main(int argc, char **argv,
              void (*bench_all)(int pairs, double seconds, const char *only))
{
    Guard guard;

    if (argc > 4)
        log_topics(argv[4]);
    if (!guarded(&guard))
        return (int)diag_print(&guard, stderr);
    bench_all(argc > 1 ? pairs_of(argv[1]) : 15,
              argc > 2 ? atof(argv[2]) / 1e3 : 5e-3, argc > 3 ? argv[3] : "");
    guard_leave(&guard);
    return 0;
}

#endif
