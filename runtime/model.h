/* model: an opened program, as the other files of the runtime see it. */
#ifndef SNUG_RT_MODEL_H
#define SNUG_RT_MODEL_H

#include "runtime/abi.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/profile.h"
#include "runtime/rt.h"
#include "runtime/tiers.h"

struct RtModel {
    const RtProgram *program;
    RtRegion region;
    RtArena arena;
    RtPool *pool;
    RtTiers *tiers;     /* NULL: everything is in the arena */
    const RtStep **step; /* by entry, as they run: see reach.h */
    RtProfile *profile; /* NULL: nobody asked */
};

/* NULL if the program has none of this name. */
const RtEntry *rt_model_entry(const RtProgram *p, const char *name);
const RtPort *rt_entry_input(const RtEntry *e, RtRole role);
const RtPort *rt_entry_output(const RtEntry *e, const char *name);

/* A scalar of the arena as a double, and back. */
double rt_model_read(const RtModel *m, const RtPort *p);
void rt_model_write(const RtModel *m, const RtPort *p, double value);

/* Every step of the entry, in order. It fails where a tier does, and then no
   tensor is what it should be. */
int rt_model_run(RtModel *m, const RtEntry *e);
/* Seconds that kernels waited for moves, so far. */
double rt_model_stalled(const RtModel *m);

/* tensor.c: the tensor's bytes, wherever they lie, in their order, a piece
   after the other. Stops at the first status that is not 0. */
typedef int RtTake(void *to, const char *from, int64_t bytes);
int rt_tensor_pass(const RtModel *m, const RtTensor *t, RtTake *take, void *to);
/* The other way round: writes what `make` puts for the bytes from `at` on. */
typedef int RtMake(void *from, int64_t at, char *to, int64_t bytes);
int rt_tensor_fill(const RtModel *m, const RtTensor *t, RtMake *make,
                   void *from);

#endif
