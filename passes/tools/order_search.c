/* order_search: is there an order whose peak is at most X? Depth first over
   down-sets (sets of nodes already run). A node that leaves no more alive than
   before and fits is run at once: that is never wrong. Down-sets from which no
   completion exists are remembered. Between bound and peak X is bisected. */
#include "passes/tools/order_search.h"

#include <string.h>

typedef struct Search {
    Arena *arena;
    const OrderProblem *p;
    uint32_t *of, *user;
    uint32_t *missing;
    Walk walk;
    int64_t limit;
    int64_t states, most; /* visited, allowed in all */
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

        if (!slot[0] || (slot[0] == h && memcmp(slot + 1, set,
                                                s->words * 8) == 0))
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
run(Search *s, int n)
{
    walk_step(&s->walk, n);
    s->done[n / 64] |= 1ull << n % 64;
    s->order[s->depth++] = n;
    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++)
        s->missing[s->user[e]]--;
}

static void
undo(Search *s, int64_t live)
{
    int n = s->order[--s->depth];

    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++)
        s->missing[s->user[e]]++;
    s->done[n / 64] &= ~(1ull << n % 64);
    walk_back(&s->walk, n, live);
}

static bool
is_ready(const Search *s, int n)
{
    return s->missing[n] == 0 && !(s->done[n / 64] >> n % 64 & 1);
}

/* Runs every node that is free to run. Returns how many. */
static int
run_safe(Search *s, int64_t *live)
{
    int count = 0;

    for (int n = 0; n < s->p->nodes; n++) {
        if (!is_ready(s, n) || walk_peak(&s->walk, n) > s->limit ||
            walk_after(&s->walk, n) > s->walk.live)
            continue;
        live[count++] = s->walk.live;
        run(s, n);
        n = -1; /* others may have become free */
    }
    return count;
}

/* One level of the depth-first walk: the nodes run at once, and the branch. */
typedef struct Level {
    int64_t *live; /* before each of the nodes run at once */
    int safe;
    int next; /* the node to try next */
    int64_t before;
    bool branched;
} Level;

static void
leave_level(Search *s, Level *l)
{
    while (l->safe > 0)
        undo(s, l->live[--l->safe]);
}

/* Enters the state reached; false if it is a dead end. */
static bool
enter_level(Search *s, Level *l)
{
    if (!l->live)
        l->live = NEWN(s->arena, int64_t, s->p->nodes + 1);
    l->safe = run_safe(s, l->live);
    l->next = 0;
    l->branched = false;
    if (s->depth == s->p->nodes)
        return true;
    if (failed_before(s)) {
        leave_level(s, l);
        return false;
    }
    if (s->states++ >= s->most)
        s->out = true;
    return true;
}

/* Runs the next node to try; false if there is none. */
static bool
branch(Search *s, Level *l)
{
    for (int n = l->next; n < s->p->nodes; n++) {
        if (!is_ready(s, n) || walk_peak(&s->walk, n) > s->limit)
            continue;
        l->next = n + 1;
        l->before = s->walk.live;
        l->branched = true;
        run(s, n);
        return true;
    }
    return false;
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
    for (int n = 0; n < s->p->nodes; n++)
        s->missing[n] = s->p->need_of[n + 1] - s->p->need_of[n];
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
        if (l->branched) {
            undo(s, l->before);
            l->branched = false;
        }
        if (branch(s, l)) {
            if (enter_level(s, &level[top + 1]))
                top++;
            continue;
        }
        remember_failure(s);
        leave_level(s, l);
        if (top-- == 0)
            return false;
    }
}

void
order_search(Arena *scratch, const OrderProblem *p, int64_t states,
             Order *best)
{
    Search *s = NEW(scratch, Search);
    Level *level = NEWN(scratch, Level, p->nodes + 2);
    int64_t low = best->bound;

    *s = (Search){.arena = scratch, .p = p, .most = states,
                  .words = ((size_t)p->nodes + 63) / 64, .slots = 1024};
    users_of(scratch, p, &s->of, &s->user);
    s->missing = NEWN(scratch, uint32_t, p->nodes + 1);
    s->done = NEWN(scratch, uint64_t, s->words + 1);
    s->table = NEWN(scratch, uint64_t, s->slots * (s->words + 1));
    s->order = NEWN(scratch, int, p->nodes + 1);
    while (low < best->peak && !s->out) {
        int64_t middle = low + (best->peak - low) / 2;

        if (reachable(s, middle, level)) {
            memcpy(best->node, s->order, (size_t)p->nodes * sizeof *s->order);
            best->peak = order_peak(scratch, p, best->node);
        } else if (!s->out) {
            low = middle + 1;
        }
    }
    best->bound = low < best->peak ? low : best->peak;
    best->states = s->states;
    if (best->bound == best->peak)
        best->proof = ORDER_SEARCH;
}
