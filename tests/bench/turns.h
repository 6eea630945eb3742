/* turns: what benchmarks share that run our kernels and a library's in turn:
   a module's text made into a program in an arena, times, quantiles, threads
   kept on their processors. */
#ifndef SNUG_BENCH_TURNS_H
#define SNUG_BENCH_TURNS_H

#include "codegen/emit.h"
#include "codegen/target.h"
#include "ir/base/diag.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/pool.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MOST = 101 };

/* Entry 1 of a program and its arena. */
typedef struct Ours {
    Arena *arena;
    RtArena memory;
    RtPool *pool;
    const RtEntry *entry;
    int64_t bytes; /* beside operands and results */
} Ours;

/* Two; or, where THREADS is 1, one, and then its processor time counts, as
   other programs run beside it. */
static inline int
thread_count(void)
{
    const char *text = getenv("THREADS");

    return text && atoi(text) == 1 ? 1 : 2;
}

static inline double
now(void)
{
    struct timespec t;

    clock_gettime(thread_count() == 1 ? CLOCK_THREAD_CPUTIME_ID
                                      : CLOCK_MONOTONIC,
                  &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline const RtProgram *
program_of(Arena *a, const char *source, const char *name)
{
    const Machine *m = target_machine(a, "native");
    EmitOptions o = {.machine = m, .target = "native", .weights = ""};
    Module *module = parse_module(a, source, name);
    char object[] = "/tmp/bench-XXXXXX", library[64], command[200];
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

static inline void
fill(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i * 7 % 23 - 11) / 16;
}

/* Inputs are filled with values that differ. */
static inline Ours
ours_new(const char *source, const char *name, RtPool *pool)
{
    Ours o = {.arena = arena_new(), .pool = pool};
    const RtProgram *p = program_of(o.arena, source, name);

    o.entry = &p->entry[1];
    if (rt_arena_map(&o.memory, p->arena_bytes, p->arena_align))
        exit(1);
    o.bytes = p->arena_bytes;
    for (int i = 0; i < o.entry->inputs; i++) {
        fill((float *)(void *)(o.memory.base + o.entry->input[i].offset),
             o.entry->input[i].bytes / 4);
        o.bytes -= o.entry->input[i].bytes;
    }
    for (int i = 0; i < o.entry->outputs; i++)
        o.bytes -= o.entry->output[i].bytes;
    return o;
}

static inline void
ours_run(const Ours *o)
{
    for (int i = 0; i < o->entry->steps; i++)
        rt_pool_run(o->pool, &o->entry->step[i], o->memory.base);
}

static inline void
ours_drop(Ours *o)
{
    rt_arena_unmap(&o->memory);
    arena_free(o->arena);
}

static inline int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline double
quantile(const double *x, int count, double at)
{
    double sorted[PAIRS_MOST];

    memcpy(sorted, x, (size_t)count * sizeof *x);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[(int)(at * (count - 1) + 0.5)];
}

static inline int
pairs_of(const char *text)
{
    int pairs = atoi(text);

    return pairs < 1 ? 1 : pairs > PAIRS_MOST ? PAIRS_MOST : pairs;
}

/* The caller on one processor, every team's other thread on the next: what the
   scheduler makes of sleeping teams is not what is measured. */
static inline void
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

#endif
