/* philox: Philox4x32-10, a random number that is a pure function of a key and
   a counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
   SC 2011). */
#ifndef SNUG_PHILOX_H
#define SNUG_PHILOX_H

#include <stdint.h>

typedef struct Philox {
    uint32_t word[4];
} Philox;

static inline void
philox_round(uint32_t c[4], uint32_t key0, uint32_t key1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ key0, (uint32_t)p1,
                        (uint32_t)(p0 >> 32) ^ c[3] ^ key1, (uint32_t)p0};

    for (int i = 0; i < 4; i++)
        c[i] = next[i];
}

static inline Philox
philox(uint64_t key, uint64_t counter_low, uint64_t counter_high)
{
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    Philox p = {{(uint32_t)counter_low, (uint32_t)(counter_low >> 32),
                 (uint32_t)counter_high, (uint32_t)(counter_high >> 32)}};

    for (int i = 0; i < 10; i++) {
        philox_round(p.word, key0, key1);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return p;
}

/* Element `index` of the stream `key`: uniform in [0, 1), a multiple of
   2^-24, so that f32 holds it exactly. */
static inline double
philox_uniform(uint64_t key, uint64_t index)
{
    uint32_t word = philox(key, index / 4, 0).word[index % 4];

    return (double)(word >> 8) * 0x1p-24;
}

#endif
