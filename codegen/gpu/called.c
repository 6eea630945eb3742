/* called: what threads do, as calls: the same kernels run on the host, by
   whatever runs the threads of a grid there. */
#include "codegen/gpu/forms.h"

static LLVMValueRef
call(Unit *u, const char *name, LLVMTypeRef result, int count,
     LLVMValueRef *args)
{
    LLVMValueRef f = LLVMGetNamedFunction(u->module, name);
    LLVMTypeRef in[2];

    for (int i = 0; i < count; i++)
        in[i] = LLVMTypeOf(args[i]);
    if (!f)
        f = LLVMAddFunction(u->module, name,
                            LLVMFunctionType(result, in, (unsigned)count,
                                             false));
    return LLVMBuildCall2(u->b, LLVMGlobalGetValueType(f), f, args,
                          (unsigned)count, "");
}

static LLVMValueRef
called_thread(Unit *u)
{
    return call(u, "grid_thread", u->i32, 0, NULL);
}

static LLVMValueRef
called_block(Unit *u)
{
    return call(u, "grid_block", u->i32, 0, NULL);
}

static LLVMValueRef
called_blocks(Unit *u)
{
    return call(u, "grid_blocks", u->i32, 0, NULL);
}

static LLVMValueRef
called_exchange(Unit *u, LLVMValueRef x, int distance)
{
    LLVMValueRef far = LLVMConstInt(u->i32, (unsigned)distance, false);
    LLVMValueRef args[] = {x, far};

    return call(u, "grid_exchange", u->i32, 2, args);
}

static void
called_meet(Unit *u)
{
    call(u, "grid_meet", u->void_, 0, NULL);
}

static void
called_meet_all(Unit *u)
{
    call(u, "grid_meet_all", u->void_, 0, NULL);
}

static LLVMValueRef
called_shared(Unit *u, int64_t bytes)
{
    LLVMValueRef offset = const_i64(u, u->shared_bytes);

    (void)bytes;
    return call(u, "grid_shared", u->ptr, 1, &offset);
}

const Threads called_threads = {
    called_thread, called_block,    called_blocks, called_exchange,
    called_meet,   called_meet_all, called_shared,
};
