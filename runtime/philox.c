/* philox: ten rounds of two 32x32 -> 64 bit products; bounded draws by
   multiplication with rejection (Lemire 2019), so no residue is favoured. */
#include "runtime/philox.h"

#define MULTIPLIER_0 0xd2511f53u
#define MULTIPLIER_1 0xcd9e8d57u
#define WEYL_0       0x9e3779b9u
#define WEYL_1       0xbb67ae85u
#define ROUNDS       10

void
rt_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p = (uint64_t)MULTIPLIER_0 * a;
        uint64_t q = (uint64_t)MULTIPLIER_1 * c;
        a = (uint32_t)(q >> 32) ^ b ^ k0;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ k1;
        d = (uint32_t)p;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

typedef struct Stream {
    uint32_t key[2], counter[4], word[4];
    int used;
} Stream;

static uint32_t
next_word(Stream *s)
{
    if (s->used == 4) {
        rt_philox(s->counter, s->key, s->word);
        if (!++s->counter[0])
            s->counter[1]++;
        s->used = 0;
    }
    return s->word[s->used++];
}

/* Uniform in [0, most). */
static uint32_t
draw_below(Stream *s, uint32_t most)
{
    uint32_t reject = (uint32_t)(-(int64_t)most) % most;
    uint64_t product;
    do
        product = (uint64_t)next_word(s) * most;
    while ((uint32_t)product < reject);
    return (uint32_t)(product >> 32);
}

void
rt_philox_shuffle(uint32_t *order, uint32_t count, uint64_t seed,
                  uint64_t epoch)
{
    Stream s = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                .counter = {0, 0, (uint32_t)epoch, (uint32_t)(epoch >> 32)},
                .used = 4};
    for (uint32_t k = 0; k < count; k++)
        order[k] = k;
    for (uint32_t k = count; k > 1; k--) {
        uint32_t other = draw_below(&s, k);
        uint32_t kept = order[k - 1];
        order[k - 1] = order[other];
        order[other] = kept;
    }
}
