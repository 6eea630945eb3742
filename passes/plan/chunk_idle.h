/* chunk_idle: what is asked for by name and finds nothing to do is refused. */
#ifndef SNUG_CHUNK_IDLE_H
#define SNUG_CHUNK_IDLE_H

#include "passes/pass.h"
#include "passes/plan/chunk_region.h"

/* Before the batch is cut: is it worth it? NULL: it is, or nobody asked for it
   by name; else why not, and the node `blame` that ends the samples' way. */
const char *chunk_idle_samples(const PassRun *r, const Region *region,
                               NodeId *blame);

/* When all is cut; chunks: what was, whole: layers of which it is told that
   they could not be (chunk.c). Raises if parts were asked for by name and a
   training entry has neither. */
void chunk_idle_refuse(const PassRun *r, const char *chunks,
                       const char *whole);

#endif
