/* recompute_exact: Dijkstra's search. A state is the set of items alive and
   the set of runs done; a move drops an item, runs a node for the first time
   or makes an item again, which alone costs: what runs once runs once in every
   course. */
#include "passes/plan/recompute_exact.h"

#include <math.h>
#include <string.h>

enum { RUNS_MOST = 24, ITEMS_MOST = 24 };

typedef struct State {
    uint64_t key;   /* items alive, and runs done above them */
    double seconds; /* added so far */
    int from;       /* state before; -1: none */
    int move;       /* run, or runs + recipe; -1: items were dropped */
} State;

/* A run or a recipe, in bits. */
typedef struct Move {
    uint64_t in, out, needs, takes;
    uint64_t after;  /* runs that it may not be behind */
    const int *pair; /* vector of a run; NULL of a recipe */
    int64_t aside;
    double seconds;
} Move;

typedef struct Exactly {
    Arena *a;
    Course *c;
    const CourseOf *of;
    int64_t goal;
    Move *move;
    int moves;
    uint64_t to_end;
    State *state; /* vector */
    Map *number;  /* key -> 1 + state */
    int *heap;    /* vector of states, least seconds first */
    int *heap_at; /* vector: state -> index in heap; -1: it was taken */
} Exactly;

static uint64_t
bit(int i)
{
    return (uint64_t)1 << i;
}

static uint64_t
alive(uint64_t key)
{
    return key & (bit(ITEMS_MOST) - 1);
}

static uint64_t
done(uint64_t key)
{
    return key >> ITEMS_MOST;
}

static int64_t
bytes_of(const Exactly *e, uint64_t items)
{
    int64_t bytes = 0;

    for (int i = 0; i < e->of->items; i++)
        if (items & bit(i))
            bytes += e->of->first_item[i].bytes;
    return bytes;
}

/* ---- moves --------------------------------------------------------------- */

static bool
share_store(const uint32_t *x, const uint32_t *y)
{
    for (size_t i = 0; i < vec_len(x); i++)
        for (size_t k = 0; k < vec_len(y); k++)
            if (x[i] == y[k])
                return true;
    return false;
}

/* Floating runs that write what is read. */
static uint64_t
writers_of(const CourseOf *of, const uint32_t *store)
{
    uint64_t runs = 0;

    for (int r = 0; r < of->runs; r++)
        if (of->floating[r] && share_store(of->writes[r], store))
            runs |= bit(r);
    return runs;
}

static Move
first_move(const CourseOf *of, int run)
{
    const Run *r = &of->first_run[run];
    Move m = {.pair = of->pairs[run], .aside = r->aside};

    for (int t = 0; t < r->ins; t++)
        m.in |= bit(of->first_touch[r->in + t]);
    for (int t = 0; t < r->outs; t++)
        m.out |= bit(of->first_touch[r->out + t]);
    for (size_t i = 0; i < vec_len(of->needs[run]); i++)
        m.needs |= bit(of->needs[run][i]);
    return m;
}

static Move
second_move(const CourseOf *of, int recipe)
{
    const Recipe *r = &of->recipe[recipe];
    Move m = {.aside = r->aside, .seconds = r->seconds, .out = bit(r->item)};

    for (size_t i = 0; i < vec_len(r->in); i++)
        m.in |= bit(r->in[i]);
    for (size_t i = 0; i < vec_len(r->takes); i++)
        m.takes |= bit(r->in[r->takes[i]]);
    m.needs = bit(of->first_item[r->item].maker);
    m.after = writers_of(of, r->store);
    return m;
}

static void
find_moves(Exactly *e)
{
    const CourseOf *of = e->of;

    e->moves = of->runs + (int)vec_len(of->recipe);
    e->move = NEWN(e->a, Move, e->moves + 1);
    for (int k = 0; k < e->moves; k++)
        e->move[k] = k < of->runs ? first_move(of, k)
                                  : second_move(of, k - of->runs);
    for (int i = 0; i < of->items; i++)
        if (of->first_item[i].to_end)
            e->to_end |= bit(i);
}

/* ---- states -------------------------------------------------------------- */

static bool
is_less(const Exactly *e, int x, int y)
{
    const State *s = &e->state[x], *t = &e->state[y];

    return s->seconds < t->seconds || (s->seconds <= t->seconds && x > y);
}

static void
heap_set(Exactly *e, int k, int state)
{
    e->heap[k] = state;
    e->heap_at[state] = k;
}

static void
heap_up(Exactly *e, int k, int state)
{
    while (k > 0 && is_less(e, state, e->heap[(k - 1) / 2])) {
        heap_set(e, k, e->heap[(k - 1) / 2]);
        k = (k - 1) / 2;
    }
    heap_set(e, k, state);
}

static int
heap_take(Exactly *e)
{
    int best = e->heap[0], last = vec_pop(e->heap), k = 0;
    int count = (int)vec_len(e->heap);

    e->heap_at[best] = -1;
    if (last == best)
        return best;
    while (2 * k + 1 < count) {
        int child = 2 * k + 1;

        if (child + 1 < count &&
            is_less(e, e->heap[child + 1], e->heap[child]))
            child++;
        if (is_less(e, last, e->heap[child]))
            break;
        heap_set(e, k, e->heap[child]);
        k = child;
    }
    heap_set(e, k, last);
    return best;
}

static void
reach(Exactly *e, uint64_t key, int from, int move)
{
    double seconds = from < 0 ? 0 : e->state[from].seconds;
    uint64_t found;
    int at;

    seconds += move < 0 ? 0 : e->move[move].seconds;
    if (!map_get(e->number, key, &found)) {
        at = (int)vec_len(e->state);
        vec_push(e->a, e->state, (State){key, seconds, from, move});
        map_put(e->number, key, (uint64_t)at + 1);
        vec_push(e->a, e->heap, at);
        vec_push(e->a, e->heap_at, 0);
        heap_up(e, (int)vec_len(e->heap) - 1, at);
        return;
    }
    at = (int)found - 1;
    if (e->heap_at[at] < 0 || seconds >= e->state[at].seconds)
        return;
    e->state[at] = (State){key, seconds, from, move};
    heap_up(e, e->heap_at[at], at);
}

/* With the operands `gone` behind it; results take the bytes of those. */
static int64_t
bytes_taken(const Exactly *e, int move, uint64_t gone)
{
    const Move *m = &e->move[move];
    const Item *item = e->of->first_item;
    int64_t bytes = 0;
    int given = -1;

    if (m->takes & gone)
        return bytes_of(e, m->out);
    for (size_t i = 0; i + 1 < vec_len(m->pair); i += 2) {
        const Run *r = &e->of->first_run[move];
        int in = e->of->first_touch[r->in + m->pair[i + 1]];

        if (m->pair[i] == given || !(gone & bit(in)))
            continue;
        given = m->pair[i];
        gone &= ~bit(in);
        bytes += item[in].bytes;
    }
    return bytes;
}

/* Items that are there from the start lie where they are read from outside:
   their bytes are not taken. */
static uint64_t
that_give(const Exactly *e, int move)
{
    uint64_t items = e->move[move].in & ~e->to_end;

    for (int i = 0; i < e->of->items; i++)
        if (e->of->first_item[i].maker < 0)
            items &= ~bit(i);
    return items;
}

/* Every way in which operands end there. */
static void
make_move(Exactly *e, int from, int move)
{
    uint64_t key = e->state[from].key, live = alive(key);
    const Move *m = &e->move[move];
    uint64_t next = move < e->of->runs ? done(key) | bit(move) : done(key);
    uint64_t give = m->pair || m->takes ? that_give(e, move) : 0, gone = give;
    int64_t all = e->of->stores + bytes_of(e, live | m->out) + m->aside;

    for (;;) {
        if (all - bytes_taken(e, move, gone) <= e->goal)
            reach(e, next << ITEMS_MOST | (live & ~gone) | m->out, from, move);
        if (!gone)
            return;
        gone = (gone - 1) & give;
    }
}

static bool
may_move(const Exactly *e, uint64_t key, int move)
{
    const Move *m = &e->move[move];
    bool first = move < e->of->runs;

    if (first && done(key) & bit(move))
        return false;
    return (alive(key) & m->in) == m->in &&
           (done(key) & m->needs) == m->needs && !(done(key) & m->after) &&
           (first || !(alive(key) & m->out));
}

static void
leave(Exactly *e, int from)
{
    uint64_t key = e->state[from].key;

    for (int i = 0; i < e->of->items; i++)
        if (alive(key) & bit(i) & ~e->to_end)
            reach(e, key & ~bit(i), from, -1);
    for (int k = 0; k < e->moves; k++)
        if (may_move(e, key, k))
            make_move(e, from, k);
}

/* ---- the course ---------------------------------------------------------- */

static void
run_first(Course *c, int run, const int *version)
{
    const Run *r = &c->run[run];

    for (int t = 0; t < r->ins; t++) {
        int *item = &c->touch[r->in + t];

        *item = version[c->item[*item].base];
    }
    if (!c->of->floating[run])
        c->order[c->length++] = run;
}

static bool
run_again(Exactly *e, Course *c, int recipe, int *version)
{
    const Recipe *r = &e->of->recipe[recipe];
    int *in = NEWN(e->a, int, vec_len(r->in) + 1), item;

    for (size_t i = 0; i < vec_len(r->in); i++)
        in[i] = version[r->in[i]];
    item = course_again(c, recipe, in, c->length);
    if (item < 0)
        return false;
    version[r->item] = item;
    return true;
}

/* The moves that led to a state become the course. */
static bool
follow(Exactly *e, int state)
{
    Course *c = course_new(e->a, e->of);
    int *version = NEWN(e->a, int, e->of->items + 1), *move = NULL;

    for (int i = 0; i < e->of->items; i++)
        version[i] = i;
    for (; state >= 0; state = e->state[state].from)
        if (e->state[state].move >= 0)
            vec_push(e->a, move, e->state[state].move);
    c->length = 0;
    while (vec_len(move)) {
        int k = vec_pop(move);

        if (k < e->of->runs)
            run_first(c, k, version);
        else if (!run_again(e, c, k - e->of->runs, version))
            return false;
    }
    if (course_peak(e->a, c) > e->goal)
        return false;
    course_copy(e->c, c);
    return true;
}

static bool
is_end(const Exactly *e, uint64_t key)
{
    return done(key) == bit(e->of->runs) - 1 &&
           (alive(key) & e->to_end) == e->to_end;
}

Exact
recompute_exact(Arena *a, Course *c, int64_t goal)
{
    Exactly e = {.a = a, .c = c, .of = c->of, .goal = goal};
    uint64_t start = 0;

    if (c->of->runs > RUNS_MOST || c->of->items > ITEMS_MOST)
        return EXACT_OPEN;
    find_moves(&e);
    e.number = map_new(a);
    for (int i = 0; i < c->of->items; i++)
        if (c->of->first_item[i].maker < 0)
            start |= bit(i);
    reach(&e, start, -1, -1);
    while (vec_len(e.heap) && (int64_t)vec_len(e.state) < c->of->states) {
        int state = heap_take(&e);

        if (is_end(&e, e.state[state].key))
            return follow(&e, state) ? EXACT_FOUND : EXACT_OPEN;
        leave(&e, state);
    }
    return vec_len(e.heap) ? EXACT_OPEN : EXACT_NONE;
}
