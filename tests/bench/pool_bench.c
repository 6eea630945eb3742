/* pool_bench: what it costs to run a kernel on two threads, by our pool and by
   OpenMP runtimes, in turn. A kernel is tiles of pure arithmetic, so what a run
   takes beyond half of it on one thread is the cost. Each measures in a
   process of its own: the threads of OpenMP go on spinning after their work.

   pool_bench [SECONDS [LIBRARY...]] prints medians in microseconds: kernel
   after kernel, and with a pause between. The libraries, libgomp and LLVM's
   libomp by default, are entered by GOMP_parallel, which both have. */
#include "runtime/memory.h"
#include "runtime/pool.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, TILES = 8, MOST = 8, RUNS = 200000 };

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void
wait_for(double microseconds)
{
    double end = now() + microseconds;

    while (now() < end)
        continue;
}

static int64_t tile_rounds; /* of arithmetic */

static void
kernel(char *arena, const int64_t *offset, int64_t begin, int64_t end,
       int64_t worker)
{
    (void)arena;
    (void)offset;
    (void)worker;
    for (int64_t i = (end - begin) * tile_rounds; i > 0; i--)
        __asm__ volatile("" : "+r"(i));
}

/* ---- the teams ---------------------------------------------------------- */

typedef void Parallel(void (*)(void *), void *, unsigned, unsigned);
typedef int Number(void);

typedef struct Team {
    RtPool *pool; /* ours, or: */
    Parallel *parallel;
    Number *number;
} Team;

static const RtStep step = {.kernel = kernel, .tiles = TILES};

static void
share(void *p)
{
    const Team *t = p;
    int64_t k = t->number(), each = TILES / THREADS;

    kernel(NULL, NULL, each * k, each * (k + 1), k);
}

static void
run(Team *t)
{
    if (t->pool)
        rt_pool_run(t->pool, &step, NULL);
    else
        t->parallel(share, t, THREADS, 0);
}

/* path NULL: our pool. */
static bool
open_team(Team *t, const char *path)
{
    static RtRegion region;
    void *library;

    *t = (Team){0};
    if (!path)
        return rt_pool_start(&t->pool, &region, THREADS) == 0;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return false;
    *(void **)&t->parallel = dlsym(library, "GOMP_parallel");
    *(void **)&t->number = dlsym(library, "omp_get_thread_num");
    return t->parallel && t->number;
}

/* ---- the times ---------------------------------------------------------- */

static int
by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

/* Half of the tiles on one thread. */
static double
half_alone(void)
{
    double best = INFINITY;

    for (int i = 0; i < 100; i++) {
        double start = now();

        kernel(NULL, NULL, 0, TILES / THREADS, 0);
        best = fmin(best, now() - start);
    }
    return best;
}

static double
median_cost(Team *t, double gap, double seconds)
{
    static double cost[RUNS];
    double end = now() + 1e6 * seconds, work = half_alone();
    int runs = 0;

    run(t); /* its threads begin */
    while (runs < RUNS && now() < end) {
        double start;

        if (gap > 0)
            wait_for(gap);
        start = now();
        run(t);
        cost[runs++] = now() - start - work;
    }
    qsort(cost, (size_t)runs, sizeof *cost, by_size);
    return cost[runs / 2];
}

/* NAN: the library is not there. */
static double
cost_apart(const char *path, double gap, double seconds)
{
    double cost = NAN;
    int pipes[2];

    if (pipe(pipes) != 0)
        return NAN;
    if (fork() == 0) {
        Team t;

        if (open_team(&t, path))
            cost = median_cost(&t, gap, seconds);
        _exit(write(pipes[1], &cost, sizeof cost) != sizeof cost);
    }
    close(pipes[1]);
    if (read(pipes[0], &cost, sizeof cost) != sizeof cost)
        cost = NAN;
    close(pipes[0]);
    wait(NULL);
    return cost;
}

/* Turn by turn: the machine is the same for all; the median of the rounds. */
static void
compare(const char *const *path, int teams, double work, double gap,
        double seconds)
{
    enum { ROUNDS = 5 };
    double found[MOST][ROUNDS];

    printf("%6.0f %6.0f", work, gap);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < teams; i++)
            found[i][r] = cost_apart(path[i], gap, seconds / ROUNDS);
    for (int i = 0; i < teams; i++) {
        qsort(found[i], ROUNDS, sizeof *found[i], by_size);
        printf(" %16.2f", found[i][ROUNDS / 2]);
    }
    printf("\n");
    fflush(stdout);
}

/* How much arithmetic takes so many microseconds. */
static int64_t
rounds_of(double microseconds)
{
    tile_rounds = 10000;
    return (int64_t)(microseconds * 10000 * TILES / THREADS / half_alone());
}

int
main(int argc, char **argv)
{
    static const double work[] = {0, 10, 100}, gap[] = {0, 20, 200, 1000};
    const char *path[MOST] = {NULL, "libgomp.so.1", "libomp.so.5"};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;
    int teams = argc > 2 ? 1 : 3;

    for (int i = 2; i < argc && teams < MOST; i++)
        path[teams++] = argv[i];
    printf("%6s %6s", "work", "pause");
    for (int i = 0; i < teams; i++)
        printf(" %16.16s", path[i] ? path[i] : "ours");
    printf("\n");
    fflush(stdout);
    for (size_t w = 0; w < sizeof work / sizeof *work; w++)
        for (size_t g = 0; g < sizeof gap / sizeof *gap; g++) {
            tile_rounds = rounds_of(work[w] * THREADS / TILES);
            compare(path, teams, work[w], gap[g], seconds);
        }
    return 0;
}
