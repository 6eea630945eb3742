/* kernels: each kernel family lowers a node of its kind to one or more phases;
   the runtime runs all tiles of a phase before the next begins. */
#ifndef SNUG_KERNELS_H
#define SNUG_KERNELS_H

#include "codegen/llvm.h"

enum { MAX_PHASES = 32 };

/* What lowering a node gives. Every phase's function takes as offsets the
   places of the node's operands, then of its results (scratch is the last
   result, named *.scratch, where tiling_scratch is not 0), in that order. */
typedef struct Lowered {
    LLVMValueRef kernel[MAX_PHASES];
    int64_t tiles[MAX_PHASES];
    int phases;
} Lowered;

typedef void Lower(Unit *u, const Graph *g, NodeId n, const char *name,
                   Lowered *out);

Lower lower_rows;     /* map, reduce, iota, broadcast, and groups of them */
Lower lower_contract; /* contract, conv*, and groups led by one */
Lower lower_window;
Lower lower_move;     /* transpose, slice, pad, concat */
Lower lower_gather;   /* gather, scatter */
Lower lower_sort;
Lower lower_attention; /* attention, attention_grad */

#endif
