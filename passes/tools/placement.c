/* placement: greedy placements in a few orders; the lowest is kept. */
#include "passes/tools/placement.h"

#include <stdlib.h>
#include <string.h>

typedef struct Event {
    int64_t time, change;
} Event;

static int
by_time(const void *a, const void *b)
{
    const Event *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->change > y->change) - (x->change < y->change); /* ends first */
}

int64_t
placement_bound(Arena *scratch, const Interval *x, int count, int64_t *at)
{
    Event *e = NEWN(scratch, Event, 2 * count + 1);
    int64_t alive = 0, most = 0;

    for (int i = 0; i < count; i++) {
        e[2 * i] = (Event){x[i].lower, x[i].size};
        e[2 * i + 1] = (Event){x[i].upper, -x[i].size};
    }
    qsort(e, (size_t)(2 * count), sizeof *e, by_time);
    for (int i = 0; i < 2 * count; i++) {
        alive += e[i].change;
        if (alive > most) {
            most = alive;
            *at = e[i].time;
        }
    }
    return most;
}

typedef int Order(const void *, const void *);

static int
by_size(const void *a, const void *b)
{
    const Interval *x = *(Interval *const *)a, *y = *(Interval *const *)b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x > y) - (x < y);
}

static int
by_area(const void *a, const void *b)
{
    const Interval *x = *(Interval *const *)a, *y = *(Interval *const *)b;
    double p = (double)x->size * (double)(x->upper - x->lower);
    double q = (double)y->size * (double)(y->upper - y->lower);

    if (p != q)
        return p > q ? -1 : 1;
    return (x > y) - (x < y);
}

static int
by_length(const void *a, const void *b)
{
    const Interval *x = *(Interval *const *)a, *y = *(Interval *const *)b;
    int64_t p = x->upper - x->lower, q = y->upper - y->lower;

    if (p != q)
        return p > q ? -1 : 1;
    return (x > y) - (x < y);
}

static int
by_offset(const void *a, const void *b)
{
    const Interval *x = *(Interval *const *)a, *y = *(Interval *const *)b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest gap for x between the placed ones that it meets in time. */
static int64_t
lowest_gap(const Interval *x, Interval **placed, int count)
{
    int64_t at = 0;

    for (int i = 0; i < count; i++) {
        const Interval *p = placed[i];

        if (p->upper <= x->lower || x->upper <= p->lower)
            continue;
        if (p->offset - at >= x->size)
            return at;
        if (p->offset + p->size > at)
            at = p->offset + p->size;
    }
    return at;
}

static int64_t
place_in_order(Interval **order, Interval **placed, int count)
{
    int64_t height = 0;

    for (int i = 0; i < count; i++) {
        int k = i;

        order[i]->offset = lowest_gap(order[i], placed, i);
        while (k > 0 && by_offset(&placed[k - 1], &order[i]) > 0) {
            placed[k] = placed[k - 1];
            k--;
        }
        placed[k] = order[i];
        if (order[i]->offset + order[i]->size > height)
            height = order[i]->offset + order[i]->size;
    }
    return height;
}

Placement
placement_solve(Arena *scratch, Interval *x, int count, int64_t capacity,
                int64_t nodes)
{
    static Order *const orders[] = {by_size, by_area, by_length};
    Interval **order = NEWN(scratch, Interval *, count + 1);
    Interval **placed = NEWN(scratch, Interval *, count + 1);
    int64_t *best = NEWN(scratch, int64_t, count + 1), at = 0;
    Placement p = {.height = INT64_MAX};

    (void)nodes;
    p.bound = placement_bound(scratch, x, count, &at);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        int64_t height;

        for (int i = 0; i < count; i++)
            order[i] = &x[i];
        qsort(order, (size_t)count, sizeof *order, orders[o]);
        height = place_in_order(order, placed, count);
        if (height < p.height) {
            p.height = height;
            for (int i = 0; i < count; i++)
                best[i] = x[i].offset;
        }
        if (p.height <= (capacity > p.bound ? capacity : p.bound))
            break;
    }
    for (int i = 0; i < count; i++)
        x[i].offset = best[i];
    if (count == 0)
        p.height = 0;
    p.proven = p.height == p.bound;
    return p;
}
