/* order_search: is there an order whose peak is at most X? Depth first over
   down-sets (sets of nodes already run), a segment (order_segments) at a time.
   What fits and leaves no more alive than before runs at once, a node, a
   segment or a row of nodes: that is never wrong, for what it adds to any
   larger down-set is no more. Down-sets from which no completion exists are
   remembered. A question is begun again after a share of the states, each time
   with another order of the segments: an early mistake costs a turn, and what
   failed stays remembered. Between bound and peak X is bisected. */
#include "passes/tools/order_search.h"

#include <string.h>

#include "ir/base/vec.h"
#include "passes/tools/order_segments.h"

enum {
    WORK_OF_STATE = 1000, /* nodes looked at that count as one state more */
    ROW_MOST = 8,         /* nodes in a row that run at once */
    FIRST_SHARE = 500,    /* states of the first turn */
    TABLE_BYTES = 1 << 28 /* that the failed down-sets may take, about */
};

typedef struct Search {
    Arena *arena;
    OrderState *s;
    Segments *segments;
    int64_t states, most; /* visited, allowed in all */
    uint64_t *table;      /* failed down-sets: `slots` entries of 1 + words */
    size_t slots, used;
    int64_t end; /* of the turn: states */
    int turn;
    bool out; /* of states */
} Search;

/* ---- down-sets that failed ----------------------------------------------- */

static uint64_t
hash_set(const OrderState *s)
{
    uint64_t h = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < s->words; i++) {
        h = (h ^ s->done[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 33;
    }
    return h | 1; /* 0 marks an empty slot */
}

static uint64_t *
slot_of(size_t words, uint64_t *table, size_t slots, uint64_t h,
        const uint64_t *set)
{
    size_t i = (size_t)(h >> 7) & (slots - 1);

    for (;; i = (i + 1) & (slots - 1)) {
        uint64_t *slot = table + i * (words + 1);

        if (!slot[0] || (slot[0] == h && memcmp(slot + 1, set, words * 8) == 0))
            return slot;
    }
}

static void
grow(Search *x)
{
    size_t slots = 2 * x->slots, words = x->s->words, size = words + 1;
    uint64_t *table = NEWN(x->arena, uint64_t, slots * size);

    for (size_t i = 0; i < x->slots; i++) {
        uint64_t *old = x->table + i * size;

        if (old[0])
            memcpy(slot_of(words, table, slots, old[0], old + 1), old,
                   size * 8);
    }
    x->table = table;
    x->slots = slots;
}

static bool
failed_before(const Search *x)
{
    const OrderState *s = x->s;

    return slot_of(s->words, x->table, x->slots, hash_set(s), s->done)[0] != 0;
}

static void
remember_failure(Search *x)
{
    const OrderState *s = x->s;
    uint64_t h = hash_set(s), *slot;

    if (2 * (x->used + 1) > x->slots)
        grow(x);
    slot = slot_of(s->words, x->table, x->slots, h, s->done);
    slot[0] = h;
    memcpy(slot + 1, s->done, s->words * 8);
    x->used++;
}

/* ---- what runs at once --------------------------------------------------- */

/* Of the nodes that became ready behind `depth`, the one that leaves the least
   alive; -1: none fits. */
static int
next_in_row(OrderState *s, int depth)
{
    int64_t least = INT64_MAX;
    int best = -1;

    for (int k = depth; k < s->depth; k++) {
        int n = s->order[k];

        for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++) {
            int user = (int)s->user[e];
            int64_t bytes;

            s->work++;
            if (s->lazy[n] || s->missing[user] || order_has_run(s, user))
                continue;
            bytes = order_after(s, user);
            best = bytes < least ? user : best;
            least = bytes < least ? bytes : least;
        }
    }
    return best;
}

/* Goes on behind what ran from `depth` on, until no more than `live` is
   alive; else takes all of it back. */
static bool
run_row(OrderState *s, int depth, int64_t live)
{
    for (int k = 0; k < ROW_MOST; k++) {
        int n;

        if (s->walk.live <= live)
            return true;
        n = next_in_row(s, depth);
        if (n < 0)
            break;
        order_run(s, n);
    }
    order_back_to(s, depth);
    return false;
}

static void
run_safe_nodes(OrderState *s)
{
    for (int n = order_next_ready(s, 0); n < s->p->nodes;) {
        if (order_after(s, n) <= s->walk.live) {
            order_run(s, n);
            n = order_next_ready(s, 0); /* others may have become free */
        } else {
            n = order_next_ready(s, n + 1);
        }
    }
}

static bool
run_safe_row(OrderState *s)
{
    for (int n = order_next_ready(s, 0); n < s->p->nodes;
         n = order_next_ready(s, n + 1)) {
        int depth = s->depth;
        int64_t live = s->walk.live;

        if (order_after(s, n) == INT64_MAX)
            continue;
        order_run(s, n);
        if (run_row(s, depth, live))
            return true;
    }
    return false;
}

static bool
run_safe_segment(Search *x, const Segment *list)
{
    for (size_t i = 0; i < vec_len(list); i++) {
        int depth = x->s->depth;
        int64_t live = x->s->walk.live;

        segment_run(x->segments, list[i].buffer);
        if (run_row(x->s, depth, live))
            return true;
    }
    return false;
}

/* Runs all that is free to run; what is left to choose from. */
static const Segment *
run_safe(Search *x)
{
    const Segment *list;

    do {
        do
            run_safe_nodes(x->s);
        while (run_safe_row(x->s));
        list = segments_find(x->segments);
    } while (run_safe_segment(x, list));
    return list;
}

/* ---- depth first --------------------------------------------------------- */

/* One level of the walk: a down-set and its branches. */
typedef struct Level {
    int from, to;      /* depth before and behind the nodes run at once */
    Segment *segment;  /* vector */
    size_t tried;
} Level;

/* The same number for a buffer in all of a turn. */
static uint64_t
draw(const Search *x, uint32_t buffer)
{
    uint64_t h = ((uint64_t)x->turn << 32 | buffer) * 0x9e3779b97f4a7c15u;

    return (h ^ h >> 29) * 0xff51afd7ed558ccdu >> 33;
}

/* In the first turn what leaves the least goes first, in the second what was
   written first, in others as it is drawn. */
static bool
goes_before(const Search *x, const Segment *a, const Segment *b)
{
    if (x->turn == 0)
        return a->after < b->after;
    if (x->turn == 1)
        return a->buffer < b->buffer;
    return draw(x, a->buffer) < draw(x, b->buffer);
}

static void
copy_segments(Search *x, Level *l, const Segment *list)
{
    vec_clear(l->segment);
    for (size_t i = 0; i < vec_len(list); i++) {
        size_t k = i;

        vec_push(x->arena, l->segment, list[i]);
        for (; k > 0 && goes_before(x, &list[i], &l->segment[k - 1]); k--)
            l->segment[k] = l->segment[k - 1];
        l->segment[k] = list[i];
    }
}

/* Enters the state reached; false if it is a dead end. */
static bool
enter_level(Search *x, Level *l)
{
    OrderState *s = x->s;
    const Segment *list;

    l->from = s->depth;
    list = run_safe(x);
    l->to = s->depth;
    l->tried = 0;
    if (vec_len(list) == 0 && segments_finish(x->segments))
        return true;
    if (vec_len(list) == 0 || failed_before(x)) {
        order_back_to(s, l->from);
        return false;
    }
    copy_segments(x, l, list);
    x->states += 1 + s->work / WORK_OF_STATE;
    s->work %= WORK_OF_STATE;
    x->out = x->states > x->end;
    return true;
}

/* True: the order is complete. False: there is none, or x->out. */
static bool
walk(Search *x, int64_t limit, Level *level)
{
    OrderState *s = x->s;
    int top = 0;

    x->out = false;
    order_state_begin(s, limit);
    if (s->walk.live > limit || !enter_level(x, &level[0]))
        return false;
    for (;;) {
        Level *l = &level[top];

        if (s->depth == s->p->nodes)
            return true;
        if (x->out)
            return false;
        order_back_to(s, l->to);
        if (l->tried < vec_len(l->segment)) {
            segment_run(x->segments, l->segment[l->tried++].buffer);
            if (enter_level(x, &level[top + 1]))
                top++;
            continue;
        }
        remember_failure(x);
        order_back_to(s, l->from);
        if (top-- == 0)
            return false;
    }
}

/* In turns, each with more states. */
static bool
reachable(Search *x, int64_t limit, Level *level)
{
    int64_t share = FIRST_SHARE;

    x->used = 0;
    memset(x->table, 0, x->slots * (x->s->words + 1) * 8);
    for (x->turn = 0;; x->turn++) {
        bool found;

        x->end = x->states + share < x->most ? x->states + share : x->most;
        found = walk(x, limit, level);
        if (found || !x->out || x->states > x->most)
            return found;
        share += share / 4;
    }
}

int64_t
order_unit(const OrderProblem *p)
{
    int64_t unit = 0;

    for (int b = 0; b < p->buffers; b++)
        for (int64_t y = p->buffer[b].bytes, t; y != 0; y = t) {
            t = unit % y;
            unit = y;
        }
    return unit ? unit : 1;
}

static Search *
search_new(Arena *scratch, const OrderProblem *p, int64_t states)
{
    Search *x = NEW(scratch, Search);
    int64_t room;

    *x = (Search){.arena = scratch, .slots = 1024};
    x->s = order_state_new(scratch, p);
    x->segments = segments_new(x->s);
    room = TABLE_BYTES / ((int64_t)x->s->words + 1) / 8 / 4;
    x->most = states < room ? states : room;
    x->table = NEWN(scratch, uint64_t, x->slots * (x->s->words + 1));
    return x;
}

/* A question that runs out of its half of the states leaves the bound; then
   only a question nearer to the best order is asked. */
void
order_search(Arena *scratch, const OrderProblem *p, int64_t goal,
             int64_t states, Order *best)
{
    Search *x = search_new(scratch, p, states);
    Level *level = NEWN(scratch, Level, p->nodes + 2);
    int64_t low = best->bound, open = low, all = x->most, unit = order_unit(p);

    while (open < best->peak && best->peak > goal && x->states < all) {
        int64_t middle = open + (best->peak - open) / 2;

        middle = (middle > goal ? middle : goal) / unit * unit;
        x->most = x->states + (all - x->states + 1) / 2;
        if (reachable(x, middle, level)) {
            memcpy(best->node, x->s->order,
                   (size_t)p->nodes * sizeof *x->s->order);
            best->peak = order_peak(scratch, p, best->node);
        } else {
            open = middle + unit;
            low = x->out ? low : open;
        }
    }
    best->bound = low < best->peak ? low : best->peak;
    best->states = x->states;
    if (best->bound == best->peak)
        best->proof = ORDER_SEARCH;
}
