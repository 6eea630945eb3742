/* contract_taps: depthwise products that read their images where they stand:
   columns of the result by blocks, lanes along the channels, taps outside of
   the image left out. */
#include "codegen/kernels/contract_parts.h"

typedef struct Walker {
    Maker *k;
    const Contraction *c;
    const Taps *t;
    const TapRun *row;       /* class of the row at hand */
    LLVMValueRef image;      /* of the operand that has taps */
    LLVMValueRef other;      /* the weight gradient's other operand */
    LLVMValueRef source;     /* row of the image that tap `from` reads */
    LLVMValueRef from, to;   /* taps of the row, or rows, that are inside */
    LLVMValueRef panel;      /* of the first block of lanes */
    LLVMValueRef lane_from, lane_to; /* blocks of the tile */
    LLVMValueRef *at;        /* of the row's first result, a class each */
} Walker;

/* A block of columns; of the inner ones `index` is the loop's. */
typedef struct Block {
    int64_t first;      /* column */
    LLVMValueRef index; /* blocks behind it */
} Block;

static LLVMValueRef
add(Unit *u, LLVMValueRef a, int64_t b)
{
    return LLVMBuildNSWAdd(u->b, a, const_i64(u, b), "");
}

static LLVMValueRef
most(Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef more = LLVMBuildICmp(u->b, LLVMIntSGT, a, b, "");

    return LLVMBuildSelect(u->b, more, a, b, "");
}

/* ceil(max(x, 0) / by) */
static LLVMValueRef
steps_up_to(Unit *u, LLVMValueRef x, int64_t by)
{
    x = most(u, x, const_i64(u, 0));
    return quotient(u, add(u, x, by - 1), by);
}

/* Indices i < count for which start + i * step is in [0, size). */
static void
inside(Unit *u, LLVMValueRef start, int64_t step, int64_t size, int64_t count,
       LLVMValueRef *from, LLVMValueRef *to)
{
    LLVMValueRef left = LLVMBuildNSWSub(u->b, const_i64(u, size), start, "");

    if (step >= 0) {
        step = step ? step : 1;
        *from = steps_up_to(u, LLVMBuildNSWNeg(u->b, start, ""), step);
        *to = steps_up_to(u, left, step);
    } else {
        left = LLVMBuildNSWNeg(u->b, left, "");
        *from = steps_up_to(u, add(u, left, 1), -step);
        *to = steps_up_to(u, add(u, start, 1), -step);
    }
    *to = least(u, *to, const_i64(u, count));
}

/* A vector of which `left` lanes are there. */
static LLVMValueRef
take_vector(const Walker *w, LLVMValueRef p, int64_t elements, int64_t left)
{
    const Contraction *c = w->c;
    Unit *u = w->k->u;

    p = address(u, p, const_i64(u, elements * c->bytes), 1);
    if (left < c->lanes)
        return load_masked(u, c->dtype, c->lanes, p, const_i64(u, left));
    return load(u, w->k->vector, p, (unsigned)c->bytes);
}

/* ---- all blocks of a row ------------------------------------------------- */

typedef void EmitBlock(Walker *w, const Block *b, LLVMValueRef lane,
                       int64_t channels);

/* Blocks of lanes [from, to): whole ones, then the last one. */
static void
emit_lanes(Walker *w, const Block *b, LLVMValueRef from, LLVMValueRef to,
           EmitBlock *emit)
{
    const Side *s = &w->c->lane;
    Unit *u = w->k->u;
    bool cut = s->tail != s->inner;
    LLVMValueRef whole = const_i64(u, s->blocks - cut);
    Loop l;

    if (s->blocks > cut) {
        loop_begin(u, &l, from, least(u, to, whole), 1, 0, NULL);
        emit(w, b, l.i, s->inner);
        loop_end(u, &l);
    }
    if (cut) {
        loop_begin(u, &l, most(u, from, whole), to, 1, 0, NULL);
        emit(w, b, l.i, s->tail);
        loop_end(u, &l);
    }
}

static void
emit_all_lanes(Walker *w, const Block *b, EmitBlock *emit)
{
    emit_lanes(w, b, const_i64(w->k->u, 0),
               const_i64(w->k->u, w->c->lane.blocks), emit);
}

static void
emit_edges(Walker *w, int64_t from, int64_t to, EmitBlock *emit)
{
    for (int64_t i = from; i < to; i++) {
        Block b = {i * w->t->block, const_i64(w->k->u, 0)};

        emit_all_lanes(w, &b, emit);
    }
}

static void
emit_columns(Walker *w, EmitBlock *emit)
{
    const Taps *t = w->t;
    Unit *u = w->k->u;
    Loop l;

    emit_edges(w, 0, t->inner, emit);
    if (t->outer > t->inner) {
        Block b = {.first = t->inner * t->block};

        b.index = loop_begin(u, &l, const_i64(u, 0),
                             const_i64(u, t->outer - t->inner), 1, 0, NULL);
        emit_all_lanes(w, &b, emit);
        loop_end(u, &l);
    }
    emit_edges(w, t->outer, t->blocks, emit);
}

/* ---- the product and the input's gradient ------------------------------- */

enum { SUMS_MOST = 32 };

/* The terms of one row of taps, for all columns of a block. */
static void
add_row(const Walker *w, const Block *b, LLVMValueRef image,
        LLVMValueRef weights, int64_t channels, LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    int64_t period = (int64_t)vec_len(t->columns), source;

    for (int64_t i = 0; i < t->block; i++) {
        const TapRun *r = &t->columns[i % period];

        for (int64_t k = 0; k < r->taps; k++) {
            int64_t tap = (r->tap_first + k * r->tap_step) * tile_width(c);

            if (!tap_source(t, b->first + i, k, &source))
                continue;
            for (int64_t v = 0; v < c->vectors; v++) {
                int64_t at = v * c->lanes, left = channels - at;
                LLVMValueRef *s = &sum[i * c->vectors + v], args[3];

                if (left <= 0)
                    continue;
                args[0] = take_vector(w, image,
                                      source * t->from.column + at, left);
                args[1] = take_vector(w, weights, tap + at, c->lanes);
                args[2] = *s;
                *s = intrinsic(w->k->u, "llvm.fma", w->k->vector, 3, args);
            }
        }
    }
}

/* The block's sums, over the rows of taps that are inside. */
static void
sum_block(const Walker *w, const Block *b, LLVMValueRef lane,
          int64_t channels, LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    Unit *u = w->k->u;
    int sums = (int)(t->block * c->vectors);
    int64_t advance = t->columns[0].advance * t->block /
                      (int64_t)vec_len(t->columns) * t->from.column;
    int64_t tall = w->row->tap_step * t->wide * tile_width(c);
    LLVMValueRef x, weights;
    Loop l;

    x = address(u, w->source, b->index, advance * c->bytes);
    x = address(u, x, lane, tile_width(c) * c->bytes);
    weights = address(u, w->panel, lane, panel_bytes(c));
    weights = address(u, weights, w->from, tall * c->bytes);
    weights = address(u, weights,
                      const_i64(u, w->row->tap_first * t->wide *
                                       tile_width(c)),
                      c->bytes);
    for (int i = 0; i < sums; i++)
        sum[i] = LLVMConstNull(w->k->vector);
    sum[sums] = x;
    sum[sums + 1] = weights;
    loop_begin(u, &l, w->from, w->to, 1, sums + 2, sum);
    for (int i = 0; i < sums; i++)
        sum[i] = loop_phi(&l, i);
    x = loop_phi(&l, sums);
    weights = loop_phi(&l, sums + 1);
    add_row(w, b, x, weights, channels, sum);
    for (int i = 0; i < sums; i++)
        loop_next(&l, i, sum[i]);
    loop_next(&l, sums,
              address(u, x, const_i64(u, w->row->delta * t->from.row),
                      c->bytes));
    loop_next(&l, sums + 1, address(u, weights, const_i64(u, tall), c->bytes));
    loop_end(u, &l);
    for (int i = 0; i < sums; i++)
        sum[i] = loop_phi(&l, i);
}

static void
store_block(const Walker *w, const Block *b, int64_t channels,
            LLVMValueRef *at, LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    const Port *y = &k->out[0];
    LLVMValueRef to = address(k->u, y->base, at[y->class], c->bytes), p;

    for (int64_t i = 0; i < w->t->block * c->vectors; i++) {
        int64_t column = i / c->vectors, lane = i % c->vectors * c->lanes;

        if (b->first + column >= w->t->width || lane >= channels)
            continue;
        lane += column * c->row.axis[0].at[y->class];
        p = address(k->u, to, const_i64(k->u, lane), c->bytes);
        lane = channels - i % c->vectors * c->lanes;
        if (lane < c->lanes)
            store_masked(k->u, c->dtype, c->lanes, sum[i], p,
                         const_i64(k->u, lane));
        else
            store(k->u, sum[i], p, (unsigned)c->bytes);
    }
}

/* By way of a tile: there is an epilogue. */
static void
end_block(const Walker *w, const Block *b, int64_t channels, LLVMValueRef *at,
          LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    Unit *u = w->k->u;
    int64_t columns = w->t->width - b->first;
    Spot row = {.at = at}, lane = {.at = at};

    for (int64_t i = 0; i < w->t->block * c->vectors; i++)
        store(u, sum[i],
              address(u, w->k->tile, const_i64(u, i * c->lanes), c->bytes),
              (unsigned)(c->lanes * c->bytes));
    row.count = const_i64(u, columns < w->t->block ? columns : w->t->block);
    lane.count = const_i64(u, channels);
    emit_tile_end(w->k, w->k->tile, &row, &lane, at);
}

static void
emit_pixels(Walker *w, const Block *b, LLVMValueRef lane, int64_t channels)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    LLVMValueRef sum[SUMS_MOST + 2], *at = copy_at(k, w->at);

    move_along(k, &c->row.axis[0], const_i64(k->u, b->first), 1, at);
    move_along(k, &c->row.axis[0], b->index, w->t->block, at);
    move_along(k, &c->lane.axis[0], lane, tile_width(c), at);
    sum_block(w, b, lane, channels, sum);
    (stores_result(c) ? store_block : end_block)(w, b, channels, at, sum);
}

/* Row `index` of a class. */
static void
emit_pixel_row(Walker *w, LLVMValueRef index, LLVMValueRef *at)
{
    const Taps *t = w->t;
    const TapRun *r = w->row;
    Maker *k = w->k;
    Unit *u = k->u;
    LLVMValueRef start, row;

    row = LLVMBuildNSWMul(u->b, index, const_i64(u, r->stride), "");
    w->at = copy_at(k, at);
    move_along(k, &w->c->batch[1], add(u, row, r->first), 1, w->at);
    start = LLVMBuildNSWMul(u->b, index, const_i64(u, r->advance), "");
    start = add(u, start, r->origin);
    inside(u, start, r->delta, t->from_height, r->taps, &w->from, &w->to);
    row = LLVMBuildNSWMul(u->b, w->from, const_i64(u, r->delta), "");
    row = LLVMBuildNSWAdd(u->b, row, start, "");
    w->source = address(u, w->image, row, t->from.row * w->c->bytes);
    emit_columns(w, emit_pixels);
}

/* Classes take turns, so that neighbours read the same rows. */
static void
emit_pixel_tile(Walker *w, LLVMValueRef number)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    Unit *u = k->u;
    LLVMValueRef first, last, *at = zeros(k), image = w->image;
    Loop rows, one;

    first = digit(u, &number, w->t->chunks);
    first = LLVMBuildNSWMul(u->b, first, const_i64(u, w->t->chunk), "");
    last = add(u, first, w->t->chunk);
    move_along(k, &c->batch[0], number, 1, at);
    w->image = address(u, image, number, c->batch[0].in[0] * c->bytes);
    w->panel = address(u, k->scratch, const_i64(u, c->panels), 1);
    loop_begin(u, &rows, first, last, 1, 0, NULL);
    for (size_t i = 0; i < vec_len(w->t->rows); i++) {
        w->row = &w->t->rows[i];
        last = least(u, add(u, rows.i, 1), const_i64(u, w->row->count));
        loop_begin(u, &one, rows.i, last, 1, 0, NULL);
        emit_pixel_row(w, one.i, at);
        loop_end(u, &one);
    }
    loop_end(u, &rows);
    w->image = image;
}

/* ---- the weight's gradient ----------------------------------------------- */

/* Where the sums of a block of lanes stand. */
static LLVMValueRef
sums_at(const Walker *w, LLVMValueRef lane)
{
    LLVMValueRef far = LLVMBuildNSWSub(w->k->u->b, lane, w->lane_from, "");

    return address(w->k->u, own_room(w->k, w->c->sums), far,
                   tile_bytes(w->c));
}

/* The terms of a block of columns, for the taps of one row. */
static void
add_terms(const Walker *w, const Block *b, const LLVMValueRef *from,
          int64_t channels, LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    int64_t source;

    for (int64_t i = b->first; i < b->first + t->block; i++)
        for (int64_t s = 0; s < t->wide * c->vectors; s++) {
            int64_t lane = s % c->vectors * c->lanes, left = channels - lane;
            LLVMValueRef args[3];

            if (left <= 0 || !tap_source(t, i, s / c->vectors, &source))
                continue;
            args[0] = take_vector(w, from[0], source * t->from.column + lane,
                                  left);
            args[1] = take_vector(w, from[1], i * t->other.column + lane, left);
            args[2] = sum[s];
            sum[s] = intrinsic(w->k->u, "llvm.fma", w->k->vector, 3, args);
        }
}

/* A row of the other operand, for the taps of one row; from: of both. */
static void
add_columns(const Walker *w, const LLVMValueRef *from, int64_t channels,
            LLVMValueRef *sum)
{
    const Taps *t = w->t;
    Unit *u = w->k->u;
    int sums = (int)(t->wide * w->c->vectors);
    int64_t step[] = {t->block * t->columns[0].advance * t->from.column,
                      t->block * t->other.column};
    LLVMValueRef here[2];
    Loop l;

    for (int64_t i = 0; i < t->inner; i++)
        add_terms(w, &(Block){.first = i * t->block}, from, channels, sum);
    if (t->outer > t->inner) {
        loop_begin(u, &l, const_i64(u, 0), const_i64(u, t->outer - t->inner),
                   1, sums, sum);
        for (int i = 0; i < sums; i++)
            sum[i] = loop_phi(&l, i);
        for (int i = 0; i < 2; i++)
            here[i] = address(u, from[i], l.i, step[i] * w->c->bytes);
        add_terms(w, &(Block){.first = t->inner * t->block}, here, channels,
                  sum);
        for (int i = 0; i < sums; i++)
            loop_next(&l, i, sum[i]);
        loop_end(u, &l);
        for (int i = 0; i < sums; i++)
            sum[i] = loop_phi(&l, i);
    }
    for (int64_t i = t->outer; i < t->blocks; i++)
        add_terms(w, &(Block){.first = i * t->block}, from, channels, sum);
}

/* Rows [w->from, w->to) of the other operand, for the taps of row `tall`, that
   begin in row `start` of the image. */
static void
add_rows(const Walker *w, LLVMValueRef lane, LLVMValueRef tall,
         LLVMValueRef start, int64_t channels)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    Unit *u = w->k->u;
    int sums = (int)(t->wide * c->vectors);
    unsigned align = (unsigned)(c->lanes * c->bytes);
    LLVMValueRef sum[SUMS_MOST], place[SUMS_MOST], p, from[2], row;
    Loop l;

    p = address(u, sums_at(w, lane), tall,
                t->wide * tile_width(c) * c->bytes);
    for (int i = 0; i < sums; i++) {
        place[i] = address(u, p, const_i64(u, i * c->lanes), c->bytes);
        sum[i] = load(u, w->k->vector, place[i], align);
    }
    loop_begin(u, &l, w->from, w->to, 1, sums, sum);
    for (int i = 0; i < sums; i++)
        sum[i] = loop_phi(&l, i);
    row = LLVMBuildNSWMul(u->b, l.i, const_i64(u, w->row->advance), "");
    row = LLVMBuildNSWAdd(u->b, row, start, "");
    from[0] = address(u, w->image, row, t->from.row * c->bytes);
    from[1] = address(u, w->other, l.i, t->other.row * c->bytes);
    for (int i = 0; i < 2; i++)
        from[i] = address(u, from[i], lane, tile_width(c) * c->bytes);
    add_columns(w, from, channels, sum);
    for (int i = 0; i < sums; i++)
        loop_next(&l, i, sum[i]);
    loop_end(u, &l);
    for (int i = 0; i < sums; i++)
        store(u, loop_phi(&l, i), place[i], align);
}

/* A block of lanes: some rows of the other operand, for all taps. */
static void
emit_terms(Walker *w, const Block *b, LLVMValueRef lane, int64_t channels)
{
    const Taps *t = w->t;
    const TapRun *r = w->row;
    Unit *u = w->k->u;
    LLVMValueRef start, from = w->from, to = w->to, least_to;
    Loop l;

    (void)b;
    loop_begin(u, &l, const_i64(u, 0), const_i64(u, t->tall), 1, 0, NULL);
    start = LLVMBuildNSWMul(u->b, l.i, const_i64(u, r->delta), "");
    start = add(u, start, r->origin);
    inside(u, start, r->advance, t->from_height, r->count, &w->from,
           &least_to);
    w->from = most(u, w->from, from);
    w->to = least(u, least_to, to);
    add_rows(w, lane, l.i, start, channels);
    loop_end(u, &l);
    w->from = from;
    w->to = to;
}

/* One image. */
static void
emit_image_terms(Walker *w, LLVMValueRef index)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    Unit *u = w->k->u;
    LLVMValueRef image = w->image, other = w->other;
    Loop l;

    w->image = address(u, image, index, c->sum[0].in[0] * c->bytes);
    w->other = address(u, other, index, c->sum[0].in[1] * c->bytes);
    loop_begin(u, &l, const_i64(u, 0), const_i64(u, w->row->count), t->chunk,
               0, NULL);
    w->from = l.i;
    w->to = add(u, l.i, t->chunk);
    emit_lanes(w, NULL, w->lane_from, w->lane_to, emit_terms);
    loop_end(u, &l);
    w->image = image;
    w->other = other;
}

static void
end_terms(const Walker *w)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    Spot row = {.count = const_i64(k->u, w->t->wide)}, lane;
    LLVMValueRef *at = zeros(k);
    Loop l;

    loop_begin(k->u, &l, w->lane_from, w->lane_to, 1, 0, NULL);
    lane = spot_of(k, &c->lane, l.i, at);
    emit_tile_end(k, sums_at(w, l.i), &row, &lane, at);
    loop_end(k->u, &l);
}

static void
emit_term_tile(Walker *w, LLVMValueRef number)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    Unit *u = k->u;
    int64_t images = c->sum[0].size / c->split;
    int64_t all = type_elements(&value_at(c->graph, c->leader->out[0])->type);
    LLVMValueRef first;
    Loop l;

    w->row = &w->t->rows[0];
    chunk_bounds(k, &c->lane, digit(u, &number, c->lane.chunks), &w->lane_from,
                 &w->lane_to);
    clear_sums(k);
    first = LLVMBuildNSWMul(u->b, number, const_i64(u, images), "");
    loop_begin(u, &l, first, add(u, first, images), 1, 0, NULL);
    emit_image_terms(w, l.i);
    loop_end(u, &l);
    if (c->split > 1) {
        k->partial = address(u, k->scratch, const_i64(u, c->partial), 1);
        k->partial = address(u, k->partial, number, all * c->bytes);
    }
    end_terms(w);
}

/* ------------------------------------------------------------------------- */

LLVMValueRef
make_taps(Maker *k)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    LLVMValueRef f = kernel_begin(k, ".taps");
    Walker w = {.k = k, .c = c, .t = c->taps};
    int64_t size = tile_width(c) * tile_height(c);
    Loop l;

    w.image = operand_pointer(k, f, 0);
    w.other = operand_pointer(k, f, 1);
    if (c->split == 1)
        ports_open(k, f);
    if (!c->outside && !stores_result(c))
        k->tile = stack_room(u, k->element, size, 64);
    if (c->walk == WALK_ROWS)
        k->turned = stack_room(u, k->element, size, 64);
    loop_begin(u, &l, LLVMGetParam(f, 2), LLVMGetParam(f, 3), 1, 0, NULL);
    own_of_tile(k, l.i);
    if (c->outside)
        emit_term_tile(&w, l.i);
    else
        emit_pixel_tile(&w, l.i);
    loop_end(u, &l);
    LLVMBuildRetVoid(u->b);
    return f;
}
