/* tables_test: steps whose tables lie outside of the arena mean the same, bit
   for bit: in the planned spaces of the interpreter, and compiled. */
#include "ir/facts.h"
#include "ir/tables.h"
#include "ir/timeline.h"
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"

#define TRAIN "loss{kind=mse},grad,optimizer{%s},fold,cse,dce%s"
#define ROWS  ",sparse{most=1,least=1}"
#define PLAN                                                                   \
    "fuse,recompute{states=500,nodes=5000%s},inplace,workspace,"               \
    "schedule{states=500%s},transfer{host=1MiB,disk=1MiB,least=1,nodes=5000}," \
    "place{nodes=5000}"

/* Rules of which the first moves every row of a table. */
static const char *const rules[] = {"rule=adamw", "rule=sgd,set=mu=0",
                                    "rule=adagrad"};

static uint64_t state;

static int
below(int n)
{
    return draw_below(&state, n);
}

/* Sums of rows of some tables, then a product or more. Tables are of `kind`,
   param or const, and have so many rows at least. */
static const char *
make_model(Arena *a, const char *kind, int least)
{
    int m = 4 << below(3), n = 8 + 8 * below(4), tables = 1 + below(3);
    int layers = 1 + below(5);
    Text store = text_new(a), node = text_new(a), all = text_new(a);

    text_add(&node, "f %%h0 = view %%input : f32[%d,%d]\n", m, n);
    for (int i = 0; i < tables; i++) {
        text_add(&store, "%s %%t%d : f32[%d,%d] = random %d 0.5\n", kind, i,
                 least + below(60), n, i + 1);
        text_add(&node, "f %%e%d = gather %%t%d, %%i axis=0 : f32[%d,%d]\n", i,
                 i, m, n);
        text_add(&node, "f %%s%d = add %%%s%d, %%e%d : f32[%d,%d]\n", i,
                 i ? "s" : "h", i ? i - 1 : 0, i, m, n);
    }
    for (int i = 0; i < layers; i++) {
        text_add(&store, "param %%w%d : f32[%d,%d] = random %d 0.3\n", i, n, n,
                 i + 11);
        text_add(&node,
                 "f %%p%d = contract %%%s%d, %%w%d labels=\"mk,kn->mn\" "
                 "split=1 : f32[%d,%d]\nf %%q%d = tanh %%p%d : f32[%d,%d]\n",
                 i, i ? "q" : "s", i ? i - 1 : tables - 1, i, m, n, i, i, m, n);
    }
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n"
             "input %%input : f32[%d,%d]\ninput %%i : i64[%d]\n%s"
             "output %%q%d\n}\n",
             text_str(&store), m, n, m, text_str(&node), layers - 1);
    return text_str(&all);
}

/* Of seeds 1 and 2 modulo 3 tables are trained. */
static Meaning
random_step(uint64_t seed)
{
    Arena *a = arena_new();
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Text train = text_new(a);
    Module *m;

    state = seed * 104729;
    m = read_module(a, seed % 3 ? make_model(a, "param", 80)
                                : make_model(a, "const", 5));
    text_add(&train, TRAIN, rules[seed % 3], seed % 3 ? ROWS : "");
    pipeline_run(m, text_str(&train), &p);
    return meaning_of(a, print_module(a, m), "train", seed);
}

static int
tables_elsewhere(const Module *m)
{
    int count = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        count += m->store[i].place.space != m->space[0].name;
    return count;
}

static bool
moves(Module *m)
{
    const Graph *g = module_entry(m, "train");

    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->op == OP_transfer)
            return true;
    return false;
}

/* The budget is a share of what is needed without tables: a part may have to
   run again or to move. -> is it more than the tables that do not stay? */
static bool
check_step(uint64_t seed, const char *space, int quarters, bool compiled)
{
    Meaning x = random_step(seed);
    Text passes = text_new(x.arena), home = text_new(x.arena);
    Module *all, *m;
    int64_t peak, stores, budget;
    bool beside;

    text_add(&passes, PLAN, ",lent=2000", ",lent=2000");
    text_add(&home, "tables{to=%s,least=1},%s", space, text_str(&passes));
    all = recompute_plan(x.arena, x.text, text_str(&home), 0);
    peak = meta_number(all, "peak");
    stores = arena_store_bytes(all, 64);
    budget = peak - (peak - stores) * quarters / 8;
    m = quarters ? recompute_plan(x.arena, x.text, text_str(&home), budget)
                 : all;
    if (!m) {
        arena_free(x.arena);
        return false;
    }
    cr_assert_gt(tables_elsewhere(m), 0, "seed %llu", (unsigned long long)seed);
    check_meaning(&x, m, budget);
    if (compiled)
        check_program(&x, m, budget);
    beside = moves(m);
    arena_free(x.arena);
    return beside;
}

Test(tables, steps_mean_the_same)
{
    uint64_t graphs = (uint64_t)number_of("SNUG_GRAPHS", 30);
    int moving = 0;

    for (uint64_t seed = 1; seed <= graphs; seed++)
        moving +=
            check_step(seed, seed % 2 ? "host" : "disk", (int)seed % 4, false);
    fprintf(stderr, "%d plans move something too\n", moving);
    cr_assert_gt(moving, 2);
}

Test(tables, programs_mean_the_same)
{
    for (uint64_t seed = 201; seed <= 206; seed++)
        check_step(seed, seed / 3 % 2 ? "host" : "disk", (int)seed % 2, true);
}

/* What a step takes of a table over the link counts each index. */
Test(tables, rows_are_counted)
{
    Arena *a = arena_new();
    Module *m = read_module(
        a, "snug 1 stage=train\nmodule \"m\"\nparam %w : f32[4] = 1\n"
           "const %t : f32[20,4] = random 1 0.5 @disk+0\n"
           "const %u : f32[20,4] = random 1 0.5\ngraph train {\n"
           "input %i : i64[2,3]\nf %e = gather %t, %i axis=0 : f32[2,3,4]\n"
           "f %d = gather %u, %i axis=0 : f32[2,3,4]\n"
           "f %p = add %e, %d : f32[2,3,4]\n"
           "f %s = reduce %p op=\"sum\" axes=[0,1,2] : f32[1,1,1]\n"
           "f %loss = view %s : f32[]\n"
           "u %w' = sub %w, %loss : f32[4] over %w\noutput %loss\n}\n");
    const Graph *g = module_entry(m, "train");
    const Machine *machine = machine_named("x86-64-v3");
    Seconds away, here;
    TableRows r;
    double link;

    cr_assert(table_rows(g, g->order[0], &r));
    cr_expect_eq(r.rows, 6);
    cr_expect_eq(r.row_bytes, 16);
    cr_expect_not(r.written);
    cr_expect_str_eq(r.space, "disk");
    cr_expect_not(table_rows(g, g->order[1], &r), "it is in the arena");
    cr_expect_not(table_rows(g, g->order[2], &r), "it reads no table");
    away = cost_seconds(g, g->order[0], machine);
    here = cost_seconds(g, g->order[1], machine);
    link = 6 * 16 / link_to(machine, "disk").back;
    cr_expect_float_eq(away.one - here.one, link, 1e-3 * link);
    cr_expect_float_eq(away.many - here.many, link, 1e-3 * link);
    arena_free(a);
}

Test(tables, rows_that_are_written_are_counted)
{
    Arena *a = arena_new();
    Module *m = read_module(
        a, "snug 1 stage=train\nmodule \"m\"\n"
           "param %t : f32[20,4] = random 1 0.5 @host+0\ngraph train {\n"
           "input %i : i64[3]\nf %e = gather %t, %i axis=0 : f32[3,4]\n"
           "f %s = reduce %e op=\"sum\" axes=[0,1] : f32[1,1]\n"
           "f %loss = view %s : f32[]\nu %n = neg %e : f32[3,4]\n"
           "u %t' = scatter %n, %i, %t op=\"set\" axis=0 : f32[20,4] over %t\n"
           "output %loss\n}\n");
    const Graph *g = module_entry(m, "train");
    TableRows r;

    cr_assert(find_tables(a, m)[1]);
    cr_assert(table_rows(g, g->order[4], &r));
    cr_expect_eq(r.rows, 3);
    cr_expect_eq(r.row_bytes, 16);
    cr_expect(r.written);
    cr_expect_str_eq(r.space, "host");
    arena_free(a);
}
