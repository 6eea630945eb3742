/* steps: the steps of a compiled program, their tiles cut and ordered by a
   seed; no tile's result may depend on that. */
#ifndef SNUG_TESTS_STEPS_H
#define SNUG_TESTS_STEPS_H

#include "runtime/idle.h"

#include <string.h>

/* Where a byte of a tier (-1: the arena) is: tiers lie behind the arena. */
static inline int64_t
step_place(const RtProgram *p, int tier, int64_t offset)
{
    int64_t at = (p->arena_bytes + 4095) / 4096 * 4096;

    if (tier < 0)
        return offset;
    for (int i = 0; i < tier; i++)
        at += (p->tier[i].bytes + 4095) / 4096 * 4096;
    return at + offset;
}

/* A transfer copies at once; where something has written there before its wait,
   what arrives is all ones. */
static inline void
run_move(const RtProgram *p, const RtMove *m, char *arena)
{
    char *from = arena + step_place(p, m->from_tier, m->from);
    char *to = arena + step_place(p, m->to_tier, m->to);

    if (!m->wait)
        memcpy(to, from, (size_t)m->bytes);
    else if (memcmp(to, from, (size_t)m->bytes) != 0)
        memset(to, 0xff, (size_t)m->bytes);
}

enum { MOST_OFFSETS = 64 };

/* Tables in tiers are found from the arena. */
static inline const int64_t *
step_offsets(const RtProgram *p, const RtStep *s, int64_t room[MOST_OFFSETS])
{
    if (!s->tables || s->offsets > MOST_OFFSETS)
        return s->offset;
    memcpy(room, s->offset, (size_t)s->offsets * sizeof *room);
    for (int i = 0; i < s->tables; i++)
        room[s->table[i].index] =
            step_place(p, s->table[i].tier, s->offset[s->table[i].index]);
    return room;
}

/* All tiles of a step; seed 0: in one call. */
static inline void
run_step(const RtProgram *p, const RtStep *s, char *arena, uint64_t seed)
{
    int64_t n = s->tiles, first = 0, room[MOST_OFFSETS];
    const int64_t *offset = step_offsets(p, s, room);

    if (s->move) {
        run_move(p, s->move, arena);
        return;
    }
    if (!rt_guard_runs(s->guard, arena))
        return;
    if (!seed) {
        s->kernel(arena, offset, 0, n, 0);
        return;
    }
    /* rotated, backwards, each tile alone, by changing workers */
    first = n ? (int64_t)(seed % (uint64_t)n) : 0;
    for (int64_t k = n; k-- > 0;) {
        int64_t tile = (first + k) % n;

        s->kernel(arena, offset, tile, tile + 1, k % p->workers);
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
