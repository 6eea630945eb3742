/* order_test: orders of random small graphs against the least peak of all
   orders, and what holds of every answer. */
#include "ir/base/vec.h"
#include "passes/tools/order.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/draw.h"

enum { MOST = 12 };

static uint64_t random_state;

static int
below(int n)
{
    return draw_below(&random_state, n);
}

/* A random problem: every buffer is touched by a few nodes; some come first of
   others. `local`: buffers and needs reach no further than that. */
static OrderProblem
make_random(Arena *a, int nodes, int buffers, int needs, int local)
{
    OrderBuffer *buffer = NEWN(a, OrderBuffer, buffers + 1);
    bool *touched = NEWN(a, bool, nodes *buffers + 1);
    uint32_t *need_of = NEWN(a, uint32_t, nodes + 2), *need = NULL;
    uint32_t *touch_of = NEWN(a, uint32_t, nodes + 2), *touch = NULL;

    for (int b = 0; b < buffers; b++) {
        int from = below(nodes), many = 1 + below(4);

        buffer[b] = (OrderBuffer){.bytes = 64 * below(20),
                                  .from_start = below(10) == 0,
                                  .to_end = below(10) == 0};
        for (int i = 0; i < many; i++)
            touched[b * nodes + (from + below(local)) % nodes] = true;
    }
    for (int n = 0; n < nodes; n++) {
        need_of[n] = (uint32_t)vec_len(need);
        touch_of[n] = (uint32_t)vec_len(touch);
        for (int e = below(needs + 1); n > 0 && e > 0; e--) {
            int reach = n < local ? n : local;
            bool known = false;
            uint32_t on = (uint32_t)(n - 1 - below(reach));

            for (size_t i = need_of[n]; i < vec_len(need); i++)
                known = known || need[i] == on;
            if (!known)
                vec_push(a, need, on);
        }
        for (int b = 0; b < buffers; b++) {
            if (touched[b * nodes + n]) {
                buffer[b].touches++;
                vec_push(a, touch, (uint32_t)b);
            }
        }
    }
    need_of[nodes] = (uint32_t)vec_len(need);
    touch_of[nodes] = (uint32_t)vec_len(touch);
    return (OrderProblem){.nodes = nodes,
                          .buffers = buffers,
                          .buffer = buffer,
                          .need_of = need_of,
                          .need = need,
                          .touch_of = touch_of,
                          .touch = touch};
}

static bool
touches(const OrderProblem *p, int n, int b)
{
    for (uint32_t t = p->touch_of[n]; t < p->touch_of[n + 1]; t++)
        if (p->touch[t] == (uint32_t)b)
            return true;
    return false;
}

/* The bytes alive while node n runs behind the set `done`. */
static int64_t
alive(const OrderProblem *p, const uint32_t *toucher, uint32_t done, int n)
{
    uint32_t now = 1u << n;
    int64_t bytes = 0;

    for (int b = 0; b < p->buffers; b++) {
        bool begun = p->buffer[b].from_start || (toucher[b] & (done | now));
        bool wanted = p->buffer[b].to_end || (toucher[b] & ~done);

        if (begun && wanted)
            bytes += p->buffer[b].bytes;
    }
    return bytes;
}

/* The least peak of all orders, set by set. */
static int64_t
least(const OrderProblem *p)
{
    static int64_t best[1 << MOST];
    uint32_t toucher[64] = {0}, needs[MOST] = {0};

    for (int n = 0; n < p->nodes; n++) {
        for (int b = 0; b < p->buffers; b++)
            toucher[b] |= (uint32_t)touches(p, n, b) << n;
        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++)
            needs[n] |= 1u << p->need[e];
    }
    best[0] = 0;
    for (int b = 0; b < p->buffers; b++)
        best[0] += p->buffer[b].from_start ? p->buffer[b].bytes : 0;
    for (uint32_t done = 1; done < 1u << p->nodes; done++)
        best[done] = INT64_MAX;
    for (uint32_t done = 0; done + 1 < 1u << p->nodes; done++) {
        for (int n = 0; n < p->nodes && best[done] < INT64_MAX; n++) {
            uint32_t next = done | 1u << n;
            int64_t peak;

            if (next == done || (needs[n] & ~done))
                continue;
            peak = alive(p, toucher, done, n);
            peak = peak > best[done] ? peak : best[done];
            best[next] = peak < best[next] ? peak : best[next];
        }
    }
    return best[(1u << p->nodes) - 1];
}

static void
expect_order(Arena *a, const OrderProblem *p, const Order *o)
{
    int *position = NEWN(a, int, p->nodes + 1);

    for (int k = 0; k < p->nodes; k++) {
        cr_assert(o->node[k] >= 0 && o->node[k] < p->nodes);
        cr_assert_eq(position[o->node[k]], 0, "a node runs twice");
        position[o->node[k]] = k + 1;
    }
    for (int n = 0; n < p->nodes; n++)
        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++)
            cr_assert(position[p->need[e]] < position[n]);
    cr_assert_eq(o->peak, order_peak(a, p, o->node));
    cr_assert(o->bound <= o->peak);
    cr_assert((o->proof != ORDER_HEURISTIC) == (o->bound == o->peak));
}

Test(order, small_ones_equal_brute_force)
{
    random_state = 1;
    for (int round = 0; round < 6000; round++) {
        Arena *a = arena_new();
        int nodes = 1 + below(round % 20 == 0 ? MOST : 9);
        OrderProblem p = make_random(a, nodes, 1 + below(2 * nodes), below(4),
                                     1 + below(nodes));
        Order o = order_solve(a, &p, 100000);

        expect_order(a, &p, &o);
        cr_assert(o.proof != ORDER_HEURISTIC);
        cr_assert_eq(o.peak, least(&p), "round %d", round);
        arena_free(a);
    }
}

Test(order, few_states_give_a_true_bound)
{
    random_state = 2;
    for (int round = 0; round < 3000; round++) {
        Arena *a = arena_new();
        int nodes = 6 + below(MOST - 5);
        OrderProblem p = make_random(a, nodes, 2 * nodes, 1, nodes);
        Order o = order_solve(a, &p, 1 + below(30));
        int64_t best = least(&p);

        expect_order(a, &p, &o);
        cr_assert(o.bound <= best && best <= o.peak, "round %d", round);
        arena_free(a);
    }
}

Test(order, never_worse_than_as_written)
{
    random_state = 3;
    for (int round = 0; round < 60; round++) {
        Arena *a = arena_new();
        OrderProblem p = make_random(a, 150, 200, 3, 20);
        int *written = NEWN(a, int, 150);
        Order o;

        for (int n = 0; n < 150; n++)
            written[n] = n;
        o = order_solve(a, &p, 500);
        expect_order(a, &p, &o);
        cr_assert(o.peak <= order_peak(a, &p, written));
        arena_free(a);
    }
}

Test(order, no_states_keep_the_order)
{
    random_state = 4;
    for (int round = 0; round < 100; round++) {
        Arena *a = arena_new();
        OrderProblem p = make_random(a, 30, 40, 2, 30);
        Order o = order_solve(a, &p, 0);

        expect_order(a, &p, &o);
        for (int n = 0; n < 30; n++)
            cr_assert_eq(o.node[n], n);
        arena_free(a);
    }
}

Test(order, same_problem_same_order)
{
    Arena *a = arena_new();
    OrderProblem p;
    Order x, y;

    random_state = 5;
    p = make_random(a, 100, 150, 2, 30);
    x = order_solve(a, &p, 2000);
    y = order_solve(a, &p, 2000);
    cr_assert_arr_eq(x.node, y.node, 100 * sizeof *x.node);
    cr_assert_eq(x.bound, y.bound);
    arena_free(a);
}

/* A hundred thousand nodes in a row of rings, far too many to search. */
Test(order, large_ones_end, .timeout = 60)
{
    enum { NODES = 100000 };
    Arena *a = arena_new();
    OrderBuffer *buffer = NEWN(a, OrderBuffer, NODES);
    uint32_t *need_of = NEWN(a, uint32_t, NODES + 1);
    uint32_t *need = NEWN(a, uint32_t, NODES);
    uint32_t *touch_of = NEWN(a, uint32_t, NODES + 1);
    uint32_t *touch = NEWN(a, uint32_t, 2 * NODES), edges = 0, uses = 0;
    OrderProblem p;
    Order o;

    random_state = 6;
    for (int n = 0; n < NODES; n++) {
        need_of[n] = edges;
        touch_of[n] = uses;
        buffer[n] = (OrderBuffer){.bytes = 64 * (1 + below(50)), .touches = 1};
        touch[uses++] = (uint32_t)n;
        if (n > 0) {
            uint32_t on = (uint32_t)(n - 1 - below(n < 30 ? n : 30));

            need[edges++] = on;
            touch[uses++] = on;
            buffer[on].touches++;
        }
    }
    need_of[NODES] = edges;
    touch_of[NODES] = uses;
    p = (OrderProblem){.nodes = NODES,
                       .buffers = NODES,
                       .buffer = buffer,
                       .need_of = need_of,
                       .need = need,
                       .touch_of = touch_of,
                       .touch = touch};
    o = order_solve(a, &p, 200000);
    expect_order(a, &p, &o);
    arena_free(a);
}
