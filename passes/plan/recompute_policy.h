/* recompute_policy: what runs again by a fixed rule, as methods by name have
   it, whatever the budget. */
#ifndef SNUG_RECOMPUTE_POLICY_H
#define SNUG_RECOMPUTE_POLICY_H

#include "passes/plan/course.h"

typedef enum Policy {
    POLICY_NONE,      /* nothing */
    POLICY_ALL,       /* each block is made again from what comes into it */
    POLICY_SQRT,      /* of n blocks, each stretch of sqrt(n) is */
    POLICY_RECURSIVE, /* one half, then the other, halved in turn */
    POLICY_LIST,      /* of each block, all but products */
    POLICY_STEPS      /* each step of an unrolled loop from what it is handed */
} Policy;

/* Changes c, a course in which nothing runs again; false: there is no room. */
bool recompute_policy(Arena *a, Course *c, Policy policy);

#endif
