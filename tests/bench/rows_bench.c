/* rows_bench: speed of row kernels and moves, fused by the pass, beside a copy
   of as many bytes and the arithmetic of the same formulas on data that stays
   in the nearest cache, both measured in the same run.

   rows_bench [TARGET [SECONDS [PART OF NAME [THREADS [LOG TOPICS]]]]] prints a
   row a shape: the bytes are those of the graph's inputs and outputs, each
   once. */
#include "codegen/emit.h"
#include "codegen/llvm.h"
#include "codegen/target.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/abi.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/rows_bench_peak.h"
#include "tests/bench/rows_bench_shapes.h"

enum { STEPS_MOST = 16, COPIED = 64 << 20 };

typedef struct Team {
    const RtStep *step;
    int steps;
    char *memory;
    _Atomic int64_t next[STEPS_MOST]; /* tile of each step */
    _Atomic int arrived[STEPS_MOST], round, left;
    _Atomic bool stop;
} Team;

/* What the machine does in this run: bytes a second copied, read and written,
   on one and on two threads. */
typedef struct Peak {
    int threads; /* one or two */
    double bytes[2];
} Peak;

/* Both threads go through all steps; a step ends when both have left it. */
static void
share(Team *t, int worker, int threads)
{
    for (int i = 0; i < t->steps; i++) {
        const RtStep *s = &t->step[i];
        int64_t grain = s->tiles / (threads * 8), tile;

        grain = grain < 1 ? 1 : grain;
        while ((tile = atomic_fetch_add(&t->next[i], grain)) < s->tiles)
            s->kernel(t->memory, s->offset, tile,
                      tile + grain < s->tiles ? tile + grain : s->tiles,
                      worker);
        atomic_fetch_add(&t->arrived[i], 1);
        while (atomic_load(&t->arrived[i]) < threads)
            ;
    }
}

static void *
second(void *team)
{
    Team *t = team;
    int seen = 0;

    for (;;) {
        while (atomic_load(&t->round) == seen)
            if (atomic_load(&t->stop))
                return NULL;
        seen++;
        share(t, 1, 2);
        atomic_fetch_sub(&t->left, 1);
    }
}

static void
once(Team *t, int threads)
{
    for (int i = 0; i < t->steps; i++) {
        atomic_store(&t->next[i], 0);
        atomic_store(&t->arrived[i], 0);
    }
    atomic_store(&t->left, threads - 1);
    if (threads > 1)
        atomic_fetch_add(&t->round, 1);
    share(t, 0, threads);
    while (atomic_load(&t->left) > 0)
        ;
}

/* The least of all times within `seconds`. */
static double
best_time(Team *t, int threads, double seconds)
{
    double best = INFINITY, end = now(threads) + seconds;
    pthread_t other;

    atomic_store(&t->stop, false);
    atomic_store(&t->round, 0);
    if (threads > 1)
        pthread_create(&other, NULL, second, t);
    for (int i = 0; now(threads) < end || i < 3; i++) {
        double from = now(threads);

        once(t, threads);
        best = fmin(best, now(threads) - from);
    }
    atomic_store(&t->stop, true);
    if (threads > 1)
        pthread_join(other, NULL);
    return best;
}

/* ---- what the machine can do ------------------------------------------- */

/* Memory as the runtime maps an arena: of large pages. */
static char *
large_pages(int64_t bytes)
{
    enum { PAGE = 2 << 20 };
    size_t size = (size_t)(bytes + PAGE - 1) / PAGE * PAGE;
    char *memory = aligned_alloc(PAGE, size);

    madvise(memory, size, MADV_HUGEPAGE);
    memset(memory, 0, size);
    return memory;
}

/* memcpy in pieces, as a kernel: what the C library knows best. */
static void
copy_tiles(char *arena, const int64_t *offset, int64_t begin, int64_t end,
           int64_t worker)
{
    int64_t size = offset[2];

    (void)worker;
    memcpy(arena + offset[1] + begin * size, arena + offset[0] + begin * size,
           (size_t)((end - begin) * size));
}

static double
copy_speed(int threads, int64_t bytes, double seconds)
{
    enum { TILES = 64 };
    int64_t offset[] = {0, bytes, bytes / TILES};
    RtStep step = {.kernel = copy_tiles, .offset = offset, .tiles = TILES};
    Team t = {.step = &step, .steps = 1};
    double time;

    t.memory = large_pages(2 * bytes);
    time = best_time(&t, threads, seconds);
    free(t.memory);
    return (double)(2 * bytes) / time;
}

/* ---- a shape ------------------------------------------------------------- */

typedef struct Work {
    double arithmetic; /* seconds of it on one thread */
    int64_t bytes;     /* that must move */
} Work;

/* An update of a parameter is the same bytes again, written. */
static int64_t
bytes_of(const Module *m)
{
    const Graph *g = m->entry[1];
    int64_t bytes = 0;

    for (size_t i = 0; i < vec_len(g->input); i++)
        bytes += type_bytes(&g->value[g->input[i]].type);
    for (size_t i = 0; i < vec_len(g->output); i++)
        bytes += type_bytes(&g->value[g->output[i]].type);
    for (size_t i = 1; i < vec_len(g->value); i++) {
        const Value *v = &g->value[i];

        if (v->kind == V_STORE || v->over)
            bytes += type_bytes(&v->type);
    }
    return bytes;
}

static int
kernels_of(const Module *m)
{
    const Graph *g = m->entry[1];
    int n = 0;

    for (size_t k = 0; k < vec_len(g->order); k++)
        n += op_info(g->node[g->order[k]].op)->kernel != KK_none;
    return n;
}

static void
print_row(const RowsShape *s, const Peak *peak, Work w, int kernels,
          const double *time)
{
    printf("%-32s %2d %8.2f", s->name, kernels, (double)w.bytes / 1048576);
    for (int i = 0; i < peak->threads; i++) {
        double copied = (double)w.bytes / peak->bytes[i];
        double computed = w.arithmetic / (i + 1);

        printf("  %9.1f %6.1f %5.1f%% %5.1f%% %5.1f%%", time[i] * 1e6,
               (double)w.bytes / time[i] / 1e9, 100 * copied / time[i],
               100 * computed / time[i],
               100 * fmax(copied, computed) / time[i]);
    }
    printf("\n");
    fflush(stdout);
}

static void
bench(const RowsShape *s, const Machine *m, const char *target,
      const Peak *peak, double seconds)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    EmitOptions o = {.machine = m, .target = target, .weights = ""};
    const RtProgram *p;
    void *library;
    Module *module;
    Team team = {0};
    const char *body = s->body;
    double time[2];
    Work w;
    int kernels;

    while (strncmp(body, "param", 5) == 0)
        body = strchr(body, '\n') + 1;
    text_add(&t, ROWS_HEAD "graph bench {\n%s}\n", (int)(body - s->body),
             s->body, body);
    module = parse_module(a, text_str(&t), s->name);
    raise_if_complained();
    w.bytes = bytes_of(module);
    w.arithmetic = peak_seconds(a, module->entry[1], m, target_named(target),
                                seconds / 4);
    pipeline_run(module, "fuse,inplace,workspace,schedule,place",
                 &(PipelineOptions){.machine = m});
    kernels = kernels_of(module);
    emit_module(module, &o, EMIT_OBJECT, "/tmp/rows-bench.o");
    library = load_object(a, "/tmp/rows-bench.o");
    p = dlsym(library, "snug_program");
    team.step = p->entry[1].step;
    team.steps = p->entry[1].steps;
    if (team.steps > STEPS_MOST) {
        printf("%s: more than %d steps\n", s->name, STEPS_MOST);
        exit(1);
    }
    team.memory = large_pages(p->arena_bytes);
    for (int i = 0; i < peak->threads; i++)
        time[i] = best_time(&team, i + 1, seconds);
    print_row(s, peak, w, kernels, time);
    dlclose(library);
    free(team.memory);
    arena_free(a);
}

int
main(int argc, char **argv)
{
    const char *target = argc > 1 ? argv[1] : "native";
    double seconds = argc > 2 ? atof(argv[2]) : 0.2;
    const char *only = argc > 3 ? argv[3] : "";
    int threads = argc > 4 ? atoi(argv[4]) : 2;
    Arena *a = arena_new();
    Guard guard;
    Peak peak;

    if (argc > 5)
        log_topics(argv[5]);
    if (!guarded(&guard))
        return (int)diag_print(&guard, stderr);
    const Machine *m = target_machine(a, target);
    peak.threads = threads == 1 ? 1 : 2;
    for (int i = 0; i < peak.threads; i++)
        peak.bytes[i] = copy_speed(i + 1, COPIED, seconds);
    printf("%-32s %2s %8s", "f32: kernels, MiB", "", "");
    for (int i = 0; i < peak.threads; i++)
        printf("  %d: %6s %6s %6s %6s %6s", i + 1, "us", "GB/s", "copy",
               "arith", "limit");
    printf("\n%-44s", "a copy");
    for (int i = 0; i < peak.threads; i++)
        printf("  %9s %6.1f %20s", "", peak.bytes[i] / 1e9, "");
    printf("\n");
    for (int i = 0; rows_shapes[i].name; i++)
        if (strstr(rows_shapes[i].name, only))
            bench(&rows_shapes[i], m, target, &peak, seconds);
    guard_leave(&guard);
    arena_free(a);
    return 0;
}
