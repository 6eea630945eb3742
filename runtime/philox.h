/* philox: counter-based random numbers (Salmon, Moraes, Dror, Shaw: Parallel
   random numbers, as easy as 1, 2, 3; SC 2011). What is drawn depends only on
   seed, epoch and position, so a resumed run needs no saved state. */
#ifndef SNUG_RT_PHILOX_H
#define SNUG_RT_PHILOX_H

#include <stdint.h>

/* Philox4x32-10. */
void rt_philox(const uint32_t counter[4], const uint32_t key[2],
               uint32_t out[4]);

/* The order of `count` rows in one epoch: Fisher-Yates, every draw unbiased. */
void rt_philox_shuffle(uint32_t *order, uint32_t count, uint64_t seed,
                       uint64_t epoch);

#endif
