/* placement_rounds: twelve greedy placements take turns: four measures of what
   goes first, and three ways to choose a gap. Each remembers weights: those
   that ended above the goal are drawn up a little, at random. */
#include "passes/tools/placement_rounds.h"

#include "passes/tools/placement_lanes.h"
#include "passes/tools/placement_search.h"

#include <stdlib.h>

typedef enum Gap {
    GAP_LOWEST,
    GAP_SHORT_ON_TOP, /* the highest for what lives shortly */
    GAP_TIGHTEST,
    GAPS
} Gap;

enum { LANES = 64, MEASURES = 4, WAYS = MEASURES * GAPS, SHARES = 4 };

/* Of the time: what lives shorter than that lives shortly. */
static const double short_share[SHARES] = {0.01, 0.03, 0.1, 0.3};

struct Rounds {
    Interval *x;
    int count, round;
    int64_t goal, span, work;
    uint64_t random;
    double *weight; /* way, item */
    First *first;
    Lanes *lanes;
};

Rounds *
rounds_new(Arena *scratch, Interval *x, int count, int64_t goal)
{
    Rounds *r = NEW(scratch, Rounds);

    *r = (Rounds){.x = x, .count = count, .goal = goal, .random = 1};
    r->weight = NEWN(scratch, double, WAYS * (size_t)count + 1);
    r->first = NEWN(scratch, First, count + 1);
    r->lanes = laid_new(scratch, x, count, LANES);
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

/* For item i, between those that are laid and meet it in time. */
static int64_t
find_gap(Rounds *r, int i, Gap gap)
{
    int lower = r->lanes->lower[i], upper = r->lanes->upper[i];
    const Lane *l = laid_of(r->lanes, lower, upper);
    int64_t size = r->x[i].size, at = 0, found = -1, least = INT64_MAX;

    r->work += r->lanes->all.count;
    for (int k = 0; k < l->count; k++) {
        const Laid *p = &l->laid[k];
        int64_t room = p->from - at;

        if (p->upper <= lower || upper <= p->lower)
            continue;
        if (room >= size && room < least) {
            if (gap == GAP_LOWEST)
                return at;
            found = gap == GAP_SHORT_ON_TOP ? p->from - size : at;
            least = gap == GAP_TIGHTEST ? room : least;
        }
        at = p->to > at ? p->to : at;
    }
    if (gap == GAP_SHORT_ON_TOP && r->goal - at >= size)
        return r->goal - size;
    return found < 0 ? at : found;
}

static int64_t
place_all(Rounds *r, Gap gap)
{
    double share = short_share[r->round / WAYS % SHARES];
    int64_t height = 0, brief = (int64_t)(share * (double)r->span);

    laid_clear(r->lanes, r->goal);
    for (int k = 0; k < r->count; k++) {
        int i = r->first[k].item;
        Interval *x = &r->x[i];
        bool lasts = x->upper - x->lower >= brief;

        x->offset = find_gap(
            r, i, gap == GAP_SHORT_ON_TOP && lasts ? GAP_LOWEST : gap);
        laid_put(r->lanes, r->x, i);
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
