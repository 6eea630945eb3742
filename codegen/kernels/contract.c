/* contract: products and convolutions as LLVM functions: the loops over tiles
   and blocks around register tiles. Phases: panels of the lanes' operand (if
   all of them are packed at once), tiles, sums of the parts of a split. */
#include "codegen/kernels/contract_parts.h"
#include "codegen/kernels/kernels.h"
#include "ir/base/diag.h"

#include <string.h>

/* A tile for threads: what its blocks have in common. */
typedef struct Tile {
    LLVMValueRef base[2];  /* of the operands, or their copies, at this batch */
    LLVMValueRef panel;    /* PACK_SHARED: first panel of this batch */
    LLVMValueRef *at;      /* offsets of the classes */
    LLVMValueRef from, to; /* terms of this part */
    LLVMValueRef row_from, row_to; /* blocks */
    LLVMValueRef lane_from, lane_to;
    LLVMValueRef first, last; /* i1: the outside index is; NULL: unknown */
} Tile;

typedef enum Work { WORK_SUM = 1, WORK_END = 2 } Work;

/* Index 0 of all axes, a class each. */
static LLVMValueRef *
starts(Maker *k)
{
    LLVMValueRef *at = zeros(k);

    for (int i = 0; i < k->c->classes; i++)
        at[i] = const_i64(k->u, k->c->start[i]);
    return at;
}

/* ---- blocks
 * -------------------------------------------------------------------- */

static LLVMValueRef
is_cut(Unit *u, const Side *s, LLVMValueRef count)
{
    if (s->tail == s->inner)
        return LLVMConstInt(u->i1, 0, false);
    return LLVMBuildICmp(u->b, LLVMIntNE, count, const_i64(u, s->inner), "");
}

/* Calls the register tile that fits the counts. */
void
call_micro(Maker *k, const Spot *row, const Spot *lane, int count,
           LLVMValueRef *args)
{
    Unit *u = k->u;
    LLVMValueRef f = NULL, cut;

    for (int r = 0; r < 2; r++) {
        LLVMValueRef pick = NULL;

        for (int l = 0; l < 2; l++) {
            LLVMValueRef one = k->micro[r][l];

            if (!one)
                continue;
            cut = is_cut(u, &k->c->lane, lane->count);
            pick = pick ? LLVMBuildSelect(u->b, cut, one, pick, "") : one;
        }
        if (!pick)
            continue;
        cut = is_cut(u, &k->c->row, row->count);
        f = f ? LLVMBuildSelect(u->b, cut, pick, f, "") : pick;
    }
    LLVMBuildCall2(u->b,
                   LLVMGlobalGetValueType(k->micro[0][0]   ? k->micro[0][0]
                                          : k->micro[0][1] ? k->micro[0][1]
                                          : k->micro[1][0] ? k->micro[1][0]
                                                           : k->micro[1][1]),
                   f, args, (unsigned)count, "");
}

/* Where the vectors of a block of lanes are read; its panel is made here if
   each worker makes its own. */
static LLVMValueRef
lane_pointer(Maker *k, const Tile *t, const Spot *lane, LLVMValueRef block,
             Work work, LLVMValueRef terms)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef from =
        address(u, t->base[c->lane.operand], lane->in, c->bytes);
    LLVMValueRef args[] = {from, NULL, lane->count, terms};

    if (c->packing == PACK_NONE)
        return from;
    if (c->packing == PACK_SHARED)
        return address(u, t->panel, block, panel_bytes(c));
    args[1] = own_room(k, c->panel);
    if (work & WORK_SUM)
        part_call(k, k->pack, 4, args);
    return args[1];
}

static LLVMValueRef
sums_pointer(Maker *k, const Tile *t, LLVMValueRef row, LLVMValueRef lane)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef index;

    if (!c->outside)
        return k->tile;
    row = LLVMBuildNSWSub(u->b, row, t->row_from, "");
    lane = LLVMBuildNSWSub(u->b, lane, t->lane_from, "");
    index = LLVMBuildNSWMul(u->b, lane, const_i64(u, c->row.chunk), "");
    index = LLVMBuildNSWAdd(u->b, index, row, "");
    return address(u, own_room(k, c->sums), index, tile_bytes(c));
}

LLVMValueRef *
copy_at(Maker *k, LLVMValueRef *at)
{
    LLVMValueRef *copy = zeros(k);

    memcpy(copy, at, (size_t)k->c->classes * sizeof *at);
    return copy;
}

/* What comes before the sums of a block, or behind; `when` NULL: always. */
static void
emit_beside(Maker *k, bool before, LLVMValueRef when, LLVMValueRef sums,
            const Spot *spot, LLVMValueRef *at)
{
    Unit *u = k->u;
    LLVMBasicBlockRef now, after;

    if (!when) {
        (before ? emit_tile_begin : emit_tile_end)(k, sums, &spot[0], &spot[1],
                                                   at);
        return;
    }
    now = block_new(u, "now");
    after = block_new(u, "after");
    LLVMBuildCondBr(u->b, when, now, after);
    LLVMPositionBuilderAtEnd(u->b, now);
    emit_beside(k, before, NULL, sums, spot, at);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, after);
}

static LLVMValueRef
truth(Unit *u, LLVMValueRef is)
{
    return is ? LLVMBuildZExt(u->b, is, u->i64, "") : const_i64(u, 0);
}

/* All blocks of a tile. from, to: terms. Sides: 0 rows, 1 lanes. */
static void
emit_blocks(Maker *k, const Tile *t, Work work, LLVMValueRef from,
            LLVMValueRef to)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    const Side *side[] = {&c->row, &c->lane};
    LLVMValueRef begin[] = {t->row_from, t->lane_from}, block[2] = {NULL, NULL};
    LLVMValueRef end[] = {t->row_to, t->lane_to}, *at = t->at, args[8];
    Spot spot[2] = {{0}};
    Loop l[2];

    for (int i = 0; i < 2; i++) {
        int s = c->rows_first ? i : !i;

        block[s] = loop_begin(u, &l[i], begin[s], end[s], 1, 0, NULL);
        at = copy_at(k, at);
        spot[s] = spot_of(k, side[s], block[s], at);
        if (s)
            args[1] = lane_pointer(k, t, &spot[1], block[1], work, to);
    }
    args[0] = address(u, t->base[c->row.operand], spot[0].in, c->bytes);
    args[0] = address(u, args[0], spot[1].beside, c->bytes);
    args[2] = sums_pointer(k, t, block[0], block[1]);
    args[3] = stores_result(c)
                  ? address(u, k->out[0].base, at[k->out[0].class], c->bytes)
                  : args[2];
    args[4] = from;
    args[5] = to;
    args[6] = truth(u, t->first);
    args[7] = truth(u, t->last);
    if (work & WORK_SUM && c->begins)
        emit_beside(k, true, t->first, args[2], spot, at);
    if (work & WORK_SUM)
        call_micro(k, &spot[0], &spot[1], 8, args);
    if (work & WORK_END && !stores_result(c))
        emit_beside(k, false, t->last, args[2], spot, at);
    loop_end(u, &l[1]);
    loop_end(u, &l[0]);
}

/* ---- tiles
 * --------------------------------------------------------------------- */

/* Where index 0 of all axes stands in operand i, or its copy, at p. */
static LLVMValueRef
at_zero(Maker *k, int i, LLVMValueRef p)
{
    return address(k->u, p,
                   const_i64(k->u, k->c->image[i].lead * k->c->bytes), 1);
}

/* The images of this batch index; the operands stand in the copies then, or
   where they are. */
static void
make_copies(Maker *k, Tile *t, const LLVMValueRef *band)
{
    const Contraction *c = k->c;

    for (int i = 0; i < 2; i++) {
        LLVMValueRef args[] = {t->base[i], t->base[i], band[i]};

        if (c->image[i].on) {
            args[1] = own_room(k, c->copy[i]);
            part_call(k, k->image[i], 3, args);
        }
        t->base[i] = at_zero(k, i, args[1]);
    }
}

void
chunk_bounds(Maker *k, const Side *s, LLVMValueRef index, LLVMValueRef *from,
             LLVMValueRef *to)
{
    Unit *u = k->u;

    *from = LLVMBuildNSWMul(u->b, index, const_i64(u, s->chunk), "");
    *to = LLVMBuildNSWAdd(u->b, *from, const_i64(u, s->chunk), "");
    *to = s->chunks == 1 ? const_i64(u, s->blocks)
                         : least(u, *to, const_i64(u, s->blocks));
}

/* The batch index: offsets of operands and classes, panels, bands. */
static void
batch_offsets(Maker *k, Tile *t, LLVMValueRef index, LLVMValueRef *band)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef in[2] = {NULL, NULL}, panel = const_i64(u, 0);
    int64_t panels = c->lane.blocks;

    for (size_t i = vec_len(c->batch); i-- > 0;) {
        const Axis *x = &c->batch[i];
        LLVMValueRef d = digit(u, &index, x->size);

        move_along(k, x, d, 1, t->at);
        for (int o = 0; o < 2; o++) {
            in[o] = offset_add(u, in[o], d, x->in[o]);
            if (c->image[o].on && c->image[o].band == (int)i)
                band[o] = d;
        }
        if (x->in[c->lane.operand]) {
            panel = offset_add(u, panel, d, panels);
            panels *= x->size;
        }
    }
    for (int o = 0; o < 2; o++)
        if (in[o])
            t->base[o] = address(u, t->base[o], in[o], c->bytes);
    if (c->packing == PACK_SHARED) {
        t->panel = address(u, k->scratch, const_i64(u, c->panels), 1);
        t->panel = address(u, t->panel, panel, panel_bytes(c));
    }
}

void
clear_sums(Maker *k)
{
    const Contraction *c = k->c;
    LLVMBuildMemSet(k->u->b, own_room(k, c->sums),
                    LLVMConstInt(k->u->i8, 0, false),
                    const_i64(k->u, c->row.chunk * c->lane.chunk *
                                        tile_bytes(c)),
                    64);
}

/* A sum whose first axis is walked outside: all blocks take its terms, one
   index after the other, their running sums in scratch. */
static void
emit_outside(Maker *k, Tile *t, const LLVMValueRef *band)
{
    const Contraction *c = k->c;
    const Axis *x = &c->sum[0];
    Unit *u = k->u;
    LLVMValueRef first, last, i, gone, from, to, zero = const_i64(u, 0);
    LLVMValueRef more, part[] = {band[0], band[1]};
    bool whole = c->split == 1 && c->k; /* there is a first and a last index */
    Tile one = *t;
    Loop l;

    if (!whole)
        clear_sums(k);
    first = quotient(u, t->from, c->inside);
    last = LLVMBuildNSWAdd(u->b, t->to, const_i64(u, c->inside - 1), "");
    last = quotient(u, last, c->inside);
    i = loop_begin(u, &l, first, last, 1, 0, NULL);
    gone = LLVMBuildNSWMul(u->b, i, const_i64(u, c->inside), "");
    from = LLVMBuildNSWSub(u->b, t->from, gone, "");
    more = LLVMBuildICmp(u->b, LLVMIntSGT, from, zero, "");
    from = LLVMBuildSelect(u->b, more, from, zero, "");
    to = LLVMBuildNSWSub(u->b, t->to, gone, "");
    to = least(u, to, const_i64(u, c->inside));
    for (int o = 0; o < 2; o++) {
        LLVMValueRef far = i;

        if (c->image[o].by_term) { /* the copy wants the image's beginning */
            part[o] = rest(u, i, c->bands);
            far = LLVMBuildNSWSub(u->b, i, part[o], "");
        }
        one.base[o] = address(u, t->base[o], far, x->in[o] * c->bytes);
    }
    make_copies(k, &one, part);
    if (whole) {
        one.first = LLVMBuildICmp(u->b, LLVMIntEQ, i, first, "");
        i = LLVMBuildNSWAdd(u->b, i, const_i64(u, 1), "");
        one.last = LLVMBuildICmp(u->b, LLVMIntEQ, i, last, "");
    }
    emit_blocks(k, &one, whole ? WORK_SUM | WORK_END : WORK_SUM, from, to);
    loop_end(u, &l);
    if (!whole)
        emit_blocks(k, t, WORK_END, zero, zero);
}

/* Neighbours share a chunk of the longer side, which comes from afar. */
static void
tile_chunks(Maker *k, Tile *t, LLVMValueRef *number)
{
    const Contraction *c = k->c;
    bool long_rows = c->row.chunks > c->lane.chunks;
    LLVMValueRef row, lane;

    if (long_rows)
        lane = digit(k->u, number, c->lane.chunks);
    row = digit(k->u, number, c->row.chunks);
    if (!long_rows)
        lane = digit(k->u, number, c->lane.chunks);
    chunk_bounds(k, &c->row, row, &t->row_from, &t->row_to);
    chunk_bounds(k, &c->lane, lane, &t->lane_from, &t->lane_to);
}

static void
emit_tile(Maker *k, const LLVMValueRef *operand, LLVMValueRef number)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef part, zero = const_i64(u, 0), band[2] = {zero, zero};
    int64_t all = type_elements(&value_at(c->graph, c->leader->out[0])->type);
    Tile t = {.base = {operand[0], operand[1]}, .at = starts(k)};

    tile_chunks(k, &t, &number);
    part = digit(u, &number, c->split);
    t.from = offset_add(u, NULL, part, c->part);
    t.to = LLVMBuildNSWAdd(u->b, t.from, const_i64(u, c->part), "");
    t.to =
        c->split > 1 ? least(u, t.to, const_i64(u, c->k)) : const_i64(u, c->k);
    if (c->split > 1) {
        k->partial = address(u, k->scratch, const_i64(u, c->partial), 1);
        k->partial = address(u, k->partial, part, all * c->bytes);
    }
    batch_offsets(k, &t, number, band);
    if (c->outside) {
        emit_outside(k, &t, band);
        return;
    }
    make_copies(k, &t, band);
    emit_blocks(k, &t, WORK_SUM | WORK_END, t.from, t.to);
}

/* ---- kernels
 * -------------------------------------------------------------------- */

static void
make_parts(Maker *k)
{
    const Contraction *c = k->c;

    for (int r = 0; !c->taps && r < 2; r++)
        for (int l = 0; l < 2; l++) {
            bool rows =
                r ? c->row.tail != c->row.inner
                  : c->row.inner_blocks > 1 || c->row.tail == c->row.inner;
            bool lanes =
                l ? c->lane.tail != c->lane.inner
                  : c->lane.inner_blocks > 1 || c->lane.tail == c->lane.inner;

            if (rows && lanes)
                k->micro[r][l] = make_micro(k, r, l);
        }
    if (c->packing || c->walk == WALK_ROWS)
        k->transpose = make_transpose(k);
    for (int i = 0; i < 2; i++)
        if (c->image[i].on)
            k->image[i] = make_image(k, i);
    if (c->packing)
        k->pack = make_pack(k);
}

/* Zeros where the last run may reach too far: what is planned is written. */
static void
close_panel(Maker *k, LLVMValueRef panel)
{
    const Contraction *c = k->c;
    int64_t size = c->inside * tile_width(c);
    LLVMValueRef end = address(k->u, panel, const_i64(k->u, size), c->bytes);

    LLVMSetAlignment(LLVMBuildStore(k->u->b, LLVMConstNull(k->vector), end),
                     (unsigned)c->bytes);
}

static LLVMValueRef
make_panels(Maker *k)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef f = kernel_begin(k, ".panels"), i, block, args[4];
    LLVMValueRef from = operand_pointer(k, f, c->lane.operand), number;
    Loop l;

    from = at_zero(k, c->lane.operand, from);
    i = number =
        loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    block = digit(u, &number, c->lane.blocks);
    for (size_t x = vec_len(c->batch); x-- > 0;) {
        const Axis *axis = &c->batch[x];
        int64_t stride = axis->in[c->lane.operand];

        if (stride)
            from = address(u, from, digit(u, &number, axis->size),
                           stride * c->bytes);
    }
    {
        Spot lane = spot_of(k, &c->lane, block, zeros(k));

        args[0] = address(u, from, lane.in, c->bytes);
        args[2] = lane.count;
    }
    args[1] = address(u, k->scratch, const_i64(u, c->panels), 1);
    args[1] = address(u, args[1], i, panel_bytes(c));
    args[3] = const_i64(u, c->k);
    part_call(k, k->pack, 4, args);
    close_panel(k, args[1]);
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    return f;
}

/* Of a result without elements. */
static LLVMValueRef
make_nothing(Maker *k)
{
    LLVMValueRef f = kernel_begin(k, ".none");

    LLVMBuildRetVoid(k->u->b);
    return f;
}

/* Phases of one contraction: the node's, or one of a chain. */
static void
lower_one(Maker *k, Lowered *out)
{
    const Contraction *c = k->c;

    make_parts(k);
    if (c->packing == PACK_SHARED) {
        out->kernel[out->phases] = make_panels(k);
        out->tiles[out->phases++] = panel_count(c);
    }
    out->kernel[out->phases] =
        c->taps ? make_taps(k) : make_tiles(k, !c->outside, emit_tile);
    out->tiles[out->phases++] = c->tiles;
    if (c->split > 1) {
        out->kernel[out->phases] = make_sum(k, &out->tiles[out->phases]);
        out->phases++;
    }
}

void
lower_contract(Unit *u, const Graph *g, NodeId n, const char *name,
               Lowered *out)
{
    Maker k = {.u = u, .g = g, .n = node_at(g, n), .name = name};
    const Contraction *c = contraction_new(u->arena, g, n, u->machine);

    *out = (Lowered){0};
    k.c = c;
    if (!c->tiles) {
        out->kernel[out->phases++] = make_nothing(&k);
        return;
    }
    k.element = unit_type(u, c->dtype);
    k.vector = unit_vector(u, c->dtype, c->lanes);
    ASSERT(c->in_word || c->dtype == DT_F32 || c->dtype == DT_F64);
    if (c->in_word) {
        lower_contract_dot(&k, out);
        return;
    }
    for (; c; c = c->next) {
        Maker one = {.u = u, .g = g, .n = k.n, .c = c};
        char part[256];

        snprintf(part, sizeof part, "%.180s.%d", name, out->phases);
        one.name = part;
        one.element = k.element;
        one.vector = unit_vector(u, c->dtype, c->lanes);
        lower_one(&one, out);
    }
}
