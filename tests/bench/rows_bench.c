/* rows_bench: speed of row kernels and moves, fused by the pass, beside a copy
   of as many bytes and the arithmetic that the processor can do, both measured
   in the same run.

   rows_bench [TARGET [SECONDS [PART OF NAME [LOG TOPICS]]]] prints a row a
   shape: the bytes are those of the graph's inputs and outputs, each once. */
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
#include <time.h>
#include <unistd.h>

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

/* What the machine does in this run. */
typedef struct Peak {
    double flops;    /* of one thread */
    double bytes[2]; /* copied, read and written, on one and two threads */
} Peak;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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
    double best = INFINITY, end = now() + seconds;
    pthread_t other;

    atomic_store(&t->stop, false);
    atomic_store(&t->round, 0);
    if (threads > 1)
        pthread_create(&other, NULL, second, t);
    for (int i = 0; now() < end || i < 3; i++) {
        double from = now();

        once(t, threads);
        best = fmin(best, now() - from);
    }
    atomic_store(&t->stop, true);
    if (threads > 1)
        pthread_join(other, NULL);
    return best;
}

/* ---- what the machine can do ------------------------------------------- */

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

    t.memory = aligned_alloc(1 << 21, (size_t)(2 * bytes + (1 << 21)) >> 21
                                          << 21);
    memset(t.memory, 1, (size_t)(2 * bytes));
    time = best_time(&t, threads, seconds);
    free(t.memory);
    return (double)(2 * bytes) / time;
}

static void *
load_object(Arena *a, const char *object)
{
    Text t = text_new(a);
    void *library;

    text_add(&t, "cc -shared -o %s.so %s -lm", object, object);
    if (system(text_str(&t)) != 0)
        exit(1);
    t = text_new(a);
    text_add(&t, "%s.so", object);
    library = dlopen(text_str(&t), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    unlink(text_str(&t));
    unlink(object);
    return library;
}

/* Multiply-adds in registers only. */
static double
flops_peak(Arena *a, const Machine *m, const Target *target, double seconds)
{
    enum { ROUNDS = 100000, SUMS = 12 };
    static _Alignas(64) char room[1 << 14];
    Unit *u = unit_new(a, m, NULL, target->cpu, target->features, "peak");
    int lanes = m->vector_bytes / 4;
    LLVMValueRef f = unit_kernel(u, "peak"), first[SUMS], x, args[3];
    int64_t none = 0;
    double best = INFINITY, end;
    RtKernel *kernel;
    Loop l;

    x = load(u, unit_vector(u, DT_F32, lanes), LLVMGetParam(f, 0), 4);
    for (int i = 0; i < SUMS; i++)
        first[i] = x;
    loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, SUMS, first);
    for (int i = 0; i < SUMS; i++) {
        args[0] = args[1] = x;
        args[2] = loop_phi(&l, i);
        loop_next(&l, i, intrinsic(u, "llvm.fma", LLVMTypeOf(x), 3, args));
    }
    loop_end(u, &l);
    for (int i = 0; i < SUMS; i++)
        store(u, loop_phi(&l, i),
              address(u, LLVMGetParam(f, 0), const_i64(u, i * lanes * 4), 1),
              4);
    LLVMBuildRetVoid(u->b);
    LLVMSetLinkage(f, LLVMExternalLinkage);
    unit_optimize(u);
    unit_write(u, false, "/tmp/rows-bench-peak.o");
    unit_free(u);
    *(void **)&kernel =
        dlsym(load_object(a, "/tmp/rows-bench-peak.o"), "peak");
    for (end = now() + seconds; now() < end;) {
        double from = now();

        kernel(room, &none, 0, ROUNDS, 0);
        best = fmin(best, now() - from);
    }
    return 2.0 * SUMS * lanes * ROUNDS / best;
}

/* ---- a shape -------------------------------------------------------------- */

typedef struct Work {
    double operations; /* arithmetic ones, each a vector instruction a lane */
    int64_t bytes;     /* that must move */
} Work;

/* A result over an input is the same bytes again, written. */
static Work
work_of(const Module *m)
{
    const Graph *g = m->entry[1];
    Work w = {0};

    for (size_t k = 0; k < vec_len(g->order); k++)
        w.operations += cost_node(g, g->order[k]).flops;
    for (size_t i = 0; i < vec_len(g->input); i++)
        w.bytes += type_bytes(&g->value[g->input[i]].type);
    for (size_t i = 0; i < vec_len(g->output); i++)
        w.bytes += type_bytes(&g->value[g->output[i]].type);
    return w;
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
    for (int i = 0; i < 2; i++) {
        double copied = (double)w.bytes / peak->bytes[i];
        double computed = w.operations / (peak->flops / 2 * (i + 1));

        printf("  %9.1f %6.1f %5.1f%% %5.1f%%", time[i] * 1e6,
               (double)w.bytes / time[i] / 1e9, 100 * copied / time[i],
               100 * computed / time[i]);
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
    double time[2];
    Work w;
    int kernels;

    text_add(&t, ROWS_HEAD "graph bench {\n%s}\n", s->body);
    module = parse_module(a, text_str(&t), s->name);
    raise_if_complained();
    w = work_of(module);
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
    team.memory = aligned_alloc(1 << 21, (size_t)(p->arena_bytes + (1 << 21)) >>
                                             21 << 21);
    memset(team.memory, 0, (size_t)p->arena_bytes);
    for (int i = 0; i < 2; i++)
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
    Arena *a = arena_new();
    Guard guard;
    Peak peak;

    if (argc > 4)
        log_topics(argv[4]);
    if (!guarded(&guard))
        return (int)diag_print(&guard, stderr);
    const Machine *m = target_machine(a, target);
    peak.flops = flops_peak(a, m, target_named(target), seconds);
    for (int i = 0; i < 2; i++)
        peak.bytes[i] = copy_speed(i + 1, COPIED, seconds);
    printf("%.1f GFLOP/s a thread; copied %.1f GB/s by one, %.1f by two\n"
           "%-32s %2s %8s  %9s %6s %6s %6s  %9s %6s %6s %6s\n",
           peak.flops / 1e9, peak.bytes[0] / 1e9, peak.bytes[1] / 1e9,
           "f32: kernels, MiB", "", "", "1: us", "GB/s", "copy", "arith",
           "2: us", "GB/s", "copy", "arith");
    for (int i = 0; rows_shapes[i].name; i++)
        if (strstr(rows_shapes[i].name, only))
            bench(&rows_shapes[i], m, target, &peak, seconds);
    guard_leave(&guard);
    arena_free(a);
    return 0;
}
