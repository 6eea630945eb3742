/* chunk_sequence_test: transformers run along the sequence, backward from the
   last positions to the first. The loss has the bits of the whole, the
   gradients (first moments of adamw after a step) its numbers to 1e-5; the plan
   and the program have the bits of the parts as written. SNUG_GRAPHS=N takes N
   models of each, SNUG_SEED=N another beginning. */
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"
#include "tests/transformer_text.h"

#define TRAIN "loss,grad,optimizer{rule=adamw},fold,cse,dce"
#define PLAN \
    "fuse,share,inplace,workspace,schedule{states=200},place{nodes=2000}"

/* What softmax makes of a bias of keys is nothing but noise: smaller than this,
   of the largest gradient, does not count. */
#define LEAST 1e-3f

static float
largest(const Tensor *t)
{
    float most = 0;

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        most = fmaxf(most, fabsf(((const float *)t->data)[i]));
    return most;
}

static void
expect_near(const Tensor *x, const Tensor *y, float all, const char *what,
            uint64_t seed)
{
    float most = fmaxf(largest(x), LEAST * all);

    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        float a = ((const float *)x->data)[i], b = ((const float *)y->data)[i];

        cr_assert(fabsf(a - b) <= 1e-5f * most,
                  "%s[%lld] is %.9g, not %.9g, of at most %.9g, seed %llu",
                  what, (long long)i, (double)b, (double)a, (double)most,
                  (unsigned long long)seed);
    }
}

static bool
is_moment(const Store *s)
{
    size_t n = strlen(s->name);

    return s->kind == SK_STATE && strcmp(s->name + n - 2, ".m") == 0;
}

/* First moments, of which a step makes a tenth of the gradient, and the loss
   of `train`; of `eval` its outputs, with the same bits. */
static void
compare(const Meaning *whole, const Meaning *parts, Module *m)
{
    const Graph *g = module_entry(m, whole->entry);
    float all = 0;

    for (size_t i = 0; i < vec_len(g->output); i++)
        expect_same(whole, &whole->out[i], parts->out[i].data, "output", 1);
    for (size_t i = 1; i < vec_len(m->store); i++)
        if (is_moment(&m->store[i]))
            all = fmaxf(all, largest(&whole->stores.tensor[i]));
    for (size_t i = 1; i < vec_len(m->store); i++)
        if (is_moment(&m->store[i]))
            expect_near(&whole->stores.tensor[i], &parts->stores.tensor[i],
                        all, m->store[i].name, whole->seed);
}

static const char *
in_parts(Arena *a, const char *text, int parts, double subset)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, text);

    pipeline_run(m, format(a, "chunk{sequence=%d,subset=%g}", parts, subset),
                 &p);
    cr_assert(strstr(module_get(m, "chunk"), "train ") != NULL);
    return print_module(a, m);
}

static Module *
train_module(Arena *a, uint64_t seed)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Maker k = maker_new(a, seed);
    Module *m;

    k.causal = 1;
    k.batch = k.batch > 1 ? 2 : 1;
    k.layers = 2;
    k.turned = seed % 2;
    m = read_module(a, make_model(a, k));
    pipeline_run(m, TRAIN, &p);
    return m;
}

static void
check_sequence(uint64_t seed, bool compiled)
{
    static const char *const entries[] = {"train", "eval"};
    Arena *a = arena_new();
    Module *m = train_module(a, seed), *plan;
    const char *text = print_module(a, m), *cut;

    cut = in_parts(a, text, 2 + (int)(seed % 3), 1);
    plan = compiled ? recompute_plan(a, cut, PLAN, 0) : NULL;
    for (int i = 0; i < 2; i++) {
        Meaning whole = meaning_of(a, text, entries[i], seed);
        Meaning parts = meaning_of(a, cut, entries[i], seed);

        compare(&whole, &parts, m);
        if (!compiled)
            continue;
        check_meaning(&parts, plan, 3);
        check_program(&parts, plan, 3);
    }
    arena_free(a);
}

/* ---- parts drawn at random ----------------------------------------------- */

#define SHARE 0.375

/* The text with part i drawn where `bits` has bit i; counts the parts. */
static const char *
forced(Arena *a, const char *text, unsigned bits, int *parts)
{
    Module *m = read_module(a, text);
    Graph *g = module_entry(m, "train");

    *parts = 0;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        Node *n = node_at(g, g->order[k]);
        Loc loc = {0};

        if (strncmp(value_at(g, n->out[0])->name, "chunk.drawn", 11) != 0)
            continue;
        node_attr_set(n, "formula")->formula =
            formula_parse(m->arena, m->syms,
                          bits >> (*parts)++ & 1 ? "1" : "0", NULL, n->nin,
                          loc);
    }
    return print_module(a, m);
}

static double
probability(unsigned bits, int parts)
{
    double p = 1;

    for (int i = 0; i < parts; i++)
        p *= bits >> i & 1 ? SHARE : 1 - SHARE;
    return p;
}

static void
add_moments(const Module *m, Stores *mean, const Stores *s, double weight)
{
    for (size_t i = 1; i < vec_len(m->store); i++)
        for (int64_t e = 0; is_moment(&m->store[i]) &&
                            e < type_elements(&m->store[i].type); e++)
            ((double *)mean->tensor[i].data)[e] +=
                weight * (double)((float *)s->tensor[i].data)[e];
}

/* A tensor of doubles for each first moment. */
static Stores
no_moments(Arena *a, const Module *m)
{
    Stores s = {NEWN(a, Tensor, vec_len(m->store))};

    for (size_t i = 1; i < vec_len(m->store); i++) {
        Type t = is_moment(&m->store[i]) ? m->store[i].type
                                         : type_scalar(DT_F64);

        t.dtype = DT_F64;
        s.tensor[i] = tensor_new(a, t);
    }
    return s;
}

static void
expect_mean(const Module *m, const Stores *mean, const Meaning *all)
{
    float most = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        if (is_moment(&m->store[i]))
            most = fmaxf(most, largest(&all->stores.tensor[i]));
    for (size_t i = 1; i < vec_len(m->store); i++) {
        Tensor x = mean->tensor[i];
        Tensor y = tensor_new(all->arena, m->store[i].type);

        if (!is_moment(&m->store[i]))
            continue;
        for (int64_t e = 0; e < type_elements(&y.type); e++)
            ((float *)y.data)[e] = (float)((double *)x.data)[e];
        expect_near(&all->stores.tensor[i], &y, most, m->store[i].name,
                    all->seed);
    }
}

/* The mean of the gradients over what may be drawn is the gradient of all; the
   loss is always that of all. */
static void
check_mean(uint64_t seed, int asked)
{
    Arena *a = arena_new();
    Module *m = train_module(a, seed);
    const char *text = print_module(a, m);
    const char *drawn = in_parts(a, text, asked, SHARE);
    Meaning all = meaning_of(a, in_parts(a, text, asked, 1), "train", seed);
    Stores mean = no_moments(a, m);
    int parts;

    (void)forced(a, drawn, 0, &parts);
    cr_assert(parts > 1 && parts <= 4);
    for (unsigned bits = 0; bits < 1u << parts; bits++) {
        Arena *each = arena_new();
        Meaning x = meaning_of(each, forced(each, drawn, bits, &parts),
                               "train", seed);

        expect_same(&all, &all.out[0], x.out[0].data, "loss", bits);
        add_moments(m, &mean, &x.stores, probability(bits, parts));
        arena_free(each);
    }
    expect_mean(m, &mean, &all);
    arena_free(a);
}

static void
check_all(int few, bool compiled)
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 104);
    int count = number_of("SNUG_GRAPHS", few);

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        check_sequence(seed, compiled);
}

Test(chunk_sequence, has_the_gradients_of_the_whole)
{
    check_all(6, false);
}

Test(chunk_sequence, programs_have_the_bits_of_the_parts)
{
    check_all(1, true);
}

Test(chunk_sequence, drawn_parts_have_the_gradient_of_all_in_the_mean)
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 104);
    int count = number_of("SNUG_GRAPHS", 3);

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        check_mean(seed, 2 + (int)(seed % 3));
}

/* Of one model whatever is drawn, in the interpreter's arena and compiled. */
static void
check_drawn(uint64_t seed, bool compiled)
{
    Arena *a = arena_new();
    const char *text = print_module(a, train_module(a, seed));
    const char *drawn = in_parts(a, text, 2, SHARE);
    Module *plan = recompute_plan(a, drawn, PLAN, 0);

    for (uint64_t draws = seed; draws < seed + 4; draws++) {
        Meaning x = meaning_of(a, drawn, "train", draws);

        check_meaning(&x, plan, 2);
        if (compiled)
            check_program(&x, plan, 2);
    }
    arena_free(a);
}

Test(chunk_sequence, programs_draw_what_the_interpreter_draws)
{
    check_drawn(104, true);
    check_drawn(105, false);
}
