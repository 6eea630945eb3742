/* milp_test: the solver behind its pipe: answers, limits, and helpers that die,
   hang or lie. */
#include "ir/base/vec.h"
#include "tests/milp_test_order.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char real_helper[] = TEST_BINARY_DIR "/snug-milp";
static const MilpLimits limits = {.helper = real_helper};

/* A program for /bin/sh that stands in for the helper. */
static const char *
false_helper(Arena *a, const char *script)
{
    char *path = NEWN(a, char, 64);
    FILE *f;
    int fd;

    strcpy(path, "/tmp/snug_milp_test.XXXXXX");
    fd = mkstemp(path);
    cr_assert(fd >= 0);
    f = fdopen(fd, "w");
    fprintf(f, "#!/bin/sh\n%s\n", script);
    fclose(f);
    chmod(path, 0700);
    return path;
}

static MilpAnswer
ask_false(Arena *a, Milp *m, const char *script)
{
    MilpLimits l = {.helper = false_helper(a, script), .seconds = 0.2};
    MilpAnswer answer = milp_solve(m, &l);

    unlink(l.helper);
    return answer;
}

/* Most of value under a weight, as a least of costs. */
static Milp *
knapsack(Arena *a, int count)
{
    Milp *m = milp_new(a);
    int row = milp_row(m, "weight", -(double)INFINITY, 17.0 * count);

    for (int i = 0; i < count; i++)
        milp_entry(m, row,
                   milp_column(m, "take", 0, 1, -(30 + i * 37 % 23), true),
                   31 + i * 29 % 41);
    return m;
}

Test(milp, finds_the_least)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", 0, 10, -3, true);
    int y = milp_column(m, "y", 0, (double)INFINITY, -2, false);
    int row = milp_row(m, "both", -(double)INFINITY, 7.5);
    MilpAnswer answer;

    milp_entry(m, row, x, 2);
    milp_entry(m, row, y, 1);
    row = milp_row(m, "more", 0.5, (double)INFINITY);
    milp_entry(m, row, y, 1);
    milp_entry(m, row, x, -0.5);
    answer = milp_solve(m, &limits);
    cr_assert_eq(answer.status, MILP_OPTIMAL, "%s", answer.why);
    cr_assert_float_eq(answer.cost, -15, 1e-6, "%g", answer.cost);
    cr_assert_eq(answer.x[x], rint(answer.x[x]));
    cr_assert(answer.bound <= answer.cost + 1e-6);
    arena_free(a);
}

Test(milp, equals_enumeration)
{
    uint64_t random = 1;

    for (int round = 0; round < 60; round++) {
        Arena *a = arena_new();
        Milp *m = milp_new(a);
        double weight[3][6], cost[6], most[3], best = INFINITY;
        MilpAnswer answer;

        for (int j = 0; j < 6; j++) {
            random = random * 6364136223846793005u + 1;
            cost[j] = (double)(random >> 59) - 20;
            milp_column(m, "x", 0, 1, cost[j], true);
        }
        for (int i = 0; i < 3; i++) {
            int row;

            most[i] = 10 + i * 7;
            row = milp_row(m, "row", -(double)INFINITY, most[i]);
            for (int j = 0; j < 6; j++) {
                random = random * 6364136223846793005u + 1;
                weight[i][j] = (double)(random >> 60);
                milp_entry(m, row, j, weight[i][j]);
            }
        }
        for (int set = 0; set < 64; set++) {
            double sum = 0, load[3] = {0};

            for (int j = 0; j < 6; j++) {
                sum += set >> j & 1 ? cost[j] : 0;
                for (int i = 0; i < 3; i++)
                    load[i] += set >> j & 1 ? weight[i][j] : 0;
            }
            if (load[0] <= most[0] && load[1] <= most[1] &&
                load[2] <= most[2] && sum < best)
                best = sum;
        }
        answer = milp_solve(m, &limits);
        cr_assert_eq(answer.status, MILP_OPTIMAL, "%s", answer.why);
        cr_assert_float_eq(answer.cost, best, 1e-6);
        arena_free(a);
    }
}

Test(milp, infeasible)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", 0, 1, 1, true);

    milp_entry(m, milp_row(m, "low", 2, (double)INFINITY), x, 1);
    cr_assert_eq(milp_solve(m, &limits).status, MILP_INFEASIBLE);
    arena_free(a);
}

Test(milp, infeasible_only_in_integers)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", 0, 9, 1, true);

    milp_entry(m, milp_row(m, "odd", 7, 7), x, 2);
    cr_assert_eq(milp_solve(m, &limits).status, MILP_INFEASIBLE);
    arena_free(a);
}

Test(milp, unbounded)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", -(double)INFINITY, (double)INFINITY, 1, false);
    int y = milp_column(m, "y", 0, 1, 1, true);
    int row = milp_row(m, "row", -(double)INFINITY, 3);

    milp_entry(m, row, x, 1);
    milp_entry(m, row, y, 1);
    cr_assert_eq(milp_solve(m, &limits).status, MILP_UNBOUNDED);
    arena_free(a);
}

Test(milp, what_is_no_number_is_not_sent)
{
    double bad[] = {NAN, INFINITY, -INFINITY};

    for (int i = 0; i < 3; i++) {
        Arena *a = arena_new();
        Milp *m = milp_new(a);
        int x = milp_column(m, "x", 0, 1, 1, true);
        MilpAnswer answer;

        milp_entry(m, milp_row(m, "poisoned", 0, 1), x, bad[i]);
        answer = ask_false(a, m, "echo optimal 0 0; echo 0");
        cr_assert_eq(answer.status, MILP_NONE);
        cr_assert(strstr(answer.why, "poisoned"), "%s", answer.why);
        m = milp_new(a);
        milp_column(m, "x", 0, 1, bad[i], true);
        cr_assert_eq(milp_solve(m, &limits).status, MILP_NONE);
        m = milp_new(a);
        milp_column(m, "x", 1, 0, 0, true);
        cr_assert_eq(milp_solve(m, &limits).status, MILP_NONE);
        arena_free(a);
    }
}

Test(milp, a_dead_helper_is_no_answer)
{
    static const char *const scripts[] = {"kill -9 $$",
                                          "exit 0",
                                          "exit 3",
                                          "cat >/dev/null; kill -11 $$",
                                          "echo optimal 0 0; exit 1",
                                          "echo nonsense",
                                          "echo optimal nan 0",
                                          "cat",
                                          "head -c 300 /dev/zero"};

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        Arena *a = arena_new();
        MilpAnswer answer = ask_false(a, knapsack(a, 200), scripts[i]);

        cr_assert_eq(answer.status, MILP_NONE, "%s", scripts[i]);
        cr_assert(answer.why && !answer.x);
        arena_free(a);
    }
}

Test(milp, no_helper_is_no_answer)
{
    Arena *a = arena_new();
    MilpLimits l = {.helper = "/nowhere/snug-milp"};

    cr_assert_eq(milp_solve(knapsack(a, 5), &l).status, MILP_NONE);
    arena_free(a);
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Test(milp, a_helper_that_hangs_is_ended)
{
    Arena *a = arena_new();
    double begin = now();
    MilpAnswer answer = ask_false(a, knapsack(a, 5), "exec sleep 100");

    cr_assert_eq(answer.status, MILP_NONE);
    cr_assert(now() - begin < 20);
    cr_assert(waitpid(-1, NULL, WNOHANG) < 0, "it is still there");
    arena_free(a);
}

Test(milp, a_lie_is_found)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", 0, 9, 1, true);
    MilpAnswer answer;

    milp_entry(m, milp_row(m, "atleast", 3, (double)INFINITY), x, 1);
    answer = ask_false(a, m, "cat >/dev/null; echo optimal 2 2; echo 2");
    cr_assert_eq(answer.status, MILP_NONE);
    cr_assert(strstr(answer.why, "breaks row atleast"), "%s", answer.why);
    answer = ask_false(a, m, "cat >/dev/null; echo optimal 3 3; echo 3.5");
    cr_assert(strstr(answer.why, "not whole"), "%s", answer.why);
    answer = ask_false(a, m, "cat >/dev/null; echo optimal 3 3; echo 10");
    cr_assert(strstr(answer.why, "out of range"), "%s", answer.why);
    answer = ask_false(a, m, "cat >/dev/null; echo optimal 3 7; echo 3");
    cr_assert(strstr(answer.why, "own bound"), "%s", answer.why);
    answer = ask_false(a, m, "cat >/dev/null; echo optimal 99 3; echo 3");
    cr_assert_eq(answer.status, MILP_OPTIMAL);
    cr_assert_eq(answer.cost, 3);
    arena_free(a);
}

/* Too hard to end in time: equal weights, half of an odd load. */
static Milp *
hopeless(Arena *a)
{
    Milp *m = milp_new(a);
    int row = milp_row(m, "half", 101, 101);

    for (int i = 0; i < 101; i++)
        milp_entry(m, row, milp_column(m, "x", 0, 1, i % 7, true), 2);
    return m;
}

Test(milp, limits_end_the_search)
{
    Arena *a = arena_new();
    MilpLimits time = {.helper = real_helper, .seconds = 0.3};
    MilpLimits nodes = {.helper = real_helper, .nodes = 50};
    double begin = now();
    MilpStatus status = milp_solve(hopeless(a), &time).status;

    cr_assert(status == MILP_NONE || status == MILP_INFEASIBLE);
    cr_assert(now() - begin < 20);
    status = milp_solve(hopeless(a), &nodes).status;
    cr_assert(status == MILP_NONE || status == MILP_INFEASIBLE);
    arena_free(a);
}

Test(milp, memory_is_limited)
{
    Arena *a = arena_new();
    MilpLimits l = {.helper = real_helper, .bytes = 1 << 20};
    MilpAnswer answer = milp_solve(knapsack(a, 20), &l);

    cr_assert_eq(answer.status, MILP_NONE);
    arena_free(a);
}

Test(milp, a_known_solution_is_used)
{
    Arena *a = arena_new();
    Milp *m = knapsack(a, 40);
    MilpLimits l = {.helper = real_helper, .nodes = 1};
    double *x = NEWN(a, double, 40), cost = 0;
    MilpAnswer answer;

    for (int i = 0; i < 12; i++) {
        x[i] = 1;
        cost -= 30 + i * 37 % 23;
    }
    milp_start(m, x);
    answer = milp_solve(m, &l);
    cr_assert(answer.x, "%s", answer.why);
    cr_assert(answer.cost <= cost);
    x[3] = NAN;
    cr_assert_eq(milp_solve(m, &l).status, MILP_NONE);
    arena_free(a);
}

/* ---- orders -------------------------------------------------------------- */

/* A chain of `nodes` with skips: node n reads what n - 1 and n / 2 made. */
static OrderProblem
small_graph(Arena *a, int nodes, uint64_t seed)
{
    OrderBuffer *buffer = NEWN(a, OrderBuffer, nodes);
    uint32_t *need_of = NEWN(a, uint32_t, nodes + 1), *need = NULL;
    uint32_t *touch_of = NEWN(a, uint32_t, nodes + 1), *touch = NULL;

    for (int n = 0; n < nodes; n++) {
        need_of[n] = (uint32_t)vec_len(need);
        touch_of[n] = (uint32_t)vec_len(touch);
        vec_push(a, touch, (uint32_t)n);
        buffer[n].touches++;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        buffer[n].bytes = 64 * (1 + (int64_t)(seed >> 60));
        buffer[n].to_end = n == nodes - 1;
        for (int k = 0; k < 2 && n > 0; k++) {
            int on = (int)((seed >> (20 + 13 * k)) % (uint64_t)n);

            if (k && need[vec_len(need) - 1] == (uint32_t)on)
                continue;
            vec_push(a, need, (uint32_t)on);
            vec_push(a, touch, (uint32_t)on);
            buffer[on].touches++;
        }
    }
    need_of[nodes] = (uint32_t)vec_len(need);
    touch_of[nodes] = (uint32_t)vec_len(touch);
    return (OrderProblem){.nodes = nodes,
                          .buffers = nodes,
                          .buffer = buffer,
                          .need_of = need_of,
                          .need = need,
                          .touch_of = touch_of,
                          .touch = touch};
}

Test(milp, orders_equal_the_search)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        Arena *a = arena_new();
        OrderProblem p = small_graph(a, 8 + (int)seed % 4, seed);
        Order searched = order_solve(a, &p, 100000);
        Order given = order_solve(a, &p, 0);

        cr_assert_eq(order_by_milp(a, &p, &limits, &given), MILP_OPTIMAL);
        cr_assert_eq(given.peak, searched.peak, "seed %d", (int)seed);
        cr_assert_eq(given.peak, order_peak(a, &p, given.node));
        arena_free(a);
    }
}

Test(milp, tells_what_rows_cost)
{
    Arena *a = arena_new();
    Milp *m = milp_new(a);
    int x = milp_column(m, "x", 0, (double)INFINITY, -3, false);
    int y = milp_column(m, "y", 0, (double)INFINITY, -2, false);
    int both = milp_row(m, "both", -(double)INFINITY, 4);
    int loose = milp_row(m, "loose", -(double)INFINITY, 100);
    MilpAnswer answer;

    milp_entry(m, both, x, 1);
    milp_entry(m, both, y, 1);
    milp_entry(m, loose, y, 1);
    answer = milp_solve(m, &limits);
    cr_assert_eq(answer.status, MILP_OPTIMAL, "%s", answer.why);
    cr_assert_float_eq(answer.cost, -12, 1e-9);
    cr_assert_float_eq(answer.price[both], -3, 1e-9);
    cr_assert_float_eq(answer.price[loose], 0, 1e-9);
    arena_free(a);
}
