/* steps: the steps of a compiled program, their tiles cut and ordered by a
   seed; no tile's result may depend on that. */
#ifndef SNUG_TESTS_STEPS_H
#define SNUG_TESTS_STEPS_H

#include "runtime/abi.h"

/* All tiles of a step; seed 0: in one call. */
static inline void
run_step(const RtProgram *p, const RtStep *s, char *arena, uint64_t seed)
{
    int64_t n = s->tiles, first = 0;

    if (!seed) {
        s->kernel(arena, s->offset, 0, n, 0);
        return;
    }
    /* rotated, backwards, each tile alone, by changing workers */
    first = n ? (int64_t)(seed % (uint64_t)n) : 0;
    for (int64_t k = n; k-- > 0;) {
        int64_t tile = (first + k) % n;

        s->kernel(arena, s->offset, tile, tile + 1, k % p->workers);
    }
}

static inline void
run_steps(const RtProgram *p, int entry, char *arena, uint64_t seed)
{
    const RtEntry *e = &p->entry[entry];

    for (int i = 0; i < e->steps; i++)
        run_step(p, &e->step[i], arena, seed);
}

#endif
