/* recompute_exact: the fastest course of a small entry, by search over what is
   alive and what has run. */
#ifndef SNUG_RECOMPUTE_EXACT_H
#define SNUG_RECOMPUTE_EXACT_H

#include "passes/plan/course.h"

typedef enum Exact {
    EXACT_FOUND, /* c is the fastest within the goal */
    EXACT_NONE,  /* there is none, at one version of a value at a time */
    EXACT_OPEN   /* too large, or too many states */
} Exact;

Exact recompute_exact(Arena *a, Course *c, int64_t goal);

#endif
