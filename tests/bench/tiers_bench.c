/* tiers_bench: what it takes to move the arena's bytes to a tier and back, by
   each way that the runtime has, in turn: the median rates out and in, and the
   processor's seconds for a GiB both ways.

   tiers_bench [FOLDER [MIB [ROUNDS]]] */
#include "runtime/model.h"
#include "runtime/progress.h"
#include "runtime/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MOVES = 8, MOST_ROUNDS = 99, WAYS = 7 };

typedef struct Way {
    const char *name, *io;
    RtTierKind kind;
    int64_t arena, tier; /* the offsets are this much beside a block */
} Way;

static const Way way[WAYS] = {
    {"memory", "", RT_TIER_HOST, 0, 0},
    {"disk, queue", "uring", RT_TIER_FILE, 0, 0},
    {"disk, calls", "threads", RT_TIER_FILE, 0, 0},
    {"disk, queue, over a copy", "uring", RT_TIER_FILE, 64, 0},
    {"disk, calls, over a copy", "threads", RT_TIER_FILE, 64, 0},
    {"disk, queue, page cache", "uring", RT_TIER_FILE, 0, 64},
    {"disk, calls, page cache", "threads", RT_TIER_FILE, 0, 64}};

/* Two entries: out and in, of MOVES moves each. */
typedef struct Bench {
    RtModel *model;
    RtTier tier;
    RtMove move[2][2 * MOVES];
    RtStep step[2][2 * MOVES];
    RtEntry entry[2];
    RtProgram program;
    double rate[2][MOST_ROUNDS], seconds[MOST_ROUNDS];
} Bench;

static Bench bench[WAYS];

static double
processor_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
make_entry(Bench *b, const Way *w, int back, int64_t bytes)
{
    for (int k = 0; k < 2 * MOVES; k++) {
        int64_t at = k % MOVES * bytes;
        RtMove *m = &b->move[back][k];
        *m = (RtMove){k % MOVES,     k >= MOVES,   -1,          0,
                      at + w->arena, at + w->tier, bytes - 4096};
        if (back)
            *m = (RtMove){m->ticket, m->wait, 0, -1, m->to, m->from, m->bytes};
        b->step[back][k] = (RtStep){.name = "move", .kind = "", .move = m};
    }
    b->entry[back] = (RtEntry){.name = back ? "in" : "out",
                               .step = b->step[back],
                               .steps = 2 * MOVES,
                               .tickets = MOVES};
}

static int
open_bench(Bench *b, const Way *w, const char *folder, int64_t bytes)
{
    b->tier = (RtTier){"tier", w->kind, MOVES * bytes + 4096, 0, 0};
    for (int back = 0; back < 2; back++)
        make_entry(b, w, back, bytes);
    b->program = (RtProgram){.version = RT_ABI_VERSION,
                             .workers = 1,
                             .arena_bytes = MOVES * bytes + 4096,
                             .arena_align = 64,
                             .entry = b->entry,
                             .entries = 2,
                             .tier = &b->tier,
                             .tiers = 1};
    setenv("SNUG_IO", w->io, 1);
    return rt_open_spill(&b->model, &b->program, NULL, 0, 1, folder);
}

static int
measure(Bench *b, int round, double mebibytes)
{
    double busy = processor_seconds();
    for (int back = 0; back < 2; back++) {
        double began = rt_seconds();
        RT_TRY(rt_run(b->model, back ? "in" : "out"));
        b->rate[back][round] = mebibytes / (rt_seconds() - began);
    }
    b->seconds[round] = (processor_seconds() - busy) * 1024 / mebibytes;
    return RT_OK;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double *value, int count)
{
    qsort(value, (size_t)count, sizeof *value, ascending);
    return value[count / 2];
}

static int
run(const char *folder, int64_t mebibytes, int rounds)
{
    for (int k = 0; k < WAYS; k++)
        RT_TRY(
            open_bench(&bench[k], &way[k], folder, (mebibytes << 20) / MOVES));
    for (int k = 0; k < WAYS; k++) /* the file's first time is not counted */
        RT_TRY(measure(&bench[k], 0, 1));
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < WAYS; k++)
            RT_TRY(measure(&bench[k], round, (double)mebibytes));
    printf("%-26s %9s %9s %9s\n", "MiB/s, s of processor/GiB", "out", "in",
           "busy");
    for (int k = 0; k < WAYS; k++)
        printf("%-26s %9.0f %9.0f %9.3f\n", way[k].name,
               median(bench[k].rate[0], rounds),
               median(bench[k].rate[1], rounds),
               median(bench[k].seconds, rounds));
    return RT_OK;
}

int
main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[3]) : 9;
    int status = run(argc > 1 ? argv[1] : ".", argc > 2 ? atoi(argv[2]) : 128,
                     rounds > 0 && rounds < MOST_ROUNDS ? rounds : 9);
    if (status)
        fprintf(stderr, "%s\n", rt_message());
    for (int k = 0; k < WAYS; k++)
        rt_close(bench[k].model);
    return status;
}
