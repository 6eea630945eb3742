/* contract_taps: depthwise products that read their images where they stand:
   columns of the result by blocks, lanes along the channels, taps outside of
   the image left out. */
#include "codegen/kernels/contract_parts.h"

enum {
    SUMS_MOST = 32,
    ASKS_MOST = 4 /* pixels between results, of which all are asked for */
};

typedef struct Walker {
    Maker *k;
    const Contraction *c;
    const Taps *t;
    const TapRun *row;             /* class of the row at hand */
    LLVMValueRef image;            /* of the operand that has taps */
    LLVMValueRef other, other_row; /* the weight gradient's other operand */
    LLVMValueRef source;           /* row of the image that tap `from` reads */
    LLVMValueRef next;     /* row that the next result row reads first */
    bool asks;             /* this class asks for it */
    LLVMValueRef from, to; /* taps of the row, or rows, that are inside */
    LLVMValueRef panel;    /* of the first block of lanes */
    LLVMValueRef lane_from, lane_to; /* blocks of the tile */
    LLVMValueRef *at; /* of the row's first result, a class each */
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

/* Asks for the lines of `columns` columns from p on, of a block of lanes. */
static void
ask_for(const Walker *w, LLVMValueRef p, int64_t columns, int64_t apart,
        int64_t channels)
{
    int64_t bytes = w->c->bytes, line = CACHE_LINE / bytes;
    Unit *u = w->k->u;

    for (int64_t i = 0; i < columns; i++)
        for (int64_t at = 0; at < channels; at += line)
            ask_line(u, address(u, p, const_i64(u, i * apart + at), bytes));
}

/* ---- all blocks of a row ------------------------------------------------- */

typedef void EmitBlock(Walker *w, const Block *b, LLVMValueRef lane,
                       int64_t channels);

/* The tile's blocks of lanes: whole ones, then the last one. */
static void
emit_lanes(Walker *w, const Block *b, EmitBlock *emit)
{
    const Side *s = &w->c->lane;
    Unit *u = w->k->u;
    bool cut = s->tail != s->inner;
    LLVMValueRef whole = const_i64(u, s->blocks - cut);
    Loop l;

    if (s->blocks > cut) {
        loop_begin(u, &l, w->lane_from, least(u, w->lane_to, whole), 1, 0,
                   NULL);
        emit(w, b, l.i, s->inner);
        loop_end(u, &l);
    }
    if (cut) {
        loop_begin(u, &l, most(u, w->lane_from, whole), w->lane_to, 1, 0, NULL);
        emit(w, b, l.i, s->tail);
        loop_end(u, &l);
    }
}

static void
emit_edges(Walker *w, int64_t from, int64_t to, EmitBlock *emit)
{
    for (int64_t i = from; i < to; i++) {
        Block b = {i * w->t->block, const_i64(w->k->u, 0)};

        emit_lanes(w, &b, emit);
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
        emit_lanes(w, &b, emit);
        loop_end(u, &l);
    }
    emit_edges(w, t->outer, t->blocks, emit);
}

/* ---- the product and the input's gradient ------------------------------- */

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
                args[0] =
                    take_vector(w, image, source * t->from.column + at, left);
                args[1] = take_vector(w, weights, tap + at, c->lanes);
                args[2] = *s;
                *s = intrinsic(w->k->u, "llvm.fma", w->k->vector, 3, args);
            }
        }
    }
}

/* Where a block reads a row of the image. */
static LLVMValueRef
block_from(const Walker *w, LLVMValueRef row, const Block *b, LLVMValueRef lane)
{
    const Taps *t = w->t;
    int64_t advance = t->columns[0].advance * t->block /
                      (int64_t)vec_len(t->columns) * t->from.column;
    LLVMValueRef x;

    x = address(w->k->u, row, b->index, advance * w->c->bytes);
    return address(w->k->u, x, lane, tile_width(w->c) * w->c->bytes);
}

/* Asks for what the block of the next row will read first. */
static void
ask_source(const Walker *w, const Block *b, LLVMValueRef lane, int64_t channels)
{
    const Taps *t = w->t;
    const TapRun *r = &t->columns[0];
    int64_t period = (int64_t)vec_len(t->columns);
    int64_t first = r->origin + b->first / period * r->advance;
    LLVMValueRef p = block_from(w, w->next, b, lane);

    for (int64_t i = 0; w->asks && i < w->row->advance; i++)
        ask_for(w,
                address(w->k->u, p,
                        const_i64(w->k->u,
                                  i * t->from.row + first * t->from.column),
                        w->c->bytes),
                t->block / period * r->advance, t->from.column, channels);
}

/* The block's sums, over the rows of taps that are inside. */
static void
sum_block(const Walker *w, const Block *b, LLVMValueRef lane, int64_t channels,
          LLVMValueRef *sum)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    Unit *u = w->k->u;
    int sums = (int)(t->block * c->vectors);
    int64_t tall = w->row->tap_step * t->wide * tile_width(c);
    LLVMValueRef x, weights;
    Loop l;

    x = block_from(w, w->source, b, lane);
    weights = address(u, w->panel, lane, panel_bytes(c));
    weights = address(u, weights, w->from, tall * c->bytes);
    weights = address(u, weights,
                      const_i64(u, w->row->tap_first * t->wide * tile_width(c)),
                      c->bytes);
    ask_source(w, b, lane, channels);
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
    loop_next(
        &l, sums,
        address(u, x, const_i64(u, w->row->delta * t->from.row), c->bytes));
    loop_next(&l, sums + 1, address(u, weights, const_i64(u, tall), c->bytes));
    loop_end(u, &l);
    for (int i = 0; i < sums; i++)
        sum[i] = loop_phi(&l, i);
}

static void
store_block(const Walker *w, const Block *b, int64_t channels, LLVMValueRef *at,
            LLVMValueRef *sum)
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
        else if (stores_past(c))
            store_past(k->u, sum[i], p);
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

/* The last row that a result reads, behind where its first tap stands. */
static int64_t
newest(const TapRun *r)
{
    return r->delta > 0 ? (r->taps - 1) * r->delta : 0;
}

/* The taps of result row `index` of a class that are inside, and the row of the
   image that the first of them reads. */
static void
enter_row(Walker *w, LLVMValueRef index)
{
    const TapRun *r = w->row;
    Unit *u = w->k->u;
    LLVMValueRef start, row;

    start = LLVMBuildNSWMul(u->b, index, const_i64(u, r->advance), "");
    start = add(u, start, r->origin);
    inside(u, start, r->delta, w->t->from_height, r->taps, &w->from, &w->to);
    row = LLVMBuildNSWMul(u->b, w->from, const_i64(u, r->delta), "");
    row = LLVMBuildNSWAdd(u->b, row, start, "");
    w->source = address(u, w->image, row, w->t->from.row * w->c->bytes);
    row = add(u, start, newest(r) + 1);
    w->next = address(u, w->image, row, w->t->from.row * w->c->bytes);
    w->asks = r->advance <= ASKS_MOST && w->t->columns->advance <= ASKS_MOST;
    for (size_t i = 0; i < vec_len(w->t->rows); i++)
        if (newest(&w->t->rows[i]) + w->t->rows[i].origin >
            newest(r) + r->origin)
            w->asks = false;
}

static void
emit_pixel_row(Walker *w, LLVMValueRef index, LLVMValueRef *at)
{
    const TapRun *r = w->row;
    Unit *u = w->k->u;
    LLVMValueRef row;

    row = LLVMBuildNSWMul(u->b, index, const_i64(u, r->stride), "");
    w->at = copy_at(w->k, at);
    move_along(w->k, &w->c->batch[1], add(u, row, r->first), 1, w->at);
    enter_row(w, index);
    emit_columns(w, emit_pixels);
}

/* Rows [first, last) of all classes, which take turns, so that neighbours read
   the same rows. */
static void
emit_pixel_rows(Walker *w, LLVMValueRef first, LLVMValueRef last,
                LLVMValueRef *at)
{
    Unit *u = w->k->u;
    Loop rows, one;

    loop_begin(u, &rows, first, last, 1, 0, NULL);
    for (size_t i = 0; i < vec_len(w->t->rows); i++) {
        w->row = &w->t->rows[i];
        last = least(u, add(u, rows.i, 1), const_i64(u, w->row->count));
        loop_begin(u, &one, rows.i, last, 1, 0, NULL);
        emit_pixel_row(w, one.i, at);
        loop_end(u, &one);
    }
    loop_end(u, &rows);
}

static void
emit_pixel_tile(Walker *w, LLVMValueRef number)
{
    const Contraction *c = w->c;
    Maker *k = w->k;
    Unit *u = k->u;
    LLVMValueRef first, *at = zeros(k), image = w->image;
    Loop l;

    first = digit(u, &number, w->t->chunks);
    first = LLVMBuildNSWMul(u->b, first, const_i64(u, w->t->chunk), "");
    move_along(k, &c->batch[0], number, 1, at);
    w->image = address(u, image, number, c->batch[0].in[0] * c->bytes);
    w->panel = address(u, k->scratch, const_i64(u, c->panels), 1);
    loop_begin(u, &l, const_i64(u, 0), const_i64(u, c->lane.chunks), 1, 0,
               NULL);
    chunk_bounds(k, &c->lane, l.i, &w->lane_from, &w->lane_to);
    emit_pixel_rows(w, first, add(u, first, w->t->chunk), at);
    loop_end(u, &l);
    w->image = image;
}

/* ---- the weight's gradient ----------------------------------------------- */

/* Where the sums of a block of lanes stand. */
static LLVMValueRef
sums_at(const Walker *w, LLVMValueRef lane)
{
    LLVMValueRef far = LLVMBuildNSWSub(w->k->u->b, lane, w->lane_from, "");

    return address(w->k->u, own_room(w->k, w->c->sums), far, tile_bytes(w->c));
}

/* The terms of a block of columns, for the taps of one row. */
static void
add_terms(const Walker *w, const Block *b, LLVMValueRef image,
          LLVMValueRef other, int64_t channels, LLVMValueRef *sum)
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
            args[0] =
                take_vector(w, image, source * t->from.column + lane, left);
            args[1] = take_vector(w, other, i * t->other.column + lane, left);
            args[2] = sum[s];
            sum[s] = intrinsic(w->k->u, "llvm.fma", w->k->vector, 3, args);
        }
}

/* A block of columns of the other operand's row. */
static void
emit_terms(Walker *w, const Block *b, LLVMValueRef lane, int64_t channels)
{
    const Contraction *c = w->c;
    const Taps *t = w->t;
    Unit *u = w->k->u;
    int sums = (int)(t->wide * c->vectors);
    unsigned align = (unsigned)(c->lanes * c->bytes);
    int64_t row = w->row->delta * t->from.row, far = t->wide * tile_width(c);
    LLVMValueRef first[2], sum[SUMS_MOST], place[SUMS_MOST], other;
    Loop l;

    first[0] = block_from(w, w->source, b, lane);
    first[1] = address(u, sums_at(w, lane), w->from, far * c->bytes);
    other = address(u, w->other_row, b->index,
                    t->block * t->other.column * c->bytes);
    other = address(u, other, lane, tile_width(c) * c->bytes);
    ask_source(w, b, lane, channels);
    ask_for(w,
            address(u, other,
                    const_i64(u, t->other.row + b->first * t->other.column),
                    c->bytes),
            t->block, t->other.column, channels);
    loop_begin(u, &l, w->from, w->to, 1, 2, first);
    for (int i = 0; i < sums; i++) {
        place[i] =
            address(u, loop_phi(&l, 1), const_i64(u, i * c->lanes), c->bytes);
        sum[i] = load(u, w->k->vector, place[i], align);
    }
    add_terms(w, b, loop_phi(&l, 0), other, channels, sum);
    for (int i = 0; i < sums; i++)
        store(u, sum[i], place[i], align);
    loop_next(&l, 0, address(u, loop_phi(&l, 0), const_i64(u, row), c->bytes));
    loop_next(&l, 1, address(u, loop_phi(&l, 1), const_i64(u, far), c->bytes));
    loop_end(u, &l);
}

/* One image. */
static void
emit_image_terms(Walker *w, LLVMValueRef index)
{
    const Contraction *c = w->c;
    Unit *u = w->k->u;
    LLVMValueRef image = w->image, other;
    Loop l;

    w->image = address(u, image, index, c->sum[0].in[0] * c->bytes);
    other = address(u, w->other, index, c->sum[0].in[1] * c->bytes);
    loop_begin(u, &l, const_i64(u, 0), const_i64(u, w->row->count), 1, 0, NULL);
    enter_row(w, l.i);
    w->other_row = address(u, other, l.i, w->t->other.row * c->bytes);
    emit_columns(w, emit_terms);
    loop_end(u, &l);
    w->image = image;
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

static void
emit_tile(Maker *k, const LLVMValueRef *operand, LLVMValueRef number)
{
    Walker w = {.k = k,
                .c = k->c,
                .t = k->c->taps,
                .image = operand[0],
                .other = operand[1]};

    if (k->c->outside)
        emit_term_tile(&w, number);
    else
        emit_pixel_tile(&w, number);
}

LLVMValueRef
make_taps(Maker *k)
{
    return make_tiles(k, !k->c->outside && !stores_result(k->c), emit_tile);
}
