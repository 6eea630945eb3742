/* rows_turns: a reduction of many blocks by a block of threads: each round its
   groups make a block each and leave the results in the memory they share; all
   threads put them into trees of their own, which are alike. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

typedef struct Round {
    Rows *r;
    const Turns *t;
    Tree tree[TURN_SUMS];
    LLVMValueRef room[TURN_SUMS]; /* a value a thread */
} Round;

/* This group's block, if it is one of `those`. */
static void
make_block(Round *k, LLVMValueRef those, LLVMValueRef block, bool rest)
{
    Unit *u = k->r->u;
    LLVMBasicBlockRef here = block_new(u, "turn"), done = block_new(u, "over");
    LLVMValueRef sum[TURN_SUMS];

    LLVMBuildCondBr(u->b, those, here, done);
    LLVMPositionBuilderAtEnd(u->b, here);
    k->t->make(k->t->context, block, rest, sum);
    for (int i = 0; i < k->t->sums; i++) {
        int64_t size = dtype_bytes(k->t->dtype[i]);

        store(u, sum[i], threads_own(u, k->room[i], size), (unsigned)size);
    }
    LLVMBuildBr(u->b, done);
    LLVMPositionBuilderAtEnd(u->b, done);
}

/* What group `from` left for this thread's lane. */
static LLVMValueRef
left_by(Round *k, int i, LLVMValueRef from)
{
    Unit *u = k->r->u;
    int64_t size = dtype_bytes(k->t->dtype[i]);
    LLVMValueRef at =
        LLVMBuildMul(u->b, from, const_i64(u, GROUP), "");

    at = LLVMBuildAdd(u->b, at, threads_lane(u), "");
    return load(u, unit_type(u, k->t->dtype[i]),
                address(u, k->room[i], at, size), (unsigned)size);
}

static void
push_round(Round *k, LLVMValueRef first, int64_t blocks)
{
    Unit *u = k->r->u;
    LLVMValueRef left, from;
    Loop l;

    left = LLVMBuildSub(u->b, const_i64(u, blocks), first, "");
    left = least(u, left, const_i64(u, BLOCK_GROUPS));
    from = loop_begin(u, &l, const_i64(u, 0), left, 1, 0, NULL);
    for (int i = 0; i < k->t->sums; i++)
        tree_push(u, &k->tree[i], LLVMBuildAdd(u->b, first, from, ""),
                  left_by(k, i, from));
    loop_end(u, &l);
}

void
rows_in_turns(Rows *r, const Turns *t, LLVMValueRef *sum)
{
    Unit *u = r->u;
    int64_t blocks = t->whole + t->rest;
    LLVMValueRef whole = const_i64(u, t->whole), first, own;
    Round k = {.r = r, .t = t};
    Loop l;

    ASSERT(t->sums <= TURN_SUMS);
    for (int i = 0; i < t->sums; i++) {
        k.tree[i] = tree_new(u, t->dtype[i], t->op[i], 1, blocks);
        k.room[i] = threads_room(u, dtype_bytes(t->dtype[i]), 1);
    }
    first = loop_begin(u, &l, const_i64(u, 0), const_i64(u, blocks),
                       BLOCK_GROUPS, 0, NULL);
    own = LLVMBuildAdd(u->b, first, threads_group(u), "");
    make_block(&k, LLVMBuildICmp(u->b, LLVMIntSLT, own, whole, ""), own,
               false);
    if (t->rest)
        make_block(&k, LLVMBuildICmp(u->b, LLVMIntEQ, own, whole, ""), own,
                   true);
    u->threads->meet_all(u);
    push_round(&k, first, blocks);
    u->threads->meet_all(u);
    loop_end(u, &l);
    for (int i = 0; i < t->sums; i++)
        sum[i] = tree_end(u, &k.tree[i], blocks);
}
