/* convs_bench: generated convolutions with channels last beside those of oneDNN
   in its own layouts, in turn, on two threads.

   THREADS=1: on one, by processor time, where the machine is not alone.

   convs_bench [PAIRS [MILLISECONDS [MODEL [PART OF NAME [LOG TOPICS]]]]] prints
   a row a shape and direction: GFLOP/s by median times, oneDNN's time over ours
   (median of the pairs, quartiles), then the sums of each model. */
#include "tests/bench/convs_peer.h"
#include "tests/bench/convs_shapes.h"
#include "tests/bench/turns.h"

static const char *const direction[DIRECTIONS] = {"fwd", "dX", "dW"};

typedef struct Bench {
    RtPool *pool;
    Peer peer;
    int pairs;
    double seconds;
    const char *model, *only;
    double ours, theirs; /* of the model at hand, each by its count */
} Bench;

typedef struct Row {
    double ours[PAIRS_MOST], theirs[PAIRS_MOST], ratio[PAIRS_MOST];
} Row;

static PeerConv
sizes_of(const ConvShape *s, int64_t batch)
{
    int64_t pad = s->kernel / 2;

    return (PeerConv){.batch = batch,
                      .in = s->in,
                      .out = s->out,
                      .groups = s->groups,
                      .size = s->size,
                      .result = (s->size + 2 * pad - s->kernel) / s->stride + 1,
                      .kernel = s->kernel,
                      .stride = s->stride,
                      .pad = pad};
}

typedef struct Texts {
    const char *x, *w, *y, *attrs;
} Texts;

static const char *
image_text(Arena *a, int64_t n, int64_t size, int64_t channels)
{
    Text t = text_new(a);

    text_add(&t, "f32[%lld,%lld,%lld,%lld]", (long long)n, (long long)size,
             (long long)size, (long long)channels);
    return text_str(&t);
}

static Texts
texts_of(Arena *a, const PeerConv *c)
{
    Text attrs = text_new(a);
    long long s = c->stride, p = c->pad;

    text_add(&attrs,
             "strides=[%lld,%lld] pads=[%lld,%lld,%lld,%lld] dilations=[1,1] "
             "groups=%lld",
             s, s, p, p, p, p, (long long)c->groups);
    return (Texts){image_text(a, c->batch, c->size, c->in),
                   image_text(a, c->out, c->kernel, c->in / c->groups),
                   image_text(a, c->batch, c->result, c->out),
                   text_str(&attrs)};
}

/* The parts that the gradient's sum is cut into, as pass grad says. */
static long long
split_of(Arena *a, const Texts *x)
{
    Text t = text_new(a);
    Module *m;
    Graph *g;

    text_add(&t,
             "snug 1 stage=model\nmodule \"bench\"\nparam %%w : %s = 1\n"
             "graph train {\ninput %%x : %s\n"
             "f %%y = conv %%x, %%w %s nhwc : %s\n"
             "f %%s = reduce %%y op=\"sum\" axes=[0,1,2,3] : f32[1,1,1,1]\n"
             "f %%loss = view %%s : f32[]\noutput %%loss\n}\n",
             x->w, x->x, x->attrs, x->y);
    m = parse_module(a, text_str(&t), "split");
    raise_if_complained();
    pipeline_run(m, "grad", &(PipelineOptions){0});
    g = m->entry[0];
    for (size_t i = 0; i < vec_len(g->order); i++)
        if (node_at(g, g->order[i])->op == OP_conv_grad_weight)
            return node_int(node_at(g, g->order[i]), "split");
    UNREACHABLE();
}

static const char *
source_of(Arena *a, const PeerConv *c, Direction d)
{
    static const char *const op[DIRECTIONS] = {"conv", "conv_grad_input",
                                               "conv_grad_weight"};
    Texts x = texts_of(a, c);
    const char *in[DIRECTIONS][2] = {{x.x, x.w}, {x.y, x.w}, {x.x, x.y}};
    const char *out[DIRECTIONS] = {x.y, x.x, x.w};
    Text t = text_new(a);

    text_add(&t,
             "snug 1 stage=train\nmodule \"bench\"\ngraph train {\n"
             "input %%x : f32[1]\nf %%loss = copy %%x : f32[1]\n"
             "output %%loss\n}\ngraph bench {\ninput %%a : %s\n"
             "input %%b : %s\nf %%y = %s %%a, %%b %s",
             in[d][0], in[d][1], op[d], x.attrs);
    if (d == WEIGHT)
        text_add(&t, " split=%lld", split_of(a, &x));
    text_add(&t, " nhwc : %s\noutput %%y\n}\n", out[d]);
    return text_str(&t);
}

static void
run(const Ours *o, const Peer *p)
{
    if (p)
        peer_run(p);
    else
        ours_run(o);
}

/* Seconds of one: the mean over `seconds` once all threads are awake; p NULL:
   ours. */
static double
time_of(const Ours *o, const Peer *p, double seconds)
{
    double from, to;
    int64_t count = 0;

    usleep(1500);
    run(o, p);
    from = now();
    do {
        run(o, p);
        count++;
        to = now();
    } while (to - from < seconds);
    return (to - from) / (double)count;
}

static void
report(Bench *b, const ConvShape *s, const PeerConv *c, Direction d, Row *r,
       const Ours *o)
{
    double flops = 2e-9 * (double)(c->batch * c->out * c->result * c->result) *
                   (double)(c->in / c->groups * c->kernel * c->kernel);
    double ours = quantile(r->ours, b->pairs, 0.5);

    printf("| %s | %d | %lldx%lld%s %lld-%lld%s @%lld | %s | %.0f | %.1f |",
           s->model, s->count, (long long)c->kernel, (long long)c->kernel,
           c->stride > 1 ? "/2" : "", (long long)c->in, (long long)c->out,
           c->groups > 1 ? " depthwise" : "", (long long)c->size, direction[d],
           ours * 1e6, flops / ours);
    b->ours += s->count * ours;
    if (b->peer.there) {
        double theirs = quantile(r->theirs, b->pairs, 0.5);

        b->theirs += s->count * theirs;
        for (int i = 0; i < b->pairs; i++)
            r->ratio[i] = r->theirs[i] / r->ours[i];
        printf(" %.1f | %.3f | %.3f-%.3f |", flops / theirs,
               quantile(r->ratio, b->pairs, 0.5),
               quantile(r->ratio, b->pairs, 0.25),
               quantile(r->ratio, b->pairs, 0.75));
    }
    printf(" %lld |\n", (long long)(o->bytes + 1023) / 1024);
    fflush(stdout);
}

static void
bench_one(Bench *b, const ConvShape *s, int64_t batch, Direction d)
{
    static Row r;
    PeerConv c = sizes_of(s, batch);
    Arena *a = arena_new();
    Ours o = ours_new(source_of(a, &c, d), "bench", b->pool);

    if (b->peer.there)
        peer_prepare(&b->peer, &c, d);
    for (int i = 0; i < b->pairs; i++) {
        r.ours[i] = time_of(&o, NULL, b->seconds);
        if (b->peer.there)
            r.theirs[i] = time_of(&o, &b->peer, b->seconds);
    }
    report(b, s, &c, d, &r, &o);
    if (b->peer.there)
        peer_drop(&b->peer);
    ours_drop(&o);
    arena_free(a);
}

static bool
is_wanted(const Bench *b, const ConvShape *s, Direction d)
{
    char name[100];

    snprintf(name, sizeof name, "%lldx%lld%s %lld-%lld%s @%lld %s",
             (long long)s->kernel, (long long)s->kernel,
             s->stride > 1 ? "/2" : "", (long long)s->in, (long long)s->out,
             s->groups > 1 ? " depthwise" : "", (long long)s->size,
             direction[d]);
    return strstr(name, b->only) != NULL;
}

/* An image that comes from outside has no gradient. */
static void
bench_model(Bench *b, int model)
{
    b->ours = b->theirs = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (Direction d = FORWARD; d < DIRECTIONS; d++)
            if (!strcmp(shapes[i].model, models[model].name) &&
                is_wanted(b, &shapes[i], d) &&
                (d != INPUT || shapes[i].in != 3))
                bench_one(b, &shapes[i], models[model].batch, d);
    printf("%s: %.2f ms", models[model].name, b->ours * 1e3);
    if (b->peer.there)
        printf(", oneDNN %.2f ms: %.3f", b->theirs * 1e3, b->theirs / b->ours);
    printf("\n");
}

/* The library makes its threads. */
static void
wake(Bench *b)
{
    PeerConv c = {8, 64, 64, 1, 56, 56, 1, 1, 0};

    if (!b->peer.there)
        return;
    peer_prepare(&b->peer, &c, FORWARD);
    peer_run(&b->peer);
    peer_drop(&b->peer);
}

static void
bench_all(Bench *b)
{
    RtRegion region = {0};

    b->peer = peer_load();
    if (rt_pool_start(&b->pool, &region, thread_count()))
        exit(1);
    wake(b);
    if (thread_count() > 1)
        pin_threads();
    printf("| model | count | convolution | | us | GFLOP/s |%s scratch KiB |\n",
           b->peer.there ? " oneDNN | ratio | quartiles |" : "");
    for (int i = 0; i < MODELS; i++)
        if (strstr(models[i].name, b->model))
            bench_model(b, i);
    rt_pool_stop(b->pool);
    rt_region_drop(&region);
}

int
main(int argc, char **argv)
{
    Bench b = {.pairs = argc > 1 ? pairs_of(argv[1]) : 15,
               .seconds = argc > 2 ? atof(argv[2]) / 1e3 : 5e-3,
               .model = argc > 3 ? argv[3] : "",
               .only = argc > 4 ? argv[4] : ""};
    Guard guard;

    if (argc > 5)
        log_topics(argv[5]);
    if (!guarded(&guard))
        return (int)diag_print(&guard, stderr);
    bench_all(&b);
    guard_leave(&guard);
    return 0;
}
