/* recompute_spare: the greedy descent, a slice of the bytes above the stores at
   a time, until the next slice would take too long. */
#include "passes/plan/recompute_spare.h"

#include "passes/plan/recompute_greedy.h"

enum { SLICES = 64 };

bool
recompute_spare(Arena *a, Course *c, double share)
{
    Search s = search_new(a, c->of);
    int64_t peak, slice;
    double most;
    bool lower = false;

    search_begin(&s, c);
    peak = s.profile->peak;
    slice = (peak - c->of->stores) / SLICES;
    most = s.profile->seconds * (1 + share);
    for (int k = 1; k < SLICES; k++) {
        search_descend(&s, peak - k * slice, 1);
        if (s.profile->peak > s.goal || s.profile->seconds > most)
            break;
        course_copy(c, s.now);
        lower = true;
    }
    search_free(&s);
    return lower;
}
