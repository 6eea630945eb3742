/* reach: kernels find operands by offsets from the arena, so a table in a tier
   has one that leads out of the arena. It is known once both are mapped: the
   steps of an entry that has tables are copied with such offsets. */
#ifndef SNUG_RT_REACH_H
#define SNUG_RT_REACH_H

#include "runtime/tiers.h"

/* By entry: its steps as they run. `tiers` may be NULL if there are none. */
int rt_reach_open(const RtStep ***step, RtRegion *r, const RtProgram *p,
                  const RtTiers *tiers, const char *arena);

/* Do kernels touch rows in this tier? */
bool rt_reach_has(const RtProgram *p, int tier);

/* What the compiler promises of them. */
int rt_reach_check(const RtProgram *p);

#endif
