/* model: an opened program, as the other files of the runtime see it. */
#ifndef SNUG_RT_MODEL_H
#define SNUG_RT_MODEL_H

#include "runtime/abi.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/profile.h"
#include "runtime/rt.h"

struct RtModel {
    const RtProgram *program;
    RtRegion region;
    RtArena arena;
    RtPool *pool;
    RtProfile *profile; /* NULL: nobody asked */
};

/* NULL if the program has none of this name. */
const RtEntry *rt_model_entry(const RtProgram *p, const char *name);
const RtPort *rt_entry_input(const RtEntry *e, RtRole role);
const RtPort *rt_entry_output(const RtEntry *e, const char *name);

/* A scalar of the arena as a double, and back. */
double rt_model_read(const RtModel *m, const RtPort *p);
void rt_model_write(const RtModel *m, const RtPort *p, double value);

/* Every step of the entry, in order. */
void rt_model_run(RtModel *m, const RtEntry *e);

#endif
