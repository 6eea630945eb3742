/* time_bound: the least that any schedule adds by running again. */
#ifndef SNUG_TIME_BOUND_H
#define SNUG_TIME_BOUND_H

#include "passes/plan/course.h"

typedef struct TimeBound {
    int64_t picoseconds; /* that every schedule adds; 0: nothing is proven */
    const char *witness; /* proves them once the plan is placed, as
                            ir/check_time.h has it */
    int run;             /* it looks at the moment when this runs first */
    double *keep;        /* item -> the share that is kept then at least time;
                            -1: it is not asked */
    double price;        /* seconds for a byte */
} TimeBound;

/* Bounds of an entry, found when they are first asked for. */
typedef struct TimeBounds {
    Arena *arena;
    const CourseOf *of;
    int64_t budget;
    bool asked;
    TimeBound *list;
} TimeBounds;

/* At several moments; a vector, the largest first. Empty where nothing can be
   proven, or there is no solver. */
const TimeBound *time_bounds(TimeBounds *b);

#endif
