/* square: squares of vectors, transposed in registers. */
#ifndef SNUG_SQUARE_H
#define SNUG_SQUARE_H

#include "codegen/llvm.h"

/* row[]: `lanes` vectors of `lanes` elements, a power of two; lane i of row j
   becomes lane j of row i. */
void square_transpose(Unit *u, LLVMValueRef *row, int lanes);

#endif
