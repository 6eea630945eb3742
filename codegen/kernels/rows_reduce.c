/* rows_reduce: sums and their kin with the order of operations that the IR
   prescribes: lanes combined 8, 4, 2, 1; blocks by a pairwise tree. */
#include "codegen/kernels/rows.h"

#include <math.h>
#include <string.h>

#include "ir/base/diag.h"

char
reduce_letter(const Node *n)
{
    const char *op = node_text(n, "op");

    return !strcmp(op, "sum")    ? '+'
           : !strcmp(op, "prod") ? '*'
           : !strcmp(op, "max")  ? '>'
                                 : '<';
}

LLVMValueRef
reduce_pair(Unit *u, DType d, char op, int lanes, LLVMValueRef a,
            LLVMValueRef b)
{
    bool floats = dtype_float(d), plain = dtype_unsigned(d);
    LLVMValueRef take;

    (void)lanes;
    if (op == '+')
        return floats ? LLVMBuildFAdd(u->b, a, b, "")
                      : LLVMBuildAdd(u->b, a, b, "");
    if (op == '*')
        return floats ? LLVMBuildFMul(u->b, a, b, "")
                      : LLVMBuildMul(u->b, a, b, "");
    if (floats)
        take = LLVMBuildFCmp(u->b, op == '>' ? LLVMRealOGT : LLVMRealOLT, b,
                             a, "");
    else
        take = LLVMBuildICmp(u->b,
                             op == '>' ? (plain ? LLVMIntUGT : LLVMIntSGT)
                                       : (plain ? LLVMIntULT : LLVMIntSLT),
                             b, a, "");
    return LLVMBuildSelect(u->b, take, b, a, "");
}

LLVMValueRef
reduce_identity(Unit *u, DType d, char op, int lanes)
{
    LLVMTypeRef t = unit_type(u, d);
    unsigned bits = (unsigned)dtype_bytes(d) * 8;
    unsigned long long least = dtype_unsigned(d) ? 0 : 1ULL << (bits - 1);
    unsigned long long most = (least - 1) & (~0ULL >> (64 - bits));
    LLVMValueRef x;

    if (op == '+')
        x = LLVMConstNull(t);
    else if (dtype_float(d))
        x = LLVMConstReal(t, op == '*'   ? 1.0
                             : op == '>' ? -(double)INFINITY
                                         : (double)INFINITY);
    else
        x = LLVMConstInt(t,
                         op == '*'   ? 1
                         : op == '>' ? least
                                     : most,
                         false);
    return splat(u, x, lanes);
}

LLVMValueRef
reduce_part(Unit *u, LLVMValueRef v, int from, int count)
{
    LLVMValueRef order[LANES];
    LLVMTypeRef t = LLVMTypeOf(v);

    for (int i = 0; i < count; i++)
        order[i] =
            LLVMConstInt(u->i32, (unsigned long long)(from + i), false);
    return LLVMBuildShuffleVector(u->b, v, LLVMGetPoison(t),
                                  LLVMConstVector(order, (unsigned)count), "");
}

/* A sum is the same in all threads. Which of two zeros, or of NaN and a number,
   is the greatest depends on their order: the first thread's counts. */
static LLVMValueRef
reduce_threads(Unit *u, DType d, char op, LLVMValueRef v)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        v = reduce_pair(u, d, op, 1, v, threads_exchange(u, d, v, half));
    return op == '>' || op == '<' ? threads_exchange(u, d, v, 0) : v;
}

LLVMValueRef
reduce_lanes(Unit *u, DType d, char op, LLVMValueRef v)
{
    if (u->threads)
        return reduce_threads(u, d, op, v);
    for (int half = LANES / 2; half > 0; half /= 2)
        v = reduce_pair(u, d, op, half, reduce_part(u, v, 0, half),
                        reduce_part(u, v, half, half));
    return LLVMBuildExtractElement(u->b, v, LLVMConstInt(u->i32, 0, false),
                                   "");
}

/* ---- the pairwise tree ---------------------------------------------------

   room[k] holds the result of 2^k blocks. A new block meets its equals as a
   carry does in a binary counter, which is the pairwise tree in index order;
   at the end what is left is joined from the smallest on. */

static int
tree_levels(int64_t blocks)
{
    int n = 1;

    while (blocks >> n)
        n++;
    return n;
}

Tree
tree_new(Unit *u, DType d, char op, int lanes, int64_t blocks)
{
    Tree t = {.type = unit_vector(u, d, lanes), .dtype = d, .op = op,
              .lanes = lanes};

    t.size = lanes * dtype_bytes(d);
    if (u->threads) {
        t.room = threads_room(u, dtype_bytes(d), tree_levels(blocks));
        t.room = threads_own(u, t.room, dtype_bytes(d));
        t.size = dtype_bytes(d) * BLOCK_THREADS;
        return t;
    }
    t.room = stack_room(u, t.type, tree_levels(blocks), 64);
    return t;
}

void
tree_push(Unit *u, const Tree *t, LLVMValueRef block, LLVMValueRef v)
{
    LLVMBuilderRef b = u->b;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), from[2];
    LLVMBasicBlockRef head = block_new(u, "head"), meet = block_new(u, "meet");
    LLVMBasicBlockRef done = block_new(u, "done");
    LLVMValueRef count, level, sum, one = const_i64(u, 1), next[3], odd, slot;
    unsigned align = (unsigned)dtype_bytes(t->dtype);

    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    count = LLVMBuildPhi(b, u->i64, "");
    level = LLVMBuildPhi(b, u->i64, "");
    sum = LLVMBuildPhi(b, t->type, "");
    odd = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, count, one, ""),
                        const_i64(u, 0), "");
    LLVMBuildCondBr(b, odd, meet, done);
    LLVMPositionBuilderAtEnd(b, meet);
    slot = address(u, t->room, level, t->size);
    next[2] = reduce_pair(u, t->dtype, t->op, t->lanes,
                          load(u, t->type, slot, align), sum);
    next[0] = LLVMBuildLShr(b, count, one, "");
    next[1] = LLVMBuildAdd(b, level, one, "");
    LLVMBuildBr(b, head);
    from[0] = before;
    from[1] = meet;
    LLVMAddIncoming(count, (LLVMValueRef[]){block, next[0]}, from, 2);
    LLVMAddIncoming(level, (LLVMValueRef[]){const_i64(u, 0), next[1]}, from,
                    2);
    LLVMAddIncoming(sum, (LLVMValueRef[]){v, next[2]}, from, 2);
    LLVMPositionBuilderAtEnd(b, done);
    store(u, sum, address(u, t->room, level, t->size), align);
}

LLVMValueRef
tree_end(Unit *u, const Tree *t, int64_t blocks)
{
    LLVMValueRef sum = NULL;

    for (int k = 0; k < tree_levels(blocks); k++) {
        LLVMValueRef v;

        if (!(blocks >> k & 1))
            continue;
        v = load(u, t->type, address(u, t->room, const_i64(u, k), t->size),
                 (unsigned)dtype_bytes(t->dtype));
        sum = sum ? reduce_pair(u, t->dtype, t->op, t->lanes, v, sum) : v;
    }
    return sum;
}
