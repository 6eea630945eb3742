/* idle: a step that does not run leaves what its readers expect. */
#ifndef SNUG_RT_IDLE_H
#define SNUG_RT_IDLE_H

#include "runtime/abi.h"

#include <string.h>

/* Does the step run? If not, what it leaves is there. */
static inline int
rt_guard_runs(const RtGuard *g, char *arena)
{
    float now;
    if (!g)
        return 1;
    memcpy(&now, arena + g->at, sizeof now);
    if (now != 0)
        return 1;
    for (int k = 0; k < g->idles; k++) {
        const RtIdle *idle = &g->idle[k];
        if (idle->from < 0)
            memset(arena + idle->to, 0, (size_t)idle->bytes);
        else
            memcpy(arena + idle->to, arena + idle->from, (size_t)idle->bytes);
    }
    return 0;
}

#endif
