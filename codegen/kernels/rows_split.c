/* rows_split: few long rows: each block of 4096 is a unit of its own, and the
   tree over a row's blocks is a phase behind. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

static const Step *
reduction(const Rows *r)
{
    const Step *s = &r->step[r->out[0].step];

    ASSERT(vec_len(r->out) == 1 && s->kind == SP_REDUCE);
    return s;
}

static void
store_sum(Rows *r, LLVMValueRef from, int64_t length, LLVMValueRef to)
{
    unsigned size = (unsigned)dtype_bytes(reduction(r)->type.dtype);

    LLVMValueRef sum = rows_block_sum(r, from, length);

    if (r->u->threads)
        threads_store_once(r->u, sum, to, size, r->width);
    else
        store(r->u, sum, to, size);
}

void
rows_run_part(Rows *r, LLVMValueRef unit, int64_t blocks,
              LLVMValueRef partial)
{
    LLVMBuilderRef b = r->u->b;
    int64_t whole = r->length / ROW_BLOCK, rest = r->length % ROW_BLOCK;
    LLVMValueRef count = const_i64(r->u, blocks), block, from, to, is_last;
    LLVMBasicBlockRef all, last, done;

    rows_begin_unit(r, LLVMBuildUDiv(b, unit, count, ""));
    block = LLVMBuildURem(b, unit, count, "");
    from = LLVMBuildMul(b, block, const_i64(r->u, ROW_BLOCK), "");
    to = address(r->u, partial, unit,
                 dtype_bytes(reduction(r)->type.dtype));
    if (!rest) {
        store_sum(r, from, ROW_BLOCK, to);
        return;
    }
    all = block_new(r->u, "all");
    last = block_new(r->u, "last");
    done = block_new(r->u, "done");
    is_last = LLVMBuildICmp(b, LLVMIntEQ, block, const_i64(r->u, whole), "");
    LLVMBuildCondBr(b, is_last, last, all);
    LLVMPositionBuilderAtEnd(b, all);
    store_sum(r, from, ROW_BLOCK, to);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, last);
    store_sum(r, from, rest, to);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
}

void
rows_join_parts(Rows *r, LLVMValueRef row, int64_t blocks,
                LLVMValueRef partial)
{
    const Step *s = reduction(r);
    DType d = s->type.dtype;
    char op = reduce_letter(r->member[s->member].node);
    Tree tree = tree_new(r->u, d, op, 1, blocks);
    At at = {.i = const_i64(r->u, 0), .lanes = 1};
    LLVMValueRef block, from;
    Loop l;

    rows_enter_unit(r, row);
    from = LLVMBuildMul(r->u->b, row, const_i64(r->u, blocks), "");
    block = loop_begin(r->u, &l, const_i64(r->u, 0), const_i64(r->u, blocks),
                       1, 0, NULL);
    from = address(r->u, partial, LLVMBuildAdd(r->u->b, from, block, ""),
                   dtype_bytes(d));
    tree_push(r->u, &tree, block,
              load(r->u, unit_type(r->u, d), from, (unsigned)dtype_bytes(d)));
    loop_end(r->u, &l);
    rows_store(r, &r->port[r->out[0].port], tree_end(r->u, &tree, blocks),
               &at);
}
