/* transfer_test: random training steps mean the same wherever their values go
   in between, bit for bit: in the planned spaces of the interpreter, and
   compiled; and what is wrong with a plan's transfers is found. */
#include "ir/facts.h"
#include "passes/plan/trips.h"
#include "tests/draw.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"

#define TRAIN "loss{kind=mse},grad,optimizer{rule=adamw},fold,cse,dce"
#define PLACE "place{nodes=5000}"
#define ORDER                                                                  \
    "fuse,recompute{states=500,nodes=5000%s},inplace,workspace,"               \
    "schedule{states=500%s}"
#define PLAN                                                                   \
    ORDER ",transfer{host=6000,disk=1MiB,least=1,nodes=5000}," PLACE

enum { BUDGETS = 5 };

static uint64_t state;

static int
below(int n)
{
    return draw_below(&state, n);
}

/* ---- steps --------------------------------------------------------------- */

/* A chain of products and of what stands between them, with an old value added
   here and there. */
static const char *
make_model(Arena *a)
{
    static const char *const ops[] = {"relu", "gelu", "tanh", "silu", "square"};
    int m = 8 << below(3), n = 16 + 8 * below(5), layers = 4 + below(10);
    Text store = text_new(a), node = text_new(a), all = text_new(a);

    for (int i = 0; i < layers; i++) {
        int what = i + 1 == layers ? 0 : below(3);

        text_add(&node, "f %%h%d = ", i + 1);
        if (what == 0) {
            text_add(&store, "param %%w%d : f32[%d,%d] = random %d 0.3\n", i, n,
                     n, i + 1);
            text_add(&node,
                     "contract %%h%d, %%w%d labels=\"mk,kn->mn\" split=1", i,
                     i);
        } else if (what == 1) {
            text_add(&node, "%s %%h%d", ops[below(5)], i);
        } else {
            text_add(&node, "add %%h%d, %%h%d", i, below(i + 1));
        }
        text_add(&node, " : f32[%d,%d]\n", m, n);
    }
    text_add(&all,
             "snug 1 stage=model\nmodule \"m\"\n%sgraph forward {\n"
             "input %%h0 : f32[%d,%d]\n%soutput %%h%d\n}\n",
             text_str(&store), m, n, text_str(&node), layers);
    return text_str(&all);
}

static Meaning
random_step(uint64_t seed)
{
    Arena *a = arena_new();
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m;

    state = seed * 7919;
    m = read_module(a, make_model(a));
    pipeline_run(m, TRAIN, &p);
    return meaning_of(a, print_module(a, m), "train", seed);
}

/* ---- held against plans -------------------------------------------------- */

static int
moves(Module *m)
{
    const Graph *g = module_entry(m, "train");
    int count = 0;

    for (size_t k = 0; k < vec_len(g->order); k++)
        count += node_at(g, g->order[k])->op == OP_transfer;
    return count;
}

static const char *
passes_text(Arena *a, const char *format, const char *lent)
{
    Text t = text_new(a);

    for (; *format; format++)
        if (*format == '%')
            text_add(&t, "%s", lent), format++;
        else
            text_add_n(&t, format, 1);
    return text_str(&t);
}

/* Budgets between what everything takes and the stores alone. */
static int
check_budgets(uint64_t seed, const char *lent, bool compiled)
{
    Meaning x = random_step(seed);
    const char *passes = passes_text(x.arena, PLAN, lent);
    Module *all = recompute_plan(x.arena, x.text, passes, 0);
    int64_t peak = meta_number(all, "peak");
    int64_t stores = arena_store_bytes(all, 64);
    int moving = 0;

    cr_assert(!moves(all), "without a budget nothing changes");
    for (int i = 0; i < BUDGETS; i++) {
        int64_t budget = peak - (peak - stores) * i / BUDGETS;
        Module *m = recompute_plan(x.arena, x.text, passes, budget);

        if (!m)
            continue;
        cr_assert_leq(meta_number(m, "peak"), budget);
        cr_assert(i || !moves(m), "what fits changes nothing");
        moving += moves(m) > 0;
        check_meaning(&x, m, budget);
        if (compiled && moves(m))
            check_program(&x, m, budget);
    }
    arena_free(x.arena);
    return moving;
}

Test(transfer, steps_mean_the_same)
{
    int moving = 0;
    uint64_t graphs = (uint64_t)number_of("SNUG_GRAPHS", 12);

    for (uint64_t seed = 1; seed <= graphs; seed++)
        moving += check_budgets(seed, seed % 4 ? ",lent=1GiB" : ",lent=3000",
                                false);
    fprintf(stderr, "%d plans move something\n", moving);
    cr_assert_gt(moving, 8);
}

/* How much is lent is chosen by trying. */
Test(transfer, chosen_steps_mean_the_same)
{
    for (uint64_t seed = 51; seed <= 52; seed++)
        (void)check_budgets(seed, "", false);
}

Test(transfer, programs_mean_the_same)
{
    int moving = 0;

    for (uint64_t seed = 104; seed <= 106; seed++)
        moving += check_budgets(seed, ",lent=1GiB", true);
    cr_assert_gt(moving, 2);
}

/* Stores that live elsewhere, under no budget. */
static void
check_streams(uint64_t seed, const char *options, bool compiled)
{
    Meaning x = random_step(seed);
    Text passes = text_new(x.arena);
    Module *m;

    text_add(&passes, "%s,transfer{%s}," PLACE,
             passes_text(x.arena, ORDER, ""), options);
    m = recompute_plan(x.arena, x.text, text_str(&passes), 0);
    cr_assert(moves(m));
    check_meaning(&x, m, 0);
    if (compiled)
        check_program(&x, m, 0);
    arena_free(x.arena);
}

Test(transfer, stores_elsewhere_mean_the_same)
{
    for (uint64_t seed = 411; seed <= 420; seed++) {
        check_streams(seed, "state=disk", seed > 418);
        check_streams(seed, "state=disk/0,param=host/2", seed > 418);
        check_streams(seed, "param=disk/1", false);
    }
}

/* ---- trips that nobody would plan ---------------------------------------- */

static Tier *
two_tiers(Arena *a, Module *m)
{
    Tier *tier = NULL;

    vec_push(a, tier, (Tier){sym(m->syms, "host"), 1 << 20, 4e9, 4e9});
    vec_push(a, tier, (Tier){sym(m->syms, "disk"), 1 << 20, 1e9, 2e9});
    return tier;
}

/* Random values go; some leave late and come early. */
static void
scatter(Trips *t)
{
    for (size_t i = 0; i < vec_len(t->trip); i++) {
        Trip *x = &t->trip[i];

        if (below(3) == 0)
            continue;
        x->tier = below(2);
        if (below(2))
            x->most_leave = x->last + 1 + below(x->next - x->last);
        if (below(2))
            x->least_fetch = x->last + 1 + below(x->next - x->last);
    }
    trips_schedule(t);
}

static Module *
scattered(const Meaning *x)
{
    Module *m = recompute_plan(x->arena, x->text,
                               passes_text(x->arena, ORDER, ""), 0);
    Graph *g = module_entry(m, "train");
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Trips *t =
        trips_new(x->arena, g, p.machine, two_tiers(x->arena, m), 1);

    scatter(t);
    trips_write(t, g);
    pipeline_run(m, PLACE, &p);
    return m;
}

Test(transfer, any_trip_means_the_same)
{
    int moved = 0;

    for (uint64_t seed = 201; seed <= 220; seed++) {
        Meaning x = random_step(seed);
        Module *m = scattered(&x);

        moved += moves(m);
        check_meaning(&x, m, 0);
        arena_free(x.arena);
    }
    cr_assert_gt(moved, 100);
}

/* ---- planted faults ------------------------------------------------------ */

/* The k-th node of this op in the train entry's order; -1: there is none. */
static int
position_of(const Graph *g, Op op, int k)
{
    for (size_t i = 0; i < vec_len(g->order); i++)
        if (node_at(g, g->order[i])->op == op && k-- == 0)
            return (int)i;
    return -1;
}

static int
count_of(const Graph *g, Op op)
{
    int count = 0;

    while (position_of(g, op, count) >= 0)
        count++;
    return count;
}

static void
remove_at(Graph *g, int at)
{
    for (size_t i = (size_t)at; i + 1 < vec_len(g->order); i++)
        g->order[i] = g->order[i + 1];
    (void)vec_pop(g->order);
    graph_touch(g);
}

static bool
forget_a_wait(Graph *g)
{
    int at = position_of(g, OP_wait, below(count_of(g, OP_wait)));
    const Node *n = node_at(g, g->order[at]);
    ValueId y = n->out[0], t = n->in[0];

    remove_at(g, at);
    graph_replace(g, y, t);
    return true;
}

static bool
read_it_early(Graph *g)
{
    int at = position_of(g, OP_wait, below(count_of(g, OP_wait)));
    ValueId t = node_at(g, g->order[at])->in[0];
    int from = position_of(g, OP_transfer, 0);

    while (node_at(g, g->order[from])->out[0] != t)
        from++;
    for (int k = from + 1; k < at; k++) {
        Node *n = node_at(g, g->order[k]);

        if (n->op == OP_transfer || n->op == OP_wait || !n->nin || n->body)
            continue;
        n->in[0] = t;
        return true;
    }
    return false;
}

/* Two that are in another space at the same time lie at one address. */
static bool
lie_on_another(Graph *g)
{
    const Facts *f = facts(g);
    Sym arena = module_arena(g->module);

    for (size_t i = 1; i < vec_len(f->buffer); i++)
        for (size_t j = 1; j < i; j++) {
            const Buffer *x = &f->buffer[i], *y = &f->buffer[j];
            Place to = value_at(g, y->root)->place;

            if (x->space != y->space || x->space == arena ||
                x->first > y->last || y->first > x->last)
                continue;
            for (ValueId v = 1; v < vec_len(g->value); v++)
                if (f->buffer_of[v] == i)
                    value_at(g, v)->place = to;
            return true;
        }
    return false;
}

static bool
have_less_room(Graph *g)
{
    Module *m = g->module;
    char bytes[32], key[32];

    if (vec_len(m->space) < 2)
        return false;
    snprintf(bytes, sizeof bytes, "%lld", (long long)m->space[1].size - 1);
    snprintf(key, sizeof key, "budget.%s", m->space[1].name);
    module_set(m, key, bytes);
    return true;
}

static bool
write_below_a_transfer(Graph *g)
{
    int at = position_of(g, OP_transfer, below(count_of(g, OP_transfer)));
    ValueId x = node_at(g, g->order[at])->in[0];

    for (int k = at + 1; k < (int)vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        Value *v = value_at(g, n->out[0]);

        if (n->op == OP_wait && n->in[1] == x)
            return false;
        if (n->op == OP_wait || n->op == OP_transfer || v->over)
            continue;
        v->over = x;
        v->place = value_at(g, x)->place;
        return true;
    }
    return false;
}

typedef bool Fault(Graph *g);

Test(transfer, planted_faults_are_found)
{
    static Fault *const fault[] = {forget_a_wait, read_it_early, lie_on_another,
                                   have_less_room, write_below_a_transfer};
    enum { FAULTS = sizeof fault / sizeof *fault };
    int planted[FAULTS] = {0};

    for (uint64_t seed = 301; seed <= 318; seed++) {
        for (int i = 0; i < FAULTS; i++) {
            Meaning x = random_step(seed);
            Module *m = scattered(&x);

            if (moves(m) && fault[i](module_entry(m, "train"))) {
                planted[i]++;
                cr_assert(!check_plan(m, NULL), "fault %d, seed %llu", i,
                          (unsigned long long)seed);
            }
            arena_free(x.arena);
        }
    }
    for (int i = 0; i < FAULTS; i++)
        cr_assert_gt(planted[i], 4, "fault %d: %d", i, planted[i]);
}
