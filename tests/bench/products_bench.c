/* products_bench: generated matrix products beside those of oneDNN, OpenBLAS
   and MKL on plain layouts, in turn, on two threads.

   products_bench [PAIRS [MILLISECONDS [PART OF NAME [LOG TOPICS]]]] prints a
   row a shape: GFLOP/s by median times, the best library's time over ours
   (median of the pairs, quartiles). The paths of OpenBLAS and MKL may be named
   in OPENBLAS and MKL. */
#include "codegen/emit.h"
#include "codegen/target.h"
#include "ir/base/diag.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/pool.h"
#include "tests/bench/products_peers.h"

#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MOST = 101, THREADS = 2 };

static const ProductShape shapes[] = {
    {"square 2048", 1, 2048, 2048, 2048, {false, false}},
    {"qkv fwd", 1, 512, 2304, 768, {false, false}},
    {"qkv fwd NT", 1, 512, 2304, 768, {false, true}},
    {"qkv dX", 1, 512, 768, 2304, {false, true}},
    {"qkv dX NN", 1, 512, 768, 2304, {false, false}},
    {"qkv dW", 1, 768, 2304, 512, {true, false}},
    {"mlp up fwd", 1, 512, 3072, 768, {false, false}},
    {"mlp up dX", 1, 512, 768, 3072, {false, true}},
    {"mlp up dW", 1, 768, 3072, 512, {true, false}},
    {"mlp down fwd", 1, 512, 768, 3072, {false, false}},
    {"mlp down dX", 1, 512, 3072, 768, {false, true}},
    {"mlp down dW", 1, 3072, 768, 512, {true, false}},
    {"head fwd", 1, 512, 50257, 768, {false, true}},
    {"head dX", 1, 512, 768, 50257, {false, false}},
    {"head dW", 1, 50257, 768, 512, {true, false}},
    {"attention QK", 12, 512, 512, 64, {false, true}},
    {"attention PV", 12, 512, 64, 512, {false, false}},
    {"attention dV", 12, 512, 64, 512, {true, false}},
    {"1024 fwd", 1, 512, 4096, 1024, {false, true}},
    {"1024 dX", 1, 512, 1024, 4096, {false, false}},
    {"1024 dW", 1, 4096, 1024, 512, {true, false}},
    {"64x128x784", 1, 64, 128, 784, {false, false}},
    {"64x128x784 NT", 1, 64, 128, 784, {false, true}},
    {"mlp1 fwd", 1, 64, 256, 64, {false, true}},
    {"mlp2 fwd", 1, 64, 256, 256, {false, true}},
    {"mlp2 dX", 1, 64, 256, 256, {false, false}},
    {"mlp2 dW", 1, 256, 256, 64, {true, false}},
    {"mlp3 fwd", 1, 64, 10, 256, {false, true}},
    {"mlp3 dX", 1, 64, 256, 10, {false, false}},
    {"mlp3 dW", 1, 10, 256, 64, {true, false}},
    {"lenet f1 fwd", 1, 64, 120, 400, {false, true}},
    {"lenet f1 dX", 1, 64, 400, 120, {false, false}},
    {"lenet f1 dW", 1, 120, 400, 64, {true, false}},
    {"lenet f2 fwd", 1, 64, 84, 120, {false, true}},
    {"lenet f3 fwd", 1, 64, 10, 84, {false, true}},
    {"one row NT", 1, 1, 1024, 1024, {false, true}},
    {"one column NN", 1, 1024, 1, 1024, {false, false}},
    {"ten rows NN", 1, 10, 1024, 1024, {false, false}},
};

typedef struct Ours {
    Arena *arena;
    RtArena memory;
    RtPool *pool;
    const RtEntry *entry;
    float *in[2], *out;
    int64_t bytes; /* beside operands and result */
} Ours;

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
add_matrix(Text *t, const ProductShape *s, int64_t rows, int64_t columns,
           bool turned)
{
    text_add(t, "f32[");
    if (s->batch > 1)
        text_add(t, "%lld,", (long long)s->batch);
    text_add(t, "%lld,%lld]", (long long)(turned ? columns : rows),
             (long long)(turned ? rows : columns));
}

static const char *
source_of(Arena *a, const ProductShape *s)
{
    Text t = text_new(a);
    const char *b = s->batch > 1 ? "b" : "";

    text_add(&t, "snug 1 stage=train\nmodule \"bench\"\ngraph train {\n"
                 "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\n"
                 "output %%loss\n}\ngraph bench {\ninput %%a : ");
    add_matrix(&t, s, s->m, s->k, s->turned[0]);
    text_add(&t, "\ninput %%b : ");
    add_matrix(&t, s, s->k, s->n, s->turned[1]);
    text_add(&t, "\nf %%y = contract %%a, %%b labels=\"%s%s,%s%s->%smn\" "
                 "split=1 : ",
             b, s->turned[0] ? "km" : "mk", b, s->turned[1] ? "nk" : "kn", b);
    add_matrix(&t, s, s->m, s->n, false);
    text_add(&t, "\noutput %%y\n}\n");
    return text_str(&t);
}

static const RtProgram *
program_of(Arena *a, const ProductShape *s)
{
    const Machine *m = target_machine(a, "native");
    EmitOptions o = {.machine = m, .target = "native", .weights = ""};
    Module *module = parse_module(a, source_of(a, s), s->name);
    char object[] = "/tmp/products-XXXXXX", library[64], command[200];
    const RtProgram *p;
    void *lib;

    raise_if_complained();
    pipeline_run(module, "workspace,schedule,place",
                 &(PipelineOptions){.machine = m});
    close(mkstemp(object));
    emit_module(module, &o, EMIT_OBJECT, object);
    snprintf(library, sizeof library, "%s.so", object);
    snprintf(command, sizeof command, "cc -shared -o %s %s -lm", library,
             object);
    if (system(command) != 0)
        exit(1);
    lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    p = lib ? dlsym(lib, "snug_program") : NULL;
    unlink(object);
    unlink(library);
    if (!p)
        exit(1);
    return p;
}

static void
fill(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i * 7 % 23 - 11) / 16;
}

static Ours
ours_new(const ProductShape *s, RtPool *pool)
{
    Ours o = {.arena = arena_new(), .pool = pool};
    const RtProgram *p = program_of(o.arena, s);

    o.entry = &p->entry[1];
    if (rt_arena_map(&o.memory, p->arena_bytes, p->arena_align))
        exit(1);
    o.bytes = p->arena_bytes;
    for (int i = 0; i < 2; i++) {
        o.in[i] = (float *)(void *)(o.memory.base + o.entry->input[i].offset);
        fill(o.in[i], o.entry->input[i].bytes / 4);
        o.bytes -= o.entry->input[i].bytes;
    }
    o.out = (float *)(void *)(o.memory.base + o.entry->output[0].offset);
    o.bytes -= o.entry->output[0].bytes;
    return o;
}

static void
ours_run(const Ours *o)
{
    for (int i = 0; i < o->entry->steps; i++)
        rt_pool_run(o->pool, &o->entry->step[i], o->memory.base);
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

static int
pairs_of(const char *text)
{
    int pairs = atoi(text);

    return pairs < 1 ? 1 : pairs > PAIRS_MOST ? PAIRS_MOST : pairs;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
quantile(const double *x, int count, double at)
{
    double sorted[PAIRS_MOST];

    memcpy(sorted, x, (size_t)count * sizeof *x);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[(int)(at * (count - 1) + 0.5)];
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
    Ours o = ours_new(s, pool);

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
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
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
