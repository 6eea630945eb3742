/* placement_lanes: sorted rows, one for all of the time and one for each part
   of it; what lives in several parts stands in each. */
#include "passes/tools/placement_lanes.h"

#include <stdlib.h>
#include <string.h>

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int
number_of(const int64_t *time, int times, int64_t x)
{
    const int64_t *found =
        bsearch(&x, time, (size_t)times, sizeof *time, by_value);

    return (int)(found - time);
}

static void
number_times(Lanes *l, Arena *scratch, const Interval *x, int count)
{
    int64_t *time = NEWN(scratch, int64_t, 2 * count + 1);
    int kept = 0;

    for (int i = 0; i < count; i++) {
        time[2 * i] = x[i].lower;
        time[2 * i + 1] = x[i].upper;
    }
    qsort(time, (size_t)(2 * count), sizeof *time, by_value);
    for (int k = 0; k < 2 * count; k++)
        if (kept == 0 || time[k] != time[kept - 1])
            time[kept++] = time[k];
    l->width = kept / l->lanes + 1;
    for (int i = 0; i < count; i++) {
        l->lower[i] = number_of(time, kept, x[i].lower);
        l->upper[i] = number_of(time, kept, x[i].upper);
    }
}

/* As many in each lane as ever live in it, and the end. */
static void
make_lanes(Lanes *l, Arena *scratch, int count)
{
    int *most = NEWN(scratch, int, l->lanes);

    for (int i = 0; i < count; i++)
        for (int k = l->lower[i] / l->width;
             k <= (l->upper[i] - 1) / l->width; k++)
            most[k]++;
    for (int k = 0; k < l->lanes; k++)
        l->lane[k].laid = NEWN(scratch, Laid, most[k] + 1);
    l->all.laid = NEWN(scratch, Laid, count + 1);
}

Lanes *
laid_new(Arena *scratch, const Interval *x, int count, int lanes)
{
    Lanes *l = NEW(scratch, Lanes);

    l->lanes = lanes;
    l->lower = NEWN(scratch, int, count + 1);
    l->upper = NEWN(scratch, int, count + 1);
    l->lane = NEWN(scratch, Lane, lanes);
    number_times(l, scratch, x, count);
    make_lanes(l, scratch, count);
    return l;
}

void
laid_clear(Lanes *l, int64_t end)
{
    Laid last = {end, end, 0, l->width * l->lanes, -1};

    l->all.count = 0;
    l->all.laid[0] = last;
    for (int k = 0; k < l->lanes; k++) {
        l->lane[k].count = 0;
        l->lane[k].laid[0] = last;
    }
}

static int
first_from(const Lane *l, int64_t from)
{
    int a = 0, b = l->count;

    while (a < b) {
        int half = (a + b) / 2;

        if (l->laid[half].from < from)
            a = half + 1;
        else
            b = half;
    }
    return a;
}

static void
lane_add(Lane *l, Laid y)
{
    int k = first_from(l, y.from);

    memmove(l->laid + k + 1, l->laid + k,
            (size_t)(l->count + 1 - k) * sizeof y);
    l->laid[k] = y;
    l->count++;
}

static void
lane_drop(Lane *l, int64_t from, int item)
{
    int k = first_from(l, from);

    while (l->laid[k].item != item)
        k++;
    memmove(l->laid + k, l->laid + k + 1,
            (size_t)(l->count - k) * sizeof *l->laid);
    l->count--;
}

void
laid_put(Lanes *l, const Interval *x, int i)
{
    Laid y = {x[i].offset, x[i].offset + x[i].size, l->lower[i], l->upper[i],
              i};

    lane_add(&l->all, y);
    for (int k = y.lower / l->width; k <= (y.upper - 1) / l->width; k++)
        lane_add(&l->lane[k], y);
}

void
laid_take(Lanes *l, const Interval *x, int i)
{
    lane_drop(&l->all, x[i].offset, i);
    for (int k = l->lower[i] / l->width; k <= (l->upper[i] - 1) / l->width; k++)
        lane_drop(&l->lane[k], x[i].offset, i);
}
