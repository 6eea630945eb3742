/* order: the bound says how low any order can be; list schedules come first;
   what they leave open is searched. */
#include "passes/tools/order.h"

#include <stdlib.h>
#include <string.h>

#include "passes/tools/order_search.h"
#include "passes/tools/order_walk.h"

enum { CLOSURE_MOST = 20000, READY_WINDOW = 256, LITTLE = 256 };

int64_t
order_peak(Arena *scratch, const OrderProblem *p, const int *node)
{
    Walk w;
    int64_t peak;

    walk_begin(scratch, p, &w);
    peak = w.live;
    for (int k = 0; k < p->nodes; k++) {
        int64_t bytes = walk_peak(&w, node[k]);

        peak = bytes > peak ? bytes : peak;
        walk_step(&w, node[k]);
    }
    return peak;
}

/* ---- list schedule ---------------------------------------------------- */

typedef struct Ready {
    int *node; /* sorted by position */
    int count;
} Ready;

static void
insert(Ready *r, int node)
{
    int k = r->count++;

    while (k > 0 && r->node[k - 1] > node) {
        r->node[k] = r->node[k - 1];
        k--;
    }
    r->node[k] = node;
}

/* The ready node that leaves the least alive; ties go to the lower peak, then
   to the earlier position. If it leaves more
   alive than before by `much` and more, the first in the given order. */
static int
choose(const Walk *w, const Ready *r, int64_t much)
{
    int most = r->count < READY_WINDOW ? r->count : READY_WINDOW, best = 0;
    int64_t after = INT64_MAX, peak = INT64_MAX;

    for (int i = 0; i < most; i++) {
        int64_t a = walk_after(w, r->node[i]), k = walk_peak(w, r->node[i]);

        if (a < after || (a == after && k < peak)) {
            after = a;
            peak = k;
            best = i;
        }
    }
    return after - w->live >= much ? 0 : best;
}

static int
by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
list_schedule(Arena *scratch, const OrderProblem *p, int64_t much,
              int *node)
{
    Ready r = {NEWN(scratch, int, p->nodes + 1), 0};
    uint32_t *missing = NEWN(scratch, uint32_t, p->nodes + 1), *of, *user;
    Walk w;

    order_users(scratch, p, &of, &user);
    walk_begin(scratch, p, &w);
    for (int n = 0; n < p->nodes; n++) {
        missing[n] = p->need_of[n + 1] - p->need_of[n];
        if (missing[n] == 0)
            insert(&r, n);
    }
    for (int k = 0; k < p->nodes; k++) {
        int i = choose(&w, &r, much), n = r.node[i];

        memmove(r.node + i, r.node + i + 1,
                (size_t)(--r.count - i) * sizeof *r.node);
        node[k] = n;
        walk_step(&w, n);
        for (uint32_t e = of[n]; e < of[n + 1]; e++)
            if (--missing[user[e]] == 0)
                insert(&r, (int)user[e]);
    }
}

/* The order with what leaves more alive moved in front of the first that reads
   it: a list schedule takes small things far too early. */
static void
delay(Arena *scratch, const OrderProblem *p, const int *order, int *node)
{
    uint64_t *key = NEWN(scratch, uint64_t, p->nodes + 1); /* of a position */
    int *position = NEWN(scratch, int, p->nodes + 1);
    bool *grows = NEWN(scratch, bool, p->nodes + 1);
    uint32_t *of, *user;
    Walk w;

    order_users(scratch, p, &of, &user);
    walk_begin(scratch, p, &w);
    for (int k = 0; k < p->nodes; k++) {
        position[order[k]] = k;
        grows[k] = walk_after(&w, order[k]) > w.live;
        walk_step(&w, order[k]);
    }
    for (int k = p->nodes - 1; k >= 0; k--) {
        int n = order[k];
        uint64_t place = UINT32_MAX;

        for (uint32_t e = of[n]; e < of[n + 1] && grows[k]; e++) {
            uint64_t reader = key[position[user[e]]] >> 32;

            place = reader < place ? reader : place;
        }
        place = place == UINT32_MAX ? (uint64_t)k : place;
        key[k] = place << 32 | (uint32_t)k;
    }
    qsort(key, (size_t)p->nodes, sizeof *key, by_key);
    for (int k = 0; k < p->nodes; k++)
        node[k] = order[(uint32_t)key[k]];
}

/* ---- the forced-live bound -------------------------------------------- */

/* Bit sets of the nodes that come behind each node. */
static uint64_t *
descendants(Arena *scratch, const OrderProblem *p, size_t words)
{
    uint64_t *set = NEWN(scratch, uint64_t, (size_t)p->nodes * words + 1);

    for (int n = p->nodes; n-- > 0;)
        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++) {
            uint64_t *own = set + (size_t)p->need[e] * words;

            for (size_t i = 0; i < words; i++)
                own[i] |= set[(size_t)n * words + i];
            own[n / 64] |= 1ull << n % 64;
        }
    return set;
}

/* What a buffer's touchers have before or behind them, themselves included. */
static void
join_sets(const uint64_t *set, size_t words, const int *toucher, int count,
          uint64_t *all)
{
    for (int t = 0; t < count; t++) {
        const uint64_t *own = set + (size_t)toucher[t] * words;

        for (size_t i = 0; i < words; i++)
            all[i] |= own[i];
        all[toucher[t] / 64] |= 1ull << toucher[t] % 64;
    }
}

typedef struct Forced {
    size_t words;
    uint64_t *ancestors, *descendants; /* of each node */
    uint64_t *before, *after; /* nodes in front of or behind a toucher */
    int64_t *bytes;           /* node -> forced to be alive */
} Forced;

static Forced
forced_new(Arena *scratch, const OrderProblem *p)
{
    Forced f = {.words = ((size_t)p->nodes + 63) / 64};

    f.ancestors = order_ancestors(scratch, p);
    f.descendants = descendants(scratch, p, f.words);
    f.before = NEWN(scratch, uint64_t, f.words + 1);
    f.after = NEWN(scratch, uint64_t, f.words + 1);
    f.bytes = NEWN(scratch, int64_t, p->nodes + 1);
    return f;
}

/* A buffer is alive at the nodes with a toucher among their ancestors and one
   among their descendants, themselves included. */
static void
add_forced(Forced *f, const OrderProblem *p, const int *toucher, int b)
{
    const OrderBuffer *buffer = &p->buffer[b];

    memset(f->before, buffer->to_end ? 0xff : 0, f->words * 8);
    memset(f->after, buffer->from_start ? 0xff : 0, f->words * 8);
    join_sets(f->ancestors, f->words, toucher, buffer->touches, f->before);
    join_sets(f->descendants, f->words, toucher, buffer->touches, f->after);
    for (size_t i = 0; i < f->words; i++) {
        uint64_t both = f->before[i] & f->after[i];

        for (; both; both &= both - 1) {
            int n = (int)i * 64 + __builtin_ctzll(both);

            if (n < p->nodes)
                f->bytes[n] += buffer->bytes;
        }
    }
}

/* What must be alive while a node runs, in any order, at its largest. Cost:
   touches * nodes / 64. */
static int64_t
forced_live(Arena *scratch, const OrderProblem *p)
{
    uint32_t touches = p->touch_of[p->nodes];
    int *toucher = NEWN(scratch, int, touches + 1);
    int *at = NEWN(scratch, int, p->buffers + 2);
    int *start = NEWN(scratch, int, p->buffers + 2);
    int64_t most = 0;
    Forced f;

    if (p->nodes > CLOSURE_MOST)
        return 0;
    f = forced_new(scratch, p);
    for (int b = 0; b < p->buffers; b++)
        start[b + 1] = at[b + 1] = start[b] + p->buffer[b].touches;
    for (int n = 0; n < p->nodes; n++)
        for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++)
            toucher[at[p->touch[t]]++] = n;
    for (int b = 0; b < p->buffers; b++)
        add_forced(&f, p, toucher + start[b], b);
    for (int n = 0; n < p->nodes; n++)
        most = f.bytes[n] > most ? f.bytes[n] : most;
    return most;
}

/* ---- all together ----------------------------------------------------- */

static void
keep_better(Arena *scratch, const OrderProblem *p, Order *best,
            const int *candidate)
{
    int64_t peak = order_peak(scratch, p, candidate);

    if (peak >= best->peak)
        return;
    best->peak = peak;
    memcpy(best->node, candidate, (size_t)p->nodes * sizeof *candidate);
}

static int64_t
largest(const OrderProblem *p)
{
    int64_t most = 0;

    for (int b = 0; b < p->buffers; b++)
        most = p->buffer[b].bytes > most ? p->buffer[b].bytes : most;
    return most;
}

/* A list schedule, and the same with what grows delayed. */
static void
try_list(Arena *scratch, const OrderProblem *p, int64_t much, Order *best)
{
    int *candidate = NEWN(scratch, int, p->nodes + 1);
    int *delayed = NEWN(scratch, int, p->nodes + 1);

    list_schedule(scratch, p, much, candidate);
    delay(scratch, p, candidate, delayed);
    keep_better(scratch, p, best, candidate);
    keep_better(scratch, p, best, delayed);
}

Order
order_solve(Arena *scratch, const OrderProblem *p, int64_t states)
{
    Order best = {.node = NEWN(scratch, int, p->nodes + 1)};
    int64_t goal;

    for (int n = 0; n < p->nodes; n++)
        best.node[n] = n;
    best.peak = order_peak(scratch, p, best.node);
    best.bound = forced_live(scratch, p);
    goal = best.bound + p->slack;
    goal = p->goal > goal ? p->goal : goal;
    if (states > 0 && best.peak > goal) {
        try_list(scratch, p, INT64_MAX, &best);
        /* chains that hold more for a while, as they were given */
        try_list(scratch, p, largest(p) / LITTLE + 1, &best);
    }
    if (best.peak <= best.bound)
        best.proof = ORDER_BOUND;
    else if (states > 0 && best.peak > goal && p->nodes <= CLOSURE_MOST)
        order_search(scratch, p, goal, states, &best);
    return best;
}
