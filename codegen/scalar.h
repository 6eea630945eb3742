/* scalar: formulas into LLVM values, bit for bit what ir/eval computes. */
#ifndef SNUG_SCALAR_H
#define SNUG_SCALAR_H

#include "codegen/llvm.h"

/* Emits the typed formula on `lanes` points at once (1: scalars). in[] and
   out[] have the types of the formula's inputs and results; i1 is i8. */
void scalar_emit(Unit *u, const Formula *typed, int lanes,
                 const LLVMValueRef *in, LLVMValueRef *out);

#endif
