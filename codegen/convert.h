/* convert: elements of one type into another, bit for bit as ir/expr_eval. */
#ifndef SNUG_CONVERT_H
#define SNUG_CONVERT_H

#include "codegen/llvm.h"

/* <lanes x i1>: x is not 0 (a NaN is not). d: not narrow. */
LLVMValueRef truth_of(Unit *u, DType d, LLVMValueRef x);
/* The same as 0 or 1 of element type d. */
LLVMValueRef truth_as(Unit *u, DType d, int lanes, LLVMValueRef x);
LLVMValueRef convert(Unit *u, int lanes, DType from, DType to, LLVMValueRef x);

#endif
