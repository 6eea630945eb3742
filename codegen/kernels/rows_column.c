/* rows_column: reductions that leave the innermost axis out: each result has
   one accumulator, and neighbours share a vector. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

enum { MOST_VECTORS = 4 };

typedef struct Columns {
    Rows *r;
    int step, operand;
    DType dtype;
    char op;
    int vectors;
    At at[MOST_VECTORS];
} Columns;

/* Rows [from, to) of the loop axes into the sums, from the identity. */
static void
run_block(Columns *c, LLVMValueRef from, LLVMValueRef to, LLVMValueRef *sum)
{
    Rows *r = c->r;
    LLVMValueRef *saved = NEWN(r->arena, LLVMValueRef, vec_len(r->port) + 1);
    Loop l;

    for (int v = 0; v < c->vectors; v++)
        sum[v] = reduce_identity(r->u, c->dtype, c->op, LANES);
    rows_enter_loop(r,
                    loop_begin(r->u, &l, from, to, 1, c->vectors, sum), saved);
    r->epoch++;
    for (int v = 0; v < c->vectors; v++)
        loop_next(&l, v,
                  reduce_pair(r->u, c->dtype, c->op, LANES, loop_phi(&l, v),
                              rows_value(r, c->operand, &c->at[v])));
    rows_leave_loop(r, saved);
    loop_end(r->u, &l);
    for (int v = 0; v < c->vectors; v++)
        sum[v] = loop_phi(&l, v);
}

static void
run_blocks(Columns *c, int64_t rows, LLVMValueRef *sum)
{
    Unit *u = c->r->u;
    int64_t blocks = (rows + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
    Tree tree[MOST_VECTORS];
    LLVMValueRef block, from, to;
    Loop l;

    for (int v = 0; v < c->vectors; v++)
        tree[v] = tree_new(u, c->dtype, c->op, LANES, blocks);
    block = loop_begin(u, &l, const_i64(u, 0), const_i64(u, blocks), 1, 0,
                       NULL);
    from = LLVMBuildMul(u->b, block, const_i64(u, COLUMN_BLOCK), "");
    to = LLVMBuildAdd(u->b, from, const_i64(u, COLUMN_BLOCK), "");
    run_block(c, from, least(u, to, const_i64(u, rows)), sum);
    for (int v = 0; v < c->vectors; v++)
        tree_push(u, &tree[v], block, sum[v]);
    loop_end(u, &l);
    for (int v = 0; v < c->vectors; v++)
        sum[v] = tree_end(u, &tree[v], blocks);
}

typedef struct Chunk {
    Columns *c;
    int64_t rows;
} Chunk;

static void
make_block(void *context, LLVMValueRef block, bool rest, LLVMValueRef *sum)
{
    const Chunk *k = context;
    Unit *u = k->c->r->u;
    LLVMValueRef size = const_i64(u, COLUMN_BLOCK), from, to;

    from = LLVMBuildMul(u->b, block, size, "");
    to = rest ? const_i64(u, k->rows) : LLVMBuildAdd(u->b, from, size, "");
    run_block(k->c, from, to, sum);
}

static void
run_turns(Columns *c, int64_t rows, LLVMValueRef *sum)
{
    Chunk k = {c, rows};
    Turns t = {.sums = 1, .dtype = {c->dtype}, .op = {c->op},
               .make = make_block, .context = &k};

    ASSERT(c->vectors == 1);
    t.whole = rows / COLUMN_BLOCK;
    t.rest = rows % COLUMN_BLOCK > 0;
    rows_in_turns(c->r, &t, sum);
}

/* chunk: which 16 * vectors neighbouring results. */
void
rows_run_columns(Rows *r, LLVMValueRef chunk, int vectors)
{
    Columns c = {.r = r, .step = r->out[0].step, .vectors = vectors};
    int64_t rows = rows_size(r, AX_LOOP), wide = (int64_t)vectors * LANES;
    LLVMValueRef sum[MOST_VECTORS], first;

    ASSERT(vec_len(r->out) == 1 && vectors <= MOST_VECTORS);
    c.operand = r->member[r->step[c.step].member].in[0];
    c.dtype = r->step[c.step].type.dtype;
    c.op = reduce_letter(r->member[r->step[c.step].member].node);
    first = LLVMBuildMul(r->u->b, chunk, const_i64(r->u, wide), "");
    for (int v = 0; v < vectors; v++) {
        At *at = &c.at[v];

        at->lanes = LANES;
        at->chunk = v;
        at->alike = r->width == BLOCK_THREADS;
        at->i = LLVMBuildAdd(r->u->b, first,
                             const_i64(r->u, (int64_t)v * LANES), "");
        if (r->length % wide)
            at->count = LLVMBuildSub(r->u->b, const_i64(r->u, r->length),
                                     at->i, "");
    }
    if (r->width == BLOCK_THREADS)
        run_turns(&c, rows, sum);
    else if (rows <= COLUMN_BLOCK)
        run_block(&c, const_i64(r->u, 0), const_i64(r->u, rows), sum);
    else
        run_blocks(&c, rows, sum);
    for (int v = 0; v < vectors; v++)
        rows_store(r, &r->port[r->out[0].port], sum[v], &c.at[v]);
}
