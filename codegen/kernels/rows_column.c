/* rows_column: reductions that leave the innermost axis out: each result has
   one accumulator, and neighbours share a vector. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

enum {
    VECTORS = 4,     /* of a result, where it is not wide */
    WIDE_CHUNKS = 32, /* that a wide one leaves for the workers at least */
    MOST_SUMS = 64
};

/* What is summed beside each other: `vectors` of each result. */
typedef struct Columns {
    Rows *r;
    int vectors, sums;
    At at[SIDE_VECTORS];
} Columns;

static const Step *
result_of(const Columns *c, int sum)
{
    return &c->r->step[c->r->out[sum / c->vectors].step];
}

static DType
dtype_of(const Columns *c, int sum)
{
    return result_of(c, sum)->type.dtype;
}

static char
letter_of(const Columns *c, int sum)
{
    return reduce_letter(c->r->member[result_of(c, sum)->member].node);
}

static int
operand_of(const Columns *c, int sum)
{
    return c->r->member[result_of(c, sum)->member].in[0];
}

/* Of a wide row more are read at a time, if there are registers for them. */
int
rows_column_vectors(const Rows *r)
{
    const Machine *m = r->u->machine;
    int64_t all = (r->length + LANES - 1) / LANES;
    int64_t room = (int64_t)m->registers * m->vector_bytes;
    int64_t most = VECTORS;

    if (r->u->threads)
        return 1;
    if (room >= 2 * SIDE_VECTORS * LANES * (int64_t)sizeof(float) &&
        all / WIDE_CHUNKS > VECTORS)
        most = all / WIDE_CHUNKS;
    if (most > SIDE_VECTORS / (int64_t)vec_len(r->out))
        most = SIDE_VECTORS / (int64_t)vec_len(r->out);
    most = most < 1 ? 1 : most;
    return (int)(all < most ? all : most);
}

/* chunk: which 16 * vectors neighbouring results. */
static Columns
columns_at(Rows *r, LLVMValueRef chunk)
{
    Columns c = {.r = r, .vectors = rows_column_vectors(r)};
    int64_t wide = (int64_t)c.vectors * LANES;
    LLVMValueRef first =
        LLVMBuildMul(r->u->b, chunk, const_i64(r->u, wide), "");

    c.sums = c.vectors * (int)vec_len(r->out);
    ASSERT(c.sums <= MOST_SUMS);
    for (int v = 0; v < c.vectors; v++) {
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
    return c;
}

/* Rows [from, to) of the loop axes into the sums, from the identity. */
static void
run_block(Columns *c, LLVMValueRef from, LLVMValueRef to, LLVMValueRef *sum)
{
    Rows *r = c->r;
    LLVMValueRef *saved = NEWN(r->arena, LLVMValueRef, vec_len(r->port) + 1);
    Loop l;

    for (int k = 0; k < c->sums; k++)
        sum[k] = reduce_identity(r->u, dtype_of(c, k), letter_of(c, k), LANES);
    rows_enter_loop(r, loop_begin(r->u, &l, from, to, 1, c->sums, sum), saved);
    r->epoch++;
    for (int k = 0; k < c->sums; k++)
        loop_next(&l, k,
                  reduce_pair(r->u, dtype_of(c, k), letter_of(c, k), LANES,
                              loop_phi(&l, k),
                              rows_value(r, operand_of(c, k),
                                         &c->at[k % c->vectors])));
    rows_leave_loop(r, saved);
    loop_end(r->u, &l);
    for (int k = 0; k < c->sums; k++)
        sum[k] = loop_phi(&l, k);
}

/* Block `block` of 256 rows. */
static void
run_block_at(Columns *c, LLVMValueRef block, LLVMValueRef *sum)
{
    Unit *u = c->r->u;
    LLVMValueRef from, to, size = const_i64(u, COLUMN_BLOCK);

    from = LLVMBuildMul(u->b, block, size, "");
    to = LLVMBuildAdd(u->b, from, size, "");
    to = least(u, to, const_i64(u, rows_size(c->r, AX_LOOP)));
    run_block(c, from, to, sum);
}

static void
begin_trees(const Columns *c, int64_t blocks, Tree *tree)
{
    for (int k = 0; k < c->sums; k++)
        tree[k] = tree_new(c->r->u, dtype_of(c, k), letter_of(c, k), LANES,
                           blocks);
}

static void
run_blocks(Columns *c, int64_t blocks, LLVMValueRef *sum)
{
    Unit *u = c->r->u;
    Tree tree[MOST_SUMS];
    LLVMValueRef block;
    Loop l;

    begin_trees(c, blocks, tree);
    block = loop_begin(u, &l, const_i64(u, 0), const_i64(u, blocks), 1, 0,
                       NULL);
    run_block_at(c, block, sum);
    for (int k = 0; k < c->sums; k++)
        tree_push(u, &tree[k], block, sum[k]);
    loop_end(u, &l);
    for (int k = 0; k < c->sums; k++)
        sum[k] = tree_end(u, &tree[k], blocks);
}

static void
make_block(void *columns, LLVMValueRef block, bool rest, LLVMValueRef *sum)
{
    (void)rest;
    run_block_at(columns, block, sum);
}

static void
run_turns(Columns *c, int64_t rows, LLVMValueRef *sum)
{
    Turns t = {.sums = c->sums, .make = make_block, .context = c};

    ASSERT(c->sums <= TURN_SUMS);
    for (int k = 0; k < c->sums; k++) {
        t.dtype[k] = dtype_of(c, k);
        t.op[k] = letter_of(c, k);
    }
    t.whole = rows / COLUMN_BLOCK;
    t.rest = rows % COLUMN_BLOCK > 0;
    rows_in_turns(c->r, &t, sum);
}

static void
store_sums(Columns *c, LLVMValueRef *sum)
{
    Rows *r = c->r;

    for (int k = 0; k < c->sums; k++)
        rows_store(r, &r->port[r->out[k / c->vectors].port], sum[k],
                   &c->at[k % c->vectors]);
}

void
rows_run_columns(Rows *r, LLVMValueRef chunk)
{
    Columns c = columns_at(r, chunk);
    int64_t rows = rows_size(r, AX_LOOP);
    LLVMValueRef sum[MOST_SUMS];

    if (r->width == BLOCK_THREADS)
        run_turns(&c, rows, sum);
    else if (rows <= COLUMN_BLOCK)
        run_block(&c, const_i64(r->u, 0), const_i64(r->u, rows), sum);
    else
        run_blocks(&c, (rows + COLUMN_BLOCK - 1) / COLUMN_BLOCK, sum);
    store_sums(&c, sum);
}

/* ---- in parts: each block is a unit of its own ---------------------------

   The blocks' sums wait in scratch: results one behind the other, of each the
   units, of each the blocks, of each a row of columns. */

static LLVMValueRef
partial_at(const Columns *c, LLVMValueRef partial, int sum, int64_t blocks,
           LLVMValueRef block)
{
    const Rows *r = c->r;
    Unit *u = r->u;
    int64_t start = 0, size = dtype_bytes(dtype_of(c, sum));
    LLVMValueRef index;

    for (int k = 0; k < sum / c->vectors; k++)
        start += blocks * type_bytes(&r->step[r->out[k].step].type);
    index = LLVMBuildMul(u->b, block, const_i64(u, r->length), "");
    index = LLVMBuildAdd(u->b, index, c->at[sum % c->vectors].i, "");
    return address(u, address(u, partial, const_i64(u, start), 1), index,
                   size);
}

/* Of lanes that are threads: this one's element, the last for those behind. */
static LLVMValueRef
own_partial(const Columns *c, int sum, LLVMValueRef at)
{
    Unit *u = c->r->u;
    LLVMValueRef lane = threads_lane(u), count = c->at[sum % c->vectors].count;

    if (count)
        lane = least(u, lane,
                     LLVMBuildSub(u->b, count, const_i64(u, 1), ""));
    return address(u, at, lane, dtype_bytes(dtype_of(c, sum)));
}

static void
store_partial(const Columns *c, int sum, LLVMValueRef v, LLVMValueRef to)
{
    Unit *u = c->r->u;
    LLVMValueRef count = c->at[sum % c->vectors].count, inside = NULL;
    DType d = dtype_of(c, sum);
    unsigned align = (unsigned)dtype_bytes(d);

    if (u->threads) {
        if (count)
            inside = LLVMBuildICmp(u->b, LLVMIntSLT, threads_lane(u), count,
                                   "");
        threads_store(u, v, own_partial(c, sum, to), align, inside);
    } else if (count) {
        store_masked(u, d, LANES, v, to, count);
    } else {
        store(u, v, to, align);
    }
}

/* unit * blocks + block */
static LLVMValueRef
block_index(const Rows *r, LLVMValueRef unit, LLVMValueRef block,
            int64_t blocks)
{
    LLVMBuilderRef b = r->u->b;

    return LLVMBuildAdd(b, LLVMBuildMul(b, unit, const_i64(r->u, blocks), ""),
                        block, "");
}

void
rows_run_column_part(Rows *r, LLVMValueRef unit, LLVMValueRef block,
                     LLVMValueRef chunk, int64_t blocks, LLVMValueRef partial)
{
    Columns c = columns_at(r, chunk);
    LLVMValueRef sum[MOST_SUMS], at = block_index(r, unit, block, blocks);

    run_block_at(&c, block, sum);
    for (int k = 0; k < c.sums; k++)
        store_partial(&c, k, sum[k], partial_at(&c, partial, k, blocks, at));
}

/* ---- in parts, of wide rows: each row is read from end to end ------------

   The sums are where the partial results go: few enough to stay in the nearest
   cache meanwhile. */

enum { PIECE_LEAST = 256, PIECE_BYTES = 16384, PIECES_WANTED = 32,
       ROWS_AT_ONCE = 8 };

int64_t
rows_column_piece(const Rows *r, int64_t blocks)
{
    int64_t results = (int64_t)vec_len(r->out), size = 1, wanted, piece;
    int64_t chunk = (int64_t)rows_column_vectors(r) * LANES;

    for (size_t i = 0; i < vec_len(r->out); i++)
        if (dtype_bytes(r->step[r->out[i].step].type.dtype) > size)
            size = dtype_bytes(r->step[r->out[i].step].type.dtype);
    wanted = (PIECES_WANTED - 1) / (r->units * blocks) + 1;
    piece = (r->length - 1) / wanted + 1;
    piece = piece < PIECE_LEAST ? PIECE_LEAST : piece;
    if (piece > PIECE_BYTES / (size * results))
        piece = PIECE_BYTES / (size * results);
    piece = (piece + LANES - 1) / LANES * LANES;
    return r->u->threads || r->length <= chunk || piece < chunk ? 0 : piece;
}

typedef struct Piece {
    Rows *r;
    LLVMValueRef block;   /* which row of partial results */
    LLVMValueRef first, end; /* columns */
    LLVMValueRef partial;
    int64_t blocks;
} Piece;

/* The sums of result `sum` from column i on. */
static LLVMValueRef
sums_at(const Piece *p, size_t sum, LLVMValueRef i)
{
    const Rows *r = p->r;
    Unit *u = r->u;
    LLVMValueRef index =
        LLVMBuildMul(u->b, p->block, const_i64(u, r->length), "");
    int64_t start = 0;

    for (size_t k = 0; k < sum; k++)
        start += p->blocks * type_bytes(&r->step[r->out[k].step].type);
    return address(u, address(u, p->partial, const_i64(u, start), 1),
                   LLVMBuildAdd(u->b, index, i, ""),
                   dtype_bytes(r->step[r->out[sum].step].type.dtype));
}

static LLVMValueRef
begin_sum(const Piece *p, size_t k, const At *at, bool begins)
{
    const Step *s = &p->r->step[p->r->out[k].step];
    DType d = s->type.dtype;
    LLVMValueRef from = sums_at(p, k, at->i);
    Unit *u = p->r->u;

    if (begins)
        return reduce_identity(
            u, d, reduce_letter(p->r->member[s->member].node), LANES);
    return at->count ? load_masked(u, d, LANES, from, at->count)
                     : load(u, unit_vector(u, d, LANES), from,
                            (unsigned)dtype_bytes(d));
}

static void
end_sum(const Piece *p, size_t k, const At *at, LLVMValueRef sum)
{
    DType d = p->r->step[p->r->out[k].step].type.dtype;
    LLVMValueRef to = sums_at(p, k, at->i);

    if (at->count)
        store_masked(p->r->u, d, LANES, sum, to, at->count);
    else
        store(p->r->u, sum, to, (unsigned)dtype_bytes(d));
}

/* `rows` rows join the sums at one vector of columns, or begin them. */
static void
add_vector(const Piece *p, LLVMValueRef row, int rows, const At *at,
           bool begins)
{
    Rows *r = p->r;
    Unit *u = r->u;
    size_t sums = vec_len(r->out);
    LLVMValueRef *saved = NEWN(r->arena, LLVMValueRef, vec_len(r->port) + 1);
    LLVMValueRef *sum = NEWN(r->arena, LLVMValueRef, sums);

    for (size_t k = 0; k < sums; k++)
        sum[k] = begin_sum(p, k, at, begins);
    for (int i = 0; i < rows; i++) {
        rows_enter_loop(r, LLVMBuildAdd(u->b, row, const_i64(u, i), ""),
                        saved);
        r->epoch++;
        for (size_t k = 0; k < sums; k++) {
            const Step *s = &r->step[r->out[k].step];
            const Member *m = &r->member[s->member];

            sum[k] = reduce_pair(u, s->type.dtype, reduce_letter(m->node),
                                 LANES, sum[k],
                                 rows_value(r, m->in[0], at));
        }
        rows_leave_loop(r, saved);
    }
    for (size_t k = 0; k < sums; k++)
        end_sum(p, k, at, sum[k]);
}

static void
add_rows(const Piece *p, LLVMValueRef row, int rows, bool begins)
{
    Rows *r = p->r;
    Unit *u = r->u;
    LLVMValueRef whole = const_i64(u, r->length / LANES * LANES);
    At at = {.lanes = LANES};
    Loop l;

    at.i = loop_begin(u, &l, p->first, least(u, p->end, whole), LANES, 0,
                      NULL);
    add_vector(p, row, rows, &at, begins);
    loop_end(u, &l);
    if (r->length % LANES) {
        at.i = loop_begin(u, &l, whole, p->end, LANES, 0, NULL);
        at.count = const_i64(u, r->length % LANES);
        add_vector(p, row, rows, &at, begins);
        loop_end(u, &l);
    }
}

/* Rows [from, to), several at once: fewer visits to the sums, and more reads
   under way. */
static void
add_all(const Piece *p, LLVMValueRef from, LLVMValueRef to)
{
    Unit *u = p->r->u;
    LLVMValueRef some = LLVMBuildSub(u->b, to, from, "");
    Loop l;

    if (!rows_are_costly(p->r)) {
        some = LLVMBuildAnd(u->b, some, const_i64(u, -ROWS_AT_ONCE), "");
        some = LLVMBuildAdd(u->b, from, some, "");
        add_rows(p, loop_begin(u, &l, from, some, ROWS_AT_ONCE, 0, NULL),
                 ROWS_AT_ONCE, false);
        loop_end(u, &l);
        from = some;
    }
    add_rows(p, loop_begin(u, &l, from, to, 1, 0, NULL), 1, false);
    loop_end(u, &l);
}

void
rows_run_column_piece(Rows *r, LLVMValueRef unit, LLVMValueRef block,
                      LLVMValueRef piece, int64_t blocks, LLVMValueRef partial)
{
    Unit *u = r->u;
    LLVMValueRef wide = const_i64(u, rows_column_piece(r, blocks)), from, to;
    Piece p = {.r = r, .partial = partial, .blocks = blocks};

    p.block = block_index(r, unit, block, blocks);
    p.first = LLVMBuildMul(u->b, piece, wide, "");
    p.end = least(u, LLVMBuildAdd(u->b, p.first, wide, ""),
                  const_i64(u, r->length));
    from = LLVMBuildMul(u->b, block, const_i64(u, COLUMN_BLOCK), "");
    to = LLVMBuildAdd(u->b, from, const_i64(u, COLUMN_BLOCK), "");
    to = least(u, to, const_i64(u, rows_size(r, AX_LOOP)));
    add_rows(&p, from, 1, true);
    add_all(&p, LLVMBuildAdd(u->b, from, const_i64(u, 1), ""), to);
}

/* ---- the trees over the blocks ------------------------------------------ */

static LLVMValueRef
load_partial(const Columns *c, int sum, LLVMValueRef from)
{
    LLVMValueRef count = c->at[sum % c->vectors].count;
    DType d = dtype_of(c, sum);
    Unit *u = c->r->u;

    if (u->threads)
        return load(u, unit_type(u, d), own_partial(c, sum, from),
                    (unsigned)dtype_bytes(d));
    return count ? load_masked(u, d, LANES, from, count)
                 : load(u, unit_vector(u, d, LANES), from,
                        (unsigned)dtype_bytes(d));
}

void
rows_join_columns(Rows *r, LLVMValueRef unit, LLVMValueRef chunk,
                  int64_t blocks, LLVMValueRef partial)
{
    Columns c = columns_at(r, chunk);
    Unit *u = r->u;
    Tree tree[MOST_SUMS];
    LLVMValueRef sum[MOST_SUMS], block, at;
    Loop l;

    begin_trees(&c, blocks, tree);
    block = loop_begin(u, &l, const_i64(u, 0), const_i64(u, blocks), 1, 0,
                       NULL);
    at = block_index(r, unit, block, blocks);
    for (int k = 0; k < c.sums; k++)
        tree_push(u, &tree[k], block,
                  load_partial(&c, k, partial_at(&c, partial, k, blocks, at)));
    loop_end(u, &l);
    for (int k = 0; k < c.sums; k++)
        sum[k] = tree_end(u, &tree[k], blocks);
    store_sums(&c, sum);
}
