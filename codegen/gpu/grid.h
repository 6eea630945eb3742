/* grid: the row kernels of a placed module for grids of threads: as PTX, or as
   an object of the host that calls what a thread can do (forms.h). A kernel is
   `void NAME(arena, offsets)`, by kernel_name; in PTX the offsets are a
   parameter by value, in the order of the node's operands and results. Blocks
   have BLOCK_THREADS threads; any number of blocks gives the same bits. */
#ifndef SNUG_GRID_H
#define SNUG_GRID_H

#include "codegen/emit_data.h"

typedef enum GridForm { GRID_PTX, GRID_CALLS } GridForm;

/* What became of the rows of the kernel table. */
typedef struct Grid {
    KernelTable kernels;
    KernelTiles *tiles; /* blocks that give each unit threads of its own; no
                           phases: the kernel was left out */
    int made, left_out;
    const char *left; /* the ops that were left out, in words */
} Grid;

/* Writes `path`; o->target names the GPU (GRID_PTX) or the host. Runs LLVM in
   a forked worker. A module without row kernels is refused. */
Grid grid_emit(const Module *m, const EmitOptions *o, GridForm form,
               const char *path);

#endif
