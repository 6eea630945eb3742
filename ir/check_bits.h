/* check_bits: a set of numbers below a bound that knows predecessors; level
   i + 1 has a bit for each word of level i that is not zero. */
#ifndef SNUG_CHECK_BITS_H
#define SNUG_CHECK_BITS_H

#include <stdint.h>

#include "ir/base/arena.h"

enum { BITS_LEVELS = 6, BITS_NONE = -1 };

typedef struct BitSet {
    uint64_t *word[BITS_LEVELS];
} BitSet;

BitSet bits_new(Arena *a, size_t bound);
void bits_add(BitSet *s, uint64_t x);
void bits_remove(BitSet *s, uint64_t x);
/* The largest member that is at most x, or BITS_NONE. */
int64_t bits_last(const BitSet *s, uint64_t x);

#endif
