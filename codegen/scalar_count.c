/* scalar_count: whether numbers that count up from one lane to the next meet
   one number: in 32 bits, the lanes being constants. */
#include "codegen/scalar_count.h"

/* What all lanes of v hold; NULL: they may differ. */
static LLVMValueRef
in_all_lanes(LLVMValueRef v)
{
    LLVMValueRef in;

    if (!LLVMIsAShuffleVectorInst(v))
        return NULL;
    for (unsigned i = 0; i < LLVMGetNumMaskElements(v); i++)
        if (LLVMGetMaskValue(v, i) != 0)
            return NULL;
    in = LLVMGetOperand(v, 0);
    if (!LLVMIsAInsertElementInst(in) ||
        !LLVMIsAConstantInt(LLVMGetOperand(in, 2)) ||
        LLVMConstIntGetZExtValue(LLVMGetOperand(in, 2)) != 0)
        return NULL;
    return LLVMGetOperand(in, 1);
}

/* Are the lanes 0, 1, 2, ...? */
static bool
are_lanes(LLVMValueRef v)
{
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(v));

    if (!LLVMIsAConstantDataVector(v))
        return false;
    for (unsigned i = 0; i < lanes; i++)
        if (LLVMConstIntGetZExtValue(LLVMGetAggregateElement(v, i)) != i)
            return false;
    return true;
}

LLVMValueRef
count_meets(Unit *u, LLVMIntPredicate how, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = u->b;
    LLVMTypeRef t = LLVMTypeOf(x), narrow;
    LLVMValueRef first, number, place, near, lanes;

    if (LLVMGetTypeKind(t) != LLVMVectorTypeKind ||
        LLVMGetElementType(t) != u->i64 || !LLVMIsAInstruction(x) ||
        LLVMGetInstructionOpcode(x) != LLVMAdd ||
        !are_lanes(LLVMGetOperand(x, 1)) ||
        !(first = in_all_lanes(LLVMGetOperand(x, 0))) ||
        !(number = in_all_lanes(y)))
        return NULL;
    narrow = LLVMVectorType(u->i32, LLVMGetVectorSize(t));
    lanes = LLVMBuildTrunc(b, LLVMGetOperand(x, 1), narrow, "");
    number = LLVMBuildSub(b, number, first, "");
    near = LLVMBuildICmp(b, LLVMIntULT, number, const_i64(u, INT32_MAX), "");
    place = LLVMBuildSelect(b, near, LLVMBuildTrunc(b, number, u->i32, ""),
                            LLVMConstAllOnes(u->i32), "");
    return LLVMBuildICmp(b, how, lanes,
                         splat(u, place, (int)LLVMGetVectorSize(t)), "");
}
