/* order_search: is there an order whose peak is at most X? Depth first over
   down-sets (sets of nodes already run). Nodes that fit, one or a few in a row,
   and leave no more alive than before run at once: that is never wrong, for
   what they add to any larger down-set is no more. A node that needs nothing
   runs right before its first user: earlier it only takes room. Down-sets from
   which no completion exists are remembered. Between bound and peak X is
   bisected. */
#include "passes/tools/order_search.h"

#include <string.h>

enum {
    WORK_OF_STATE = 1000, /* nodes looked at that count as one state more */
    ROW_MOST = 8,         /* nodes in a row that run at once */
    TABLE_BYTES = 1 << 28 /* that the failed down-sets may take, about */
};

typedef struct Search {
    Arena *arena;
    const OrderProblem *p;
    uint32_t *of, *user;
    uint32_t *missing; /* nodes that are not lazy */
    bool *lazy;        /* needs nothing: runs right before its first user */
    bool *late;        /* needs a lazy one */
    uint64_t *ready; /* set of the nodes that miss nothing and have not run */
    int64_t *before; /* depth -> bytes alive before its node */
    Walk walk;
    int64_t limit;
    int64_t states, most; /* visited, allowed in all */
    int64_t work;
    size_t words;
    uint64_t *done;  /* the down-set */
    uint64_t *table; /* failed down-sets: `slots` entries of 1 + words */
    size_t slots, used;
    int *order;
    int depth;
    bool out; /* of states */
} Search;

static uint64_t
hash_set(const Search *s)
{
    uint64_t h = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < s->words; i++) {
        h = (h ^ s->done[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 33;
    }
    return h | 1; /* 0 marks an empty slot */
}

static uint64_t *
slot_of(const Search *s, uint64_t *table, size_t slots, uint64_t h,
        const uint64_t *set)
{
    size_t i = (size_t)(h >> 7) & (slots - 1);

    for (;; i = (i + 1) & (slots - 1)) {
        uint64_t *slot = table + i * (s->words + 1);

        if (!slot[0] ||
            (slot[0] == h && memcmp(slot + 1, set, s->words * 8) == 0))
            return slot;
    }
}

static void
grow(Search *s)
{
    size_t slots = 2 * s->slots, size = s->words + 1;
    uint64_t *table = NEWN(s->arena, uint64_t, slots * size);

    for (size_t i = 0; i < s->slots; i++) {
        uint64_t *old = s->table + i * size;

        if (old[0])
            memcpy(slot_of(s, table, slots, old[0], old + 1), old, size * 8);
    }
    s->table = table;
    s->slots = slots;
}

static bool
failed_before(const Search *s)
{
    return slot_of(s, s->table, s->slots, hash_set(s), s->done)[0] != 0;
}

static void
remember_failure(Search *s)
{
    uint64_t h = hash_set(s), *slot;

    if (2 * (s->used + 1) > s->slots)
        grow(s);
    slot = slot_of(s, s->table, s->slots, h, s->done);
    slot[0] = h;
    memcpy(slot + 1, s->done, s->words * 8);
    s->used++;
}

static void
flip(uint64_t *set, int n)
{
    set[n / 64] ^= 1ull << n % 64;
}

static bool
has_run(const Search *s, int n)
{
    return s->done[n / 64] >> n % 64 & 1;
}

static void
run_one(Search *s, int n)
{
    s->before[s->depth] = s->walk.live;
    s->order[s->depth++] = n;
    walk_step(&s->walk, n);
    flip(s->done, n);
    if (s->lazy[n])
        return;
    flip(s->ready, n);
    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++)
        if (--s->missing[s->user[e]] == 0)
            flip(s->ready, (int)s->user[e]);
}

static void
run_lazy(Search *s, int n)
{
    const OrderProblem *p = s->p;

    for (uint32_t e = p->need_of[n]; s->late[n] && e < p->need_of[n + 1]; e++)
        if (s->lazy[p->need[e]] && !has_run(s, (int)p->need[e]))
            run_one(s, (int)p->need[e]);
}

static void
run(Search *s, int n)
{
    run_lazy(s, n);
    run_one(s, n);
}

static void
undo(Search *s)
{
    int n = s->order[--s->depth];

    flip(s->done, n);
    walk_back(&s->walk, n, s->before[s->depth]);
    if (s->lazy[n])
        return;
    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++)
        if (s->missing[s->user[e]]++ == 0)
            flip(s->ready, (int)s->user[e]);
    flip(s->ready, n);
}

static void
back_to(Search *s, int depth)
{
    while (s->depth > depth)
        undo(s);
}

/* Alive behind a node, the lazy ones before it included; INT64_MAX: it does
   not fit. */
static int64_t
after(Search *s, int n)
{
    int depth = s->depth;
    int64_t bytes;

    run_lazy(s, n);
    bytes = walk_peak(&s->walk, n) > s->limit ? INT64_MAX
                                              : walk_after(&s->walk, n);
    back_to(s, depth);
    return bytes;
}

/* The first ready node from n on; the number of nodes if there is none. */
static int
next_ready(Search *s, int n)
{
    size_t word = (size_t)n / 64;
    uint64_t left;

    if (n >= s->p->nodes)
        return s->p->nodes;
    s->work++;
    left = s->ready[word] >> n % 64 << n % 64;
    while (left == 0) {
        if (++word == s->words)
            return s->p->nodes;
        left = s->ready[word];
    }
    return (int)word * 64 + __builtin_ctzll(left);
}

/* Of the nodes that became ready behind `depth`, the one that leaves the least
   alive; -1: none fits. */
static int
next_in_row(Search *s, int depth)
{
    int64_t least = INT64_MAX;
    int best = -1;

    for (int k = depth; k < s->depth; k++) {
        int n = s->order[k];

        for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++) {
            int user = (int)s->user[e];
            int64_t bytes;

            s->work++;
            if (s->lazy[n] || s->missing[user] || has_run(s, user))
                continue;
            bytes = after(s, user);
            best = bytes < least ? user : best;
            least = bytes < least ? bytes : least;
        }
    }
    return best;
}

/* Runs node n and what becomes ready by it, if that ends with no more alive
   than before. */
static bool
run_row(Search *s, int n)
{
    int depth = s->depth;
    int64_t live = s->walk.live;

    if (after(s, n) == INT64_MAX)
        return false;
    for (int k = 0; k < ROW_MOST && n >= 0; k++) {
        run(s, n);
        if (s->walk.live <= live)
            return true;
        n = next_in_row(s, depth);
    }
    back_to(s, depth);
    return false;
}

/* Runs every node that is free to run, alone or with those behind it. */
static void
run_safe(Search *s)
{
    for (int n = next_ready(s, 0); n < s->p->nodes;) {
        if (after(s, n) <= s->walk.live) {
            run(s, n);
            n = next_ready(s, 0); /* others may have become free */
        } else {
            n = next_ready(s, n + 1);
        }
    }
    for (int n = next_ready(s, 0); n < s->p->nodes;) {
        if (run_row(s, n)) {
            run_safe(s);
            return;
        }
        n = next_ready(s, n + 1);
    }
}

/* One level of the depth-first walk: a down-set and its branches. */
typedef struct Level {
    int from;      /* depth before the nodes run at once */
    int to;        /* depth behind them */
    int tried;     /* the last node tried, -1: none yet */
    int64_t after; /* what it leaves alive: branches go by that */
} Level;

/* Enters the state reached; false if it is a dead end. */
static bool
enter_level(Search *s, Level *l)
{
    l->from = s->depth;
    run_safe(s);
    l->to = s->depth;
    l->tried = -1;
    l->after = INT64_MIN;
    if (s->depth == s->p->nodes)
        return true;
    if (failed_before(s)) {
        back_to(s, l->from);
        return false;
    }
    s->states += 1 + s->work / WORK_OF_STATE;
    s->work %= WORK_OF_STATE;
    s->out = s->states > s->most;
    return true;
}

/* Runs the next node to try, the one that leaves the least alive first; false
   if there is none. */
static bool
branch(Search *s, Level *l)
{
    int64_t least = INT64_MAX;
    int best = -1;

    for (int n = next_ready(s, 0); n < s->p->nodes; n = next_ready(s, n + 1)) {
        int64_t bytes = after(s, n);

        if (bytes < l->after || (bytes == l->after && n <= l->tried) ||
            bytes >= least)
            continue;
        least = bytes;
        best = n;
    }
    if (best < 0)
        return false;
    l->tried = best;
    l->after = least;
    run(s, best);
    return true;
}

static void
begin(Search *s, int64_t limit)
{
    s->limit = limit;
    s->depth = 0;
    s->used = 0;
    memset(s->done, 0, s->words * 8);
    memset(s->table, 0, s->slots * (s->words + 1) * 8);
    walk_begin(s->arena, s->p, &s->walk);
    memset(s->ready, 0, s->words * 8);
    for (int n = 0; n < s->p->nodes; n++) {
        s->missing[n] = 0;
        for (uint32_t e = s->p->need_of[n]; e < s->p->need_of[n + 1]; e++)
            s->missing[n] += !s->lazy[s->p->need[e]];
        if (s->missing[n] == 0 && !s->lazy[n])
            flip(s->ready, n);
    }
}

/* True: s->order is complete. False: there is none, or s->out. */
static bool
reachable(Search *s, int64_t limit, Level *level)
{
    int top = 0;

    begin(s, limit);
    if (s->walk.live > limit || !enter_level(s, &level[0]))
        return false;
    for (;;) {
        Level *l = &level[top];

        if (s->depth == s->p->nodes)
            return true;
        if (s->out)
            return false;
        back_to(s, l->to);
        if (branch(s, l)) {
            if (enter_level(s, &level[top + 1]))
                top++;
            continue;
        }
        remember_failure(s);
        back_to(s, l->from);
        if (top-- == 0)
            return false;
    }
}

/* Do all others that touch a buffer come behind node n? */
static bool
begins(const Search *s, int n, uint32_t buffer)
{
    const OrderProblem *p = s->p;
    int others = 0;

    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++) {
        uint32_t user = s->user[e];

        if (e > s->of[n] && s->user[e - 1] == user)
            continue;
        for (uint32_t t = p->touch_of[user]; t < p->touch_of[user + 1]; t++)
            others += p->touch[t] == buffer;
    }
    return others == p->buffer[buffer].touches - 1;
}

/* Needs nothing, has users, and all that it touches is alive until they run. */
static bool
is_lazy(const Search *s, int n)
{
    const OrderProblem *p = s->p;

    if (p->need_of[n] < p->need_of[n + 1] || s->of[n] == s->of[n + 1])
        return false;
    for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++) {
        const OrderBuffer *b = &p->buffer[p->touch[t]];

        if (b->from_start || (b->touches == 1 && !b->to_end) ||
            !begins(s, n, p->touch[t]))
            return false;
    }
    return true;
}

static void
find_lazy(Search *s)
{
    s->lazy = NEWN(s->arena, bool, s->p->nodes + 1);
    s->late = NEWN(s->arena, bool, s->p->nodes + 1);
    for (int n = 0; n < s->p->nodes; n++) {
        s->lazy[n] = is_lazy(s, n);
        for (uint32_t e = s->of[n]; s->lazy[n] && e < s->of[n + 1]; e++)
            s->late[s->user[e]] = true;
    }
}

static Search *
search_new(Arena *scratch, const OrderProblem *p, int64_t states)
{
    Search *s = NEW(scratch, Search);
    int64_t room;

    *s = (Search){.arena = scratch,
                  .p = p,
                  .slots = 1024,
                  .words = ((size_t)p->nodes + 63) / 64};
    room = TABLE_BYTES / ((int64_t)s->words + 1) / 8 / 4;
    s->most = states < room ? states : room;
    users_of(scratch, p, &s->of, &s->user);
    find_lazy(s);
    s->missing = NEWN(scratch, uint32_t, p->nodes + 1);
    s->before = NEWN(scratch, int64_t, p->nodes + 1);
    s->order = NEWN(scratch, int, p->nodes + 1);
    s->done = NEWN(scratch, uint64_t, s->words + 1);
    s->ready = NEWN(scratch, uint64_t, s->words + 1);
    s->table = NEWN(scratch, uint64_t, s->slots * (s->words + 1));
    return s;
}

/* A question that runs out of its half of the states leaves the bound; then
   only a question nearer to the best order is asked. */
void
order_search(Arena *scratch, const OrderProblem *p, int64_t goal,
             int64_t states, Order *best)
{
    Search *s = search_new(scratch, p, states);
    Level *level = NEWN(scratch, Level, p->nodes + 2);
    int64_t low = best->bound, open = low, all = s->most;

    while (open < best->peak && best->peak > goal && s->states < all) {
        int64_t middle = open + (best->peak - open) / 2;

        middle = middle > goal ? middle : goal;
        s->most = s->states + (all - s->states + 1) / 2;
        s->out = false;
        if (reachable(s, middle, level)) {
            memcpy(best->node, s->order, (size_t)p->nodes * sizeof *s->order);
            best->peak = order_peak(scratch, p, best->node);
        } else {
            open = middle + 1;
            low = s->out ? low : open;
        }
    }
    best->bound = low < best->peak ? low : best->peak;
    best->states = s->states;
    if (best->bound == best->peak)
        best->proof = ORDER_SEARCH;
}
