/* time_sums: sums that go on from node to node in the same bytes, as the
   gradient of a weight that is made in parts, and what is added to them. At a
   moment when such a node may have run or not, either what it adds is still
   there, or the sum is. */
#ifndef SNUG_TIME_SUMS_H
#define SNUG_TIME_SUMS_H

#include "passes/plan/time_moment.h"

/* What is needed where a sum is read behind a moment: the item, or one of the
   values that the sum comes to. */
typedef struct SumPath {
    int item;
    int *sum;       /* vector of items */
    ValueId *value; /* vector: of each */
} SumPath;

typedef struct Sums Sums;

Sums *sums_find(Arena *a, const CourseOf *of);
/* A vector: all that hold at the moment. */
SumPath *sums_paths(Arena *a, const Sums *s, const Moment *m);

#endif
