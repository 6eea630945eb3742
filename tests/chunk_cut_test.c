/* chunk_cut_test: a head and its softmax by parts of the classes: the first
   loss, and the weights after ten steps, are those of the whole within 1e-5;
   interpreter, planned arena and program agree bit for bit. */
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"

#include <math.h>

#define TRAIN "loss,grad,optimizer{rule=%s},fold,cse,dce"
#define PLAN                                                                   \
    "fuse,recompute{states=2000,nodes=20000},share,inplace,workspace,"        \
    "schedule{states=2000},place{nodes=20000}"

typedef struct Maker {
    Arena *arena;
    uint64_t random;
    int rows, d, v;
    Text store, node;
} Maker;

static int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

/* What goes into the head; a tied head embeds with its weight. */
static void
add_input(Maker *k)
{
    if (below(k, 3))
        text_add(&k->node, "input %%x : f32[%d,%d]\n", k->rows, k->d);
    else
        text_add(&k->node,
                 "input %%i : i64[%d]\n"
                 "f %%x = gather %%w, %%i axis=0 : f32[%d,%d]\n",
                 k->rows, k->rows, k->d);
    text_add(&k->store, "param %%u : f32[%d,%d] = random 1 0.5\n", k->d, k->d);
    text_add(&k->node,
             "f %%p = contract %%x, %%u labels=\"mk,nk->mn\" split=1 : "
             "f32[%d,%d]\nf %%h = tanh %%p : f32[%d,%d]\n",
             k->rows, k->d, k->rows, k->d);
}

/* Either way round; bias, soft cap and scale, or not. */
static void
add_head(Maker *k)
{
    const char *last = "l";

    if (below(k, 2))
        text_add(&k->node,
                 "f %%wt = transpose %%w perm=[1,0] : f32[%d,%d]\n"
                 "f %%l = contract %%h, %%wt labels=\"mk,kn->mn\" split=1 : "
                 "f32[%d,%d]\n",
                 k->d, k->v, k->rows, k->v);
    else
        text_add(&k->node,
                 "f %%l = contract %%h, %%w labels=\"mk,nk->mn\" split=1 : "
                 "f32[%d,%d]\n",
                 k->rows, k->v);
    if (below(k, 2)) {
        text_add(&k->store, "param %%b : f32[%d] = random 2 0.5\n", k->v);
        text_add(&k->node, "f %%lb = add %%%s, %%b : f32[%d,%d]\n", last,
                 k->rows, k->v);
        last = "lb";
    }
    if (below(k, 2)) {
        text_add(&k->node, "f %%lc = map %%%s \"30*tanh(a/30)\" : f32[%d,%d]\n",
                 last, k->rows, k->v);
        last = "lc";
    }
    text_add(&k->node, "output %%%s\n", last);
}

static const char *
make_head(Arena *a, uint64_t seed)
{
    Maker k = {.arena = a, .random = seed * 7919, .store = text_new(a),
               .node = text_new(a)};
    Text all = text_new(a);

    k.rows = 1 + below(&k, 40);
    k.d = seed % 3 ? 3 + below(&k, 14) : 16; /* parts begin aligned */
    k.v = 40 + below(&k, 200);
    text_add(&k.store, "param %%w : f32[%d,%d] = random 3 0.5\n", k.v, k.d);
    add_input(&k);
    add_head(&k);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n%s}\n",
             text_str(&k.store), text_str(&k.node));
    return text_str(&all);
}

/* The step as written, or cut in `parts`. */
static const char *
step_text(Arena *a, uint64_t seed, int parts)
{
    static const char *const rules[] = {"adamw", "sgd", "sgd"};
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, make_head(a, seed));
    Text t = text_new(a);

    text_add(&t, TRAIN, rules[seed % 3]);
    if (parts > 1)
        text_add(&t, ",chunk{cut=%d}", parts);
    pipeline_run(m, text_str(&t), &p);
    if (parts > 1)
        cr_assert(strstr(module_get(m, "chunk"), "train "), "seed %llu",
                  (unsigned long long)seed);
    return print_module(a, m);
}

/* No value of the classes of all rows is there. */
static void
check_small(Module *m, uint64_t seed)
{
    const Graph *g = module_entry(m, "train");
    const Graph *f = module_entry(m, "forward");
    const Type *logits = &value_at(f, f->output[0])->type;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nout; i++)
            cr_assert(!type_equal(&value_at(g, n->out[i])->type, logits),
                      "%s of seed %llu", value_at(g, n->out[i])->name,
                      (unsigned long long)seed);
    }
}

/* ---- near the whole ----------------------------------------------------- */

static double
number_at(const Tensor *t, int64_t i)
{
    return t->type.dtype == DT_F64 ? ((const double *)t->data)[i]
                                   : (double)((const float *)t->data)[i];
}

static void
expect_near(const Tensor *x, const Tensor *y, const char *what, uint64_t seed)
{
    double most = 0, off = 0;

    if (!dtype_float(x->type.dtype))
        return;
    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        double d = fabs(number_at(x, i) - number_at(y, i));

        most = fmax(most, fabs(number_at(x, i)));
        off = d > off || isnan(d) ? d : off;
    }
    cr_assert(off <= 1e-5 * fmax(most, 1), "%s of seed %llu is %g off", what,
              (unsigned long long)seed, off);
}

static void
fill_inputs(const Graph *g, Tensor *in, uint64_t seed)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        compiled_fill(&in[i], seed * 10 + i);
        if (!strcmp(value_at(g, g->input[i])->name, "lr"))
            *(double *)in[i].data = 0.01;
    }
}

static void
train_steps(Arena *a, const char *text, uint64_t seed, Stores *s,
            double *loss)
{
    Module *m = read_module(a, text);
    const Graph *g = module_entry(m, "train");
    Tensor *in = NEWN(a, Tensor, vec_len(g->input) + 1);
    Tensor out[2];

    cr_assert(eval_init_stores(a, m, s));
    for (size_t i = 0; i < vec_len(g->input); i++)
        in[i] = tensor_new(a, value_at(g, g->input[i])->type);
    fill_inputs(g, in, seed);
    for (int step = 0; step < 10; step++) {
        eval_graph(a, g, s, in, out);
        if (step == 0)
            *loss = (double)*(const float *)out[0].data;
    }
}

static void
check_near(uint64_t seed, int parts)
{
    Arena *a = arena_new();
    const char *text = step_text(a, seed, 1);
    double x, y;
    Stores s, t;
    Module *m = read_module(a, text);

    train_steps(a, text, seed, &s, &x);
    train_steps(a, step_text(a, seed, parts), seed, &t, &y);
    cr_assert(fabs(x - y) <= 1e-5 * fabs(x), "seed %llu: loss %.9g, not %.9g",
              (unsigned long long)seed, y, x);
    for (size_t i = 1; i < vec_len(m->store); i++)
        if (m->store[i].kind == SK_PARAM)
            expect_near(&s.tensor[i], &t.tensor[i], m->store[i].name, seed);
    arena_free(a);
}

Test(chunk_cut, ten_steps_are_near_the_whole)
{
    static const int parts[] = {2, 3, 7, 16};

    for (uint64_t seed = 1; seed <= 40; seed++)
        check_near(seed, parts[seed % 4]);
}

/* ---- the same bits however it is run ------------------------------------ */

static void
check_same(uint64_t seed, int parts, bool compiled)
{
    static const char *const entries[] = {"train", "eval"};
    Arena *a = arena_new();
    const char *text = step_text(a, seed, parts);
    Module *m = recompute_plan(a, text, PLAN, 0);

    check_small(m, seed);
    for (int i = 0; i < 2; i++) {
        Meaning x = meaning_of(a, text, entries[i], seed);

        check_meaning(&x, m, parts);
        if (compiled)
            check_program(&x, m, parts);
    }
    arena_free(a);
}

Test(chunk_cut, plans_mean_what_is_cut)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        check_same(seed, 2 + (int)seed % 6, false);
}

Test(chunk_cut, programs_mean_what_is_cut)
{
    for (uint64_t seed = 101; seed <= 106; seed++)
        check_same(seed, 2 + (int)seed % 6, true);
}
