/* time_last: runs of which any may be the last, as those of parts. */
#ifndef SNUG_TIME_LAST_H
#define SNUG_TIME_LAST_H

#include "passes/plan/course.h"

/* A vector of vectors of runs that are alike and do not hang on each other;
   `needs` is what each hangs on. */
int **twins_find(Arena *a, const CourseOf *of, int *const *needs);

#endif
