/* chunk_test: a head and its loss in parts means the same as in one, bit for
   bit: in the planned arena of the interpreter, and compiled. */
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"

#define TRAIN "loss{kind=%s},grad,optimizer{rule=adamw},fold,cse,dce"
#define PLAN                                                                   \
    "chunk{%s},fuse,share,recompute{states=2000,nodes=20000},inplace,"   \
    "workspace,schedule{states=2000},place{nodes=20000}"

typedef struct Maker {
    uint64_t random;
    int batch, time, d, v;
    bool deep; /* batch and time are two axes */
    Text store, node;
} Maker;

static int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

static const char *
shape(const Maker *k, Arena *a, int last)
{
    Text t = text_new(a);

    if (k->deep)
        text_add(&t, "[%d,%d,%d]", k->batch, k->time, last);
    else
        text_add(&t, "[%d,%d]", k->batch * k->time, last);
    return text_str(&t);
}

/* The value that goes into the head; a tied head embeds with its weight. */
static void
add_input(Maker *k, Arena *a, bool tied)
{
    const char *s = shape(k, a, k->d);

    if (tied && k->deep)
        text_add(&k->node, "input %%i : i64[%d,%d]\n", k->batch, k->time);
    else if (tied)
        text_add(&k->node, "input %%i : i64[%d]\n", k->batch * k->time);
    if (tied)
        text_add(&k->node, "f %%x = gather %%w, %%i axis=0 : f32%s\n", s);
    else
        text_add(&k->node, "input %%x : f32%s\n", s);
    text_add(&k->store, "param %%u : f32[%d,%d] = random 1 0.5\n", k->d, k->d);
    text_add(&k->node,
             "f %%p = contract %%x, %%u labels=\"%s\" split=1 : f32%s\n"
             "f %%h = tanh %%p : f32%s\n",
             k->deep ? "Amk,nk->Amn" : "mk,nk->mn", s, s);
}

/* x + act(x w' + b) v', or without the sum or the bias; the name of it. */
static const char *
add_block(Maker *k, Arena *a, const char *from, int i)
{
    static const char *const act[][2] = {
        {"relu", ""}, {"gelu", ""}, {"map", " \"a*sigmoid(2*a)\""}};
    int kind = below(k, 3), biased = below(k, 3);
    int wide = 2 * k->d + below(k, 3 * k->d);
    const char *s = shape(k, a, k->d), *w = shape(k, a, wide);
    const char *labels = k->deep ? "Amk,nk->Amn" : "mk,nk->mn";
    Text name = text_new(a);

    text_add(&k->store,
             "param %%w%d : f32[%d,%d] = random %d 0.5\n"
             "param %%v%d : f32[%d,%d] = random %d 0.5\n",
             i, wide, k->d, 10 + i, i, k->d, wide, 30 + i);
    if (biased)
        text_add(&k->store, "param %%b%d : f32[%d] = random %d 0.5\n", i,
                 wide, 20 + i);
    text_add(&k->node,
             "f %%a%d = contract %%%s, %%w%d labels=\"%s\" split=1 : f32%s\n"
             "f %%c%d = add %%a%d, %%%s%d : f32%s\n",
             i, from, i, labels, w, i, i, biased ? "b" : "a", i, w);
    text_add(&k->node,
             "f %%e%d = %s %%c%d%s : f32%s\n"
             "f %%o%d = contract %%e%d, %%v%d labels=\"%s\" split=1 : f32%s\n"
             "f %%x%d = add %%o%d, %%%s : f32%s\n",
             i, act[kind][0], i, act[kind][1], w, i, i, i, labels, s, i, i,
             from, s);
    text_add(&name, "x%d", i);
    return text_str(&name);
}

/* Of all rows: what lies on both sides is no region. */
static const char *
add_mixed(Maker *k, Arena *a, const char *from, int i)
{
    const char *s = shape(k, a, k->d);
    Text name = text_new(a);

    text_add(&k->node,
             "f %%m%d = reduce %%%s op=\"sum\" axes=[0%s] : f32[1,%s%d]\n"
             "f %%y%d = map %%%s, %%m%d \"a+0.01*b\" : f32%s\n",
             i, from, k->deep ? ",1" : "", k->deep ? "1," : "", k->d, i, from,
             i, s);
    text_add(&name, "y%d", i);
    return text_str(&name);
}

/* Dropout on what the head reads. */
static const char *
add_dropout(Maker *k, Arena *a, const char *from)
{
    const char *s = shape(k, a, k->d);

    text_add(&k->node,
             "f %%n = iota axis=%d : i64%s\n"
             "f %%k = map \"7\" : i64[]\n"
             "f %%r = uniform %%n, %%k, %%k : f32%s\n"
             "f %%m = map %%r \"where(a<0.25,0,1.25)\" : f32%s\n"
             "f %%dropped = mul %%%s, %%m : f32%s\n",
             k->deep ? 2 : 1, s, s, s, from, s);
    return "dropped";
}

static void
add_head(Maker *k, Arena *a, const char *from)
{
    const char *s = shape(k, a, k->v), *last = "l";
    bool turned = !below(k, 3);

    text_add(&k->node,
             "f %%l = contract %%%s, %%%s labels=\"%s\" split=1 : f32%s\n",
             from, turned ? "wt" : "w",
             k->deep  ? (turned ? "Amk,kn->Amn" : "Amk,nk->Amn")
             : turned ? "mk,kn->mn"
                      : "mk,nk->mn",
             s);
    if (below(k, 2)) {
        text_add(&k->store, "param %%b : f32[%d] = random 2 0.5\n", k->v);
        text_add(&k->node, "f %%lb = add %%%s, %%b : f32%s\n", last, s);
        last = "lb";
    }
    if (below(k, 2)) {
        text_add(&k->node, "f %%lc = map %%%s \"3*tanh(a*0.3)\" : f32%s\n",
                 last, s);
        last = "lc";
    }
    text_add(&k->node, "output %%%s\n", last);
}

/* softmax(q k') v of one head, causal or not. */
static const char *
add_attention(Maker *k, const char *from)
{
    int b = k->batch, t = k->time, d = k->d;

    for (int i = 0; i < 3; i++)
        text_add(&k->store, "param %%q%d : f32[%d,%d] = random %d 0.5\n", i, d,
                 d, 40 + i);
    for (int i = 0; i < 3; i++)
        text_add(&k->node,
                 "f %%r%d = contract %%%s, %%q%d labels=\"Amk,nk->Amn\" "
                 "split=1 : f32[%d,%d,%d]\n"
                 "f %%s%d = view %%r%d : f32[%d,1,%d,%d]\n",
                 i, from, i, b, t, d, i, i, b, t, d);
    text_add(&k->node,
             "f %%ay, %%as = attention %%s0, %%s1, %%s2 scale=0.25 causal=%d : "
             "f32[%d,1,%d,%d], f32[%d,1,%d]\n"
             "f %%az = view %%ay : f32[%d,%d,%d]\n"
             "f %%at = add %%az, %%%s : f32[%d,%d,%d]\n",
             below(k, 2), b, t, d, b, t, b, t, d, from, b, t, d);
    return "at";
}

/* A transformer with batch and positions as two axes. */
static const char *
add_layers(Maker *k, Arena *a, const char *last)
{
    for (int i = 0; i < 2; i++)
        last = add_block(k, a, i ? last : add_attention(k, last), i);
    return last;
}

/* blocks: as many, with something in between; -1: a transformer. */
static const char *
make_model(Arena *a, uint64_t seed, int blocks)
{
    static const int times[] = {1, 5, 16, 24, 64, 100, 130};
    Maker k = {.random = seed * 7919, .store = text_new(a),
               .node = text_new(a)};
    Text all = text_new(a);
    const char *last = "h";

    k.deep = below(&k, 2) || blocks < 0;
    k.batch = 2 + below(&k, 5);
    k.time = times[below(&k, 7)];
    if (blocks < 0) { /* so that sums may be cut */
        k.batch = 16 * (1 + below(&k, 2));
        k.time = 16 << below(&k, 3);
    }
    k.d = 3 + below(&k, 14);
    k.v = 2 * k.d + below(&k, 60);
    text_add(&k.store, "param %%w : f32[%d,%d] = random 3 0.5\n", k.v, k.d);
    add_input(&k, a, below(&k, 2));
    text_add(&k.node, "f %%wt = transpose %%w perm=[1,0] : f32[%d,%d]\n", k.d,
             k.v);
    if (blocks < 0)
        last = add_layers(&k, a, last);
    for (int i = 0; i < blocks; i++)
        last = add_mixed(&k, a, add_block(&k, a, last, i), i);
    add_head(&k, a, below(&k, 2) ? add_dropout(&k, a, last) : last);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n%s}\n",
             text_str(&k.store), text_str(&k.node));
    return text_str(&all);
}

/* ------------------------------------------------------------------------ */

static const char *
train_text(Arena *a, uint64_t seed, int blocks)
{
    static const char *const losses[] = {"cross-entropy", "cross-entropy",
                                         "mse", "bce"};
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, make_model(a, seed, blocks));
    Text t = text_new(a);

    text_add(&t, TRAIN, losses[seed % 4]);
    pipeline_run(m, text_str(&t), &p);
    return print_module(a, m);
}

/* The regions of the training step that are cut. */
static int
count_cut(const Module *m)
{
    const char *at = module_get(m, "chunk");
    int cut = 0;

    for (; at && (at = strstr(at, "train ")); at++)
        cut++;
    return cut;
}

static int
blocks_of(const char *how)
{
    return !strcmp(how, "batch") ? -1 : !strcmp(how, "blocks") ? 3 : 0;
}

/* Classes alone, or rows too. */
static const char *
options_of(Arena *a, uint64_t seed, const char *how, int parts)
{
    Text t = text_new(a);

    text_add(&t, "%s=%d", how,
             strcmp(how, "batch") ? parts : 2 + parts % 3);
    if (!strcmp(how, "classes") && seed % 2)
        text_add(&t, ",parts=%d", 2 + parts % 4);
    return text_str(&t);
}

/* how: "parts", or what else chunk cuts. */
static int
check_parts(uint64_t seed, const char *how, int parts, bool compiled)
{
    static const char *const entries[] = {"train", "eval"};
    Arena *a = arena_new();
    const char *text = train_text(a, seed, blocks_of(how));
    Text plan = text_new(a);
    Module *m;
    int cut;

    text_add(&plan, PLAN, options_of(a, seed, how, parts));
    m = recompute_plan(a, text, text_str(&plan), 0);
    for (int i = 0; i < 2; i++) {
        Meaning x = meaning_of(a, text, entries[i], seed);

        check_meaning(&x, m, parts);
        if (compiled)
            check_program(&x, m, parts);
    }
    cut = count_cut(m);
    arena_free(a);
    return cut;
}

static int
count_parts(uint64_t first, int count, const char *how, bool compiled)
{
    static const int parts[] = {2, 3, 4, 7, 16};
    int cut = 0;

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        cut += check_parts(seed, how, parts[seed % 5], compiled);
    fprintf(stderr, "%d regions of %d steps are cut\n", cut, count);
    return cut;
}

Test(chunk, steps_mean_the_same)
{
    cr_assert_gt(count_parts(1, 60, "parts", false), 40);
}

Test(chunk, programs_mean_the_same)
{
    cr_assert_gt(count_parts(301, 5, "parts", true), 3);
}

Test(chunk, blocks_mean_the_same)
{
    cr_assert_gt(count_parts(401, 15, "blocks", false), 60);
}

Test(chunk, programs_of_blocks_mean_the_same)
{
    cr_assert_gt(count_parts(501, 2, "blocks", true), 5);
}

Test(chunk, batches_mean_the_same)
{
    cr_assert_gt(count_parts(601, 15, "batch", false), 10);
}

Test(chunk, programs_of_batches_mean_the_same)
{
    cr_assert_gt(count_parts(701, 2, "batch", true), 0);
}

Test(chunk, classes_mean_the_same)
{
    cr_assert_gt(count_parts(801, 60, "classes", false), 60);
}

Test(chunk, programs_of_classes_mean_the_same)
{
    cr_assert_gt(count_parts(901, 5, "classes", true), 4);
}
