/* chunk_sequence_test: transformers run along the sequence, backward from the
   last positions to the first. The loss has the bits of the whole, the
   gradients (first moments of adamw after a step) its numbers to 1e-5; the plan
   and the program have the bits of the parts as written. SNUG_GRAPHS=N takes N
   models of each, SNUG_SEED=N another beginning. */
#include "tests/meaning.h"
#include "tests/recompute_test.h"
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
in_parts(Arena *a, const char *text, int parts)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, text);

    pipeline_run(m, format(a, "chunk{sequence=%d}", parts), &p);
    cr_assert(strstr(module_get(m, "chunk"), "train ") != NULL);
    return print_module(a, m);
}

static void
check_sequence(uint64_t seed, bool compiled)
{
    static const char *const entries[] = {"train", "eval"};
    Arena *a = arena_new();
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Maker k = maker_new(a, seed);
    const char *text, *cut;
    Module *m, *plan;

    k.causal = 1;
    k.batch = k.batch > 1 ? 2 : 1;
    k.layers = 2;
    m = read_module(a, make_model(a, k));
    pipeline_run(m, TRAIN, &p);
    text = print_module(a, m);
    cut = in_parts(a, text, 2 + (int)(seed % 3));
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

static int
number_of(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text ? atoi(text) : otherwise;
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
