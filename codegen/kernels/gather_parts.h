/* gather_parts: what gather and scatter share: rows that indices name. Private
   to gather.c and scatter.c. */
#ifndef SNUG_GATHER_PARTS_H
#define SNUG_GATHER_PARTS_H

#include "codegen/kernels/kernels.h"
#include "ir/ops/gather.h"

enum { GATHER_LANES = 16, GATHER_TILE = 8192 /* elements */ };

typedef struct Rows {
    Unit *u;
    Gather r;
    DType dtype, index;
    ScatterOp op;
    int operands;
    LLVMValueRef kernel, in, indices, out;
    LLVMValueRef begin; /* what scatter adds to; NULL: the identity */
} Rows;

/* A kernel on the node's operands and its result. */
void gather_kernel(Rows *m, const char *name);
/* The row that index k names: negative ones count from the end, then the
   nearest in range. */
LLVMValueRef gather_row_named(Rows *m, LLVMValueRef k);
/* The row that index i names, or those that the lanes of a vector name. */
LLVMValueRef gather_row_of(Rows *m, LLVMValueRef i, int lanes);
/* base + row * inner, in elements */
LLVMValueRef gather_row_at(Rows *m, LLVMValueRef base, LLVMValueRef row);
/* Begins a loop over the units of the kernel's tiles, `per` of them a tile. */
LLVMValueRef gather_units(Rows *m, Loop *l, int64_t per, int64_t units);

/* scratch: the offset that lists of the indices of each row have; 0: none. */
void emit_scatter(Rows *m, const char *name, int scratch, Lowered *out);

#endif
