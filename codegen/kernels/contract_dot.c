/* contract_dot: products of bf16 operands and of whole numbers as LLVM
   functions: the loops around the register tiles of contract_dot_tile.c.
   Phases: panels of lanes, of rows (if all of them are packed at once), tiles,
   sums of the parts of a split. */
#include "codegen/kernels/contract_parts.h"
#include "codegen/kernels/kernels.h"

/* ---- tiles for threads --------------------------------------------------- */

typedef struct Tile {
    LLVMValueRef base[2];  /* of the operands at this batch index */
    LLVMValueRef panel[2]; /* PACK_SHARED: first of this batch; rows, lanes */
    LLVMValueRef *at;      /* offsets of the classes */
    LLVMValueRef part;     /* of the split */
    LLVMValueRef from, to; /* its terms */
    LLVMValueRef bound[2][2]; /* blocks: rows', lanes' */
} Tile;

/* Terms of a chunk. */
typedef struct Span {
    LLVMValueRef from, to, count, first;
} Span;

static const Side *
side_at(const Contraction *c, int i)
{
    return i ? &c->lane : &c->row;
}

static Packing
packing_at(const Contraction *c, int i)
{
    return i ? c->packing : c->row_packing;
}

bool
in_chunks(const Contraction *c)
{
    return c->part > c->depth;
}

bool
stores_words(const Contraction *c)
{
    return stores_result(c) && !in_chunks(c);
}

static LLVMValueRef
element(Maker *k, const Side *s, LLVMValueRef base, LLVMValueRef index)
{
    return address(k->u, base, index, dtype_bytes(k->c->of[s->operand]));
}

static LLVMValueRef
source_of(Maker *k, const Tile *t, const Side *s, const Spot *spot)
{
    return element(k, s, t->base[s->operand], spot->in);
}

/* Where a block's words of the span stand; i: 0 rows, 1 lanes. Those that a
   worker packs for itself: lanes one panel, rows those of the tile. */
static LLVMValueRef
words_pointer(Maker *k, const Tile *t, int i, const Spot *spot,
              LLVMValueRef block, const Span *span)
{
    const Contraction *c = k->c;
    const Side *s = side_at(c, i);
    Unit *u = k->u;
    int64_t bytes = word_panel_bytes(c, s, packing_at(c, i));
    LLVMValueRef p, word;

    if (packing_at(c, i) == PACK_NONE)
        return element(k, s, source_of(k, t, s, spot), span->from);
    if (packing_at(c, i) == PACK_TILE) {
        if (i)
            return own_room(k, c->panel);
        block = LLVMBuildNSWSub(u->b, block, t->bound[0][0], "");
        return address(u, own_room(k, c->row_panels), block, bytes);
    }
    p = address(u, t->panel[i], block, bytes);
    word = LLVMBuildNSWSub(u->b, span->from, t->from, "");
    word = LLVMBuildUDiv(u->b, word, const_i64(u, c->in_word), "");
    word = offset_add(u, word, t->part, word_count(c, c->part));
    return address(u, p, word, word_width(c, s) * 4);
}

static void
pack_block(Maker *k, const Tile *t, int i, const Spot *spot, LLVMValueRef to,
           const Span *span)
{
    const Side *s = side_at(k->c, i);
    LLVMValueRef args[] = {source_of(k, t, s, spot), to, spot->count,
                           span->from, span->to};

    part_call(k, k->word_pack[i], 5, args);
}

static void
pack_tile_rows(Maker *k, const Tile *t, const Span *span)
{
    const Contraction *c = k->c;
    LLVMValueRef block;
    Spot row;
    Loop l;

    if (c->row_packing != PACK_TILE)
        return;
    block = loop_begin(k->u, &l, t->bound[0][0], t->bound[0][1], 1, 0, NULL);
    row = spot_of(k, &c->row, block, zeros(k));
    pack_block(k, t, 0, &row, words_pointer(k, t, 0, &row, block, span), span);
    loop_end(k->u, &l);
}

static LLVMValueRef
sums_pointer(Maker *k, const Tile *t, LLVMValueRef row, LLVMValueRef lane)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef index;

    if (!in_chunks(c))
        return k->tile;
    row = LLVMBuildNSWSub(u->b, row, t->bound[0][0], "");
    lane = LLVMBuildNSWSub(u->b, lane, t->bound[1][0], "");
    index = LLVMBuildNSWMul(u->b, lane, const_i64(u, c->row.chunk), "");
    index = LLVMBuildNSWAdd(u->b, index, row, "");
    return address(u, own_room(k, c->sums), index,
                   tile_width(c) * tile_height(c) * c->bytes);
}

/* All blocks of a tile; span NULL: only what becomes of the sums. */
static void
emit_blocks(Maker *k, const Tile *t, const Span *span, bool end)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef lane_block, row_block, *at, args[5];
    Spot lane, row;
    Loop lanes, rows;

    lane_block =
        loop_begin(u, &lanes, t->bound[1][0], t->bound[1][1], 1, 0, NULL);
    lane = spot_of(k, &c->lane, lane_block, copy_at(k, t->at));
    if (span) {
        args[1] = words_pointer(k, t, 1, &lane, lane_block, span);
        args[3] = span->count;
        args[4] = span->first;
        if (c->packing == PACK_TILE)
            pack_block(k, t, 1, &lane, args[1], span);
    }
    row_block =
        loop_begin(u, &rows, t->bound[0][0], t->bound[0][1], 1, 0, NULL);
    at = copy_at(k, lane.at);
    row = spot_of(k, &c->row, row_block, at);
    if (stores_words(c))
        args[2] = address(u, k->out[0].base, at[k->out[0].class], c->bytes);
    else
        args[2] = sums_pointer(k, t, row_block, lane_block);
    if (span) {
        args[0] = words_pointer(k, t, 0, &row, row_block, span);
        call_micro(k, &row, &lane, 5, args);
    }
    if (end && !stores_words(c))
        emit_tile_end(k, args[2], &row, &lane, at);
    loop_end(u, &rows);
    loop_end(u, &lanes);
}

static Span
span_new(Unit *u, LLVMValueRef from, LLVMValueRef to, LLVMValueRef begin)
{
    LLVMValueRef first = LLVMBuildICmp(u->b, LLVMIntEQ, from, begin, "");

    return (Span){.from = from,
                  .to = to,
                  .count = LLVMBuildNSWSub(u->b, to, from, ""),
                  .first = LLVMBuildZExt(u->b, first, u->i64, "")};
}

static void
emit_sums(Maker *k, const Tile *t)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef to = t->to;
    Span span;
    Loop l;

    if (!in_chunks(c)) {
        span = span_new(u, t->from, to, t->from);
        pack_tile_rows(k, t, &span);
        emit_blocks(k, t, &span, true);
        return;
    }
    loop_begin(u, &l, t->from, to, c->depth, 0, NULL);
    to = least(u, offset_add(u, l.i, const_i64(u, 1), c->depth), to);
    span = span_new(u, l.i, to, t->from);
    pack_tile_rows(k, t, &span);
    emit_blocks(k, t, &span, false);
    loop_end(u, &l);
    emit_blocks(k, t, NULL, true);
}

/* The batch index: offsets of operands and classes, panels. */
static void
batch_offsets(Maker *k, Tile *t, LLVMValueRef index)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef in[2] = {NULL, NULL}, copy[2] = {NULL, NULL};
    int64_t copies[2] = {1, 1};

    for (size_t i = vec_len(c->batch); i-- > 0;) {
        const Axis *x = &c->batch[i];
        LLVMValueRef d = digit(u, &index, x->size);

        move_along(k, x, d, 1, t->at);
        for (int s = 0; s < 2; s++) {
            int op = side_at(c, s)->operand;

            in[op] = offset_add(u, in[op], d, x->in[op]);
            if (!x->in[op])
                continue;
            copy[s] = offset_add(u, copy[s], d, copies[s]);
            copies[s] *= x->size;
        }
    }
    for (int s = 0; s < 2; s++) {
        const Side *side = side_at(c, s);
        int op = side->operand;
        int64_t at = s ? c->panels : c->row_panels;

        if (in[op])
            t->base[op] = element(k, side, t->base[op], in[op]);
        if (packing_at(c, s) != PACK_SHARED)
            continue;
        t->panel[s] = address(u, k->scratch, const_i64(u, at), 1);
        if (copy[s])
            t->panel[s] =
                address(u, t->panel[s], copy[s],
                        side->blocks * word_panel_bytes(c, side, PACK_SHARED));
    }
}

static void
emit_tile(Maker *k, const LLVMValueRef *operand, LLVMValueRef number)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    int64_t all = type_elements(&value_at(c->graph, c->leader->out[0])->type);
    Tile t = {.base = {operand[0], operand[1]}, .at = zeros(k)};

    for (int i = 0; i < 2; i++) {
        const Side *s = side_at(c, i);

        chunk_bounds(k, s, digit(u, &number, s->chunks), &t.bound[i][0],
                     &t.bound[i][1]);
    }
    t.part = digit(u, &number, c->split);
    t.from = offset_add(u, NULL, t.part, c->part);
    t.to = least(u, LLVMBuildNSWAdd(u->b, t.from, const_i64(u, c->part), ""),
                 const_i64(u, c->k));
    if (c->split > 1) {
        k->partial = address(u, k->scratch, const_i64(u, c->partial), 1);
        k->partial = address(u, k->partial, t.part, all * c->bytes);
    }
    batch_offsets(k, &t, number);
    emit_sums(k, &t);
}

/* ---- kernels ------------------------------------------------------------- */

/* All panels of a side. */
static LLVMValueRef
make_panels(Maker *k, int i)
{
    const Contraction *c = k->c;
    const Side *s = side_at(c, i);
    Unit *u = k->u;
    LLVMValueRef f = kernel_begin(k, i ? ".panels" : ".row_panels"), block;
    LLVMValueRef number, to, part, from;
    int64_t bytes = word_panel_bytes(c, s, PACK_SHARED);
    Tile t = {0};
    Loop l, parts;
    Spot spot;

    from = operand_pointer(k, f, s->operand);
    number =
        loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    block = digit(u, &number, s->blocks);
    for (size_t x = vec_len(c->batch); x-- > 0;)
        if (c->batch[x].in[s->operand])
            from =
                element(k, s, from,
                        offset_add(u, NULL, digit(u, &number, c->batch[x].size),
                                   c->batch[x].in[s->operand]));
    t.base[s->operand] = from;
    spot = spot_of(k, s, block, zeros(k));
    to = address(u, k->scratch, const_i64(u, i ? c->panels : c->row_panels), 1);
    to = address(u, to, l.i, bytes);
    part = loop_begin(u, &parts, const_i64(u, 0), const_i64(u, c->split), 1, 0,
                      NULL);
    t.from = offset_add(u, NULL, part, c->part);
    t.to = least(u, LLVMBuildNSWAdd(u->b, t.from, const_i64(u, c->part), ""),
                 const_i64(u, c->k));
    to = address(u, to, part, word_count(c, c->part) * word_width(c, s) * 4);
    pack_block(k, &t, i, &spot, to, &(Span){.from = t.from, .to = t.to});
    loop_end(u, &parts);
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    return f;
}

/* Do blocks of this side come whole, or cut, or both? */
static bool
has_blocks(const Side *s, bool tail)
{
    return tail ? s->tail != s->inner
                : s->inner_blocks > 1 || s->tail == s->inner;
}

void
lower_contract_dot(Maker *k, Lowered *out)
{
    const Contraction *c = k->c;

    for (int r = 0; r < 2; r++)
        for (int l = 0; l < 2; l++)
            if (has_blocks(&c->row, r) && has_blocks(&c->lane, l))
                k->micro[r][l] = make_dot_micro(k, r, l);
    if (c->walk == WALK_ROWS)
        k->transpose = make_transpose(k);
    for (int i = 0; i < 2; i++)
        if (packing_at(c, i))
            k->word_pack[i] = make_word_pack(k, side_at(c, i));
    for (int i = 0; i < 2; i++)
        if (packing_at(c, i) == PACK_SHARED) {
            out->kernel[out->phases] = make_panels(k, i);
            out->tiles[out->phases++] = word_panel_count(c, side_at(c, i));
        }
    out->kernel[out->phases] =
        make_tiles(k, !in_chunks(c) && !stores_words(c), emit_tile);
    out->tiles[out->phases++] = c->tiles;
    if (c->split > 1) {
        out->kernel[out->phases] = make_sum(k, &out->tiles[out->phases]);
        out->phases++;
    }
}
