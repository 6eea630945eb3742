/* placement: greedy placements in a few orders first, and in rounds that learn
   (placement_rounds); then "does it fit below X?" is asked at the bound, and
   between it and the best found: of a repair of the best (placement_repair),
   and of the exact search. Deciding is far easier than descending. */
#include "passes/tools/placement.h"

#include "passes/tools/placement_repair.h"
#include "passes/tools/placement_rounds.h"
#include "passes/tools/placement_search.h"

#include <stdlib.h>
#include <string.h>

enum {
    GREEDY_MOST = 20000,     /* intervals placed in more than one order */
    SEARCH_MOST = 10000,     /* intervals searched */
    SEARCH_PAIRS = 16000000, /* pairs of them alive at once */
    ROUNDS_FIRST = 48,       /* before repairs */
    ROUNDS_LEAST = 240,
    ROUND_NODES = 64, /* search nodes that a round stands for */
    ROUNDS_MOST = 1200,
    ROUND_WORK = 4096,     /* intervals a round looks at, for a search node */
    ROUND_SHARE = 250000,  /* nodes that rounds stand for, at the most */
    REPAIR_LEAST = 512,    /* intervals; fewer are soon searched */
    REPAIR_FIRST = 100000, /* nodes of the first turn */
    REPAIR_SHARE = 8,      /* one of so many of the nodes, twice, */
    REPAIR_MOST = 500000,  /* at the most, */
    REPAIR_LAST = 100000,  /* and the second time */
    SEARCH_SHARE = 500000  /* of that many intervals, all questions */
};

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

static int
by_birth(const void *a, const void *b)
{
    const Interval *x = *(Interval *const *)a, *y = *(Interval *const *)b;

    if (x->lower != y->lower)
        return x->lower < y->lower ? -1 : 1;
    return by_size(a, b);
}

/* In the order of birth only what is alive now is in the way. */
static int64_t
place_by_birth(Interval **order, Interval **alive, int count)
{
    int64_t height = 0;
    int living = 0;

    qsort(order, (size_t)count, sizeof *order, by_birth);
    for (int i = 0; i < count; i++) {
        Interval *x = order[i];
        int kept = 0, k;

        for (int j = 0; j < living; j++)
            if (alive[j]->upper > x->lower)
                alive[kept++] = alive[j];
        x->offset = lowest_gap(x, alive, kept);
        for (k = kept; k > 0 && alive[k - 1]->offset > x->offset; k--)
            alive[k] = alive[k - 1];
        alive[k] = x;
        living = kept + 1;
        if (x->offset + x->size > height)
            height = x->offset + x->size;
    }
    return height;
}

/* ---- the best placement so far ----------------------------------------- */

typedef struct Best {
    Interval *x;
    int count;
    int64_t *offset;
    int64_t height;
} Best;

static void
keep_lower(Best *b, int64_t height)
{
    if (height >= b->height)
        return;
    b->height = height;
    for (int i = 0; i < b->count; i++)
        b->offset[i] = b->x[i].offset;
}

static void
try_greedy(Arena *scratch, Best *b, int64_t goal)
{
    static Order *const orders[] = {by_size, by_area, by_length};
    Interval **order = NEWN(scratch, Interval *, b->count + 1);
    Interval **placed = NEWN(scratch, Interval *, b->count + 1);

    for (int i = 0; i < b->count; i++)
        order[i] = &b->x[i];
    keep_lower(b, place_by_birth(order, placed, b->count));
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        if (b->height <= goal || b->count > GREEDY_MOST)
            return;
        qsort(order, (size_t)b->count, sizeof *order, orders[o]);
        keep_lower(b, place_in_order(order, placed, b->count));
    }
}

static int64_t
smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* Up to `last` rounds in all. */
static void
try_rounds(Rounds *r, Best *b, int64_t goal, int64_t nodes, int last)
{
    int64_t most = smaller(nodes, ROUND_SHARE) * ROUND_WORK;
    int64_t least = smaller(nodes / ROUND_NODES, ROUNDS_LEAST);

    while (b->height > goal && rounds_done(r) < last &&
           (rounds_done(r) < least || rounds_work(r) < most))
        keep_lower(b, rounds_next(r));
}

/* ---- the search --------------------------------------------------------- */

/* How many pairs are alive at once. */
static int64_t
pairs(Arena *scratch, const Interval *x, int count)
{
    Event *e = NEWN(scratch, Event, 2 * count + 1);
    int64_t alive = 0, met = 0;

    for (int i = 0; i < count; i++) {
        e[2 * i] = (Event){x[i].lower, 1};
        e[2 * i + 1] = (Event){x[i].upper, -1};
    }
    qsort(e, (size_t)(2 * count), sizeof *e, by_time);
    for (int i = 0; i < 2 * count; i++) {
        met += e[i].change > 0 ? alive : 0;
        alive += e[i].change;
    }
    return met;
}

/* Every height is a multiple of it. */
static int64_t
unit_of(const Interval *x, int count)
{
    int64_t unit = 0;

    for (int i = 0; i < count; i++)
        for (int64_t y = x[i].size, t; y != 0; y = t) {
            t = unit % y;
            unit = y;
        }
    return unit ? unit : 1;
}

static int64_t
height_of(const Interval *x, int count)
{
    int64_t height = 0;

    for (int i = 0; i < count; i++)
        if (x[i].offset + x[i].size > height)
            height = x[i].offset + x[i].size;
    return height;
}

/* Asks at the goal first, then half-way between the greatest height that is
   not met and the best. Returns what no placement is below. */
static int64_t
search(Arena *scratch, Best *b, int64_t goal, int64_t bound, int64_t *nodes)
{
    int64_t unit = unit_of(b->x, b->count), asked = goal;
    int64_t open = bound - unit; /* not met, as far as is known */
    FitSearch *s = fit_new(scratch, b->x, b->count);
    int64_t most = b->count < REPAIR_LEAST ? *nodes : SEARCH_SHARE;
    int64_t end = *nodes - smaller(*nodes, most);

    while (b->height > goal && b->height - open > unit && *nodes > end) {
        int64_t given = smaller((*nodes + 1) / 2, *nodes - end), left = given;
        FitAnswer answer = fit_below(s, b->x, asked, &left);

        *nodes -= given - (left > 0 ? left : 0);
        if (answer == FIT_FOUND)
            keep_lower(b, height_of(b->x, b->count));
        else
            open = asked / unit * unit;
        if (answer == FIT_NONE)
            bound = open + unit;
        asked = open + (b->height - open) / unit / 2 * unit;
    }
    return bound;
}

/* ---- repairs ------------------------------------------------------------ */

/* Spends at most `most` of the nodes. */
static void
ask_repair(Repair *r, Best *b, int64_t height, int64_t most, int64_t *nodes)
{
    int64_t given = smaller(most, *nodes), left = given;

    for (int i = 0; i < b->count; i++)
        b->x[i].offset = b->offset[i];
    if (repair_below(r, height, &left) == FIT_FOUND)
        keep_lower(b, height_of(b->x, b->count));
    *nodes -= given - left;
}

/* At the goal, then half-way to it, in turns that grow: a lower placement is a
   better one to begin with. */
static void
try_repair(Repair *r, Best *b, int64_t goal, int64_t most, int64_t *nodes)
{
    int64_t share = smaller(*nodes / REPAIR_SHARE, most), left = share;
    int64_t turn = REPAIR_FIRST;

    while (b->height > goal && left > 0) {
        ask_repair(r, b, goal, turn, &left);
        if (b->height > goal)
            ask_repair(r, b, goal + (b->height - goal) / 2, turn, &left);
        turn *= 2;
    }
    *nodes -= share - left;
}

/* Rounds, repairs and the search, until the goal is met. Returns what no
   placement is below. */
static int64_t
improve(Arena *scratch, Best *b, int64_t goal, int64_t bound, int64_t *nodes)
{
    Rounds *rounds = rounds_new(scratch, b->x, b->count, goal);

    if (b->count >= REPAIR_LEAST) {
        Repair *repair = repair_new(scratch, b->x, b->count);

        try_rounds(rounds, b, goal, *nodes, ROUNDS_FIRST);
        try_repair(repair, b, goal, REPAIR_MOST, nodes);
        try_rounds(rounds, b, goal, *nodes, ROUNDS_MOST);
        try_repair(repair, b, goal, REPAIR_LAST, nodes);
    } else {
        try_rounds(rounds, b, goal, *nodes, ROUNDS_MOST);
    }
    if (b->height <= goal || pairs(scratch, b->x, b->count) > SEARCH_PAIRS)
        return bound;
    return search(scratch, b, goal, bound, nodes);
}

Placement
placement_solve(Arena *scratch, Interval *x, int count, int64_t capacity,
                int64_t nodes)
{
    Best b = {x, count, NEWN(scratch, int64_t, count + 1), INT64_MAX};
    Placement p = {0};
    int64_t at = 0, goal, least, left = nodes;

    p.bound = least = placement_bound(scratch, x, count, &at);
    capacity -= capacity % unit_of(x, count); /* nothing ends in between */
    goal = capacity > p.bound ? capacity : p.bound;
    try_greedy(scratch, &b, goal);
    if (b.height > goal && nodes > 0 && count <= SEARCH_MOST)
        least = improve(scratch, &b, goal, p.bound, &left);
    for (int i = 0; i < count; i++)
        x[i].offset = b.offset[i];
    p.height = b.height;
    p.nodes = nodes - left;
    p.proven = p.height <= least;
    return p;
}
