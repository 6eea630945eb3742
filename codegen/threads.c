/* threads: loops, exchange and memory of groups of threads. */
#include "codegen/threads.h"

#include "ir/base/diag.h"

static LLVMValueRef
wide(Unit *u, LLVMValueRef word)
{
    return LLVMBuildZExt(u->b, word, u->i64, "");
}

LLVMValueRef
threads_lane(Unit *u)
{
    return LLVMBuildAnd(u->b, wide(u, u->threads->thread(u)),
                        const_i64(u, GROUP - 1), "");
}

LLVMValueRef
threads_group(Unit *u)
{
    return LLVMBuildUDiv(u->b, wide(u, u->threads->thread(u)),
                         const_i64(u, GROUP), "");
}

LLVMValueRef
threads_begin(Unit *u, Loop *l, int width, LLVMValueRef units)
{
    int each = BLOCK_THREADS / width;
    LLVMValueRef own, groups, first, i;

    own = LLVMBuildUDiv(u->b, wide(u, u->threads->thread(u)),
                        const_i64(u, width), "");
    first = LLVMBuildMul(u->b, wide(u, u->threads->block(u)),
                         const_i64(u, each), "");
    groups = LLVMBuildMul(u->b, wide(u, u->threads->blocks(u)),
                          const_i64(u, each), "");
    first = LLVMBuildAdd(u->b, first, own, "");
    i = loop_begin(u, l, first, units, 1, 0, NULL);
    l->step = groups;
    return i;
}

int64_t
threads_blocks(int64_t units, int width)
{
    int64_t each = BLOCK_THREADS / width;

    return units / each + (units % each != 0);
}

static LLVMValueRef
exchange_wide(Unit *u, LLVMValueRef bits, int distance)
{
    LLVMValueRef half = const_i64(u, 32), low, high;

    low = LLVMBuildTrunc(u->b, bits, u->i32, "");
    high = LLVMBuildLShr(u->b, bits, half, "");
    high = LLVMBuildTrunc(u->b, high, u->i32, "");
    low = wide(u, u->threads->exchange(u, low, distance));
    high = wide(u, u->threads->exchange(u, high, distance));
    return LLVMBuildOr(u->b, LLVMBuildShl(u->b, high, half, ""), low, "");
}

LLVMValueRef
threads_exchange(Unit *u, DType d, LLVMValueRef v, int distance)
{
    LLVMTypeRef t = unit_type(u, d);
    LLVMTypeRef bits =
        LLVMIntTypeInContext(u->context, (unsigned)dtype_bytes(d) * 8);

    v = LLVMBuildBitCast(u->b, v, bits, "");
    if (dtype_bytes(d) == 8) {
        v = exchange_wide(u, v, distance);
    } else {
        v = LLVMBuildZExt(u->b, v, u->i32, "");
        v = u->threads->exchange(u, v, distance);
        v = LLVMBuildTrunc(u->b, v, bits, "");
    }
    return LLVMBuildBitCast(u->b, v, t, "");
}

void
threads_store(Unit *u, LLVMValueRef v, LLVMValueRef p, unsigned align,
              LLVMValueRef where)
{
    LLVMBasicBlockRef here, done;

    if (!where) {
        store(u, v, p, align);
        return;
    }
    here = block_new(u, "here");
    done = block_new(u, "done");
    LLVMBuildCondBr(u->b, where, here, done);
    LLVMPositionBuilderAtEnd(u->b, here);
    store(u, v, p, align);
    LLVMBuildBr(u->b, done);
    LLVMPositionBuilderAtEnd(u->b, done);
}

void
threads_store_once(Unit *u, LLVMValueRef v, LLVMValueRef p, unsigned align,
                   int width)
{
    LLVMValueRef number;

    if (width == 1) {
        store(u, v, p, align);
        return;
    }
    if (width == GROUP) {
        u->threads->meet(u);
        number = threads_lane(u);
    } else {
        u->threads->meet_all(u);
        number = wide(u, u->threads->thread(u));
    }
    threads_store(u, v, p, align,
                  LLVMBuildICmp(u->b, LLVMIntEQ, number, const_i64(u, 0), ""));
}

LLVMValueRef
threads_room(Unit *u, int64_t bytes, int64_t entries)
{
    int64_t all = bytes * entries * BLOCK_THREADS;
    LLVMValueRef room = u->threads->shared(u, all);

    u->shared_bytes += all;
    return room;
}

LLVMValueRef
threads_own(Unit *u, LLVMValueRef room, int64_t bytes)
{
    return address(u, room, wide(u, u->threads->thread(u)), bytes);
}
