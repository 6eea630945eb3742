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

static void
run(const Ours *o, const void *of)
{
    (void)of;
    ours_run(o);
}

/* Of one product, once operands are near. */
static double
time_of(const Ours *o, double seconds)
{
    ours_run(o);
    return mean_time(run, o, NULL, seconds);
}

static void
report(const ProductShape *s, double time[KINDS][PAIRS_MOST], int pairs)
{
    double ratio[PAIRS_MOST];

    print_shape(s, quantile(time[0], pairs, 0.5));
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
        o[k] = product_new(s, pool, kinds[k].dtype);
    for (int i = 0; i < pairs; i++)
        for (int k = 0; k < KINDS; k++)
            time[k][i] = time_of(&o[k], seconds);
    report(s, time, pairs);
    for (int k = 0; k < KINDS; k++)
        ours_drop(&o[k]);
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
    setenv("THREADS", "1", 1);
    return products_main(argc, argv, bench_all);
}
