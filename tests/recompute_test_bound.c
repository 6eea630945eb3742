/* recompute_test_bound: a bound on time is believed for its witness alone. */
#include "ir/check.h"
#include "ir/cost.h"
#include "tests/recompute_test.h"

enum { LAYERS = 6, DAMAGES = 3000 };

/* A chain whose values are all read again, backwards; `head` makes the first
   gradient of the last. */
static const char *
chain_text(Arena *a, const char *head)
{
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"m\"\n"
                 "param %%w : f32[64,64] = random 3 1\n"
                 "param %%v : f32[64,128] = random 3 1\ngraph train {\n"
                 "input %%h0 : f32[256,64]\n");
    for (int i = 1; i <= LAYERS; i++)
        text_add(&t,
                 "f %%p%d = contract %%h%d, %%w labels=\"mk,kn->mn\" split=1 "
                 ": f32[256,64]\n"
                 "f %%h%d = tanh %%p%d : f32[256,64]\n",
                 i, i - 1, i, i);
    text_add(&t, "%s", head);
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

static const char *const narrow_head = "f %g6 = exp %h6 : f32[256,64]\n";

/* What is made of its rows lies over them. */
static const char *const wide_head =
    "f %z = contract %h6, %v labels=\"mk,kn->mn\" split=1 : f32[256,128]\n"
    "f %most = reduce %z op=\"max\" axes=[1] : f32[256,1]\n"
    "f %all = broadcast %most : f32[256,128]\n"
    "f %y = sub %z, %all : f32[256,128]\n"
    "f %p = exp %y : f32[256,128]\n"
    "b %g6 = contract %p, %v labels=\"mk,nk->mn\" split=1 : f32[256,64]\n";

/* Parts that do not hang on each other, each with one large value that is read
   when all have a sum: whichever part is last works beside those of all. */
static const char *
parts_text(Arena *a)
{
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"m\"\ngraph train {\n"
                 "input %%x : f32[1,1,256]\n");
    for (int i = 0; i < 4; i++)
        text_add(&t,
                 "f %%p%d = broadcast %%x : f32[1,256,256]\n"
                 "f %%q%d = slice %%p%d starts=[0,0,%d] steps=[1,1,4] : "
                 "f32[1,256,64]\n"
                 "f %%s%d = reduce %%q%d op=\"sum\" axes=[0,1,2] : "
                 "f32[1,1,1]\n",
                 i, i, i, i, i, i);
    text_add(&t, "f %%t1 = add %%s0, %%s1 : f32[1,1,1]\n"
                 "f %%t2 = add %%t1, %%s2 : f32[1,1,1]\n"
                 "f %%t = add %%t2, %%s3 : f32[1,1,1]\n");
    for (int i = 0; i < 4; i++)
        text_add(&t,
                 "b %%v%d = mul %%q%d, %%t : f32[1,256,64]\n"
                 "b %%z%d = reduce %%v%d op=\"sum\" axes=[0,1,2] : "
                 "f32[1,1,1]\n",
                 i, i, i, i);
    text_add(&t, "output %%z0\noutput %%z1\noutput %%z2\noutput %%z3\n"
                 "f %%loss = view %%t : f32[]\noutput %%loss\n}\n");
    return text_str(&t);
}

/* With room for so much less than all that is kept takes, behind passes given
   with a comma. */
static Module *
plan_behind(Arena *a, const char *passes, const char *text, int64_t less)
{
    static const char behind[] = "inplace,workspace,schedule,place";
    Text all = text_new(a), some = text_new(a);
    int64_t peak;

    text_add(&all, "%s%s", passes, behind);
    text_add(&some, "%srecompute,%s", passes, behind);
    peak = strtoll(
        module_get(recompute_plan(a, text, text_str(&all), 0), "peak"), NULL,
        10);
    return recompute_plan(a, text, text_str(&some), peak - less);
}

static Module *
plan_below(Arena *a, const char *text, int64_t less)
{
    return plan_behind(a, "", text, less);
}

static Module *
bounded_plan(Arena *a)
{
    Module *m = plan_below(a, chain_text(a, narrow_head), 3 * 256 * 64 * 4);

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

/* `place` drops a claim that its witness does not prove: one that held more
   bytes against the head than the plan has there. */
Test(recompute, bound_of_rows_over_what_they_are_made_of)
{
    Arena *a = arena_new();

    for (int values = 1; values <= 4; values++) {
        Module *m = plan_behind(a, "fuse,", chain_text(a, wide_head),
                                values * 256 * 64 * 4);

        cr_assert_not_null(m);
        cr_assert_not_null(module_get(m, "time_bound"), "%d", values);
        cr_assert(check_plan(m, NULL));
    }
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
static void
damage(Module *m, Arena *a)
{
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
}

Test(recompute, damaged_witnesses_are_refused)
{
    Arena *a = arena_new();

    damage(bounded_plan(a), a);
    arena_free(a);
}

static double
seconds_of(Module *m)
{
    return cost_entry(module_entry(m, "train"), machine_named("x86-64-v3"))
        .many;
}

/* The entry is small enough for the fastest plan of all: no bound is above what
   it adds. */
Test(recompute, last_of_parts_is_below_the_optimum)
{
    enum { STEP = 128 * 64 * 4 };
    Arena *a = arena_new();
    double once = seconds_of(plan_below(a, parts_text(a), 0));
    int last = 0;

    for (int64_t less = 2 * STEP; less <= 5 * STEP; less += STEP) {
        Module *m = plan_below(a, parts_text(a), less);
        const char *bound = m ? module_get(m, "time_bound") : NULL;

        if (!bound)
            continue;
        cr_assert(check_plan(m, NULL));
        cr_assert_leq(once + 1e-12 * strtod(bound, NULL),
                      seconds_of(m) * (1 + 1e-9));
        last += strstr(module_get(m, "time_witness"), " last ") != NULL;
    }
    cr_assert_gt(last, 2);
    arena_free(a);
}

/* What no case looks at alone: all parts but the one that is last. */
Test(recompute, last_of_parts_is_bounded)
{
    Arena *a = arena_new();
    Module *m = plan_below(a, parts_text(a), 256 * 64 * 4);
    const char *witness;
    Text t = text_new(a);

    cr_assert_not_null(m);
    cr_assert(check_plan(m, NULL));
    witness = module_get(m, "time_witness");
    cr_assert_not_null(witness, "there is a bound");
    cr_assert_not_null(strstr(witness, " last 4 "), "%s", witness);
    text_add(&t, "%.*s", (int)(strstr(witness, " at ") - witness), witness);
    text_add(&t, "%s", strstr(strstr(witness, " at ") + 1, " at "));
    module_set(m, "time_witness", text_str(&t));
    cr_assert_not(check_plan(m, NULL), "a case is missing");
    module_set(m, "time_witness", witness);
    damage(m, a);
    arena_free(a);
}
