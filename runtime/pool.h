/* pool: threads that run the tiles of one step together. The caller is worker
   0. Tiles are shared out in contiguous ranges, first come, first served; which
   worker runs a tile changes no bit of the result. At most 1024 workers. */
#ifndef SNUG_RT_POOL_H
#define SNUG_RT_POOL_H

#include "runtime/abi.h"
#include "runtime/memory.h"

typedef struct RtPool RtPool;

/* Starts workers - 1 threads with small stacks. If the system has no more
   threads to give, *made gets along with fewer. */
int rt_pool_start(RtPool **made, RtRegion *r, int workers);
int rt_pool_workers(const RtPool *p);
void rt_pool_run(RtPool *p, const RtStep *step, char *arena);
void rt_pool_stop(RtPool *p);
/* From here on each worker stays on a processor of its own, the caller's thread
   too; refused if there are fewer. */
int rt_pool_pin(RtPool *p);
/* Processors that this process may use. */
int rt_pool_processors(void);

#endif
