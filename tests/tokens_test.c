/* tokens_test: layers of a transformer run for some tokens. For all of them
   they mean what they mean without the pass, bit for bit; for half of them the
   gradients are those of finite differences, and plan and program mean what is
   written. SNUG_GRAPHS=N takes N models of each, SNUG_SEED=N another
   beginning. */
#include "tests/loss.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"
#include "tests/transformer_text.h"

#define UPDATE "grad,optimizer{rule=adamw},fold,cse,dce"
#define PLAN                                                                 \
    "chunk,fuse,recompute{states=2000,nodes=20000},share,inplace,workspace," \
    "schedule{states=2000},place{nodes=20000}"

/* With so many layers run for this share of the tokens. */
static const char *
kept(Arena *a, const char *model, double keep, const char *rest)
{
    return text_after(a, model,
                      format(a, "loss,tokens{keep=%.17g},%s", keep, rest));
}

static int
each_model(int few, void (*check)(uint64_t seed))
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 211);
    int count = number_of("SNUG_GRAPHS", few);

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        check(seed);
    return count;
}

/* ---- all tokens ---------------------------------------------------------- */

static void
check_all(uint64_t seed)
{
    Arena *a = arena_new();
    const char *model = make_model(a, maker_new(a, seed));
    const char *all = kept(a, model, 0.9999, UPDATE);
    Meaning x = meaning_of(a, kept(a, model, 1, UPDATE), "train", seed);
    Meaning y = meaning_of(a, all, "train", seed);
    Module *m = read_module(a, all);

    cr_assert(strstr(all, "tokens.score") || strstr(all, "tokens.sum"),
              "seed %llu", (unsigned long long)seed);
    for (size_t i = 0; i < vec_len(module_entry(m, "train")->output); i++)
        expect_same(&x, &x.out[i], y.out[i].data, "output", 1);
    for (size_t i = 1; i < vec_len(m->store); i++)
        expect_same(&x, &x.stores.tensor[i], y.stores.tensor[i].data,
                    m->store[i].name, 1);
    arena_free(a);
}

Test(tokens, all_of_them_are_the_whole)
{
    cr_assert_geq(each_model(6, check_all), 1);
}

/* ---- some tokens --------------------------------------------------------- */

static void
check_plan_of(uint64_t seed, bool compiled)
{
    static const double keep[] = {0.5, 0.25, 0.01, 0.8};
    static const char *const entries[] = {"train", "eval"};
    Arena *a = arena_new();
    const char *model = make_model(a, maker_new(a, seed));
    const char *text = kept(a, model, keep[seed % 4], UPDATE);
    Module *plan = recompute_plan(a, text, PLAN, 0);

    for (int i = 0; i < 2; i++) {
        Meaning x = meaning_of(a, text, entries[i], seed);

        check_meaning(&x, plan, 3);
        if (compiled)
            check_program(&x, plan, 3);
    }
    arena_free(a);
}

static void
check_planned(uint64_t seed)
{
    check_plan_of(seed, false);
}

static void
check_compiled(uint64_t seed)
{
    check_plan_of(seed, true);
}

Test(tokens, plans_mean_the_same)
{
    cr_assert_geq(each_model(3, check_planned), 1);
}

Test(tokens, programs_mean_the_same)
{
    cr_assert_geq(each_model(1, check_compiled), 1);
}

/* ---- gradients ----------------------------------------------------------- */

static const char *
doubled(Arena *a, const char *text)
{
    Text t = text_new(a);

    for (const char *p = text; *p; p++) {
        bool type = strncmp(p, "f32[", 4) == 0;

        text_add(&t, "%.*s", type ? 4 : 1, type ? "f64[" : p);
        p += type ? 3 : 0;
    }
    return text_str(&t);
}

/* Some elements of each gradient; the tokens that stay are the same ones on
   both sides of so small a step. */
static void
check_gradient(Meaning *x, const Graph *g, int output)
{
    const char *name = value_at(g, g->output[output])->name;
    Module *m = g->module;
    Tensor *w =
        &x->stores
             .tensor[module_store(m, sym_n(m->syms, name, strlen(name) - 2))];
    int64_t size = type_elements(&w->type);
    const double eps = 1e-6;

    for (int64_t k = 0; k < 3 && k < size; k++) {
        int64_t i = (k * 7 + output) % size;
        double at = tensor_get(w, i), up, down, expected, found;

        tensor_set(w, i, at + eps);
        up = loss_with(g, &x->stores, x->in);
        tensor_set(w, i, at - eps);
        down = loss_with(g, &x->stores, x->in);
        tensor_set(w, i, at);
        expected = (up - down) / (2 * eps);
        found = tensor_get(&x->out[output], i);
        cr_assert(fabs(found - expected) <= 1e-7 + 1e-5 * fabs(expected),
                  "%s[%lld]: %.12g, expected %.12g, seed %llu", name,
                  (long long)i, found, expected, (unsigned long long)x->seed);
    }
}

/* The largest logit carries no gradient: a label must name a class. */
static void
set_labels(Meaning *x, const Graph *g, int classes)
{
    for (size_t i = 0; i < vec_len(g->input); i++)
        for (int64_t k = 0;
             strcmp(value_at(g, g->input[i])->name, "labels") == 0 &&
             k < type_elements(&x->in[i].type);
             k++)
            tensor_set(&x->in[i], k, (double)(k * 5 % classes));
    eval_graph(x->arena, g, &x->stores, x->in, x->out);
}

static void
check_gradients(uint64_t seed)
{
    Arena *a = arena_new();
    Maker k = maker_new(a, seed);
    const char *text;
    const Graph *g;
    Meaning x;

    k.time = 12;
    k.dropped = false;
    text = kept(a, doubled(a, make_model(a, k)), 0.5, "grad,cse,dce");
    x = meaning_of(a, text, "train", seed);
    g = module_entry(read_module(a, text), "train");
    set_labels(&x, g, k.vocabulary);
    cr_assert_gt(vec_len(g->output), 1);
    for (size_t i = 1; i < vec_len(g->output); i++)
        check_gradient(&x, g, (int)i);
    arena_free(a);
}

Test(tokens, gradients_equal_finite_differences)
{
    cr_assert_geq(each_model(6, check_gradients), 1);
}
