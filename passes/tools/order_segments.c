/* order_segments: behind a down-set every order ends some buffer first: all
   that still touches it, and what that needs, has run then, and nothing else
   has to have run before. For until something ends, what has run only adds to
   what is alive: moved behind that end it takes no more room anywhere. So an
   order goes on with one of these segments, each in any order of its own: the
   sets to choose from are few where the subsets of all that may run are many.

   A segment is looked for among the nodes that can be reached without ending
   anything before. */
#include "passes/tools/order_segments.h"

#include <stdlib.h>
#include <string.h>

#include "ir/base/vec.h"

typedef enum Run {
    RUN_NOT, /* it does not fit, or something ends before */
    RUN_ADDS,
    RUN_ENDS /* the last node ends something */
} Run;

struct Segments {
    OrderState *s;
    uint64_t *set;
    int *queue, *visit; /* nodes; visit[n] == round: it is in reach */
    int *seen_in, *touched_in; /* the round in which the counts began */
    uint32_t *seen;     /* node -> needs in reach that only add */
    int *touched;       /* buffer -> touchers in reach */
    int round, count;   /* of the queue */
    Segment *list;      /* vector */
};

Segments *
segments_new(OrderState *s)
{
    Segments *x = NEW(s->arena, Segments);
    size_t nodes = (size_t)s->p->nodes + 1, buffers = (size_t)s->p->buffers + 1;

    x->s = s;
    x->set = NEWN(s->arena, uint64_t, s->words + 1);
    x->queue = NEWN(s->arena, int, nodes);
    x->visit = NEWN(s->arena, int, nodes);
    x->seen_in = NEWN(s->arena, int, nodes);
    x->seen = NEWN(s->arena, uint32_t, nodes);
    x->touched_in = NEWN(s->arena, int, buffers);
    x->touched = NEWN(s->arena, int, buffers);
    return x;
}

/* ---- running a set ------------------------------------------------------- */

static void
add_closure(Segments *x, int n)
{
    const uint64_t *set = x->s->ancestors + (size_t)n * x->s->words;

    for (size_t i = 0; i < x->s->words; i++)
        x->set[i] |= set[i] & ~x->s->done[i];
    x->set[n / 64] |= 1ull << n % 64;
}

/* Of a set that has not run; it ends nothing before `last`, or is no segment.
   The caller takes back. */
static Run
run_set(Segments *x, int last)
{
    OrderState *s = x->s;

    for (size_t i = 0; i <= (size_t)last / 64; i++) {
        for (uint64_t left = x->set[i]; left; left &= left - 1) {
            int n = (int)i * 64 + __builtin_ctzll(left);
            int64_t peak = walk_peak(&s->walk, n);

            s->work++;
            if (peak > s->limit)
                return RUN_NOT;
            order_run_one(s, n);
            if (s->walk.live < peak)
                return n == last ? RUN_ENDS : RUN_NOT;
        }
    }
    return RUN_ADDS;
}

/* What reaching node n comes to. */
static Run
reach(Segments *x, int n)
{
    int depth = x->s->depth;
    Run run;

    memset(x->set, 0, x->s->words * 8);
    add_closure(x, n);
    run = run_set(x, n);
    order_back_to(x->s, depth);
    return run;
}

/* ---- what is in reach ---------------------------------------------------- */

static void
push_users(Segments *x, int n)
{
    const OrderState *s = x->s;

    for (uint32_t e = s->of[n]; e < s->of[n + 1]; e++) {
        uint32_t user = s->user[e];

        if (x->seen_in[user] != x->round) {
            x->seen_in[user] = x->round;
            x->seen[user] = 0;
        }
        if (++x->seen[user] == s->missing[user])
            x->queue[x->count++] = (int)user;
    }
}

static void
count_touches(Segments *x, int n)
{
    const OrderProblem *p = x->s->p;

    for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++) {
        uint32_t b = p->touch[t];

        if (x->touched_in[b] != x->round) {
            x->touched_in[b] = x->round;
            x->touched[b] = 0;
        }
        x->touched[b]++;
    }
}

/* Lazy nodes are in reach of all that needs them. */
static void
count_lazy(Segments *x, int n)
{
    const OrderState *s = x->s;

    for (uint32_t e = s->p->need_of[n]; s->late[n] && e < s->p->need_of[n + 1];
         e++) {
        int lazy = (int)s->p->need[e];

        if (!s->lazy[lazy] || order_has_run(s, lazy) ||
            x->visit[lazy] == x->round)
            continue;
        x->visit[lazy] = x->round;
        count_touches(x, lazy);
    }
}

static void
find_reach(Segments *x)
{
    OrderState *s = x->s;

    x->round++;
    x->count = 0;
    for (int n = order_next_ready(s, 0); n < s->p->nodes;
         n = order_next_ready(s, n + 1))
        x->queue[x->count++] = n;
    for (int k = 0; k < x->count; k++) {
        int n = x->queue[k];
        Run run = reach(x, n);

        if (run == RUN_NOT)
            continue;
        x->visit[n] = x->round;
        count_lazy(x, n);
        count_touches(x, n);
        if (run == RUN_ADDS)
            push_users(x, n);
    }
}

/* ---- segments ------------------------------------------------------------ */

/* The last node of the segment that ends a buffer, which becomes the set. */
static int
set_of(Segments *x, uint32_t buffer)
{
    const OrderState *s = x->s;
    int last = -1;

    memset(x->set, 0, s->words * 8);
    for (uint32_t k = s->by_of[buffer]; k < s->by_of[buffer + 1]; k++) {
        int n = (int)s->by[k];

        if (order_has_run(s, n))
            continue;
        add_closure(x, n);
        last = n > last ? n : last;
    }
    return last;
}

static void
try_segment(Segments *x, uint32_t buffer)
{
    int depth = x->s->depth;

    if (run_set(x, set_of(x, buffer)) == RUN_ENDS)
        vec_push(x->s->arena, x->list, (Segment){buffer, x->s->walk.live});
    order_back_to(x->s, depth);
}

static int
by_after(const void *a, const void *b)
{
    const Segment *x = a, *y = b;

    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

const Segment *
segments_find(Segments *x)
{
    const OrderState *s = x->s;
    const OrderProblem *p = s->p;

    vec_clear(x->list);
    find_reach(x);
    for (int k = 0; k < x->count; k++) {
        int n = x->queue[k];

        if (x->visit[n] != x->round)
            continue;
        for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++) {
            uint32_t b = p->touch[t];

            if (x->touched[b] != s->walk.left[b] || p->buffer[b].to_end)
                continue;
            x->touched[b] = -1; /* once */
            try_segment(x, b);
        }
    }
    if (vec_len(x->list))
        qsort(x->list, vec_len(x->list), sizeof *x->list, by_after);
    return x->list;
}

void
segment_run(Segments *x, uint32_t buffer)
{
    (void)run_set(x, set_of(x, buffer));
}

bool
segments_finish(Segments *x)
{
    OrderState *s = x->s;
    int depth = s->depth, last = -1;

    memset(x->set, 0, s->words * 8);
    for (int n = 0; n < s->p->nodes; n++) {
        if (order_has_run(s, n))
            continue;
        x->set[n / 64] |= 1ull << n % 64;
        last = n;
    }
    if (last < 0 || run_set(x, last) != RUN_NOT)
        return true;
    order_back_to(s, depth);
    return false;
}
