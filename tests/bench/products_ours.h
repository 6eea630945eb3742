/* products_ours: a generated product in this process, and quantiles of times. */
#ifndef SNUG_BENCH_PRODUCTS_OURS_H
#define SNUG_BENCH_PRODUCTS_OURS_H

#include "codegen/emit.h"
#include "codegen/target.h"
#include "ir/base/diag.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "runtime/pool.h"
#include "tests/bench/products_shapes.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MOST = 101 };

typedef struct Ours {
    Arena *arena;
    RtArena memory;
    RtPool *pool;
    const RtEntry *entry;
    float *in[2], *out;
    int64_t bytes; /* beside operands and result */
} Ours;

static void
add_matrix(Text *t, const char *dtype, const ProductShape *s, int64_t rows,
           int64_t columns, bool turned)
{
    text_add(t, "%s[", dtype);
    if (s->batch > 1)
        text_add(t, "%lld,", (long long)s->batch);
    text_add(t, "%lld,%lld]", (long long)(turned ? columns : rows),
             (long long)(turned ? rows : columns));
}

static const char *
source_of(Arena *a, const ProductShape *s, const char *const dtype[3])
{
    Text t = text_new(a);
    const char *b = s->batch > 1 ? "b" : "";

    text_add(&t, "snug 1 stage=train\nmodule \"bench\"\ngraph train {\n"
                 "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\n"
                 "output %%loss\n}\ngraph bench {\ninput %%a : ");
    add_matrix(&t, dtype[0], s, s->m, s->k, s->turned[0]);
    text_add(&t, "\ninput %%b : ");
    add_matrix(&t, dtype[1], s, s->k, s->n, s->turned[1]);
    text_add(&t, "\nf %%y = contract %%a, %%b labels=\"%s%s,%s%s->%smn\" "
                 "split=1 : ",
             b, s->turned[0] ? "km" : "mk", b, s->turned[1] ? "nk" : "kn", b);
    add_matrix(&t, dtype[2], s, s->m, s->n, false);
    text_add(&t, "\noutput %%y\n}\n");
    return text_str(&t);
}

static const RtProgram *
program_of(Arena *a, const ProductShape *s, const char *const dtype[3])
{
    const Machine *m = target_machine(a, "native");
    EmitOptions o = {.machine = m, .target = "native", .weights = ""};
    Module *module = parse_module(a, source_of(a, s, dtype), s->name);
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

/* Any element type takes these bits; as f32 they are small numbers. */
static void
fill(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i * 7 % 23 - 11) / 16;
}

static Ours
ours_new(const ProductShape *s, RtPool *pool, const char *const dtype[3])
{
    Ours o = {.arena = arena_new(), .pool = pool};
    const RtProgram *p = program_of(o.arena, s, dtype);

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

#endif
