/* time_bound: the least that any schedule adds by running again. */
#ifndef SNUG_TIME_BOUND_H
#define SNUG_TIME_BOUND_H

#include "passes/plan/time_moments.h"

typedef struct TimeBound {
    int64_t picoseconds; /* that every schedule adds; 0: nothing is proven */
    const char *witness; /* proves them once the plan is placed, as
                            ir/check_time.h has it */
    const Moments *moments;
    double **keep;       /* moment, item -> the share that is kept at least
                            time; -1: it is not asked. NULL: not known */
    double price;        /* seconds for a byte */
} TimeBound;

TimeBound time_bound(Arena *a, const CourseOf *of, int64_t budget);

#endif
