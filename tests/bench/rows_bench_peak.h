/* rows_bench_peak: the least time that the arithmetic of a graph takes: the
   formulas and sums of all its nodes in one loop, on operands that stay in the
   nearest cache, several vectors side by side. */
#ifndef SNUG_ROWS_BENCH_PEAK_H
#define SNUG_ROWS_BENCH_PEAK_H

#include "codegen/kernels/rows.h"
#include "codegen/target.h"
#include "ir/base/diag.h"
#include "ir/op.h"
#include "ir/text.h"
#include "runtime/abi.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PEAK_POINTS = 512, /* a round goes through */
    PEAK_WIDE = 64,    /* elements side by side */
    PEAK_ROUNDS = 500,
    PEAK_SLOT = PEAK_POINTS * 8 + 64, /* bytes of a value's room */
    PEAK_SUMS = 4                     /* reductions of a graph */
};

/* Seconds: of this thread alone, so that others on the machine disturb less,
   or of the clock on the wall. */
static double
now(int threads)
{
    struct timespec t;

    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC,
                  &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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

typedef struct PeakKernel {
    Unit *u;
    const Graph *g;
    LLVMValueRef room, at; /* at: of the vector at hand */
    int64_t space;         /* points of the graph */
    LLVMValueRef *value;   /* ValueId -> of the vector at hand */
    LLVMValueRef *fixed;   /* ValueId -> what differs by rows or columns only */
    const Node *sum[PEAK_SUMS];
    int sums;
    double points; /* of all nodes that are counted, over `space` */
    int lanes;     /* of a vector: four registers, if that is not too wide */
} PeakKernel;

static int64_t
peak_elements(const PeakKernel *k, ValueId v)
{
    return type_elements(&value_at(k->g, v)->type);
}

static LLVMValueRef
peak_place(const PeakKernel *k, ValueId v, LLVMValueRef at)
{
    DType d = value_at(k->g, v)->type.dtype;

    return address(k->u,
                   address(k->u, k->room,
                           const_i64(k->u, (int64_t)v * PEAK_SLOT), 1),
                   at, dtype_bytes(d));
}

static LLVMValueRef
peak_load(const PeakKernel *k, ValueId v, LLVMValueRef at)
{
    DType d = value_at(k->g, v)->type.dtype;

    return load(k->u, unit_vector(k->u, d, k->lanes), peak_place(k, v, at),
                (unsigned)dtype_bytes(d));
}

/* Is node n's arithmetic done at every point? */
static bool
peak_counts(const PeakKernel *k, const Node *n)
{
    ValueId v = n->op == OP_reduce ? n->in[0] : n->out[0];
    const OpInfo *info = op_info(n->op);

    return peak_elements(k, v) == k->space &&
           (n->op == OP_reduce || n->op == OP_map || (info->flags & OF_MAP));
}

/* Does v differ from element to element of a row? */
static bool
peak_moves(const PeakKernel *k, ValueId v)
{
    const Type *t = &value_at(k->g, v)->type;

    return type_elements(t) == k->space ||
           (t->rank > 0 && t->dim[t->rank - 1] > 1);
}

static LLVMValueRef
peak_operand(PeakKernel *k, ValueId v)
{
    if (k->value[v])
        return k->value[v];
    if (!peak_moves(k, v))
        return k->fixed[v];
    return k->value[v] = peak_load(k, v, k->at);
}

static void
peak_map(PeakKernel *k, const Node *n)
{
    enum { MOST = 32 };
    const Formula *f = n->op == OP_map ? node_attr(n, "formula")->formula
                                       : op_formula(n->op);
    LLVMValueRef in[MOST], out[MOST];
    DType from[MOST], to[MOST];

    ASSERT(n->nin <= MOST && n->nout <= MOST);
    for (int i = 0; i < n->nin; i++) {
        in[i] = peak_operand(k, n->in[i]);
        from[i] = value_at(k->g, n->in[i])->type.dtype;
    }
    for (int i = 0; i < n->nout; i++)
        to[i] = value_at(k->g, n->out[i])->type.dtype;
    scalar_emit(k->u, formula_typed(k->u->arena, f, from, to, NOWHERE),
                k->lanes, in, out);
    for (int i = 0; i < n->nout; i++)
        k->value[n->out[i]] = out[i];
}

/* One vector; sum[]: of this one among those side by side. */
static void
peak_vector(PeakKernel *k, LLVMValueRef *sum)
{
    int sums = 0;

    memset(k->value, 0, vec_len(k->g->value) * sizeof *k->value);
    for (size_t i = 0; i < vec_len(k->g->order); i++) {
        const Node *n = node_at(k->g, k->g->order[i]);

        if (!peak_counts(k, n))
            continue;
        if (n->op != OP_reduce) {
            peak_map(k, n);
            continue;
        }
        sum[sums] = reduce_pair(k->u, value_at(k->g, n->in[0])->type.dtype,
                                reduce_letter(n), k->lanes, sum[sums],
                                peak_operand(k, n->in[0]));
        sums++;
    }
    for (size_t i = 0; i < vec_len(k->g->output); i++) {
        ValueId v = k->g->output[i];

        if (k->value[v])
            store(k->u, k->value[v], peak_place(k, v, k->at), 4);
    }
}

/* What does not differ from point to point is read before the loops. */
static void
peak_begin(PeakKernel *k)
{
    for (ValueId v = 1; v < vec_len(k->g->value); v++) {
        k->space = peak_elements(k, v) > k->space ? peak_elements(k, v)
                                                  : k->space;
        k->fixed[v] = peak_load(k, v, const_i64(k->u, 0));
    }
    for (size_t i = 0; i < vec_len(k->g->order); i++) {
        const Node *n = node_at(k->g, k->g->order[i]);

        if (!peak_counts(k, n))
            continue;
        k->points++;
        if (n->op == OP_reduce) {
            ASSERT(k->sums < PEAK_SUMS);
            k->sum[k->sums++] = n;
        }
    }
}

static void
peak_round(PeakKernel *k)
{
    LLVMValueRef sum[PEAK_SUMS * PEAK_WIDE], i;
    int vectors = PEAK_WIDE / k->lanes, sums = k->sums * vectors;
    Loop l;

    for (int s = 0; s < sums; s++) {
        const Node *n = k->sum[s % k->sums];

        sum[s] = reduce_identity(k->u,
                                 value_at(k->g, n->in[0])->type.dtype,
                                 reduce_letter(n), k->lanes);
    }
    i = loop_begin(k->u, &l, const_i64(k->u, 0),
                   const_i64(k->u, PEAK_POINTS), PEAK_WIDE, sums, sum);
    for (int s = 0; s < sums; s++)
        sum[s] = loop_phi(&l, s);
    for (int v = 0; v < vectors; v++) {
        k->at = LLVMBuildAdd(k->u->b, i, const_i64(k->u, v * k->lanes), "");
        peak_vector(k, sum + v * k->sums);
    }
    for (int s = 0; s < sums; s++)
        loop_next(&l, s, sum[s]);
    loop_end(k->u, &l);
    for (int s = 0; s < sums; s++)
        store(k->u, loop_phi(&l, s),
              peak_place(k, k->sum[s % k->sums]->out[0],
                         const_i64(k->u, s / k->sums * k->lanes)), 4);
}

/* Seconds that one thread needs at least for the arithmetic of g. */
static double
peak_seconds(Arena *a, const Graph *g, const Machine *m, const Target *target,
             double seconds)
{
    size_t values = vec_len(g->value), bytes = (values + 1) * PEAK_SLOT;
    Unit *u = unit_new(a, m, NULL, target->cpu, target->features, "peak");
    PeakKernel k = {.u = u, .g = g, .lanes = LANES};
    LLVMValueRef f = unit_kernel(u, "peak");
    int64_t none = 0;
    double best = INFINITY, end;
    RtKernel *kernel;
    void *library;
    char *room;
    Loop l;

    while (k.lanes < m->vector_bytes && k.lanes < PEAK_WIDE)
        k.lanes *= 2;
    k.room = LLVMGetParam(f, 0);
    k.value = NEWN(a, LLVMValueRef, values);
    k.fixed = NEWN(a, LLVMValueRef, values);
    peak_begin(&k);
    loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    memory_fence(u);
    peak_round(&k);
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    LLVMSetLinkage(f, LLVMExternalLinkage);
    unit_optimize(u);
    unit_write(u, false, "/tmp/rows-bench-peak.o");
    unit_free(u);
    if (k.points == 0)
        return 0;
    library = load_object(a, "/tmp/rows-bench-peak.o");
    *(void **)&kernel = dlsym(library, "peak");
    room = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    memset(room, 0x3f, bytes);
    for (end = now(1) + seconds; now(1) < end;) {
        double from = now(1);

        kernel(room, &none, 0, PEAK_ROUNDS, 0);
        best = fmin(best, now(1) - from);
    }
    free(room);
    dlclose(library);
    return best / PEAK_ROUNDS / PEAK_POINTS * (double)k.space;
}

#endif
