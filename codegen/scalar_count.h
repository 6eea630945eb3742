/* scalar_count: comparing an iota with a number. */
#ifndef SNUG_SCALAR_COUNT_H
#define SNUG_SCALAR_COUNT_H

#include "codegen/llvm.h"

/* x == y, or !=, where x counts up from lane to lane and y is the same in all
   of them; NULL: they are not. */
LLVMValueRef count_meets(Unit *u, LLVMIntPredicate how, LLVMValueRef x,
                         LLVMValueRef y);

#endif
