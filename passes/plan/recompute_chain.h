/* recompute_chain: dynamic programming over the blocks of an entry. */
#ifndef SNUG_RECOMPUTE_CHAIN_H
#define SNUG_RECOMPUTE_CHAIN_H

#include "passes/plan/course.h"

enum { JOINS_MOST = 4 };

/* How many neighbours to take as one block; -> how many such numbers. */
int chain_joins(Arena *a, const Course *c, int *join);

/* Changes c, a course in which nothing of the blocks runs again, into the
   fastest that the programming finds with a peak of at most `goal`, or into one
   not far above; false: it finds none. */
bool recompute_chain(Arena *a, Course *c, int64_t goal, int join);

#endif
