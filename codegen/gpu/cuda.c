/* cuda: what threads do, as intrinsics of NVPTX. */
#include "codegen/gpu/forms.h"

#include <string.h>

#include "ir/base/diag.h"

enum { SHARED_SPACE = 3, LAST_LANE = 31 };

static LLVMValueRef
call(Unit *u, const char *name, int count, LLVMValueRef *args)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f;

    ASSERT(id);
    f = LLVMGetIntrinsicDeclaration(u->module, id, NULL, 0);
    return LLVMBuildCall2(u->b, LLVMGlobalGetValueType(f), f, args,
                          (unsigned)count, "");
}

static LLVMValueRef
word(Unit *u, unsigned x)
{
    return LLVMConstInt(u->i32, x, false);
}

static LLVMValueRef
cuda_thread(Unit *u)
{
    return call(u, "llvm.nvvm.read.ptx.sreg.tid.x", 0, NULL);
}

static LLVMValueRef
cuda_block(Unit *u)
{
    return call(u, "llvm.nvvm.read.ptx.sreg.ctaid.x", 0, NULL);
}

static LLVMValueRef
cuda_blocks(Unit *u)
{
    return call(u, "llvm.nvvm.read.ptx.sreg.nctaid.x", 0, NULL);
}

/* The threads of a warp that are this one's group, as bits. */
static LLVMValueRef
members(Unit *u)
{
    LLVMValueRef lane = LLVMBuildAnd(u->b, cuda_thread(u), word(u, GROUP), "");

    return LLVMBuildShl(u->b, word(u, (1u << GROUP) - 1), lane, "");
}

/* A segment of GROUP lanes is a half of the warp: the highest bits of the last
   word say so. */
static LLVMValueRef
cuda_exchange(Unit *u, LLVMValueRef x, int distance)
{
    unsigned segment = (unsigned)(LAST_LANE + 1 - GROUP) << 8;
    LLVMValueRef args[] = {members(u), x, word(u, (unsigned)distance),
                           word(u, segment | LAST_LANE)};

    if (distance)
        return call(u, "llvm.nvvm.shfl.sync.bfly.i32", 4, args);
    return call(u, "llvm.nvvm.shfl.sync.idx.i32", 4, args);
}

static void
cuda_meet(Unit *u)
{
    LLVMValueRef who = members(u);

    call(u, "llvm.nvvm.bar.warp.sync", 1, &who);
}

static void
cuda_meet_all(Unit *u)
{
    call(u, "llvm.nvvm.barrier0", 0, NULL);
}

static LLVMValueRef
cuda_shared(Unit *u, int64_t bytes)
{
    LLVMTypeRef t = LLVMArrayType2(u->i8, (uint64_t)bytes);
    LLVMValueRef g =
        LLVMAddGlobalInAddressSpace(u->module, t, "shared", SHARED_SPACE);

    LLVMSetInitializer(g, LLVMGetUndef(t));
    LLVMSetLinkage(g, LLVMInternalLinkage);
    LLVMSetAlignment(g, 64);
    return g;
}

const Threads cuda_threads = {
    cuda_thread, cuda_block,    cuda_blocks, cuda_exchange,
    cuda_meet,   cuda_meet_all, cuda_shared,
};
