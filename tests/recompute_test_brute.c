/* recompute_test_brute: on small graphs the plan under a budget is held against
   the fastest of all: Dijkstra's search over what is alive and what has run. */
#include "ir/check.h"
#include "ir/cost.h"
#include "tests/draw.h"
#include "tests/recompute_test.h"

enum { NODES = 8, STATES = 1 << 2 * NODES, SIZE = 1024, HALF = 512 };

typedef struct Brief {
    double loss; /* seconds of the node that makes the loss */
    int nodes, operand[NODES][2]; /* -1: the input or none */
    int64_t bytes[NODES];
    double seconds[NODES], again[NODES];
    bool map[NODES], output[NODES];
} Brief;

typedef struct Heap {
    int count, *state;
    double *seconds;
} Heap;

static int
below(uint64_t *random, int n)
{
    return draw_below(random, n);
}

/* Maps, halves and their joins; whole values are even numbers' sizes. */
static const char *
small_text(Arena *a, uint64_t seed)
{
    uint64_t random = seed * 7777;
    bool half[NODES] = {false};
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\nmodule \"m\"\ngraph train {\n"
                 "input %%x : f32[1]\n"
                 "f %%h0 = broadcast %%x : f32[256]\n");
    for (int i = 1; i < NODES; i++) {
        int from = below(&random, i), other = below(&random, i);

        if (below(&random, 2))
            from = i - 1;
        half[i] = half[from];
        if (half[from] && half[other] && below(&random, 2)) {
            half[i] = false;
            text_add(&t, "f %%h%d = concat %%h%d, %%h%d axis=0 : f32[256]\n", i,
                     from, other);
        } else if (half[from] == half[other] && from != other) {
            text_add(&t, "f %%h%d = mul %%h%d, %%h%d : f32[%d]\n", i, from,
                     other, half[from] ? 128 : 256);
        } else if (!half[from] && below(&random, 3) == 0) {
            half[i] = true;
            text_add(&t,
                     "f %%h%d = slice %%h%d starts=[0] steps=[2] : f32[128]\n",
                     i, from);
        } else {
            text_add(&t, "f %%h%d = exp %%h%d : f32[%d]\n", i, from,
                     half[from] ? 128 : 256);
        }
    }
    text_add(&t, "f %%loss = map \"0\" : f32[]\noutput %%loss\n"
                 "output %%h%d\n}\n",
             NODES - 1);
    return text_str(&t);
}

/* Operands by their names: h0, h1, ... */
static Brief
small_of(const Graph *g, const Machine *machine)
{
    Brief s = {.nodes = NODES};

    for (int i = 0; i < NODES; i++) {
        Node *n = node_at(g, g->order[i]);
        char phase = n->phase;

        s.bytes[i] = type_bytes(&value_at(g, n->out[0])->type);
        s.seconds[i] = cost_seconds(g, g->order[i], machine).many;
        n->phase = 'r';
        s.again[i] = cost_seconds(g, g->order[i], machine).many;
        n->phase = phase;
        s.map[i] = op_info(n->op)->flags & OF_MAP;
        s.output[i] = i == NODES - 1;
        for (int k = 0; k < 2; k++)
            s.operand[i][k] = i > 0 && k < n->nin
                                  ? atoi(value_at(g, n->in[k])->name + 1)
                                  : -1;
    }
    s.loss = cost_seconds(g, g->order[NODES], machine).many;
    return s;
}

static void
heap_push(Heap *h, int state, double seconds)
{
    int k = h->count++;

    while (k > 0 && h->seconds[(k - 1) / 2] > seconds) {
        h->state[k] = h->state[(k - 1) / 2];
        h->seconds[k] = h->seconds[(k - 1) / 2];
        k = (k - 1) / 2;
    }
    h->state[k] = state;
    h->seconds[k] = seconds;
}

static int
heap_pop(Heap *h, double *seconds)
{
    int state = h->state[0], k = 0, last = --h->count;

    *seconds = h->seconds[0];
    while (2 * k + 1 < h->count) {
        int c = 2 * k + 1;

        if (c + 1 < h->count && h->seconds[c + 1] < h->seconds[c])
            c++;
        if (h->seconds[c] >= h->seconds[last])
            break;
        h->state[k] = h->state[c];
        h->seconds[k] = h->seconds[c];
        k = c;
    }
    h->state[k] = h->state[last];
    h->seconds[k] = h->seconds[last];
    return state;
}

static int64_t
alive(const Brief *s, int live)
{
    int64_t bytes = 0;

    for (int i = 0; i < s->nodes; i++)
        bytes += live >> i & 1 ? s->bytes[i] : 0;
    return bytes;
}

static void
relax(Heap *h, double *best, int live, int done, double seconds)
{
    int state = done << NODES | live;

    if (seconds >= best[state])
        return;
    best[state] = seconds;
    heap_push(h, state, seconds);
}

/* Node i runs beside what is alive; its result may take an operand's bytes. */
static void
run_node(const Brief *s, Heap *h, double *best, int state, double seconds,
         int i, int64_t room)
{
    int live = state & ((1 << NODES) - 1), done = state >> NODES;
    int64_t bytes = alive(s, live);

    seconds += done >> i & 1 ? s->again[i] : s->seconds[i];
    for (int k = 0; k < 2; k++)
        if (s->operand[i][k] >= 0 && !(live >> s->operand[i][k] & 1))
            return;
    if (live >> i & 1)
        return;
    if (bytes + s->bytes[i] <= room)
        relax(h, best, live | 1 << i, done | 1 << i, seconds);
    for (int k = 0; k < 2; k++) {
        int from = s->operand[i][k];

        if (from >= 0 && s->map[i] && s->bytes[from] == s->bytes[i] &&
            bytes <= room)
            relax(h, best, (live & ~(1 << from)) | 1 << i, done | 1 << i,
                  seconds);
    }
}

/* The least seconds in which all nodes run in `room`; negative: none does. */
static double
least_seconds(const Brief *s, int64_t room)
{
    double *best = malloc(STATES * sizeof *best), found = -1;
    Heap h = {0, malloc(sizeof(int) * STATES * 16),
              malloc(sizeof(double) * STATES * 16)};

    for (int i = 0; i < STATES; i++)
        best[i] = HUGE_VAL;
    relax(&h, best, 0, 0, 0);
    while (h.count && found < 0) {
        double seconds;
        int state = heap_pop(&h, &seconds), live = state & ((1 << NODES) - 1);

        if (seconds > best[state])
            continue;
        if (state >> NODES == (1 << NODES) - 1 && live >> (NODES - 1) & 1)
            found = seconds;
        for (int i = 0; i < NODES; i++) {
            run_node(s, &h, best, state, seconds, i, room);
            if (live >> i & 1)
                relax(&h, best, live & ~(1 << i), state >> NODES, seconds);
        }
    }
    free(best);
    free(h.state);
    free(h.seconds);
    return found;
}

typedef struct Tally {
    int plans, slower, missed, refused, bounds;
    double worst, gap; /* over the optimum; of the bound on time, most */
} Tally;

/* No more than the optimum adds is claimed, and what is claimed holds. */
static void
check_bound(const Module *m, const Brief *s, double least, Tally *t)
{
    const char *bound = module_get(m, "time_bound");
    double once = s->loss, added;

    cr_assert(check_plan(m, NULL));
    if (!bound)
        return;
    for (int i = 0; i < s->nodes; i++)
        once += s->seconds[i];
    added = 1e-12 * strtod(bound, NULL);
    cr_assert_leq(once + added, least * (1 + 1e-9));
    t->bounds++;
    if (least / (once + added) - 1 > t->gap)
        t->gap = least / (once + added) - 1;
}

/* The input and the loss, 64 bytes each, are there as well. */
static void
compare(const char *text, const Brief *s, int64_t room, Tally *t)
{
    Arena *a = arena_new();
    double least = least_seconds(s, room) + s->loss, found;
    Module *m = recompute_plan(a, text, "recompute,inplace,workspace,"
                                        "schedule,place", room + 128);

    if (least < s->loss) {
        t->refused++;
        cr_assert_null(m, "a plan where none can be:\n%s", text);
    } else if (!m) {
        t->missed++;
    } else {
        found = cost_entry(module_entry(m, "train"),
                           machine_named("x86-64-v3"))
                    .many;
        t->plans++;
        t->slower += found > least * (1 + 1e-9);
        check_bound(m, s, least, t);
        if (found / least - 1 > t->worst)
            t->worst = found / least - 1;
    }
    arena_free(a);
}

Test(recompute, small_graphs_beside_the_optimum)
{
    Tally t = {0};

    for (uint64_t seed = 1; seed <= 150; seed++) {
        Arena *a = arena_new();
        const char *text = small_text(a, seed);
        Module *m = parse_module(a, text, "small.snug");
        Brief s = small_of(m->entry[0], machine_named("x86-64-v3"));

        for (int64_t room = 5 * SIZE; room >= 2 * SIZE; room -= HALF)
            compare(text, &s, room, &t);
        arena_free(a);
    }
    fprintf(stderr,
            "%d plans beside the optimum: %d slower, by at most %.1f %%; %d "
            "not found; %d cannot be; %d bounds on time, at most %.1f %% below "
            "the optimum\n",
            t.plans, t.slower, 100 * t.worst, t.missed, t.refused, t.bounds,
            100 * t.gap);
    cr_assert_gt(t.plans, 500);
    cr_assert_eq(t.slower, 0);
    cr_assert_eq(t.missed, 0);
    cr_assert_gt(t.bounds, 50);
}
