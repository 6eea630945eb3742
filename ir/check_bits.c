/* check_bits: van Emde Boas' idea with 64 ways. */
#include "ir/check_bits.h"

BitSet
bits_new(Arena *a, size_t bound)
{
    BitSet s;

    for (int i = 0; i < BITS_LEVELS; i++) {
        bound = bound / 64 + 1;
        s.word[i] = NEWN(a, uint64_t, bound);
    }
    return s;
}

void
bits_add(BitSet *s, uint64_t x)
{
    for (int i = 0; i < BITS_LEVELS; i++, x /= 64)
        s->word[i][x / 64] |= UINT64_C(1) << x % 64;
}

void
bits_remove(BitSet *s, uint64_t x)
{
    for (int i = 0; i < BITS_LEVELS; i++, x /= 64) {
        s->word[i][x / 64] &= ~(UINT64_C(1) << x % 64);
        if (s->word[i][x / 64])
            return;
    }
}

int64_t
bits_last(const BitSet *s, uint64_t x)
{
    int i = 0;
    uint64_t below = s->word[0][x / 64] & (UINT64_MAX >> (63 - x % 64));

    while (!below) {
        if (++i == BITS_LEVELS)
            return BITS_NONE;
        x /= 64;
        below = s->word[i][x / 64] & ((UINT64_C(1) << x % 64) - 1);
    }
    x = x / 64 * 64 + 63 - (uint64_t)__builtin_clzll(below);
    while (i-- > 0)
        x = x * 64 + 63 - (uint64_t)__builtin_clzll(s->word[i][x]);
    return (int64_t)x;
}
