/* order_state: nodes run and are taken back. A node that needs nothing, a lazy
   one, runs right before its first user: earlier it only takes room. */
#include "passes/tools/order_state.h"

#include <string.h>

static void
flip(uint64_t *set, int n)
{
    set[n / 64] ^= 1ull << n % 64;
}

int
order_next_ready(OrderState *s, int n)
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

bool
order_has_run(const OrderState *s, int n)
{
    return s->done[n / 64] >> n % 64 & 1;
}

void
order_run_one(OrderState *s, int n)
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
run_lazy(OrderState *s, int n)
{
    const OrderProblem *p = s->p;

    for (uint32_t e = p->need_of[n]; s->late[n] && e < p->need_of[n + 1]; e++)
        if (s->lazy[p->need[e]] && !order_has_run(s, (int)p->need[e]))
            order_run_one(s, (int)p->need[e]);
}

void
order_run(OrderState *s, int n)
{
    run_lazy(s, n);
    order_run_one(s, n);
}

static void
undo(OrderState *s)
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

void
order_back_to(OrderState *s, int depth)
{
    while (s->depth > depth)
        undo(s);
}

int64_t
order_after(OrderState *s, int n)
{
    int depth = s->depth;
    int64_t bytes;

    run_lazy(s, n);
    bytes = walk_peak(&s->walk, n) > s->limit ? INT64_MAX
                                              : walk_after(&s->walk, n);
    order_back_to(s, depth);
    return bytes;
}

/* ---- beginning ---------------------------------------------------------- */

/* Do all others that touch a buffer come behind node n? */
static bool
begins(const OrderState *s, int n, uint32_t buffer)
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
is_lazy(const OrderState *s, int n)
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
find_lazy(OrderState *s)
{
    s->lazy = NEWN(s->arena, bool, s->p->nodes + 1);
    s->late = NEWN(s->arena, bool, s->p->nodes + 1);
    for (int n = 0; n < s->p->nodes; n++) {
        s->lazy[n] = is_lazy(s, n);
        for (uint32_t e = s->of[n]; s->lazy[n] && e < s->of[n + 1]; e++)
            s->late[s->user[e]] = true;
    }
}

static void
find_touchers(OrderState *s)
{
    const OrderProblem *p = s->p;
    uint32_t *at = NEWN(s->arena, uint32_t, p->buffers + 2);

    s->by_of = NEWN(s->arena, uint32_t, p->buffers + 2);
    s->by = NEWN(s->arena, uint32_t, p->touch_of[p->nodes] + 1);
    for (int b = 0; b < p->buffers; b++)
        s->by_of[b + 1] = at[b + 1] =
            s->by_of[b] + (uint32_t)p->buffer[b].touches;
    for (int n = 0; n < p->nodes; n++)
        for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++)
            s->by[at[p->touch[t]]++] = (uint32_t)n;
}

OrderState *
order_state_new(Arena *scratch, const OrderProblem *p)
{
    OrderState *s = NEW(scratch, OrderState);

    s->arena = scratch;
    s->p = p;
    s->words = ((size_t)p->nodes + 63) / 64;
    order_users(scratch, p, &s->of, &s->user);
    find_lazy(s);
    s->ancestors = order_ancestors(scratch, p);
    find_touchers(s);
    s->missing = NEWN(scratch, uint32_t, p->nodes + 1);
    s->before = NEWN(scratch, int64_t, p->nodes + 1);
    s->order = NEWN(scratch, int, p->nodes + 1);
    s->done = NEWN(scratch, uint64_t, s->words + 1);
    s->ready = NEWN(scratch, uint64_t, s->words + 1);
    return s;
}

void
order_state_begin(OrderState *s, int64_t limit)
{
    s->limit = limit;
    s->depth = 0;
    memset(s->done, 0, s->words * 8);
    memset(s->ready, 0, s->words * 8);
    walk_begin(s->arena, s->p, &s->walk);
    for (int n = 0; n < s->p->nodes; n++) {
        s->missing[n] = 0;
        for (uint32_t e = s->p->need_of[n]; e < s->p->need_of[n + 1]; e++)
            s->missing[n] += !s->lazy[s->p->need[e]];
        if (s->missing[n] == 0 && !s->lazy[n])
            flip(s->ready, n);
    }
}
