/* products_narrow_bench: generated products of bf16 and of whole numbers beside
   those of f32, in turn, on one thread, in the processor's time of that thread:
   what else runs disturbs it least.

   products_narrow_bench [PAIRS [MILLISECONDS [PART OF NAME [LOG TOPICS]]]]
   prints a row a shape: GFLOP/s of f32 by the median, then the time of f32 over
   that of each other type (median of the pairs, quartiles). */
#include "tests/bench/products_ours.h"

typedef struct Kind {
    const char *name, *dtype[3];
} Kind;

static const Kind kinds[] = {
    {"f32", {"f32", "f32", "f32"}},
    {"bf16", {"bf16", "bf16", "f32"}},
    {"u8 i8", {"u8", "i8", "i32"}},
    {"i8 i8", {"i8", "i8", "i32"}},
    {"i16 i8", {"i16", "i8", "i32"}},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static double
used(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one product: the mean over `seconds`, once operands are near. */
static double
time_of(const Ours *o, double seconds)
{
    double from, to;
    int64_t count = 0;

    ours_run(o);
    from = used();
    do {
        ours_run(o);
        count++;
        to = used();
    } while (to - from < seconds);
    return (to - from) / (double)count;
}

static void
report(const ProductShape *s, double time[KINDS][PAIRS_MOST], int pairs)
{
    double flops = 2e-9 * (double)(s->batch * s->m * s->n) * (double)s->k;
    double ratio[PAIRS_MOST];

    printf("| %-14s | %s%lld x %lld x %lld %c%c | %.1f |", s->name,
           s->batch > 1 ? "12 * " : "", (long long)s->m, (long long)s->n,
           (long long)s->k, s->turned[0] ? 'T' : 'N', s->turned[1] ? 'T' : 'N',
           flops / quantile(time[0], pairs, 0.5));
    for (int k = 1; k < KINDS; k++) {
        for (int i = 0; i < pairs; i++)
            ratio[i] = time[0][i] / time[k][i];
        printf(" %.2f (%.2f-%.2f) |", quantile(ratio, pairs, 0.5),
               quantile(ratio, pairs, 0.25), quantile(ratio, pairs, 0.75));
    }
    printf("\n");
    fflush(stdout);
}

static void
bench(const ProductShape *s, RtPool *pool, int pairs, double seconds)
{
    static double time[KINDS][PAIRS_MOST];
    Ours o[KINDS];

    for (int k = 0; k < KINDS; k++)
        o[k] = ours_new(s, pool, kinds[k].dtype);
    for (int i = 0; i < pairs; i++)
        for (int k = 0; k < KINDS; k++)
            time[k][i] = time_of(&o[k], seconds);
    report(s, time, pairs);
    for (int k = 0; k < KINDS; k++) {
        rt_arena_unmap(&o[k].memory);
        arena_free(o[k].arena);
    }
}

static void
bench_all(int pairs, double seconds, const char *only)
{
    RtRegion region = {0};
    RtPool *pool;

    if (rt_pool_start(&pool, &region, 1))
        exit(1);
    printf("| product | m x n x k | f32 |");
    for (int k = 1; k < KINDS; k++)
        printf(" %s |", kinds[k].name);
    printf("\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < SHAPES; i++)
        if (strstr(shapes[i].name, only))
            bench(&shapes[i], pool, pairs, seconds);
    rt_pool_stop(pool);
    rt_region_drop(&region);
}

int
main(int argc, char **argv)
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
