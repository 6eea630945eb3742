/* recompute_test: random training steps mean the same at every budget that is
   obeyed, bit for bit: in the planned arena of the interpreter, and
   compiled. */
#include <math.h>

#include "ir/cost.h"
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"

#define TRAIN "loss{kind=mse},grad,optimizer{rule=adamw},fold,cse,dce"
#define SPARING(share)                                                         \
    "fuse,recompute{spare=" share ",worth=0},inplace,workspace,schedule,place"
#define PLAN                                                                   \
    "fuse,recompute{states=2000,nodes=20000},inplace,workspace,"               \
    "schedule{states=2000},place{nodes=20000}"

enum { BUDGETS = 8, LADDER = 20 };

typedef struct Maker {
    uint64_t random;
    int64_t m, n;
    int names; /* values h0, h1, ... */
    Text store, node;
} Maker;

static int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

/* A line of the graph: a new value of shape [m,n]. */
#define LINE(k, format, ...)                                                   \
    (text_add(&(k)->node, "f %%h%d = " format " : f32[%lld,%lld]\n",           \
              (k)->names + 1, __VA_ARGS__, (long long)(k)->m,                  \
              (long long)(k)->n),                                              \
     (void)(k)->names++)

static void
add_product(Maker *k, int from)
{
    text_add(&k->store, "param %%w%d : f32[%lld,%lld] = random 1 %d\n",
             k->names, (long long)k->n, (long long)k->n, k->names + 1);
    LINE(k, "contract %%h%d, %%w%d labels=\"mk,kn->mn\" split=1", from,
         k->names);
}

static void
add_dropout(Maker *k, int from)
{
    int i = k->names;
    long long m = k->m, n = k->n;

    text_add(&k->node,
             "f %%i%d = iota axis=1 : i64[%lld,%lld]\n"
             "f %%k%d = map \"%d\" : i64[]\n"
             "f %%u%d = uniform %%i%d, %%k%d, %%k%d : f32[%lld,%lld]\n"
             "f %%m%d = map %%u%d \"where(a<0.25,0,1.25)\" : f32[%lld,%lld]\n",
             i, m, n, i, i, i, i, i, i, m, n, i, i, m, n);
    LINE(k, "mul %%h%d, %%m%d", from, i);
}

/* As batch normalization (axis 0) or layer normalization (axis 1) does. */
static void
add_norm(Maker *k, int from, int axis)
{
    int i = k->names;
    long long m = axis ? k->m : 1, n = axis ? 1 : k->n;

    text_add(&k->node,
             "f %%s%d = reduce %%h%d op=\"sum\" axes=[%d] : f32[%lld,%lld]\n"
             "f %%a%d = map %%s%d \"a*0.05\" : f32[%lld,%lld]\n"
             "f %%c%d = sub %%h%d, %%a%d : f32[%lld,%lld]\n"
             "f %%q%d = square %%c%d : f32[%lld,%lld]\n"
             "f %%v%d = reduce %%q%d op=\"sum\" axes=[%d] : f32[%lld,%lld]\n"
             "f %%r%d = map %%v%d \"1/sqrt(a*0.05+0.01)\" : f32[%lld,%lld]\n",
             i, from, axis, m, n, i, i, m, n, i, from, i, (long long)k->m,
             (long long)k->n, i, i, (long long)k->m, (long long)k->n, i, i,
             axis, m, n, i, i, m, n);
    LINE(k, "mul %%c%d, %%r%d", i, i);
}

static void
add_layer(Maker *k)
{
    static const char *const ops[] = {"relu", "gelu", "tanh", "silu"};
    int from = k->names;

    switch (below(k, 6)) {
    case 0:
    case 1: add_product(k, from); break;
    case 2: LINE(k, "%s %%h%d", ops[below(k, 4)], from); break;
    case 3: add_dropout(k, from); break;
    case 4: add_norm(k, from, below(k, 2)); break;
    default: LINE(k, "add %%h%d, %%h%d", from, below(k, from + 1));
    }
}

static const char *
make_model(Arena *a, uint64_t seed)
{
    static const int64_t sizes[] = {4, 16, 17, 33, 64};
    Maker k = {.random = seed * 7919, .store = text_new(a),
               .node = text_new(a)};
    int layers;
    Text all = text_new(a);

    k.m = 2 * sizes[below(&k, 5)];
    k.n = sizes[below(&k, 5)];
    add_product(&k, 0);
    for (layers = 4 + below(&k, 14); layers > 0; layers--)
        add_layer(&k);
    add_product(&k, k.names);
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n"
             "input %%h0 : f32[%lld,%lld]\n%soutput %%h%d\n}\n",
             text_str(&k.store), (long long)k.m, (long long)k.n,
             text_str(&k.node), k.names);
    return text_str(&all);
}

static Meaning
random_step(uint64_t seed)
{
    Arena *a = arena_new();
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, make_model(a, seed));

    pipeline_run(m, TRAIN, &p);
    return meaning_of(a, print_module(a, m), "train", seed);
}

static int64_t
store_bytes(const Module *m)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        bytes += (type_bytes(&m->store[i].type) + 63) / 64 * 64;
    return bytes;
}

static bool
runs_again(Module *m)
{
    return graph_runs_again(module_entry(m, "train"));
}

typedef struct Count {
    int plans, again, refused;
} Count;

/* Budgets between what everything takes and the stores alone. */
static void
check_budgets(uint64_t seed, bool compiled, Count *count)
{
    Meaning x = random_step(seed);
    Module *all = recompute_plan(x.arena, x.text, PLAN, 0);
    int64_t peak = meta_number(all, "peak"), stores = store_bytes(all);

    for (int i = 0; i < BUDGETS; i++) {
        int64_t budget = peak - (peak - stores) * i / BUDGETS;
        Module *m = recompute_plan(x.arena, x.text, PLAN, budget);

        if (!m) {
            count->refused++;
            continue;
        }
        cr_assert_leq(meta_number(m, "peak"), budget);
        if (i == 0)
            cr_assert(!runs_again(m), "what fits changes nothing");
        count->plans++;
        count->again += runs_again(m);
        check_meaning(&x, m, budget);
        if (compiled && runs_again(m))
            check_program(&x, m, budget);
    }
    arena_free(x.arena);
}

Test(recompute, steps_mean_the_same)
{
    Count count = {0};
    uint64_t graphs = (uint64_t)number_of("SNUG_GRAPHS", 15);

    for (uint64_t seed = 1; seed <= graphs; seed++)
        check_budgets(seed, false, &count);
    fprintf(stderr, "%d plans, %d run nodes again, %d budgets refused\n",
            count.plans, count.again, count.refused);
    cr_assert_gt(count.again, 25);
}

Test(recompute, programs_mean_the_same)
{
    Count count = {0};

    for (uint64_t seed = 301; seed <= 303; seed++)
        check_budgets(seed, true, &count);
    cr_assert_gt(count.again, 2);
}

/* Without a budget: fewer bytes for at most a tenth of the predicted time. */
Test(recompute, what_is_spared_means_the_same)
{
    int spared = 0;

    for (uint64_t seed = 401; seed <= 415; seed++) {
        Meaning x = random_step(seed);
        Module *all = recompute_plan(x.arena, x.text, SPARING("0"), 0);
        Module *m = recompute_plan(x.arena, x.text, SPARING("0.1"), 0);
        double most = cost_entry(module_entry(all, "train"),
                                 machine_named("x86-64-v3")).many;

        cr_assert(!runs_again(all));
        cr_assert_leq(meta_number(m, "peak"), meta_number(all, "peak"));
        cr_assert_leq(cost_entry(module_entry(m, "train"),
                                 machine_named("x86-64-v3")).many,
                      most * 1.1001);
        check_meaning(&x, m, 0);
        spared += runs_again(m);
        arena_free(x.arena);
    }
    cr_assert_gt(spared, 10);
}

/* By a fixed rule: with the same bits, and something runs again. */
static int
check_policy(const char *policy)
{
    int again = 0;

    for (uint64_t seed = 501; seed <= 510; seed++) {
        Meaning x = random_step(seed);
        const char *passes = sym_format(
            syms_new(x.arena),
            "fuse,recompute{policy=%s},inplace,workspace,schedule,place",
            policy);
        Module *m = recompute_plan(x.arena, x.text, passes, 0);

        check_meaning(&x, m, 0);
        again += runs_again(m);
        arena_free(x.arena);
    }
    return again;
}

Test(recompute, policies_mean_the_same)
{
    cr_assert_eq(check_policy("none"), 0);
    cr_assert_gt(check_policy("all"), 5);
    cr_assert_gt(check_policy("sqrt"), 5);
    cr_assert_gt(check_policy("recursive"), 5);
    cr_assert_gt(check_policy("list"), 5);
    cr_assert_gt(check_policy("steps"), 0);
}

/* Predicted seconds in the budget; infinite where it is refused. */
static double
seconds_in(const Meaning *x, int64_t budget)
{
    Module *m = recompute_plan(x->arena, x->text, PLAN, budget);

    if (!m)
        return (double)INFINITY;
    cr_assert_leq(meta_number(m, "peak"), budget);
    return cost_entry(module_entry(m, "train"), machine_named("x86-64-v3"))
        .many;
}

/* A larger budget is never slower, nor refused where a smaller one is not. */
Test(recompute, more_memory_is_never_slower)
{
    int plans = 0;

    for (uint64_t seed = 601; seed <= 603; seed++) {
        Meaning x = random_step(seed);
        Module *all = recompute_plan(x.arena, x.text, PLAN, 0);
        int64_t peak = meta_number(all, "peak"), stores = store_bytes(all);
        double before = 0;

        for (int i = 0; i < LADDER; i++) {
            int64_t budget = peak - (peak - stores) * i / LADDER;
            double seconds = seconds_in(&x, budget);

            cr_assert_geq(seconds, before, "seed %llu, rung %d",
                          (unsigned long long)seed, i);
            before = seconds;
            plans += seconds < (double)INFINITY;
        }
        arena_free(x.arena);
    }
    fprintf(stderr, "%d plans, none slower than with less\n", plans);
    cr_assert_gt(plans, 20);
}
