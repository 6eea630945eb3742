/* recompute_spare: the greedy descent, a slice of the bytes above the stores at
   a time, until the next slice would take too long; below that, what the search
   for a budget finds, by halving. */
#include "passes/plan/recompute_spare.h"

#include "passes/plan/recompute_greedy.h"
#include "passes/plan/recompute_search.h"

enum { SLICES = 64, HALVINGS = 4 };

/* Lowers c to `goal`, if that takes no more than `most`. */
static bool
lower_to(Arena *a, Course *c, const Course *whole, int64_t goal, double most)
{
    Course *trial = course_new(a, c->of);

    course_copy(trial, whole);
    if (!recompute_fit(a, trial, goal, NULL, EFFORT_QUICK) ||
        course_seconds(a, trial) > most)
        return false;
    course_copy(c, trial);
    return true;
}

/* -> the slices that the greedy descent takes off. */
static int
descend(Arena *a, Course *c, int64_t slice, double most)
{
    Search s = search_new(a, c->of);
    int64_t peak;
    int slices = 0;

    search_begin(&s, c);
    peak = s.profile->peak;
    for (int k = 1; k < SLICES; k++) {
        search_descend(&s, peak - k * slice, 1);
        if (s.profile->peak > s.goal || s.profile->seconds > most)
            break;
        course_copy(c, s.now);
        slices = k;
    }
    search_free(&s);
    return slices;
}

bool
recompute_spare(Arena *a, Course *c, double share)
{
    Course *whole = course_new(a, c->of);
    int64_t peak = course_peak(a, c), slice = (peak - c->of->stores) / SLICES;
    double most = course_seconds(a, c) * (1 + share);
    int low, high;

    course_copy(whole, c);
    low = descend(a, c, slice, most);
    high = low + (1 << HALVINGS);
    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (middle < SLICES &&
            lower_to(a, c, whole, peak - middle * slice, most))
            low = middle;
        else
            high = middle;
    }
    return low > 0;
}
