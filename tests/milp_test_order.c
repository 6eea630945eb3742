/* milp_test_order: the order of a few nodes as an integer program.

   done[n,t] is 1 if node n runs at step t or before.

     done[n,t] <= done[n,t+1]                       it stays done
     sum over n of done[n,t] = t + 1                one node a step
     done[n,t] <= done[m,t-1]                       m comes before n
     live[b,t] >= done[n,t] - done[m,t-1]           n and m touch b: begun,
                                                    and not ended
     sum over b of bytes(b) * live[b,t] <= peak     at each step
     minimise peak

   done[n,t] is 0 before the earliest step of n and 1 from its latest on. No
   big constants; bytes in units of their greatest common divisor. */
#include "tests/milp_test_order.h"

#include "ir/base/str.h"
#include "ir/base/vec.h"
#include "passes/tools/order_search.h"

#include <math.h>
#include <stdlib.h>

typedef struct Model {
    Arena *arena;
    const OrderProblem *p;
    Milp *m;
    int done[ORDER_MILP_MOST][ORDER_MILP_MOST]; /* columns */
    int peak;
    int64_t unit;
} Model;

static const char *
name_of(Arena *a, const char *what, int i, int t)
{
    Text text = text_new(a);

    text_add(&text, "%s_%d_%d", what, i, t);
    return text_str(&text);
}

/* Sets of the nodes before each node, and of those behind it. */
static void
find_sets(const OrderProblem *p, uint32_t *before, uint32_t *behind)
{
    for (int n = 0; n < p->nodes; n++)
        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++)
            before[n] |= before[p->need[e]] | 1u << p->need[e];
    for (int n = 0; n < p->nodes; n++)
        for (int m = 0; m < n; m++)
            if (before[n] >> m & 1)
                behind[m] |= 1u << n;
}

static void
add_done(Model *o)
{
    uint32_t before[ORDER_MILP_MOST] = {0}, behind[ORDER_MILP_MOST] = {0};
    int nodes = o->p->nodes;

    find_sets(o->p, before, behind);
    for (int n = 0; n < nodes; n++) {
        int first = __builtin_popcount(before[n]);
        int last = nodes - 1 - __builtin_popcount(behind[n]);

        for (int t = 0; t < nodes; t++)
            o->done[n][t] = milp_column(o->m, name_of(o->arena, "done", n, t),
                                        t >= last, t >= first, 0, true);
    }
}

/* low <= x - y; y < 0: no such column. */
static void
add_difference(Model *o, const char *name, double low, int x, int y)
{
    int row = milp_row(o->m, name, low, (double)INFINITY);

    milp_entry(o->m, row, x, 1);
    if (y >= 0)
        milp_entry(o->m, row, y, -1);
}

static void
add_steps(Model *o)
{
    int nodes = o->p->nodes;

    for (int t = 0; t < nodes; t++) {
        int row = milp_row(o->m, name_of(o->arena, "step", 0, t), t + 1, t + 1);

        for (int n = 0; n < nodes; n++)
            milp_entry(o->m, row, o->done[n][t], 1);
    }
    for (int n = 0; n < nodes; n++) {
        for (int t = 0; t + 1 < nodes; t++)
            add_difference(o, name_of(o->arena, "stay", n, t), 0,
                           o->done[n][t + 1], o->done[n][t]);
        for (uint32_t e = o->p->need_of[n]; e < o->p->need_of[n + 1]; e++)
            for (int t = 1; t < nodes; t++)
                add_difference(o, name_of(o->arena, "need", n, t), 0,
                               o->done[o->p->need[e]][t - 1], o->done[n][t]);
    }
}

/* live >= done[n,t] - done[m,t-1]; n < 0: begun from the start; m < 0: never
   ended. */
static void
add_live(Model *o, int live, int n, int m, int t)
{
    bool ended = m >= 0 && t > 0;
    int row = milp_row(o->m, name_of(o->arena, "live", live, t), n < 0,
                       (double)INFINITY);

    milp_entry(o->m, row, live, 1);
    if (n >= 0)
        milp_entry(o->m, row, o->done[n][t], -1);
    if (ended)
        milp_entry(o->m, row, o->done[m][t - 1], 1);
}

/* Whether buffer b is alive at step t, for its touchers. */
static int
add_buffer(Model *o, int b, int t, const int *toucher)
{
    const OrderBuffer *x = &o->p->buffer[b];
    int live =
        milp_column(o->m, name_of(o->arena, "alive", b, t), 0, 1, 0, false);

    for (int i = x->from_start ? -1 : 0; i < (x->from_start ? 0 : x->touches);
         i++)
        for (int j = x->to_end ? -1 : 0; j < (x->to_end ? 0 : x->touches); j++)
            add_live(o, live, i < 0 ? -1 : toucher[i], j < 0 ? -1 : toucher[j],
                     t);
    return live;
}

static int *
touchers_of(const Model *o, int b)
{
    int *toucher = NEWN(o->arena, int, o->p->buffer[b].touches + 1), count = 0;

    for (int n = 0; n < o->p->nodes; n++)
        for (uint32_t t = o->p->touch_of[n]; t < o->p->touch_of[n + 1]; t++)
            if (o->p->touch[t] == (uint32_t)b)
                toucher[count++] = n;
    return toucher;
}

static void
add_memory(Model *o, const Order *best)
{
    const OrderProblem *p = o->p;

    o->peak = milp_column(o->m, "peak", (double)(best->bound / o->unit),
                          (double)(best->peak / o->unit), 1, false);
    for (int t = 0; t < p->nodes; t++) {
        int row = milp_row(o->m, name_of(o->arena, "memory", 0, t), 0,
                           (double)INFINITY);

        milp_entry(o->m, row, o->peak, 1);
        for (int b = 0; b < p->buffers; b++)
            if (p->buffer[b].bytes)
                milp_entry(o->m, row, add_buffer(o, b, t, touchers_of(o, b)),
                           -(double)(p->buffer[b].bytes / o->unit));
    }
}

/* The order that the answer tells, if it is one and lower. */
static void
take_order(Model *o, const double *x, Order *best)
{
    const OrderProblem *p = o->p;
    int *node = NEWN(o->arena, int, p->nodes + 1);
    uint32_t run = 0;
    int64_t peak;

    for (int t = 0; t < p->nodes; t++) {
        node[t] = -1;
        for (int n = 0; n < p->nodes; n++)
            if (x[o->done[n][t]] > 0.5 && !(run >> n & 1))
                node[t] = n;
        if (node[t] < 0)
            return;
        run |= 1u << node[t];
        for (uint32_t e = p->need_of[node[t]]; e < p->need_of[node[t] + 1]; e++)
            if (!(run >> p->need[e] & 1))
                return;
    }
    peak = order_peak(o->arena, p, node);
    if (peak >= best->peak)
        return;
    best->peak = peak;
    for (int t = 0; t < p->nodes; t++)
        best->node[t] = node[t];
}

MilpStatus
order_by_milp(Arena *scratch, const OrderProblem *p, const MilpLimits *limits,
              Order *best)
{
    Model o = {.arena = scratch, .p = p, .m = milp_new(scratch)};
    MilpAnswer a;

    if (p->nodes < 1 || p->nodes > ORDER_MILP_MOST)
        return MILP_NONE;
    o.unit = order_unit(p);
    add_done(&o);
    add_steps(&o);
    add_memory(&o, best);
    a = milp_solve(o.m, limits);
    if (a.x)
        take_order(&o, a.x, best);
    return a.status;
}
