/* products_peers: plain matrix products of oneDNN, OpenBLAS and MKL, loaded at
   run time; one that is not there is left out. */
#ifndef SNUG_BENCH_PRODUCTS_PEERS_H
#define SNUG_BENCH_PRODUCTS_PEERS_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/products_shapes.h"

typedef struct Peer {
    const char *name;
    bool there;
    void (*run)(const struct Peer *p, const ProductShape *s, const float *a,
                const float *b, float *c);
    void *product;   /* BLAS: cblas_sgemm */
    void *primitive; /* oneDNN: of the shape at hand */
    void *memory[3];
} Peer;

typedef void Sgemm(int order, int turn_a, int turn_b, int m, int n, int k,
                   float alpha, const float *a, int lda, const float *b,
                   int ldb, float beta, float *c, int ldc);

static void
blas_run(const Peer *p, const ProductShape *s, const float *a, const float *b,
         float *c)
{
    enum { ROW_MAJOR = 101, AS_IS = 111, TURNED = 112 };
    Sgemm *sgemm;

    *(void **)&sgemm = p->product;
    for (int64_t i = 0; i < s->batch; i++)
        sgemm(ROW_MAJOR, s->turned[0] ? TURNED : AS_IS,
              s->turned[1] ? TURNED : AS_IS, (int)s->m, (int)s->n, (int)s->k, 1,
              a + i * s->m * s->k, (int)(s->turned[0] ? s->m : s->k),
              b + i * s->k * s->n, (int)(s->turned[1] ? s->k : s->n), 0,
              c + i * s->m * s->n, (int)s->n);
}

/* library: a path; first of the names that it has. */
static Peer
blas_peer(const char *name, const char *library)
{
    static const char *const product[] = {"cblas_sgemm", "scipy_cblas_sgemm"};
    static const char *const threads[] = {"openblas_set_num_threads",
                                          "scipy_openblas_set_num_threads",
                                          "MKL_Set_Num_Threads"};
    Peer p = {.name = name, .run = blas_run};
    void *lib = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;

    for (int i = 0; lib && i < 2 && !p.product; i++)
        p.product = dlsym(lib, product[i]);
    for (int i = 0; lib && i < 3; i++) {
        void (*set)(int);

        *(void **)&set = dlsym(lib, threads[i]);
        if (set)
            set(2);
    }
    p.there = p.product != NULL;
    return p;
}

#if __has_include(<dnnl.h>)
#include <dnnl.h>

/* The functions of oneDNN that are used. */
static struct {
    __typeof__(dnnl_engine_create) *engine_create;
    __typeof__(dnnl_stream_create) *stream_create;
    __typeof__(dnnl_memory_desc_init_by_strides) *describe;
    __typeof__(dnnl_matmul_desc_init) *matmul;
    __typeof__(dnnl_primitive_desc_create) *primitive_desc;
    __typeof__(dnnl_primitive_create) *primitive;
    __typeof__(dnnl_primitive_destroy) *primitive_destroy;
    __typeof__(dnnl_memory_create) *memory;
    __typeof__(dnnl_primitive_execute) *execute;
    __typeof__(dnnl_stream_wait) *wait;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} onednn;

static bool
onednn_load(const char *library)
{
    static const char *const name[] = {
        "dnnl_engine_create",        "dnnl_stream_create",
        "dnnl_memory_desc_init_by_strides", "dnnl_matmul_desc_init",
        "dnnl_primitive_desc_create", "dnnl_primitive_create",
        "dnnl_primitive_destroy",    "dnnl_memory_create",
        "dnnl_primitive_execute",    "dnnl_stream_wait"};
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void **slot = (void **)&onednn;

    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        slot[i] = lib ? dlsym(lib, name[i]) : NULL;
        if (!slot[i])
            return false;
    }
    return !onednn.engine_create(&onednn.engine, dnnl_cpu, 0) &&
           !onednn.stream_create(&onednn.stream, onednn.engine,
                                 dnnl_stream_default_flags);
}

static dnnl_memory_desc_t
onednn_matrix(int64_t batch, int64_t rows, int64_t columns, bool turned)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t dim = {batch, rows, columns};
    dnnl_dims_t stride = {rows * columns, turned ? 1 : columns,
                          turned ? rows : 1};
    int skip = batch == 1;

    onednn.describe(&d, 3 - skip, dim + skip, dnnl_f32, stride + skip);
    return d;
}

static void
onednn_run(const Peer *p, const ProductShape *s, const float *a,
           const float *b, float *c)
{
    dnnl_exec_arg_t arg[] = {{DNNL_ARG_SRC, p->memory[0]},
                             {DNNL_ARG_WEIGHTS, p->memory[1]},
                             {DNNL_ARG_DST, p->memory[2]}};

    (void)s;
    (void)a;
    (void)b;
    (void)c;
    onednn.execute(p->primitive, onednn.stream, 3, arg);
    onednn.wait(onednn.stream);
}

static void
onednn_prepare(Peer *p, const ProductShape *s, float *a, float *b, float *c)
{
    dnnl_memory_desc_t d[] = {
        onednn_matrix(s->batch, s->m, s->k, s->turned[0]),
        onednn_matrix(s->batch, s->k, s->n, s->turned[1]),
        onednn_matrix(s->batch, s->m, s->n, false)};
    float *at[] = {a, b, c};
    dnnl_matmul_desc_t what;
    dnnl_primitive_desc_t pd;
    dnnl_memory_t memory[3];
    dnnl_primitive_t primitive;

    if (p->primitive)
        onednn.primitive_destroy(p->primitive);
    if (onednn.matmul(&what, &d[0], &d[1], NULL, &d[2]) ||
        onednn.primitive_desc(&pd, &what, NULL, onednn.engine, NULL) ||
        onednn.primitive(&primitive, pd))
        exit(1);
    p->primitive = primitive;
    for (int i = 0; i < 3; i++) {
        onednn.memory(&memory[i], &d[i], onednn.engine, at[i]);
        p->memory[i] = memory[i];
    }
}
#endif

enum { PEERS = 3 };

static void
peers_load(Peer *peer)
{
    setenv("OMP_NUM_THREADS", "2", 0);
    setenv("GOMP_SPINCOUNT", "20000", 0); /* a team must not disturb the next */
    setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0);
    setenv("MKL_THREADING_LAYER", "GNU", 0);
    peer[0] = (Peer){.name = "oneDNN"};
#if __has_include(<dnnl.h>)
    peer[0].run = onednn_run;
    peer[0].there = onednn_load("libdnnl.so.2");
#endif
    peer[1] = blas_peer("OpenBLAS", getenv("OPENBLAS") ? getenv("OPENBLAS")
                                                       : "libopenblas.so.0");
    peer[2] = blas_peer("MKL", getenv("MKL"));
}

static void
peers_prepare(Peer *peer, const ProductShape *s, float *a, float *b, float *c)
{
#if __has_include(<dnnl.h>)
    if (peer[0].there)
        onednn_prepare(&peer[0], s, a, b, c);
#else
    (void)peer;
    (void)s;
    (void)a;
    (void)b;
    (void)c;
#endif
}

#endif
