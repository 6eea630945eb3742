/* contraction_taps: depthwise products with channels last, whose images are
   read where they stand: no copy, the taps outside of the image left out.

   Lanes run along the channels. Columns of the result go by blocks; those
   whose taps are all inside are a loop, the few at the edges are each a piece
   of code of their own. The taps of a row that are inside are bounds of a
   loop. */
#include "ir/base/diag.h"
#include "ir/contraction_conv.h"
#include "ir/ops/geometry.h"

enum {
    EDGES_MOST = 6,      /* blocks of columns that are pieces of code */
    WIDE_MOST = 7,       /* taps along a row, all in one piece of code */
    TILES_WANTED = 32,   /* for threads, if each has work enough */
    UNITS_LEAST = 8192,  /* of that: vectors multiplied and added */
    NEAR_BYTES = 1 << 15 /* of the rows that a row of the result reads and
                            writes */
};

/* What stands along rows or columns of the result: pixels, by class. */
static TapRun
run_of(const Class *c, int64_t advance)
{
    return (TapRun){.first = c->first,
                    .stride = c->stride,
                    .count = c->count,
                    .taps = c->taps,
                    .tap_first = c->tap_first,
                    .tap_step = c->tap_step,
                    .origin = c->origin,
                    .advance = advance,
                    .delta = -c->dilation};
}

static TapRun
forward_run(const Conv *v, int d)
{
    return (TapRun){.stride = 1,
                    .count = d ? v->columns : v->rows,
                    .taps = d ? v->wide : v->tall,
                    .tap_step = 1,
                    .origin = d ? -v->left : -v->top,
                    .advance = v->stride[d],
                    .delta = v->dilation[d]};
}

static TapRun *
runs_along(Arena *a, const Conv *v, int d, bool back)
{
    TapRun *list = NULL;

    if (!back) {
        vec_push(a, list, forward_run(v, d));
        return list;
    }
    for (int64_t i = 0; i < conv_classes(v, d); i++) {
        Class c = conv_class(v, d, i);

        vec_push(a, list, run_of(&c, 1));
    }
    return list;
}

bool
tap_source(const Taps *t, int64_t column, int64_t tap, int64_t *source)
{
    int64_t period = (int64_t)vec_len(t->columns), class = column % period;
    const TapRun *r = &t->columns[class];

    *source = r->origin + column / period * r->advance + tap * r->delta;
    return column < t->width && *source >= 0 && *source < t->from_width;
}

/* Is the block whole, and do all its columns have all their taps? */
static bool
is_inner(const Taps *t, int64_t block)
{
    int64_t period = (int64_t)vec_len(t->columns), source;

    for (int64_t i = 0; i < t->block; i++) {
        int64_t column = block * t->block + i;

        if (column >= t->width)
            return false;
        for (int64_t k = 0; k < t->columns[column % period].taps; k++)
            if (!tap_source(t, column, k, &source))
                return false;
    }
    return true;
}

/* The blocks that are a loop; false: too many others. */
static bool
find_inner(Taps *t)
{
    int64_t edges = 0;

    t->blocks = (t->width + t->block - 1) / t->block;
    t->inner = 0;
    while (t->inner < t->blocks && !is_inner(t, t->inner)) {
        t->inner++;
        if (++edges > EDGES_MOST)
            return false;
    }
    t->outer = t->blocks;
    while (t->outer > t->inner && !is_inner(t, t->outer - 1)) {
        t->outer--;
        if (++edges > EDGES_MOST)
            return false;
    }
    return true;
}

/* Columns of a block: about `most`, whole periods, so that none are left. */
static int64_t
block_of(const Taps *t, int64_t most)
{
    int64_t period = (int64_t)vec_len(t->columns);
    int64_t whole = (t->width + period - 1) / period;
    int64_t best = most / period > 1 ? most / period : 1;

    if (whole <= best)
        return whole * period;
    for (int64_t i = best; i > best / 2; i--)
        if (whole % i == 0)
            return i * period;
    return best * period;
}

/* Vectors of a block of channels: at most so many, and few left over. */
static int64_t
vectors_of(const Conv *v, int lanes, int64_t most)
{
    int64_t all = (v->groups + lanes - 1) / lanes;

    for (int64_t i = most; i > most / 2; i--)
        if (all % i == 0)
            return i;
    return all < most ? all : most;
}

static Side
side_of(Arena *a, Axis *axis, int operand, int64_t inner, int64_t outer)
{
    Axis none = {.size = 1};
    Side s = {.axis = axis, .operand = operand, .inner = inner, .outer = outer};

    none.at = axis[0].at;
    while (vec_len(s.axis) < 2)
        vec_push(a, s.axis, none);
    s.inner_blocks = (axis[0].size + inner - 1) / inner;
    s.tail = axis[0].size - (s.inner_blocks - 1) * inner;
    s.outer_blocks = s.axis[1].size / outer;
    s.blocks = s.inner_blocks * s.outer_blocks;
    s.chunk = s.blocks;
    s.chunks = 1;
    return s;
}

/* Work of all tiles, as a number of tiles that each have enough. */
static int64_t
tiles_wanted(const Conv *v, const Contraction *c)
{
    double units = (double)v->batch * (double)v->height * (double)v->width *
                   (double)v->groups / c->lanes * (double)(v->tall * v->wide);

    if (units > (double)TILES_WANTED * UNITS_LEAST)
        return TILES_WANTED;
    return units < UNITS_LEAST ? 1 : (int64_t)units / UNITS_LEAST;
}

static void
cut_rows(Taps *t, int64_t rows, int64_t parts)
{
    parts = parts < 1 ? 1 : parts > rows ? rows : parts;
    t->chunk = (rows + parts - 1) / parts;
    t->chunks = (rows + t->chunk - 1) / t->chunk;
}

/* Chunks of lanes, so that the rows that a row of the result reads stay in the
   first cache while the next one reads them again. */
static int64_t
near_chunks(const Contraction *c, const Taps *t)
{
    double row = (double)t->tall * (double)t->from_width + (double)t->width;
    int64_t blocks =
        (int64_t)(NEAR_BYTES / (row * (double)(tile_width(c) * c->bytes)));

    blocks = blocks < 1 ? 1 : blocks;
    return (c->lane.blocks + blocks - 1) / blocks;
}

/* ---- the product and the input's gradient ------------------------------- */

static int64_t
most_rows(const Taps *t)
{
    int64_t rows = 0;

    for (size_t i = 0; i < vec_len(t->rows); i++)
        if (t->rows[i].count > rows)
            rows = t->rows[i].count;
    return rows;
}

static void
read_pixels(Reading *r, const Conv *v, Taps *t)
{
    Contraction *c = r->c;
    bool back = c->leader->op == OP_conv_grad_input;
    int64_t parts = (tiles_wanted(v, c) + v->batch - 1) / v->batch;

    axis_add(r, BATCH, 0, v->batch, t->from.image, 0);
    axis_add(r, BATCH, v->axis[2], back ? v->height : v->rows, 0, 0);
    axis_add(r, LEFT, v->axis[3], t->width, 0, 0);
    axis_add(r, RIGHT, v->axis[1], v->groups, 1, v->w.image);
    axis_add(r, SUM, -1, c->k, 0, v->w.column);
    c->batch = r->list[BATCH];
    c->vectors = t->block <= 4 ? vectors_of(v, c->lanes, 2) : 1;
    c->row = side_of(r->arena, r->list[LEFT], 0, t->block, 1);
    c->lane = side_of(r->arena, r->list[RIGHT], 1, c->vectors * c->lanes, 1);
    c->walk = WALK_LANES;
    c->packing = PACK_SHARED;
    c->split = 1;
    cut_rows(t, most_rows(t), parts);
    side_cut(&c->lane, near_chunks(c, t));
    c->tiles = v->batch * t->chunks;
}

/* ---- the weight's gradient ----------------------------------------------- */

static void
read_terms(Reading *r, const Conv *v, const Taps *t, const Machine *m)
{
    Contraction *c = r->c;
    int64_t parts = node_int(c->leader, "split"), near, wanted;
    int64_t most = m->registers * 3 / 8 / v->wide;

    axis_add(r, LEFT, v->axis[3], v->wide, 0, 0);
    axis_add(r, LEFT, v->axis[2], v->tall, 0, 0);
    axis_add(r, RIGHT, 0, v->groups, 1, 1);
    axis_add(r, SUM, -1, v->batch, v->x.image, v->y.image);
    c->vectors = vectors_of(v, c->lanes, most < 2 ? 1 : 2);
    c->row = side_of(r->arena, r->list[LEFT], 0, v->wide, v->tall);
    c->lane = side_of(r->arena, r->list[RIGHT], 1, c->vectors * c->lanes, 1);
    c->walk = c->lane.axis[0].at[0] == 1  ? WALK_LANES
              : c->row.axis[0].at[0] == 1 ? WALK_ROWS
                                          : WALK_POINTS;
    c->outside = true;
    c->split = parts;
    wanted = (tiles_wanted(v, c) + parts - 1) / parts;
    near = near_chunks(c, t);
    side_cut(&c->lane, wanted < near ? near : wanted);
    c->tiles = parts * c->lane.chunks;
}

/* ------------------------------------------------------------------------- */

static bool
has_size(const Conv *v)
{
    return v->batch && v->groups && v->tall && v->wide && v->height &&
           v->width && v->rows && v->columns;
}

/* Parts of a split are whole images; pixels of strided gradients go apart. */
static bool
goes_in_place(const Contraction *c, const Conv *v)
{
    if (c->in_word || c->begins || !is_depthwise(v) || !has_size(v) ||
        v->wide > WIDE_MOST)
        return false;
    if (c->leader->op == OP_conv_grad_weight)
        return v->batch % node_int(c->leader, "split") == 0;
    return c->leader->op == OP_conv || geometry_apart(v->stride);
}

/* How the taps stand; false: too many columns have some outside. */
static bool
lay_taps(Arena *a, const Conv *v, Taps *t, const Node *leader, const Machine *m)
{
    bool back = leader->op == OP_conv_grad_input;

    t->from_height = back ? v->rows : v->height;
    t->from_width = back ? v->columns : v->width;
    t->width = back ? v->width : v->columns;
    t->from = back ? v->y : v->x;
    t->other = v->y;
    t->tall = v->tall;
    t->wide = v->wide;
    t->rows = runs_along(a, v, 0, back);
    t->columns = runs_along(a, v, 1, back);
    t->block = block_of(t, m->registers < 32 ? 4 : 8);
    return find_inner(t);
}

bool
read_taps(Reading *r, const Machine *m)
{
    Contraction *c = r->c;
    Taps *t = NEW(r->arena, Taps);
    Conv v;

    if (c->leader->op == OP_contract)
        return false;
    v = conv_of(c->graph, c->leader);
    if (!goes_in_place(c, &v) || !lay_taps(r->arena, &v, t, c->leader, m))
        return false;
    c->lanes = (int)(m->vector_bytes / c->bytes);
    c->lanes = c->lanes < 2 ? 2 : c->lanes;
    c->k = c->inside = v.tall * v.wide;
    if (c->leader->op == OP_conv_grad_weight)
        read_terms(r, &v, t, m);
    else
        read_pixels(r, &v, t);
    c->taps = t;
    c->sum = r->list[SUM];
    lay_tile_scratch(c);
    log_line("contract",
             "%s: taps in place, blocks of %lld columns * %lld/%d lanes, "
             "%lld of %lld inside, %lld tiles",
             value_at(c->graph, c->leader->out[0])->name, (long long)t->block,
             (long long)(c->vectors * c->lanes), c->lanes,
             (long long)(t->outer - t->inner), (long long)t->blocks,
             (long long)c->tiles);
    return true;
}
