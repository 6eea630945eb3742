/* draw: the same pseudo-random numbers on every machine. */
#ifndef SNUG_TESTS_DRAW_H
#define SNUG_TESTS_DRAW_H

#include <stdint.h>

/* From 0 to n - 1. */
static inline int
draw_below(uint64_t *state, int n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int)((*state >> 33) % (uint64_t)n);
}

#endif
