/* rows_both: a group that reduces rows, and other values over the rows: what is
   read for the one serves the other. A unit is a block of rows; its sums of
   columns are in scratch, where the trees over the blocks find them. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

typedef struct Sums {
    LLVMValueRef partial;
    LLVMValueRef block;
    int64_t blocks;
} Sums;

static bool
is_column(const Rows *r, size_t out)
{
    return r->step[r->out[out].step].kind == SP_COLUMN;
}

bool
rows_have_columns(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->out); i++)
        if (is_column(r, i))
            return true;
    return false;
}

/* The block's sums of result `out` from column i on: results one behind the
   other, of each the blocks, of each a row of columns. */
static LLVMValueRef
sums_at(const Rows *r, size_t out, LLVMValueRef i)
{
    const Sums *s = r->sums;
    Unit *u = r->u;
    LLVMValueRef index =
        LLVMBuildMul(u->b, s->block, const_i64(u, r->length), "");
    int64_t start = 0;

    for (size_t k = 0; k < out; k++)
        if (is_column(r, k))
            start += s->blocks * type_bytes(&r->step[r->out[k].step].type);
    return address(u, address(u, s->partial, const_i64(u, start), 1),
                   LLVMBuildAdd(u->b, index, i, ""),
                   dtype_bytes(r->step[r->out[out].step].type.dtype));
}

static void
put_sum(const Rows *r, DType d, LLVMValueRef v, LLVMValueRef to, const At *at)
{
    if (at->count)
        store_masked(r->u, d, at->lanes, v, to, at->count);
    else
        store(r->u, v, to, (unsigned)dtype_bytes(d));
}

static LLVMValueRef
get_sum(const Rows *r, DType d, LLVMValueRef from, const At *at)
{
    return at->count ? load_masked(r->u, d, at->lanes, from, at->count)
                     : load(r->u, unit_vector(r->u, d, at->lanes), from,
                            (unsigned)dtype_bytes(d));
}

void
rows_add_columns(Rows *r, const At *at)
{
    for (size_t i = 0; r->sums && i < vec_len(r->out); i++) {
        const Step *s = &r->step[r->out[i].step];
        const Member *m = &r->member[s->member < 0 ? 0 : s->member];
        DType d = s->type.dtype;
        LLVMValueRef v, to;

        if (!is_column(r, i))
            continue;
        v = rows_value(r, m->in[0], at);
        to = sums_at(r, i, at->i);
        v = reduce_pair(r->u, d, reduce_letter(m->node), at->lanes,
                        get_sum(r, d, to, at), v);
        put_sum(r, d, v, to, at);
    }
}

static void
begin_vector(Rows *r, const At *at)
{
    for (size_t i = 0; i < vec_len(r->out); i++) {
        const Step *s = &r->step[r->out[i].step];

        if (is_column(r, i))
            put_sum(r, s->type.dtype,
                    reduce_identity(
                        r->u, s->type.dtype,
                        reduce_letter(r->member[s->member].node), at->lanes),
                    sums_at(r, i, at->i), at);
    }
}

static void
begin_sums(Rows *r)
{
    LLVMValueRef whole = const_i64(r->u, r->length / LANES * LANES);
    At at = {.lanes = LANES};
    Loop l;

    at.i = loop_begin(r->u, &l, const_i64(r->u, 0), whole, LANES, 0, NULL);
    begin_vector(r, &at);
    loop_end(r->u, &l);
    if (r->length % LANES == 0)
        return;
    at.i = whole;
    at.count = const_i64(r->u, r->length % LANES);
    begin_vector(r, &at);
}

static void
run_rows(Rows *r)
{
    Unit *u = r->u;
    LLVMValueRef size = const_i64(u, COLUMN_BLOCK);
    LLVMValueRef from = LLVMBuildMul(u->b, r->sums->block, size, ""), to;
    Loop l;

    to = least(u, LLVMBuildAdd(u->b, from, size, ""), const_i64(u, r->units));
    rows_begin_unit(r, loop_begin(u, &l, from, to, 1, 0, NULL));
    rows_run_row(r);
    loop_end(u, &l);
}

/* Only the results over the rows are left: the trees of a reduction of
   columns. */
static void
keep_columns(Rows *r)
{
    struct Out *out = NULL;

    for (size_t i = 0; i < vec_len(r->out); i++)
        if (is_column(r, i))
            vec_push(r->arena, out, r->out[i]);
    r->out = out;
    r->past = false;
    r->units = 1;
}

static void
join_blocks(Rows *r, const char *name, int64_t blocks, int scratch,
            Lowered *out)
{
    int64_t wide, chunks;
    LLVMValueRef chunk;
    Loop l;

    keep_columns(r);
    wide = (int64_t)rows_column_vectors(r) * LANES;
    chunks = (r->length + wide - 1) / wide;
    rows_enter_kernel(r, name);
    chunk = rows_begin_units(r, &l, 1, chunks);
    rows_enter_unit(r, const_i64(r->u, 0));
    rows_join_columns(r, const_i64(r->u, 0), chunk, blocks,
                      kernel_pointer(r->u, r->kernel, scratch));
    rows_end_kernel(r, &l);
    out->kernel[1] = r->kernel;
    out->tiles[1] = chunks;
}

void
rows_lower_both(Rows *r, const char *name, int64_t blocks, int scratch,
                Lowered *out)
{
    Sums sums = {.blocks = blocks};
    Loop l;

    if (r->u->threads)
        raise_at(r->loc, "reductions of rows and of columns are not one "
                         "kernel on this target: fuse for it");
    ASSERT(blocks);
    sums.partial = kernel_pointer(r->u, r->kernel, scratch);
    r->sums = &sums;
    rows_choose_kept(r);
    sums.block = rows_begin_units(r, &l, 1, blocks);
    begin_sums(r);
    run_rows(r);
    rows_end_kernel(r, &l);
    r->sums = NULL;
    out->tiles[0] = blocks;
    join_blocks(r, name, blocks, scratch, out);
    out->phases = 2;
}
