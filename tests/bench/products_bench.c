/* products_bench: generated matrix products beside those of oneDNN, OpenBLAS
   and MKL on plain layouts, in turn, on two threads.

   products_bench [PAIRS [MILLISECONDS [PART OF NAME [LOG TOPICS]]]] prints a
   row a shape: GFLOP/s by median times, the best library's time over ours
   (median of the pairs, quartiles). The paths of OpenBLAS and MKL may be named
   in OPENBLAS and MKL. */
#include "tests/bench/products_ours.h"
#include "tests/bench/products_peers.h"

#include <dirent.h>
#include <sched.h>

enum { THREADS = 2 };

typedef struct Row {
    double ours[PAIRS_MOST], theirs[PEERS][PAIRS_MOST], ratio[PAIRS_MOST];
} Row;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
run(const Ours *o, const Peer *p, const ProductShape *s)
{
    if (p)
        p->run(p, s, o->in[0], o->in[1], o->out);
    else
        ours_run(o);
}

/* Seconds of one product: the mean over `seconds` once all threads are awake;
   p NULL: ours. */
static double
time_of(const Ours *o, const Peer *p, const ProductShape *s, double seconds)
{
    double from, to;
    int64_t count = 0;

    usleep(1500);
    run(o, p, s);
    run(o, p, s);
    from = now();
    do {
        run(o, p, s);
        count++;
        to = now();
    } while (to - from < seconds);
    return (to - from) / (double)count;
}

/* The largest difference of our results from the first library's. */
static double
difference(const Ours *o, const Peer *p, const ProductShape *s)
{
    int64_t count = s->batch * s->m * s->n;
    float *first = malloc((size_t)count * sizeof *first);
    double most = 0;

    p->run(p, s, o->in[0], o->in[1], o->out);
    memcpy(first, o->out, (size_t)count * sizeof *first);
    memset(o->out, 0xff, (size_t)count * sizeof *first);
    ours_run(o);
    for (int64_t i = 0; i < count; i++) {
        double far = fabs((double)first[i] - (double)o->out[i]);

        most = far <= most ? most : far;
    }
    free(first);
    return most;
}

static void
report(const ProductShape *s, const Peer *peer, Row *r, int pairs,
       const Ours *o)
{
    double flops = 2e-9 * (double)(s->batch * s->m * s->n) * (double)s->k;
    int best = -1;

    printf("| %-14s | %s%lld x %lld x %lld %c%c | %.1f |", s->name,
           s->batch > 1 ? "12 * " : "", (long long)s->m, (long long)s->n,
           (long long)s->k, s->turned[0] ? 'T' : 'N', s->turned[1] ? 'T' : 'N',
           flops / quantile(r->ours, pairs, 0.5));
    for (int i = 0; i < PEERS; i++) {
        double time;

        if (!peer[i].there)
            continue;
        time = quantile(r->theirs[i], pairs, 0.5);
        printf(" %.1f |", flops / time);
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
    Ours o = ours_new(s, pool, (const char *const[]){"f32", "f32", "f32"});

    peers_prepare(peer, s, o.in[0], o.in[1], o.out);
    for (int i = 0; i < pairs; i++) {
        r.ours[i] = time_of(&o, NULL, s, seconds);
        for (int p = 0; p < PEERS; p++)
            if (peer[p].there)
                r.theirs[p][i] = time_of(&o, &peer[p], s, seconds);
    }
    report(s, peer, &r, pairs, &o);
    rt_arena_unmap(&o.memory);
    arena_free(o.arena);
}

/* The caller on one processor, every team's other thread on the next: what the
   scheduler makes of sleeping teams is not what is measured. */
static void
pin_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;
    cpu_set_t set;

    while (tasks && (e = readdir(tasks))) {
        pid_t id = (pid_t)atoi(e->d_name);

        if (id <= 0)
            continue;
        CPU_ZERO(&set);
        CPU_SET(id == getpid() ? 0 : 1, &set);
        sched_setaffinity(id, sizeof set, &set);
    }
    if (tasks)
        closedir(tasks);
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
    if (rt_pool_start(&pool, &region, THREADS))
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
