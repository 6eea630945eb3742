/* recompute_test_bound: a bound on time is believed for its witness alone. */
#include "ir/check.h"
#include "tests/recompute_test.h"

enum { LAYERS = 6, DAMAGES = 3000 };

/* A chain whose values are all read again, backwards. */
static const char *
chain_text(Arena *a)
{
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"m\"\n"
                 "param %%w : f32[64,64] = random 3 1\ngraph train {\n"
                 "input %%h0 : f32[256,64]\n");
    for (int i = 1; i <= LAYERS; i++)
        text_add(&t,
                 "f %%p%d = contract %%h%d, %%w labels=\"mk,kn->mn\" split=1 "
                 ": f32[256,64]\n"
                 "f %%h%d = tanh %%p%d : f32[256,64]\n",
                 i, i - 1, i, i);
    text_add(&t, "f %%g%d = exp %%h%d : f32[256,64]\n", LAYERS, LAYERS);
    for (int i = LAYERS; i > 0; i--)
        text_add(&t,
                 "b %%q%d = mul %%g%d, %%h%d : f32[256,64]\n"
                 "b %%g%d = contract %%q%d, %%w labels=\"mk,nk->mn\" split=1 "
                 ": f32[256,64]\n",
                 i, i, i, i - 1, i);
    text_add(&t, "f %%loss = reduce %%g0 op=\"sum\" axes=[0,1] : f32[1,1]\n"
                 "output %%loss\n}\n");
    return text_str(&t);
}

static Module *
bounded_plan(Arena *a)
{
    Module *all = recompute_plan(a, chain_text(a), "inplace,workspace,"
                                                   "schedule,place", 0);
    int64_t peak = strtoll(module_get(all, "peak"), NULL, 10);
    Module *m = recompute_plan(a, chain_text(a), "recompute,inplace,workspace,"
                                                 "schedule,place",
                               peak - 3 * 256 * 64 * 4);

    cr_assert_not_null(m);
    cr_assert_not_null(module_get(m, "time_bound"), "there is a bound");
    return m;
}

Test(recompute, bound_is_verified)
{
    Arena *a = arena_new();
    Module *m = bounded_plan(a);
    int64_t bound = strtoll(module_get(m, "time_bound"), NULL, 10);
    char more[32];

    cr_assert(check_plan(m, NULL));
    cr_assert_gt(bound, 0);
    snprintf(more, sizeof more, "%lld", (long long)(bound + bound / 100 + 1));
    module_set(m, "time_bound", more);
    cr_assert_not(check_plan(m, NULL), "more than is proven");
    arena_free(a);
}

Test(recompute, bound_needs_its_witness)
{
    static const char *const words[] = {
        "",           "train",      "train 4096",       "eval 4096 at %h3",
        "train 0",    "train -1",   "train 4096 at %",  "train 4096 at %w",
        "train 1 at", "train x at", "train 1 at %\"h3", "train 1 at %h0",
    };
    Arena *a = arena_new();
    Module *m = bounded_plan(a);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        module_set(m, "time_witness", words[i]);
        cr_assert_not(check_plan(m, NULL), "%s", words[i]);
    }
    module_unset(m, "time_witness");
    cr_assert_not(check_plan(m, NULL));
    module_unset(m, "time_bound");
    cr_assert(check_plan(m, NULL), "nothing is claimed");
    arena_free(a);
}

/* Budgets, costs and multipliers of other plans prove nothing more here: with
   one number larger or gone the witness either fails or proves no more. */
Test(recompute, damaged_witnesses_are_refused)
{
    Arena *a = arena_new();
    Module *m = bounded_plan(a);
    const char *witness = module_get(m, "time_witness");
    size_t length = strlen(witness);
    uint64_t random = 5;
    int refused = 0;

    for (int i = 0; i < DAMAGES; i++) {
        char *text = NEWN(a, char, length + 1);

        memcpy(text, witness, length + 1);
        random = random * 6364136223846793005u + 1442695040888963407u;
        text[(random >> 33) % length] = "0123456789- %\"w"[i % 15];
        if (i % 7 == 0)
            text[(random >> 20) % length] = 0;
        module_set(m, "time_witness", text);
        refused += !check_plan(m, NULL);
    }
    fprintf(stderr, "%d of %d damaged witnesses refused\n", refused, DAMAGES);
    cr_assert_gt(refused, DAMAGES / 2);
    arena_free(a);
}
