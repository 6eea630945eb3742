/* place_test: placements of random intervals against brute force, and what
   holds of every placement. */
#include "passes/tools/placement.h"

#include <criterion/criterion.h>
#include <string.h>

static uint64_t random_state;

static int64_t
below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((random_state >> 33) % (uint64_t)n);
}

static bool
meet(const Interval *x, const Interval *y)
{
    return x->lower < y->upper && y->lower < x->upper;
}

static void
expect_valid(const Interval *x, int count, const Placement *p)
{
    for (int i = 0; i < count; i++) {
        cr_assert(x[i].offset >= 0);
        cr_assert(x[i].offset + x[i].size <= p->height);
        for (int j = 0; j < i; j++)
            cr_assert(!meet(&x[i], &x[j]) || x[i].size == 0 || x[j].size == 0 ||
                          x[i].offset + x[i].size <= x[j].offset ||
                          x[j].offset + x[j].size <= x[i].offset,
                      "%d and %d overlap", i, j);
    }
    cr_assert(p->height >= p->bound);
}

/* The least height by trying every order, each at the lowest place: the order
   of the offsets of a least placement gives one as low. */
static int64_t
least(Interval *x, int count, int done, int64_t height)
{
    int64_t best = INT64_MAX;

    if (done == count)
        return height;
    for (int i = done; i < count; i++) {
        Interval chosen = x[i];
        int64_t top, h;

        x[i] = x[done];
        x[done] = chosen;
        x[done].offset = 0;
        for (int j = 0; j < done; j++) {
            if (meet(&x[done], &x[j]) &&
                x[done].offset < x[j].offset + x[j].size &&
                x[j].offset < x[done].offset + x[done].size) {
                x[done].offset = x[j].offset + x[j].size;
                j = -1;
            }
        }
        top = x[done].offset + x[done].size;
        h = least(x, count, done + 1, top > height ? top : height);
        best = h < best ? h : best;
        chosen = x[done];
        x[done] = x[i];
        x[i] = chosen;
    }
    return best;
}

static void
make_random(Interval *x, int count, int64_t times, int64_t lifes, int64_t sizes)
{
    for (int i = 0; i < count; i++) {
        int64_t lower = below(times);

        x[i] = (Interval){lower, lower + 1 + below(lifes), below(sizes), -1};
    }
}

Test(place, tiny_ones_equal_brute_force)
{
    random_state = 1;
    for (int round = 0; round < 6000; round++) {
        Interval x[6], y[6];
        int count = 1 + (int)below(6);
        Arena *a = arena_new();
        Placement p;

        make_random(x, count, 6, 4, 6);
        memcpy(y, x, sizeof y);
        p = placement_solve(a, x, count, 0, 100000);
        expect_valid(x, count, &p);
        cr_assert(p.proven);
        cr_assert_eq(p.height, least(y, count, 0, 0), "round %d", round);
        arena_free(a);
    }
}

/* Cut at random from a full rectangle: the bound can be met. */
static int
cut_rectangle(Interval *x, int most, int64_t times, int64_t height)
{
    int count = 1;

    x[0] = (Interval){0, times, height, 0};
    while (count < most) {
        Interval *p = &x[below(count)];

        x[count] = *p;
        if (below(2) && p->upper - p->lower > 1) {
            int64_t at = p->lower + 1 + below(p->upper - p->lower - 1);

            p->upper = x[count++].lower = at;
        } else if (p->size > 1) {
            int64_t kept = 1 + below(p->size - 1);

            x[count++].size = p->size - kept;
            p->size = kept;
        }
    }
    return count;
}

Test(place, perfect_packings_are_found)
{
    random_state = 2;
    for (int round = 0; round < 40; round++) {
        Interval x[40];
        int count = cut_rectangle(x, 10 + round % 31, 50, 1000);
        Arena *a = arena_new();
        Placement p = placement_solve(a, x, count, 0, 1000000);

        expect_valid(x, count, &p);
        cr_assert_eq(p.height, 1000, "round %d: %ld", round, (long)p.height);
        cr_assert(p.proven);
        arena_free(a);
    }
}

Test(place, large_ones_are_valid)
{
    random_state = 3;
    for (int round = 0; round < 6; round++) {
        int count = 400 << round % 3;
        Arena *a = arena_new();
        Interval *x = NEWN(a, Interval, count);
        Placement p;

        make_random(x, count, count, 1 << (2 + round), 100000);
        p = placement_solve(a, x, count, 0, 20000);
        expect_valid(x, count, &p);
        cr_assert(p.nodes <= 21000);
        arena_free(a);
    }
}

Test(place, a_hundred_thousand_are_placed_without_search)
{
    enum { COUNT = 100000 };
    Arena *a = arena_new();
    Interval *x = NEWN(a, Interval, COUNT);
    Placement p;

    random_state = 4;
    make_random(x, COUNT, COUNT, 60, 1000);
    p = placement_solve(a, x, COUNT, 0, 1000000);
    cr_assert_eq(p.nodes, 0);
    cr_assert(p.height < 2 * p.bound);
    arena_free(a);
}

Test(place, stops_at_the_capacity)
{
    Interval x[60];
    Arena *a = arena_new();
    int64_t at;
    Placement p;

    random_state = 5;
    make_random(x, 60, 30, 20, 1000);
    p = placement_solve(a, x, 60, 4 * placement_bound(a, x, 60, &at), 1000000);
    expect_valid(x, 60, &p);
    cr_assert_eq(p.nodes, 0);
    arena_free(a);
}

Test(place, no_nodes_no_search)
{
    Interval x[60];
    Arena *a = arena_new();
    Placement p;

    random_state = 6;
    make_random(x, 60, 30, 20, 1000);
    p = placement_solve(a, x, 60, 0, 0);
    expect_valid(x, 60, &p);
    cr_assert_eq(p.nodes, 0);
    cr_assert(p.proven == (p.height == p.bound));
    arena_free(a);
}

Test(place, same_input_same_offsets)
{
    Interval x[200], y[200];
    Arena *a = arena_new();

    random_state = 7;
    make_random(x, 200, 100, 30, 1000);
    memcpy(y, x, sizeof y);
    placement_solve(a, x, 200, 0, 30000);
    placement_solve(a, y, 200, 0, 30000);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(x[i].offset, y[i].offset);
    arena_free(a);
}

Test(place, nothing_takes_nothing)
{
    Interval x[2] = {{0, 5, 0, 0}, {2, 9, 0, 0}};
    Arena *a = arena_new();
    Placement p = placement_solve(a, x, 0, 0, 1000);

    cr_assert_eq(p.height, 0);
    cr_assert(p.proven);
    p = placement_solve(a, x, 2, 0, 1000);
    cr_assert_eq(p.height, 0);
    arena_free(a);
}
