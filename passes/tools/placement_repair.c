/* placement_repair: what ends above the height is taken out, and steps try to
   bring it in: each takes out a few more, about some address beside one that
   is out, and puts all of them into gaps again, in some order. A step counts
   if what is left out weighs no more than before; what stays out gets heavier,
   so that the same ones are not left out for long. Every few steps everything
   below some address is pressed down and everything above it up: what room
   there is comes together there.

   Taking out and putting back, with gaps that are missed now and then, is the
   way of J. Christiaens and G. Vanden Berghe, "Slack Induction by String
   Removals for Vehicle Routing Problems", 2020, as is the weight of what is
   left out; pressing both ways is the justification of project schedules. */
#include "passes/tools/placement_repair.h"

#include "passes/tools/placement_lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum Gap { GAP_LOWEST, GAP_HIGHEST, GAP_TIGHTEST, GAPS } Gap;

enum {
    LANES = 16,         /* of the time */
    TAKEN_MOST = 20,    /* taken out in a step */
    PRESS_EVERY = 50,   /* steps */
    WORK_OF_NODE = 1024 /* intervals looked at */
};

static const double heavier = 0.01; /* of the mean weight, a step */
static const double missed = 0.02;  /* share of the gaps */

typedef struct Window {
    int lower, upper;
    int64_t from, to;
} Window;

struct Repair {
    Interval *x;
    int count, turn; /* turns begun */
    bool *laid;
    Lanes *lanes;
    double *weight;
    double heavier; /* a step */
    int *out, outs;
    int *taken, takes;
    int64_t *before; /* offsets of what is taken */
    First *first;
    int64_t height, work;
    uint64_t random;
};

/* ---- what does not change ------------------------------------------------ */

Repair *
repair_new(Arena *scratch, Interval *x, int count)
{
    Repair *r = NEW(scratch, Repair);

    *r = (Repair){.x = x, .count = count, .random = 2};
    r->lanes = laid_new(scratch, x, count, LANES);
    r->laid = NEWN(scratch, bool, count + 1);
    r->weight = NEWN(scratch, double, count + 1);
    r->out = NEWN(scratch, int, count + 1);
    r->taken = NEWN(scratch, int, count + 1);
    r->before = NEWN(scratch, int64_t, count + 1);
    r->first = NEWN(scratch, First, count + 1);
    return r;
}

/* ---- lanes --------------------------------------------------------------- */

static double
draw(Repair *r)
{
    return placement_draw(&r->random);
}

static int
draw_below(Repair *r, int n)
{
    return (int)(draw(r) * n);
}

static int
length_of(const Repair *r, int i)
{
    return r->lanes->upper[i] - r->lanes->lower[i];
}

static void
lay(Repair *r, int i, int64_t at)
{
    r->x[i].offset = at;
    r->laid[i] = true;
    laid_put(r->lanes, r->x, i);
}

static void
take(Repair *r, int i)
{
    r->laid[i] = false;
    laid_take(r->lanes, r->x, i);
}

/* For item i, as if it were not laid; -1: none below the height. A share of
   the gaps is missed. */
static int64_t
find_gap(Repair *r, int i, Gap gap, double share)
{
    int lower = r->lanes->lower[i], upper = r->lanes->upper[i];
    const Lane *l = laid_of(r->lanes, lower, upper);
    int64_t size = r->x[i].size, at = 0, found = -1, least = INT64_MAX;

    r->work += l->count;
    for (int k = 0; k <= l->count; k++) {
        const Laid *p = &l->laid[k];
        int64_t room = p->from - at;

        if (p->upper <= lower || upper <= p->lower || p->item == i)
            continue;
        if (room >= size && room < least &&
            (share <= 0 || draw(r) >= share)) {
            if (gap == GAP_LOWEST)
                return at;
            found = gap == GAP_HIGHEST ? p->from - size : at;
            least = gap == GAP_TIGHTEST ? room : least;
        }
        at = p->to > at ? p->to : at;
    }
    return found;
}

/* ---- pressing ------------------------------------------------------------ */

/* What lies on one side of `at`, the nearest to where it goes first: so that
   each can only come nearer. */
static void
press_side(Repair *r, int64_t at, bool up)
{
    int count = 0;

    for (int i = 0; i < r->count; i++) {
        int64_t from = r->x[i].offset, to = from + r->x[i].size;

        if (r->laid[i] && (from + r->x[i].size / 2 >= at) == up)
            r->first[count++] = (First){(double)(up ? to : -from), i};
    }
    qsort(r->first, (size_t)count, sizeof *r->first, first_by_key);
    for (int k = 0; k < count; k++) {
        int i = r->first[k].item;
        int64_t to = find_gap(r, i, up ? GAP_HIGHEST : GAP_LOWEST, 0);

        if (to == r->x[i].offset)
            continue;
        take(r, i);
        lay(r, i, to);
    }
}

/* About an address that lies beyond the ends now and then. */
static void
press(Repair *r)
{
    int64_t at = (int64_t)((1.4 * draw(r) - 0.2) * (double)r->height);
    int kept = 0;

    press_side(r, at, false);
    press_side(r, at, true);
    for (int k = 0; k < r->outs; k++) {
        int64_t to = find_gap(r, r->out[k], GAP_TIGHTEST, 0);

        if (to < 0)
            r->out[kept++] = r->out[k];
        else
            lay(r, r->out[k], to);
    }
    r->outs = kept;
}

/* ---- steps --------------------------------------------------------------- */

/* Around some address, for some of the time of `seed`, often all of it. */
static Window
choose_window(Repair *r, int seed)
{
    int length = length_of(r, seed);
    double at = draw(r) * (double)r->height;
    double half = (double)r->x[seed].size * (0.25 + 1.5 * draw(r));
    Window w = {r->lanes->lower[seed], r->lanes->upper[seed],
                (int64_t)(at - half), (int64_t)(at + half)};

    if (length > 4 && draw(r) < 0.5) {
        w.lower += draw_below(r, length);
        w.upper = w.lower + 1 + draw_below(r, r->lanes->upper[seed] - w.lower);
    }
    return w;
}

/* A few of what lies in the window. */
static void
take_out(Repair *r, Window w)
{
    const Lane *l = laid_of(r->lanes, w.lower, w.upper);
    int most = 1 + draw_below(r, TAKEN_MOST), met = 0;

    r->work += l->count;
    for (int k = 0; k < l->count; k++) {
        const Laid *p = &l->laid[k];

        if (p->upper > w.lower && w.upper > p->lower && p->from < w.to &&
            w.from < p->to)
            r->taken[met++] = p->item;
    }
    if (met > 4 * most) { /* which lie together */
        int k = draw_below(r, met - 4 * most + 1);

        met = 4 * most;
        memmove(r->taken, r->taken + k, (size_t)met * sizeof *r->taken);
    }
    while (met > most) {
        int k = draw_below(r, met);

        r->taken[k] = r->taken[--met];
    }
    for (int k = 0; k < met; k++) {
        r->before[k] = r->x[r->taken[k]].offset;
        take(r, r->taken[k]);
    }
    r->takes = met;
}

static double
measure(Repair *r, int i, int which)
{
    double size = (double)r->x[i].size, length = length_of(r, i);

    switch (which) {
    case 0: return size;
    case 1: return size * length;
    case 2: return length;
    case 3: return size * length * length;
    case 4: return size * r->weight[i];
    default: return draw(r);
    }
}

/* What is out and what was taken, in an order that is shaken every other
   time. */
static int
sort_items(Repair *r)
{
    int which = draw_below(r, 6), count = r->outs + r->takes;
    double shaken = draw(r) < 0.5 ? 0 : 1;

    for (int k = 0; k < count; k++) {
        int i = k < r->outs ? r->out[k] : r->taken[k - r->outs];

        double key = measure(r, i, which);

        r->first[k] = (First){key * (1 + shaken * draw(r)), i};
    }
    qsort(r->first, (size_t)count, sizeof *r->first, first_by_key);
    return count;
}

/* Puts them back, as long as what stays out weighs no more than `most`. */
static bool
put_back(Repair *r, int count, double most)
{
    Gap gap = (Gap)draw_below(r, GAPS);
    double out = 0;

    for (int k = 0; k < count; k++) {
        int i = r->first[k].item;
        int64_t at = find_gap(r, i, gap, missed);

        if (at >= 0)
            lay(r, i, at);
        else
            out += r->weight[i];
        if (out > most)
            return false;
    }
    return true;
}

static void
step(Repair *r)
{
    double weight = 0;
    int count;

    take_out(r, choose_window(r, r->out[draw_below(r, r->outs)]));
    count = sort_items(r);
    for (int k = 0; k < r->outs; k++)
        weight += r->weight[r->out[k]];
    if (put_back(r, count, weight)) {
        r->outs = 0;
        for (int k = 0; k < count; k++)
            if (!r->laid[r->first[k].item])
                r->out[r->outs++] = r->first[k].item;
    } else {
        for (int k = 0; k < count; k++)
            if (r->laid[r->first[k].item])
                take(r, r->first[k].item);
        for (int k = 0; k < r->takes; k++)
            lay(r, r->taken[k], r->before[k]);
    }
    for (int k = 0; k < r->outs; k++)
        r->weight[r->out[k]] += r->heavier;
}

static void
begin(Repair *r)
{
    r->outs = 0;
    laid_clear(r->lanes, r->height);
    for (int i = 0; i < r->count; i++) {
        Interval *y = &r->x[i];

        r->laid[i] = false;
        if (y->size == 0) /* lies anywhere */
            y->offset = 0;
        else if (y->offset + y->size <= r->height)
            lay(r, i, y->offset);
        else
            r->out[r->outs++] = i;
    }
}

/* They are all one every other time, and otherwise grow with what is lost when
   it is out. */
static void
begin_weights(Repair *r)
{
    r->heavier = 0;
    for (int i = 0; i < r->count; i++) {
        double area = (double)r->x[i].size * length_of(r, i);

        r->weight[i] = r->turn % 2 ? 1 : sqrt(area);
        r->heavier += r->weight[i] * heavier / r->count;
    }
}

FitAnswer
repair_below(Repair *r, int64_t height, int64_t *nodes)
{
    r->height = height;
    r->work = 0;
    begin(r);
    begin_weights(r);
    r->turn++;
    for (int k = 1; r->outs && r->work / WORK_OF_NODE < *nodes; k++) {
        step(r);
        if (r->outs && k % PRESS_EVERY == 0)
            press(r);
    }
    *nodes -= r->work / WORK_OF_NODE;
    return r->outs ? FIT_OUT : FIT_FOUND;
}
