/* contract_bench: speed of generated products and convolutions on one and two
   threads, beside the most multiply-adds that the processor can do.

   contract_bench [TARGET [SECONDS [PART OF NAME [LOG TOPICS]]]] prints a row a
   shape. */
#include "codegen/emit.h"
#include "codegen/link.h"
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

#define HEAD                                                \
    "snug 1 stage=train\nmodule \"bench\"\ngraph train {\n" \
    "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\noutput %%loss\n}\n"

/* What is timed: the entry `bench`, its heaviest step. */
typedef struct Shape {
    const char *name, *body;
} Shape;

#define PRODUCT(name, a, b, labels, y)                                        \
    {                                                                         \
        name, "input %a : f32[" a "]\ninput %b : f32[" b "]\n"                \
              "f %y = contract %a, %b labels=\"" labels "\" split=1 : f32[" y \
              "]\noutput %y\n"                                                \
    }
#define CONVOLUTION(name, op, a, b, pads, more, y)                           \
    {                                                                        \
        name, "input %a : f32[" a "]\ninput %b : f32[" b "]\n"               \
              "f %y = " op " %a, %b strides=[1,1] pads=[" pads               \
              "] dilations=[1,1] groups=1" more " : f32[" y "]\noutput %y\n" \
    }

/* heads, queries and keys, features; causal */
#define ATTENTION(name, h, s, d, causal)                                      \
    {                                                                         \
        name " fwd", "input %q : f32[1," h "," s "," d "]\ninput %k : f32[1," \
                     h "," s "," d "]\ninput %v : f32[1," h "," s "," d       \
                     "]\nf %y, %s = attention %q, %k, %v scale=0.125 causal=" \
                     causal " : f32[1," h "," s "," d "], f32[1," h "," s     \
                     "]\noutput %y\noutput %s\n"                             \
    },                                                                        \
    {                                                                         \
        name " back", "input %q : f32[1," h "," s "," d                       \
                      "]\ninput %k : f32[1," h "," s "," d                    \
                      "]\ninput %v : f32[1," h "," s "," d                    \
                      "]\ninput %y : f32[1," h "," s "," d                    \
                      "]\ninput %s : f32[1," h "," s                          \
                      "]\ninput %g : f32[1," h "," s "," d                    \
                      "]\nb %a, %b, %c = attention_grad %q, %k, %v, %y, %s, " \
                      "%g scale=0.125 causal=" causal " : f32[1," h "," s ","  \
                      d "], f32[1," h "," s "," d "], f32[1," h "," s "," d   \
                      "]\noutput %a\noutput %b\noutput %c\n"                 \
    }

static const Shape shapes[] = {
    PRODUCT("mlp1 fwd 64x256x64 NT", "64,64", "256,64", "mk,nk->mn", "64,256"),
    PRODUCT("mlp2 fwd 64x256x256 NT", "64,256", "256,256", "mk,nk->mn",
            "64,256"),
    PRODUCT("mlp3 fwd 64x10x256 NT", "64,256", "10,256", "mk,nk->mn", "64,10"),
    PRODUCT("mlp2 dx 64x256x256 NN", "64,256", "256,256", "mk,kn->mn",
            "64,256"),
    PRODUCT("mlp3 dx 64x256x10 NN", "64,10", "10,256", "mk,kn->mn", "64,256"),
    PRODUCT("mlp1 dw 256x64x64 TN", "64,256", "64,64", "km,kn->mn", "256,64"),
    PRODUCT("mlp2 dw 256x256x64 TN", "64,256", "64,256", "km,kn->mn",
            "256,256"),
    PRODUCT("mlp3 dw 10x256x64 TN", "64,10", "64,256", "km,kn->mn", "10,256"),
    PRODUCT("f1 fwd 64x120x400 NT", "64,400", "120,400", "mk,nk->mn", "64,120"),
    PRODUCT("f2 fwd 64x84x120 NT", "64,120", "84,120", "mk,nk->mn", "64,84"),
    PRODUCT("f3 fwd 64x10x84 NT", "64,84", "10,84", "mk,nk->mn", "64,10"),
    PRODUCT("f1 dx 64x400x120 NN", "64,120", "120,400", "mk,kn->mn", "64,400"),
    PRODUCT("f1 dw 120x400x64 TN", "64,120", "64,400", "km,kn->mn", "120,400"),
    PRODUCT("f2 dw 84x120x64 TN", "64,84", "64,120", "km,kn->mn", "84,120"),
    CONVOLUTION("c1 fwd 1->6 5x5 28", "conv", "64,1,28,28", "6,1,5,5",
                "2,2,2,2", "", "64,6,28,28"),
    CONVOLUTION("c2 fwd 6->16 5x5 14", "conv", "64,6,14,14", "16,6,5,5",
                "0,0,0,0", "", "64,16,10,10"),
    CONVOLUTION("c2 dx", "conv_grad_input", "64,16,10,10", "16,6,5,5",
                "0,0,0,0", "", "64,6,14,14"),
    CONVOLUTION("c1 dw", "conv_grad_weight", "64,1,28,28", "64,6,28,28",
                "2,2,2,2", " split=16", "6,1,5,5"),
    CONVOLUTION("c2 dw split 8", "conv_grad_weight", "64,6,14,14",
                "64,16,10,10", "0,0,0,0", " split=8", "16,6,5,5"),
    CONVOLUTION("c2 dw", "conv_grad_weight", "64,6,14,14", "64,16,10,10",
                "0,0,0,0", " split=12", "16,6,5,5"),
    PRODUCT("square 512 NN", "512,512", "512,512", "mk,kn->mn", "512,512"),
    PRODUCT("qkv fwd 512x2304x768 NT", "512,768", "2304,768", "mk,nk->mn",
            "512,2304"),
    PRODUCT("qkv dx 512x768x2304 NN", "512,2304", "2304,768", "mk,kn->mn",
            "512,768"),
    PRODUCT("qkv dw 2304x768x512 TN", "512,2304", "512,768", "km,kn->mn",
            "2304,768"),
    CONVOLUTION("3x3 64->64 56", "conv", "8,64,56,56", "64,64,3,3", "1,1,1,1",
                "", "8,64,56,56"),
    CONVOLUTION("3x3 64->64 56 dx", "conv_grad_input", "8,64,56,56",
                "64,64,3,3", "1,1,1,1", "", "8,64,56,56"),
    CONVOLUTION("3x3 64->64 56 dw", "conv_grad_weight", "8,64,56,56",
                "8,64,56,56", "1,1,1,1", " split=1", "64,64,3,3"),
    ATTENTION("attention 12x512x64", "12", "512", "64", "0"),
    ATTENTION("attention 12x512x64 causal", "12", "512", "64", "1"),
    ATTENTION("attention 3x197x64", "3", "197", "64", "0"),
};

typedef struct Team {
    const RtStep *step;
    int steps;
    char *memory;
    _Atomic int64_t next[8]; /* tile of each phase */
    _Atomic int arrived[8], round, left;
    _Atomic bool stop;
} Team;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Both threads go through all phases; a phase ends when both have left it. */
static void
share(Team *t, int worker, int threads)
{
    for (int i = 0; i < t->steps; i++) {
        const RtStep *s = &t->step[i];
        int64_t tile;

        while ((tile = atomic_fetch_add(&t->next[i], 1)) < s->tiles)
            s->kernel(t->memory, s->offset, tile, tile + 1, worker);
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

/* Multiply-adds in registers only: what the machine can do. */
static void *
peak_library(Arena *a, const Machine *m, const Target *target, int64_t *fma)
{
    Unit *u = unit_new(a, m, NULL, target->cpu, target->features, "peak");
    int lanes = m->vector_bytes / 4, sums = m->registers == 32 ? 24 : 12;
    LLVMValueRef f = unit_kernel(u, "peak"), first[64], x, args[3];
    Loop l;

    x = load(u, unit_vector(u, DT_F32, lanes), LLVMGetParam(f, 0), 4);
    for (int i = 0; i < sums; i++)
        first[i] = x;
    loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, sums, first);
    for (int i = 0; i < sums; i++) {
        args[0] = args[1] = x;
        args[2] = loop_phi(&l, i);
        loop_next(&l, i, intrinsic(u, "llvm.fma", LLVMTypeOf(x), 3, args));
    }
    loop_end(u, &l);
    for (int i = 0; i < sums; i++)
        store(u, loop_phi(&l, i),
              address(u, LLVMGetParam(f, 0), const_i64(u, i * lanes * 4), 1),
              4);
    LLVMBuildRetVoid(u->b);
    LLVMSetLinkage(f, LLVMExternalLinkage);
    unit_optimize(u);
    unit_write(u, false, "/tmp/contract-bench-peak.o");
    unit_free(u);
    *fma = (int64_t)sums * lanes;
    return load_object(a, "/tmp/contract-bench-peak.o");
}

static double
peak_speed(Arena *a, const Machine *m, const Target *target, double seconds)
{
    enum { ROUNDS = 100000 };
    static _Alignas(64) char room[1 << 14];
    int64_t fma, none = 0;
    void *library = peak_library(a, m, target, &fma);
    RtKernel *kernel;
    double best = INFINITY, end = now() + seconds;

    *(void **)&kernel = dlsym(library, "peak");
    while (now() < end) {
        double from = now();

        kernel(room, &none, 0, ROUNDS, 0);
        best = fmin(best, now() - from);
    }
    return 2e-9 * (double)fma * ROUNDS / best;
}

static double
flops_of(const Module *m)
{
    const Graph *g = m->entry[1];
    double flops = 0;

    for (size_t k = 0; k < vec_len(g->order); k++)
        flops += cost_node(g, g->order[k]).flops;
    return flops;
}

static void
bench(const Shape *s, const Machine *m, const char *target, double peak,
      double seconds)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    EmitOptions o = {.machine = m, .target = target, .weights = ""};
    const RtProgram *p;
    void *library;
    Module *module;
    Team team = {0};
    double time[2], flops;

    text_add(&t, HEAD "graph bench {\n%s}\n", s->body);
    module = parse_module(a, text_str(&t), s->name);
    raise_if_complained();
    flops = flops_of(module);
    pipeline_run(module, "workspace,schedule,place",
                 &(PipelineOptions){.machine = m});
    emit_module(module, &o, EMIT_OBJECT, "/tmp/contract-bench.o");
    library = load_object(a, "/tmp/contract-bench.o");
    p = dlsym(library, "snug_program");
    team.step = p->entry[1].step;
    team.steps = p->entry[1].steps;
    team.memory = aligned_alloc(1 << 21, (size_t)(p->arena_bytes + (1 << 21)) >>
                                             21 << 21);
    memset(team.memory, 0, (size_t)p->arena_bytes);
    for (int i = 0; i < 2; i++)
        time[i] = best_time(&team, i + 1, seconds);
    printf("%-26s %9.1f %7.1f %5.1f%% %9.1f %7.1f %5.1f%%  %5lld tiles "
           "%8lld B\n",
           s->name, time[0] * 1e6, flops / time[0] / 1e9,
           flops / time[0] / 1e7 / peak, time[1] * 1e6, flops / time[1] / 1e9,
           flops / time[1] / 2e7 / peak,
           (long long)team.step[team.steps > 1 ? team.steps - 1 : 0].tiles,
           (long long)p->arena_bytes);
    fflush(stdout);
    dlclose(library);
    free(team.memory);
    arena_free(a);
}

int
main(int argc, char **argv)
{
    const char *target = argc > 1 ? argv[1] : "native";
    double seconds = argc > 2 ? atof(argv[2]) : 0.2, peak;
    const char *only = argc > 3 ? argv[3] : "";
    Arena *a = arena_new();
    Guard guard;

    if (argc > 4)
        log_topics(argv[4]);
    if (!guarded(&guard))
        return (int)diag_print(&guard, stderr);
    const Machine *m = target_machine(a, target);
    peak = peak_speed(a, m, target_named(target), seconds);
    printf("peak %.1f GFLOP/s a thread\n%-26s %9s %7s %6s %9s %7s %6s\n", peak,
           "f32", "1: us", "GF/s", "peak", "2: us", "GF/s", "peak");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strstr(shapes[i].name, only))
            bench(&shapes[i], m, target, peak, seconds);
    guard_leave(&guard);
    arena_free(a);
    return 0;
}
