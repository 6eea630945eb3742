/* placement_rounds: twelve greedy placements take turns: four measures of what
   goes first, and three ways to choose a gap. Each remembers weights: those
   that ended above the goal are drawn up a little, at random. */
#include "passes/tools/placement_rounds.h"

#include <stdlib.h>
#include <string.h>

#include "passes/tools/placement_search.h"

typedef enum Gap {
    GAP_LOWEST,
    GAP_SHORT_ON_TOP, /* the highest for what lives shortly */
    GAP_TIGHTEST,
    GAPS
} Gap;

enum { MEASURES = 4, WAYS = MEASURES * GAPS, SHARES = 4 };

/* Of the time: what lives shorter than that lives shortly. */
static const double short_share[SHARES] = {0.01, 0.03, 0.1, 0.3};

typedef struct Placed {
    int64_t from, to; /* addresses */
    int64_t lower, upper;
} Placed;

struct Rounds {
    Interval *x;
    int count, round;
    int64_t goal, span, work;
    uint64_t random;
    double *weight; /* way, item */
    First *first;
    Placed *placed;
};

Rounds *
rounds_new(Arena *scratch, Interval *x, int count, int64_t goal)
{
    Rounds *r = NEW(scratch, Rounds);

    *r = (Rounds){.x = x, .count = count, .goal = goal, .random = 1};
    r->weight = NEWN(scratch, double, WAYS * (size_t)count + 1);
    r->first = NEWN(scratch, First, count + 1);
    r->placed = NEWN(scratch, Placed, count + 1);
    for (int i = 0; i < WAYS * count; i++)
        r->weight[i] = 1;
    for (int i = 0; i < count; i++)
        r->span = x[i].upper > r->span ? x[i].upper : r->span;
    return r;
}

static double
measure(const Interval *x, int which)
{
    double size = (double)x->size, length = (double)(x->upper - x->lower);

    switch (which) {
    case 0: return size;
    case 1: return size * length;
    case 2: return length;
    default: return size * length * length;
    }
}

static void
sort_items(Rounds *r, int way)
{
    const double *weight = r->weight + (size_t)way * (size_t)r->count;

    for (int i = 0; i < r->count; i++)
        r->first[i] =
            (First){measure(&r->x[i], way / GAPS) * weight[i], i};
    qsort(r->first, (size_t)r->count, sizeof *r->first, first_by_key);
}

/* Between those of `count` placed ones that x meets in time, which lie by
   rising address. */
static int64_t
find_gap(Rounds *r, const Interval *x, int count, Gap gap)
{
    int64_t at = 0, found = -1, room = INT64_MAX;

    r->work += count;
    for (int k = 0; k < count; k++) {
        const Placed *p = &r->placed[k];

        if (p->upper <= x->lower || x->upper <= p->lower)
            continue;
        if (p->from - at >= x->size && gap == GAP_LOWEST)
            return at;
        if (p->from - at >= x->size && gap == GAP_SHORT_ON_TOP)
            found = p->from - x->size;
        if (p->from - at >= x->size && gap == GAP_TIGHTEST &&
            p->from - at < room) {
            found = at;
            room = p->from - at;
        }
        at = p->to > at ? p->to : at;
    }
    if (gap == GAP_SHORT_ON_TOP && r->goal - at >= x->size)
        return r->goal - x->size;
    return found < 0 ? at : found;
}

static int64_t
place_all(Rounds *r, Gap gap)
{
    double share = short_share[r->round / WAYS % SHARES];
    int64_t height = 0, brief = (int64_t)(share * (double)r->span);

    for (int i = 0; i < r->count; i++) {
        Interval *x = &r->x[r->first[i].item];
        bool lasts = x->upper - x->lower >= brief;
        int k = i;

        x->offset = find_gap(
            r, x, i, gap == GAP_SHORT_ON_TOP && lasts ? GAP_LOWEST : gap);
        while (k > 0 && r->placed[k - 1].from > x->offset)
            k--;
        memmove(r->placed + k + 1, r->placed + k,
                (size_t)(i - k) * sizeof *r->placed);
        r->placed[k] = (Placed){x->offset, x->offset + x->size, x->lower,
                                x->upper};
        if (x->offset + x->size > height)
            height = x->offset + x->size;
    }
    return height;
}

int64_t
rounds_next(Rounds *r)
{
    int way = r->round % WAYS;
    double *weight = r->weight + (size_t)way * (size_t)r->count;
    int64_t height;

    sort_items(r, way);
    height = place_all(r, (Gap)(way % GAPS));
    for (int i = 0; i < r->count; i++)
        if (r->x[i].offset + r->x[i].size > r->goal)
            weight[i] *= 1.05 + 0.5 * placement_draw(&r->random);
    r->round++;
    return height;
}

int
rounds_done(const Rounds *r)
{
    return r->round;
}

int64_t
rounds_work(const Rounds *r)
{
    return r->work;
}
