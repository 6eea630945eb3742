/* time_moments: the moments at which a bound on time looks at an entry: first
   runs of nodes, each behind the one before; see ir/check_time.h. */
#ifndef SNUG_TIME_MOMENTS_H
#define SNUG_TIME_MOMENTS_H

#include "passes/plan/course.h"

typedef struct Moments {
    const CourseOf *of;
    int count;
    int64_t least;      /* bytes that are not worth counting */
    int *run;           /* moment -> */
    bool **before;      /* moment, run: it runs before, in any order */
    bool **behind;
    bool **need, **late;/* moment, item: read first in its stage; later */
    int64_t *left;      /* bytes for what is kept */
} Moments;

/* At most `most` moments, at which the budget presses hardest; none: it
   presses nowhere. */
Moments *moments_choose(Arena *a, const CourseOf *of, int64_t budget,
                        int most);

/* Does the node of moment j read item u, so that it is there? */
bool moment_reads(const Moments *m, int j, int u);
/* Has u been made by then? */
bool moment_made(const Moments *m, int j, int u);

#endif
