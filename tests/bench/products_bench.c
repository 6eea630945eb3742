/* products_bench: generated matrix products beside those of oneDNN, OpenBLAS
   and MKL on plain layouts, in turn, on two threads.

   products_bench [PAIRS [MILLISECONDS [PART OF NAME [LOG TOPICS]]]] prints a
   row a shape: GFLOP/s by median times, the best library's time over ours
   (median of the pairs, quartiles). The paths of OpenBLAS and MKL may be named
   in OPENBLAS and MKL. */
#include "tests/bench/products_ours.h"
#include "tests/bench/products_peers.h"

typedef struct Row {
    double ours[PAIRS_MOST], theirs[PEERS][PAIRS_MOST], ratio[PAIRS_MOST];
} Row;

/* What one product of a peer needs. */
typedef struct Turn {
    const Peer *peer; /* NULL: ours */
    const ProductShape *shape;
} Turn;

static float *
operand(const Ours *o, int i)
{
    return (float *)(void *)(o->memory.base + o->entry->input[i].offset);
}

static float *
result(const Ours *o)
{
    return (float *)(void *)(o->memory.base + o->entry->output[0].offset);
}

static void
run(const Ours *o, const void *of)
{
    const Turn *t = of;

    if (t->peer)
        t->peer->run(t->peer, t->shape, operand(o, 0), operand(o, 1),
                     result(o));
    else
        ours_run(o);
}

/* Of one product, once all threads are awake; p NULL: ours. */
static double
time_of(const Ours *o, const Peer *p, const ProductShape *s, double seconds)
{
    Turn t = {p, s};

    usleep(1500);
    run(o, &t);
    run(o, &t);
    return mean_time(run, o, &t, seconds);
}

/* The largest difference of our results from the first library's. */
static double
difference(const Ours *o, const Peer *p, const ProductShape *s)
{
    int64_t count = s->batch * s->m * s->n;
    float *first = malloc((size_t)count * sizeof *first);
    float *out = result(o);
    double most = 0;

    run(o, &(Turn){p, s});
    memcpy(first, out, (size_t)count * sizeof *first);
    memset(out, 0xff, (size_t)count * sizeof *first);
    ours_run(o);
    for (int64_t i = 0; i < count; i++) {
        double far = fabs((double)first[i] - (double)out[i]);

        most = far <= most ? most : far;
    }
    free(first);
    return most;
}

static void
report(const ProductShape *s, const Peer *peer, Row *r, int pairs,
       const Ours *o)
{
    int best = -1;

    print_shape(s, quantile(r->ours, pairs, 0.5));
    for (int i = 0; i < PEERS; i++) {
        double time;

        if (!peer[i].there)
            continue;
        time = quantile(r->theirs[i], pairs, 0.5);
        printf(" %.1f |", giga_flops(s) / time);
        if (best < 0 || time < quantile(r->theirs[best], pairs, 0.5))
            best = i;
    }
    for (int i = 0; best >= 0 && i < pairs; i++)
        r->ratio[i] = r->theirs[best][i] / r->ours[i];
    if (best >= 0)
        printf(" %.3f | %.3f-%.3f |", quantile(r->ratio, pairs, 0.5),
               quantile(r->ratio, pairs, 0.25),
               quantile(r->ratio, pairs, 0.75));
    printf(" %lld |", (long long)(o->bytes + 1023) / 1024);
    if (peer[0].there && difference(o, &peer[0], s) > 1e-4 * (double)s->k)
        printf(" WRONG");
    printf("\n");
    fflush(stdout);
}

static void
bench(const ProductShape *s, Peer *peer, RtPool *pool, int pairs,
      double seconds)
{
    static Row r;
    Ours o = product_new(s, pool, (const char *const[]){"f32", "f32", "f32"});

    peers_prepare(peer, s, operand(&o, 0), operand(&o, 1), result(&o));
    for (int i = 0; i < pairs; i++) {
        r.ours[i] = time_of(&o, NULL, s, seconds);
        for (int p = 0; p < PEERS; p++)
            if (peer[p].there)
                r.theirs[p][i] = time_of(&o, &peer[p], s, seconds);
    }
    report(s, peer, &r, pairs, &o);
    ours_drop(&o);
}

/* Every library makes its threads. */
static void
wake_teams(Peer *peer)
{
    static float x[3][256 * 256];
    ProductShape s = {"", 1, 256, 256, 256, {false, false}};

    peers_prepare(peer, &s, x[0], x[1], x[2]);
    for (int i = 0; i < PEERS; i++)
        if (peer[i].there)
            peer[i].run(&peer[i], &s, x[0], x[1], x[2]);
}

static void
print_head(const Peer *peer)
{
    int peers = 0;

    printf("| product | m x n x k | ours |");
    for (int i = 0; i < PEERS; i++)
        if (peer[i].there) {
            printf(" %s |", peer[i].name);
            peers++;
        }
    printf("%s scratch KiB |\n|", peers ? " ratio | quartiles |" : "");
    for (int i = 0; i < 4 + peers + (peers ? 2 : 0); i++)
        printf("---|");
    printf("\n");
}

static void
bench_all(int pairs, double seconds, const char *only)
{
    Peer peer[PEERS];
    RtRegion region = {0};
    RtPool *pool;

    peers_load(peer);
    if (rt_pool_start(&pool, &region, thread_count()))
        exit(1);
    wake_teams(peer);
    pin_threads();
    print_head(peer);
    for (int i = 0; i < SHAPES; i++)
        if (strstr(shapes[i].name, only))
            bench(&shapes[i], peer, pool, pairs, seconds);
    rt_pool_stop(pool);
    rt_region_drop(&region);
}

int
main(int argc, char **argv)
{
    return products_main(argc, argv, bench_all);
}
