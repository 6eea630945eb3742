/* convs_peer: convolutions of oneDNN in the layouts that it likes best, loaded
   at run time; reorders are not counted. */
#ifndef SNUG_BENCH_CONVS_PEER_H
#define SNUG_BENCH_CONVS_PEER_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef enum Direction { FORWARD, INPUT, WEIGHT, DIRECTIONS } Direction;

/* Sizes of a convolution with equal strides and pads on all sides. */
typedef struct PeerConv {
    int64_t batch, in, out, groups, size, result, kernel, stride, pad;
} PeerConv;

#if __has_include(<dnnl.h>)
#include <dnnl.h>

/* The functions of oneDNN that are used, in the order of their names below. */
static struct {
    __typeof__(dnnl_engine_create) *engine_create;
    __typeof__(dnnl_stream_create) *stream_create;
    __typeof__(dnnl_memory_desc_init_by_tag) *describe;
    __typeof__(dnnl_convolution_forward_desc_init) *forward;
    __typeof__(dnnl_convolution_backward_data_desc_init) *input;
    __typeof__(dnnl_convolution_backward_weights_desc_init) *weight;
    __typeof__(dnnl_primitive_desc_create) *primitive_desc;
    __typeof__(dnnl_primitive_desc_destroy) *primitive_desc_destroy;
    __typeof__(dnnl_primitive_desc_query_md) *layout;
    __typeof__(dnnl_primitive_create) *primitive;
    __typeof__(dnnl_primitive_destroy) *primitive_destroy;
    __typeof__(dnnl_memory_create) *memory;
    __typeof__(dnnl_memory_destroy) *memory_destroy;
    __typeof__(dnnl_memory_desc_get_size) *size;
    __typeof__(dnnl_memory_get_data_handle) *data;
    __typeof__(dnnl_primitive_execute) *execute;
    __typeof__(dnnl_stream_wait) *wait;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} onednn;

/* A primitive and its memories: source, weight, result, or their gradients. */
typedef struct Peer {
    bool there;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[3];
    dnnl_exec_arg_t arg[3];
} Peer;

static Peer
peer_load(void)
{
    static const char *const name[] = {
        "dnnl_engine_create",
        "dnnl_stream_create",
        "dnnl_memory_desc_init_by_tag",
        "dnnl_convolution_forward_desc_init",
        "dnnl_convolution_backward_data_desc_init",
        "dnnl_convolution_backward_weights_desc_init",
        "dnnl_primitive_desc_create",
        "dnnl_primitive_desc_destroy",
        "dnnl_primitive_desc_query_md",
        "dnnl_primitive_create",
        "dnnl_primitive_destroy",
        "dnnl_memory_create",
        "dnnl_memory_destroy",
        "dnnl_memory_desc_get_size",
        "dnnl_memory_get_data_handle",
        "dnnl_primitive_execute",
        "dnnl_stream_wait"};
    void *lib, **slot = (void **)&onednn;

    setenv("OMP_NUM_THREADS", getenv("THREADS") ? getenv("THREADS") : "2", 0);
    setenv("GOMP_SPINCOUNT", "20000", 0); /* a team must not disturb ours */
    lib = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        slot[i] = lib ? dlsym(lib, name[i]) : NULL;
        if (!slot[i])
            return (Peer){0};
    }
    return (Peer){.there = !onednn.engine_create(&onednn.engine, dnnl_cpu, 0) &&
                           !onednn.stream_create(&onednn.stream, onednn.engine,
                                                 dnnl_stream_default_flags)};
}

static dnnl_primitive_desc_t
peer_description(Direction d, const dnnl_memory_desc_t m[3],
                 const PeerConv *c, dnnl_primitive_desc_t hint)
{
    dnnl_dims_t stride = {c->stride, c->stride}, pad = {c->pad, c->pad};
    dnnl_convolution_desc_t what;
    dnnl_primitive_desc_t made;
    int bad;

    if (d == FORWARD)
        bad = onednn.forward(&what, dnnl_forward_training,
                             dnnl_convolution_direct, &m[0], &m[1], NULL, &m[2],
                             stride, pad, pad);
    else if (d == INPUT)
        bad = onednn.input(&what, dnnl_convolution_direct, &m[0], &m[1], &m[2],
                           stride, pad, pad);
    else
        bad = onednn.weight(&what, dnnl_convolution_direct, &m[0], &m[1], NULL,
                            &m[2], stride, pad, pad);
    if (bad || onednn.primitive_desc(&made, &what, NULL, onednn.engine, hint))
        exit(1);
    return made;
}

static dnnl_memory_desc_t
peer_any(int rank, const dnnl_dims_t dim)
{
    dnnl_memory_desc_t d;

    onednn.describe(&d, rank, dim, dnnl_f32, dnnl_format_tag_any);
    return d;
}

static dnnl_memory_t
peer_memory(dnnl_primitive_desc_t pd, dnnl_query_t which)
{
    const dnnl_memory_desc_t *d = onednn.layout(pd, which, 0);
    dnnl_memory_t made;
    void *at;
    float *x;

    if (onednn.memory(&made, d, onednn.engine, DNNL_MEMORY_ALLOCATE) ||
        onednn.data(made, &at))
        exit(1);
    x = at;
    for (size_t i = 0; i < onednn.size(d) / 4; i++)
        x[i] = (float)(i * 7 % 23) / 16 - 0.6875F;
    return made;
}

static void
peer_prepare(Peer *p, const PeerConv *c, Direction d)
{
    static const dnnl_query_t query[DIRECTIONS][3] = {
        {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
        {dnnl_query_src_md, dnnl_query_diff_weights_md,
         dnnl_query_diff_dst_md}};
    static const int arg[DIRECTIONS][3] = {
        {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
        {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    dnnl_memory_desc_t m[] = {
        peer_any(4, (dnnl_dims_t){c->batch, c->in, c->size, c->size}),
        c->groups > 1
            ? peer_any(5, (dnnl_dims_t){c->groups, c->out / c->groups,
                                        c->in / c->groups, c->kernel,
                                        c->kernel})
            : peer_any(4,
                       (dnnl_dims_t){c->out, c->in, c->kernel, c->kernel}),
        peer_any(4, (dnnl_dims_t){c->batch, c->out, c->result, c->result})};
    dnnl_primitive_desc_t hint = peer_description(FORWARD, m, c, NULL);
    dnnl_primitive_desc_t pd = peer_description(d, m, c, hint);

    if (onednn.primitive(&p->primitive, pd))
        exit(1);
    for (int i = 0; i < 3; i++) {
        p->memory[i] = peer_memory(pd, query[d][i]);
        p->arg[i] = (dnnl_exec_arg_t){arg[d][i], p->memory[i]};
    }
    onednn.primitive_desc_destroy(pd);
    onednn.primitive_desc_destroy(hint);
}

static void
peer_run(const Peer *p)
{
    onednn.execute(p->primitive, onednn.stream, 3, p->arg);
    onednn.wait(onednn.stream);
}

static void
peer_drop(Peer *p)
{
    onednn.primitive_destroy(p->primitive);
    for (int i = 0; i < 3; i++)
        onednn.memory_destroy(p->memory[i]);
}

#else

typedef struct Peer {
    bool there;
} Peer;

static Peer
peer_load(void)
{
    return (Peer){0};
}

static void
peer_prepare(Peer *p, const PeerConv *c, Direction d)
{
    (void)p;
    (void)c;
    (void)d;
}

static void
peer_run(const Peer *p)
{
    (void)p;
}

static void
peer_drop(Peer *p)
{
    (void)p;
}
#endif

#endif
