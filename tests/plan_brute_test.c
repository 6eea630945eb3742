/* plan_brute_test: order, what runs again, bytes in place and addresses of
   small graphs beside the fastest schedule of all, at every budget there is.
   SNUG_GRAPHS=N takes N graphs, SNUG_SEED=N another beginning, SNUG_NODES=N
   graphs of so many nodes, at most 12. */
#include "tests/plan_brute_test.h"

#include "ir/check.h"
#include "ir/cost.h"
#include "tests/draw.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"

enum { GRAPHS = 25, NODES = 10, UNIT = 256 /* bytes */, UNITS_MOST = 6 };

static int
below(uint64_t *random, int n)
{
    return draw_below(random, n);
}

/* ---- graphs -------------------------------------------------------------- */

/* Value i of so many units, from values before it: cut, joined, or a map. Every
   second graph reads its first half in its second, backwards, as steps do. */
static int
add_value(Text *t, uint64_t *random, const int *units, int i, int mirror)
{
    int from = below(random, 2) || mirror ? i - 1 : below(random, i);
    int other = below(random, i), kind = below(random, 4);
    int size = units[from], element = UNIT / 4;

    if (mirror > i) {
        kind = kind == 0 ? 1 : kind;
    } else if (mirror) {
        other = 2 * mirror - 1 - i >= 0 ? 2 * mirror - 1 - i : other;
        kind = size == units[other] ? 2 : 0;
    }

    if (kind == 0 && from != other && size + units[other] <= UNITS_MOST) {
        size += units[other];
        text_add(t, "f %%h%d = concat %%h%d, %%h%d axis=0 : f32[%d]\n", i, from,
                 other, size * element);
    } else if (kind <= 1 && size > 1) {
        size = 1 + below(random, size - 1);
        text_add(t, "f %%h%d = slice %%h%d starts=[0] steps=[1] : f32[%d]\n", i,
                 from, size * element);
    } else if (kind <= 2 && from != other && size == units[other]) {
        text_add(t, "f %%h%d = mul %%h%d, %%h%d : f32[%d]\n", i, from, other,
                 size * element);
    } else {
        text_add(t, "f %%h%d = %s %%h%d : f32[%d]\n", i,
                 below(random, 2) ? "exp" : "neg", from, size * element);
    }
    return size;
}

/* A tenth of the values, and the last, are outputs. */
static const char *
small_text(Arena *a, uint64_t seed, int nodes)
{
    uint64_t random = seed * 7777;
    int units[BRUTE_MOST] = {1 + below(&random, UNITS_MOST / 2)};
    int mirror = seed % 2 ? nodes / 2 : 0;
    Text t = text_new(a);

    text_add(&t,
             "snug 1 stage=train\nmodule \"m\"\ngraph train {\n"
             "input %%x : f32[1]\nf %%h0 = broadcast %%x : f32[%d]\n",
             units[0] * UNIT / 4);
    for (int i = 1; i < nodes; i++)
        units[i] = add_value(&t, &random, units, i, mirror);
    text_add(&t, "f %%loss = map \"0\" : f32[]\noutput %%loss\n");
    for (int i = 0; i < nodes - 1; i++)
        if (below(&random, 10) == 0)
            text_add(&t, "output %%h%d\n", i);
    text_add(&t, "output %%h%d\n}\n", nodes - 1);
    return text_str(&t);
}

static int
number_of_value(const Graph *g, ValueId v)
{
    const char *name = value_at(g, v)->name;

    return name[0] == 'h' ? atoi(name + 1) : -1;
}

static BruteGraph
graph_of(const Graph *g, const Machine *machine)
{
    BruteGraph b = {.nodes = (int)vec_len(g->order) - 1};

    for (int i = 0; i < b.nodes; i++) {
        Node *n = node_at(g, g->order[i]);
        BruteNode *x = &b.node[i];
        char phase = n->phase;

        n->phase = 'r';
        x->again = cost_seconds(g, g->order[i], machine).many;
        n->phase = phase;
        x->bytes = type_bytes(&value_at(g, n->out[0])->type);
        x->map = op_info(n->op)->flags & OF_MAP;
        for (int k = 0; k < BRUTE_IN; k++)
            x->operand[k] = k < n->nin ? number_of_value(g, n->in[k]) : -1;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (number_of_value(g, g->output[i]) >= 0)
            b.node[number_of_value(g, g->output[i])].output = true;
    return b;
}

/* ---- plans --------------------------------------------------------------- */

typedef struct Tally {
    int plans, again, slower, missed, refused;
    double worst; /* over the optimum */
    int64_t states;
} Tally;

static double
seconds_of(Module *m)
{
    return cost_entry(module_entry(m, "train"), machine_named("x86-64-v3"))
        .many;
}

/* One budget; false: nothing fits any more. `room` is whole units; the input
   and the loss take 64 bytes each beside it. */
static bool
compare(const char *text, const BruteGraph *g, double once, int64_t room,
        Tally *t)
{
    Arena *a = arena_new();
    int64_t states;
    double least = brute_least(g, room, &states), found;
    Module *m = recompute_plan(a, text,
                               "recompute,inplace,workspace,schedule,place",
                               room + 128);

    t->states = states > t->states ? states : t->states;
    if (least < 0) {
        cr_assert_null(m, "a plan where none can be:\n%s", text);
        t->refused++;
    } else if (!m) {
        t->missed++;
        fprintf(stderr, "missed: room %lld\n%s", (long long)room, text);
    } else {
        cr_assert(check_plan(m, NULL), "room %lld:\n%s", (long long)room,
                  text);
        found = seconds_of(m) - once;
        t->plans++;
        t->again += least > 0;
        if (found > least + 1e-9 * once) {
            t->slower++;
            t->worst = fmax(t->worst, (once + found) / (once + least) - 1);
            fprintf(stderr, "slower by %.1f %%: room %lld\n%s",
                    100 * ((once + found) / (once + least) - 1),
                    (long long)room, text);
        }
    }
    arena_free(a);
    return least >= 0;
}

/* From all that there is down to where nothing fits. */
static void
every_budget(uint64_t seed, int nodes, Tally *t)
{
    Arena *a = arena_new();
    const char *text = small_text(a, seed, nodes);
    Module *m = parse_module(a, text, "small.snug");
    BruteGraph g = graph_of(m->entry[0], machine_named("x86-64-v3"));
    double once = seconds_of(m);
    int64_t room;

    m = recompute_plan(a, text, "inplace,workspace,schedule,place", 0);
    room = strtoll(module_get(m, "peak"), NULL, 10) / UNIT * UNIT;
    while (compare(text, &g, once, room, t))
        room -= UNIT;
    arena_free(a);
}

Test(plan_brute, every_budget_beside_the_optimum)
{
    int first = number_of("SNUG_SEED", 1);
    int count = number_of("SNUG_GRAPHS", GRAPHS);
    int nodes = number_of("SNUG_NODES", NODES);
    Tally t = {0};

    nodes = nodes < BRUTE_MOST ? nodes : BRUTE_MOST;
    for (int i = 0; i < count; i++)
        every_budget((uint64_t)(first + i), nodes, &t);
    fprintf(stderr,
            "%d graphs of %d nodes, %d plans beside the optimum, %d of them "
            "run nodes again: %d slower, by at most %.2f %%; %d not found; %d "
            "cannot be; at most %lld states\n",
            count, nodes, t.plans, t.again, t.slower, 100 * t.worst, t.missed,
            t.refused, (long long)t.states);
    cr_assert_eq(t.slower, 0);
    cr_assert_eq(t.missed, 0);
}
