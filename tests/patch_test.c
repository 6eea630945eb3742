/* patch_test: the first part of a net in patches makes what it makes as a
   whole, bit for bit; its gradients are those of the whole up to the order of
   sums; the plan, with patches made again, means the same as the step as
   written. */
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"

#define STEP "loss{kind=cross-entropy},grad,optimizer{rule=sgd},fold,cse,dce"
#define PLAN                                                                   \
    "chunk,fuse,recompute{states=2000,nodes=20000},share,inplace,workspace,"   \
    "schedule{states=2000},place{nodes=20000}"

typedef struct Maker {
    uint64_t random;
    int images, channels, high, wide, count; /* of the value x`count` */
    int stores;
    Text store, node;
} Maker;

static int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

static int
param(Maker *k, int a, int b, int c, int d)
{
    int w = ++k->stores;

    text_add(&k->store, "param %%w%d : f32[%d,%d,%d,%d] = random %d 0.4\n", w,
             a, b, c, d, w);
    return w;
}

/* A node that makes the next value of the last one: of `head`, `tail` after
   the operand. */
static void
add_next(Maker *k, const char *head, const char *tail)
{
    text_add(&k->node, "f %%x%d = %s %%x%d%s : f32[%d,%d,%d,%d]\n",
             k->count + 1, head, k->count, tail, k->images, k->channels,
             k->high, k->wide);
    k->count++;
}

static int
windows(int size, int kernel, int stride, int dilation, int pads)
{
    return (size + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

/* Paddings before and behind; small images have all that a kernel wants. */
static void
draw_pads(Maker *k, int size, int kernel, int dilation, int *pad)
{
    int most = kernel / 2, extent = (kernel - 1) * dilation + 1;

    for (int i = 0; i < 4; i += 2)
        pad[i] = size < extent + 2 ? most * dilation : below(k, most + 1);
}

/* Strides, paddings and dilations of a kernel; the size that comes out. */
static const char *
geometry(Maker *k, Arena *a, int high, int wide)
{
    Text t = text_new(a);
    int stride = 1 + below(k, 2);
    int dilation = 1 + (k->high > 9 && k->wide > 9 && below(k, 4) == 0);
    int pad[4];

    draw_pads(k, k->high, high, dilation, pad);
    draw_pads(k, k->wide, wide, dilation, pad + 1);
    text_add(&t, " strides=[%d,%d] pads=[%d,%d,%d,%d] dilations=[%d,%d]",
             stride, stride, pad[0], pad[1], pad[2], pad[3], dilation,
             dilation);
    k->high = windows(k->high, high, stride, dilation, pad[0] + pad[2]);
    k->wide = windows(k->wide, wide, stride, dilation, pad[1] + pad[3]);
    return text_str(&t);
}

static void
add_conv(Maker *k, Arena *a)
{
    static const int sizes[] = {1, 3, 5, 3};
    int high = sizes[below(k, 4)], wide = below(k, 4) ? high : 1;
    bool depthwise = below(k, 3) == 0;
    int from = k->channels, to = depthwise ? from : 2 + below(k, 20);
    int w = param(k, to, depthwise ? 1 : from, high, wide);
    Text t = text_new(a);

    text_add(&t, ", %%w%d%s groups=%d", w, geometry(k, a, high, wide),
             depthwise ? from : 1);
    k->channels = to;
    add_next(k, "conv", text_str(&t));
}

static void
add_pool(Maker *k, Arena *a)
{
    int size = 2 + below(k, 2);
    bool max = below(k, 2);
    Text t = text_new(a);

    text_add(&t, " op=\"%s\" kernel=[%d,%d]%s count_pad=%d",
             max ? "max" : "mean", size, size, geometry(k, a, size, size),
             max ? 0 : below(k, 2));
    add_next(k, "window", text_str(&t));
}

/* act(s * x + b), of every channel or position. */
static void
add_norm(Maker *k, Arena *a)
{
    static const char *const act[] = {"max(a*b+c,0)", "min(max(a*b+c,0),6)",
                                      "tanh(a*b+c)"};
    int scale = param(k, 1, k->channels, 1, 1);
    int shift = below(k, 4) ? param(k, 1, k->channels, 1, 1)
                            : param(k, 1, 1, k->high, k->wide);
    Text t = text_new(a);

    text_add(&t, ", %%w%d, %%w%d \"%s\"", scale, shift, act[below(k, 3)]);
    add_next(k, "map", text_str(&t));
}

/* x + conv(x), of the same size. */
static void
add_residual(Maker *k, Arena *a)
{
    int from = k->count, size = 1 + 2 * below(k, 2);
    Text t = text_new(a), sum = text_new(a);

    text_add(&t, ", %%w%d strides=[1,1] pads=[%d,%d,%d,%d] dilations=[1,1] "
                 "groups=1",
             param(k, k->channels, k->channels, size, size), size / 2,
             size / 2, size / 2, size / 2);
    add_next(k, "conv", text_str(&t));
    add_norm(k, a);
    text_add(&sum, ", %%x%d", from);
    add_next(k, "add", text_str(&sum));
}

/* A frame of numbers around it, or a part of it. */
static void
add_frame(Maker *k, Arena *a)
{
    bool around = below(k, 2);
    Text t = text_new(a);

    if (around)
        text_add(&t, " starts=[0,0,1,2] value=0.5");
    else
        text_add(&t, " starts=[0,0,1,0] steps=[1,1,1,2]");
    k->high += around ? 2 : -1;
    k->wide = around ? k->wide + 3 : (k->wide + 1) / 2;
    add_next(k, around ? "pad" : "slice", text_str(&t));
}

/* Twice the channels, joined and normalized over all of a position. */
static void
add_joint(Maker *k, Arena *a)
{
    int from = k->count;
    Text t = text_new(a), mean = text_new(a);

    text_add(&t, ", %%x%d axis=1", from);
    k->channels *= 2;
    add_next(k, "concat", text_str(&t));
    text_add(&k->node,
             "f %%s%d = reduce %%x%d op=\"sum\" axes=[1] : f32[%d,1,%d,%d]\n",
             k->count, k->count, k->images, k->high, k->wide);
    text_add(&mean, ", %%s%d \"a-0.1*b\"", k->count);
    add_next(k, "map", text_str(&mean));
}

static void
add_layer(Maker *k, Arena *a)
{
    switch (below(k, 9)) {
    case 0: add_pool(k, a); break;
    case 1:
    case 2: add_norm(k, a); break;
    case 3:
    case 4: add_residual(k, a); break;
    case 5:
        if (k->high > 12 && k->wide > 12)
            add_frame(k, a);
        break;
    case 6:
        if (k->channels < 16) {
            add_joint(k, a);
            break;
        }
    /* fall through */
    default: add_conv(k, a); break;
    }
}

static void
add_head(Maker *k)
{
    text_add(&k->store, "param %%w : f32[5,%d] = random 77 0.4\n",
             k->channels);
    text_add(&k->node,
             "f %%m = reduce %%x%d op=\"sum\" axes=[2,3] : f32[%d,%d,1,1]\n"
             "f %%v = view %%m : f32[%d,%d]\n"
             "f %%t = map %%v \"tanh(a*0.05)\" : f32[%d,%d]\n"
             "f %%y = contract %%t, %%w labels=\"mk,nk->mn\" split=1 : "
             "f32[%d,5]\noutput %%y\n",
             k->count, k->images, k->channels, k->images, k->channels,
             k->images, k->channels, k->images);
}

/* A net, and the value that its first part ends at, with room for parts. */
static const char *
make_model(Arena *a, uint64_t seed, int layers, int *end, int *parts)
{
    Maker k = {.random = seed * 7919 + 3, .store = text_new(a),
               .node = text_new(a)};
    Text all = text_new(a);

    k.images = 1 + below(&k, 2);
    k.channels = 1 + below(&k, 4);
    k.high = 13 + below(&k, 28);
    k.wide = 13 + below(&k, 28);
    text_add(&k.node, "input %%x0 : f32[%d,%d,%d,%d]\n", k.images, k.channels,
             k.high, k.wide);
    add_conv(&k, a);
    for (int i = 0; i < layers && k.high > 6 && k.wide > 6; i++)
        add_layer(&k, a);
    *end = k.count;
    *parts = 2 + below(&k, 3);
    while (*parts > k.high || *parts > k.wide)
        --*parts;
    add_conv(&k, a);
    add_head(&k);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n%s}\n",
             text_str(&k.store), text_str(&k.node));
    return text_str(&all);
}

/* The same in doubles. */
static const char *
doubled(Arena *a, const char *text)
{
    Text t = text_new(a);

    for (const char *p = text; *p; p++) {
        bool type = strncmp(p, ": f32[", 6) == 0;

        text_add(&t, "%.*s", type ? 6 : 1, type ? ": f64[" : p);
        p += type ? 5 : 0;
    }
    return text_str(&t);
}

/* ------------------------------------------------------------------------ */

static const char *
in_patches(Arena *a, int end, int parts)
{
    Text t = text_new(a);

    text_add(&t, "patch{parts=%d,end=x%d},", parts, end);
    return text_str(&t);
}

static const char *
joined(Arena *a, const char *x, const char *y, const char *z)
{
    Text t = text_new(a);

    text_add(&t, "%s%s%s", x, y, z);
    return text_str(&t);
}

/* Up to the rounding of sums in another order. */
static void
expect_near(const Tensor *x, const Tensor *y, uint64_t seed, size_t output)
{
    double tolerance = x->type.dtype == DT_F64 ? 1e-12 : 1e-4;
    double most = 0, off = 0;

    cr_assert(type_equal(&x->type, &y->type));
    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        most = fmax(most, fabs(tensor_get(x, i)));
        off = fmax(off, fabs(tensor_get(x, i) - tensor_get(y, i)));
    }
    cr_assert(off <= tolerance * most,
              "output %zu is %g off of %g, seed %llu", output, off, most,
              (unsigned long long)seed);
}

/* The result and the loss are the same, gradients near. */
static void
check_numbers(Arena *a, const char *model, const char *patch, uint64_t seed)
{
    static const char *const entries[] = {"forward", "train"};
    static const char grad[] = "loss{kind=cross-entropy},grad";
    const char *whole = text_after(a, model, joined(a, "layout,", "", grad));
    const char *parts = text_after(a, model, joined(a, "layout,", patch, grad));

    for (int i = 0; i < 2; i++) {
        Meaning x = meaning_of(a, whole, entries[i], seed);
        Meaning y = meaning_of(a, parts, entries[i], seed);
        Graph *g = module_entry(read_module(a, whole), entries[i]);

        expect_same(&x, &x.out[0], y.out[0].data, entries[i], 0);
        for (size_t k = 1; k < vec_len(g->output); k++)
            expect_near(&x.out[k], &y.out[k], seed, k);
    }
}

/* Patches made again mean the same as patches that wait. */
static void
check_step(Arena *a, const char *model, const char *patch, uint64_t seed,
           bool compiled)
{
    const char *text = text_after(a, model, joined(a, "layout,", patch, STEP));
    Module *m = recompute_plan(a, text, PLAN, 0);
    Meaning x = meaning_of(a, text, "train", seed);

    check_meaning(&x, m, 0);
    if (compiled)
        check_program(&x, m, 0);
}

static void
check_nets(uint64_t first, int count, bool plan, bool compiled)
{
    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++) {
        Arena *a = arena_new();
        int end, parts;
        const char *model = make_model(a, seed, 2 + (int)(seed % 6), &end,
                                       &parts);
        const char *patch = in_patches(a, end, parts);

        if (parts > 1 && plan)
            check_step(a, model, patch, seed, compiled);
        else if (parts > 1) {
            check_numbers(a, model, patch, seed);
            check_numbers(a, doubled(a, model), patch, seed);
        }
        arena_free(a);
    }
}

Test(patch, numbers_are_those_of_the_whole)
{
    check_nets(1, 30, false, false);
}

Test(patch, steps_mean_the_same)
{
    check_nets(101, 10, true, false);
}

Test(patch, programs_mean_the_same)
{
    check_nets(201, 3, true, true);
}
