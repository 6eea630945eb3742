/* plan_campaign_test: random plans through the independent checker, and edited
   ones: random training steps, budgets and pipelines. SNUG_PLANS=N takes N
   plans, SNUG_SEED=N another beginning. */
#include "tests/plan_campaign_test.h"
#include "tests/setting.h"

#include "ir/check.h"

enum {
    PLANS = 30,
    BUDGETS = 6,   /* of a step */
    MUTANTS = 6,   /* of a plan */
    SEARCHED = 4,  /* one step of so many is bounded by the solver */
    MEANT = 3      /* of one plan of so many the numbers are compared */
};

typedef struct Tally {
    int64_t steps, plans, refused, again, in_parts, bounded, meant;
    CampaignMutants mutants;
} Tally;

static Module *
read_module(Arena *a, const char *text)
{
    Module *m = parse_module(a, text, "random.snug");

    raise_if_complained();
    return m;
}

/* ---- a step -------------------------------------------------------------- */

static const char *
train_passes(Arena *a, CampaignDraws *d)
{
    static const char *const losses[] = {"mse", "cross-entropy", "bce"};
    static const char *const rules[] = {"adamw", "sgd", "lion", "adafactor"};
    static const char *const codecs[] = {"", "bf16", "u8", "u4", "fp8", "i8"};
    Text t = text_new(a);
    int codec = campaign_draw(d, 3) ? 0 : campaign_draw(d, 6);

    text_add(&t, "loss{kind=%s},grad,optimizer{rule=%s},fold,cse,dce",
             losses[campaign_draw(d, 3)], rules[campaign_draw(d, 4)]);
    if (codec)
        text_add(&t, ",codec{as=saved=%s}", codecs[codec]);
    return text_str(&t);
}

static Module *
train_module(Arena *a, CampaignDraws *d)
{
    static Guard guard;
    static Module *m;
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};

    if (!guarded(&guard))
        compiled_problem(&guard);
    m = read_module(a, campaign_model(a, d));
    pipeline_run(m, train_passes(a, d), &p);
    guard_leave(&guard);
    return m;
}

static CampaignMeaning
meaning_of(Arena *a, CampaignDraws *d)
{
    CampaignMeaning x = {0};
    Module *m = train_module(a, d);
    const Graph *g;

    x.step = m;
    x.text = print_module(a, m);
    g = module_entry(m, "train");
    x.in = NEWN(a, Tensor, vec_len(g->input) + 1);
    x.out = NEWN(a, Tensor, vec_len(g->output) + 1);
    cr_assert(eval_init_stores(a, m, &x.stores));
    for (size_t i = 0; i < vec_len(g->input); i++) {
        x.in[i] = tensor_new(a, value_at(g, g->input[i])->type);
        compiled_fill(&x.in[i], i);
    }
    eval_graph(a, g, &x.stores, x.in, x.out);
    return x;
}

const char *
campaign_difference(Arena *a, const CampaignMeaning *x, Module *m)
{
    const Graph *g = module_entry(m, "train");
    Tensor *out = NEWN(a, Tensor, vec_len(g->output) + 1);
    Stores s;

    cr_assert(eval_init_stores(a, m, &s));
    eval_placed(a, g, &s, x->in, out, true);
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (compiled_difference(&x->out[i], out[i].data) >= 0)
            return "an output has other bits";
    for (uint32_t i = 1; i < vec_len(x->step->store); i++) {
        uint32_t now = module_store(m, sym(m->syms, x->step->store[i].name));

        if (!now ||
            compiled_difference(&x->stores.tensor[i], s.tensor[now].data) >= 0)
            return "a store has other bits";
    }
    return NULL;
}

/* ---- plans of it --------------------------------------------------------- */

static const char *
plan_passes(Arena *a, CampaignDraws *d)
{
    Text t = text_new(a);

    if (campaign_draw(d, 3) == 0)
        text_add(&t, "chunk{parts=%d},", 2 + campaign_draw(d, 4));
    if (campaign_draw(d, 4))
        text_add(&t, "fuse,");
    text_add(&t, "recompute{states=%d,nodes=%d},",
             campaign_draw(d, 2) * 1000, 100 * campaign_draw(d, 30));
    if (campaign_draw(d, 4))
        text_add(&t, "inplace,");
    text_add(&t, "workspace,schedule{states=%d},place{nodes=%d}",
             campaign_draw(d, 3) * campaign_draw(d, 1000),
             campaign_draw(d, 3) * campaign_draw(d, 2000));
    return text_str(&t);
}

static int64_t
number(const Module *m, const char *key)
{
    return strtoll(module_get(m, key), NULL, 10);
}

static void
check_one(Arena *a, const CampaignMeaning *x, Module *m, const char *passes,
          int64_t budget, CampaignDraws *d, Tally *t)
{
    const char *text = print_module(a, m), *other = NULL;
    Module *again = read_module(a, text);

    t->plans++;
    t->again += graph_runs_again(module_entry(m, "train"));
    t->in_parts += module_get(m, "chunk") != NULL;
    t->bounded += module_get(m, "time_bound") != NULL;
    cr_assert(!budget || number(m, "peak") <= budget, "%s", passes);
    cr_assert(check_plan(m, NULL) && check_plan(again, NULL), "%s:\n%s", passes,
              text);
    cr_assert_str_eq(print_module(a, again), text);
    if (campaign_draw(d, MEANT) == 0) {
        t->meant++;
        other = campaign_difference(a, x, again);
    }
    cr_assert_null(other, "%s: budget %lld, %s\n%s", other, (long long)budget,
                   passes, x->text);
    cr_assert(campaign_mutate(x, text, d, MUTANTS, &t->mutants));
}

static int64_t
store_bytes(const Module *m)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        bytes += (type_bytes(&m->store[i].type) + 63) / 64 * 64;
    return bytes;
}

/* Of a module or of nothing. */
static Module *
plan_in(Arena *a, const char *text, const char *passes, int64_t budget,
        bool bounded)
{
    static Guard guard;
    static Module *m;
    PipelineOptions p = {.machine = machine_named("x86-64-v3"),
                         .budget = budget};

    m = NULL;
    setenv("SNUG_MILP", bounded ? TEST_BINARY_DIR "/snug-milp" : "/nowhere", 1);
    if (!guarded(&guard)) {
        char *told = diag_text(&guard);

        cr_assert_eq(guard.status, ST_NO_FIT, "%s\n%s\n%s", told, passes, text);
        free(told);
        diag_free(&guard);
        return NULL;
    }
    m = read_module(a, text);
    pipeline_run(m, passes, &p);
    guard_leave(&guard);
    return m;
}

/* Without a budget, and under budgets down to below the stores. */
static void
check_step(uint64_t seed, Tally *t)
{
    Arena *a = arena_new();
    CampaignDraws d = {seed * 7919};
    CampaignMeaning x = meaning_of(a, &d);
    bool bounded = seed % SEARCHED == 0;
    int64_t most = 0, stores = 0;

    t->steps++;
    for (int i = 0; i <= BUDGETS; i++) {
        Arena *own = arena_new();
        const char *passes = plan_passes(own, &d);
        int one = campaign_draw(&d, 105), two = campaign_draw(&d, 105);
        int share = one > two ? one : two;
        int64_t budget = i ? stores + (most - stores) * share / 100 : 0;
        Module *m = plan_in(own, x.text, passes, budget, bounded);

        if (m && i == 0) {
            most = number(m, "peak");
            stores = store_bytes(m);
        }
        if (m)
            check_one(own, &x, m, passes, budget, &d, t);
        t->refused += !m;
        arena_free(own);
    }
    arena_free(a);
}

Test(plan_campaign, plans_hold_and_edited_ones_do_no_harm, .timeout = 36000)
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 1);
    int64_t plans = number_of("SNUG_PLANS", PLANS);
    Tally t = {0};

    for (uint64_t k = 0; t.plans < plans; k++)
        check_step(first + k, &t);
    fprintf(stderr,
            "%lld plans of %lld steps hold: %lld run nodes again, %lld are cut "
            "in parts, %lld bound the time; %lld budgets refused; %lld "
            "compared bit by bit; %lld edits: %lld refused, %lld harmless\n",
            (long long)t.plans, (long long)t.steps, (long long)t.again,
            (long long)t.in_parts, (long long)t.bounded, (long long)t.refused,
            (long long)t.meant,
            (long long)(t.mutants.refused + t.mutants.harmless),
            (long long)t.mutants.refused, (long long)t.mutants.harmless);
    cr_assert_gt(t.mutants.refused, t.plans);
}
