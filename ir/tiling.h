/* tiling: how a node is cut into tiles, and what scratch its kernel needs.
   Planner and code generator both ask here, so the scratch that is planned
   is the scratch that is used. */
#ifndef SNUG_TILING_H
#define SNUG_TILING_H

#include "ir/graph.h"
#include "ir/machine.h"

/* Scratch in bytes that the kernel of node n needs beside its operands and
   results: shared by all workers, and for each worker (a multiple of 64), or
   for each tile, where there are fewer: `shares`, 0 otherwise. Fixed by shape
   and machine. */
typedef struct Scratch {
    int64_t shared, each, shares;
} Scratch;

Scratch tiling_scratch(const Graph *g, NodeId n, const Machine *m);

static inline int64_t
scratch_bytes(Scratch s, const Machine *m)
{
    return s.shared + s.each * (s.shares ? s.shares : m->workers);
}

#endif
