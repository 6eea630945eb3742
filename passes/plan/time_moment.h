/* time_moment: a moment at which a bound on time looks at an entry: the first
   run of a node, or of the last of several; see ir/check_time.h. */
#ifndef SNUG_TIME_MOMENT_H
#define SNUG_TIME_MOMENT_H

#include "passes/plan/course.h"

typedef struct Moment {
    const CourseOf *of;
    int run;
    const int *twin; /* vector: the last of these to run is `run`; or NULL */
    bool *before;  /* run: it runs before, in any order */
    bool *behind;  /* run: it runs behind, in any order */
    bool *needed;  /* item: it is there before and read behind */
    int64_t left;  /* bytes for what is kept */
    int64_t least; /* bytes that are not worth counting */
    struct SumPath *sum; /* vector: see time_sums.h */
    double guess;  /* seconds that it might prove */
} Moment;

/* A vector of at most `most`: where the budget seems to press hardest; the
   hardest first. Empty where it presses nowhere. */
Moment *moments_choose(Arena *a, const CourseOf *of, int64_t budget,
                       size_t most);

/* Cases, one for each of several runs that may be the last of them: a vector of
   at most `most` vectors, the hardest first. */
Moment **moments_last(Arena *a, const CourseOf *of, int64_t budget,
                      size_t most);

/* Does the node read item u, so that it is there? */
bool moment_reads(const Moment *m, int u);
/* Has u been made by then? */
bool moment_made(const Moment *m, int u);

#endif
