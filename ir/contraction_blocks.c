/* contraction_blocks: register tiles, packing and tiles for threads, by a
   model of cycles that knows shape and machine only.

   The unit is the time of one multiply-add of a whole vector register. Every
   way to lay lanes and rows on the two sides is tried; the cheapest stays. */
#include "ir/base/diag.h"
#include "ir/contraction.h"

#include <math.h>

enum {
    SPREAD_MOST = 1 << 18, /* bytes over which unpacked vectors may lie */
    SET_ROWS = 8,          /* that a set has room for */
    VERY_LONG = 1 << 14,   /* a sum whose panel no cache holds */
    MANY = 96,             /* rows and lanes for which a sum is cut in blocks */
    FEW = 8                /* the same, of such a sum of a contract */
};

typedef struct Choice {
    double cost;
    int lane_side, lanes;
    int64_t lane_inner, lane_outer, row_inner, row_outer;
} Choice;

typedef struct Chooser {
    Arena *arena;
    Contraction *c;
    const Machine *m;
    Axis *list[2]; /* left, right: innermost first */
    int full;      /* lanes of a register */
    bool blocks;   /* the sum may be walked in blocks */
    Choice best;
} Chooser;

/* ---- which axis is innermost ------------------------------------------- */

static size_t
unit_axis(const Axis *list, int operand)
{
    for (size_t i = vec_len(list); i-- > 0;)
        if ((operand < 0 ? list[i].at[0] : list[i].in[operand]) == 1)
            return i;
    return vec_len(list);
}

/* The list with its innermost axis first, the others outwards behind it.
   Lanes like unit stride in their operand, everything likes it in the
   result. */
static Axis *
innermost_first(Chooser *h, const Axis *list, int operand)
{
    Axis none = {.size = 1}, *made = NULL;
    size_t n = vec_len(list), inner = unit_axis(list, operand);

    none.at = NEWN(h->arena, int64_t, h->c->classes);
    if (inner == n)
        inner = unit_axis(list, -1);
    if (inner == n)
        inner = n - 1;
    if (n)
        vec_push(h->arena, made, list[inner]);
    for (size_t i = n; i-- > 0;)
        if (i != inner)
            vec_push(h->arena, made, list[i]);
    while (vec_len(made) < 2)
        vec_push(h->arena, made, none);
    return made;
}

/* ---- cost ---------------------------------------------------------------- */

/* Bytes that a step brings from beyond the nearest cache: rows that come anew
   for every block of lanes, vectors whose panel is too long to stay. */
static double
far_bytes(const Chooser *h, const Choice *t, double rows, double vectors)
{
    const Contraction *c = h->c;
    double bytes = (double)c->bytes, k = (double)c->k, far = 0;
    double all = (double)axes_size(h->list[!t->lane_side], 0);
    double width = vectors * t->lanes;

    if (c->outside || (h->blocks && k > BLOCK_TERMS))
        return 0;
    if (all * k * bytes > (double)h->m->l1)
        far += rows * bytes;
    if (width * k * bytes > 0.6 * (double)h->m->l1)
        far += width * bytes;
    if (!c->product &&
        width * k * bytes > 0.4 * (double)h->m->l2)
        far += width * bytes; /* a panel that leaves the second cache */
    return far;
}

/* Rows of a weight read where they stand, whose terms are pages apart. */
static bool
rows_scatter(const Chooser *h, const Choice *t)
{
    const Contraction *c = h->c;
    int operand = !t->lane_side;
    double all = (double)axes_size(h->list[operand], 0) * (double)c->k;

    return !c->product && !c->outside && !c->image[operand].on && c->sum &&
           vec_last(c->sum).in[operand] * c->bytes >= CACHE_WAY &&
           all * (double)c->bytes > (double)h->m->l1;
}

/* Rows of a very long sum, whose terms are far apart: each is waited for. */
static bool
rows_are_far(const Chooser *h, const Choice *t)
{
    const Contraction *c = h->c;

    return h->blocks && c->k > VERY_LONG &&
           c->sum[0].in[!t->lane_side] * c->bytes >= CACHE_WAY / 4;
}

/* Rows whose elements fall into one set of the first cache, more than it has
   ways: each step would miss. */
static bool
rows_collide(const Chooser *h, const Choice *t, double rows)
{
    const Axis *row = h->list[!t->lane_side];
    int operand = !t->lane_side;
    int64_t far = row[0].in[operand] * h->c->bytes;
    int64_t together = far & -far; /* its largest power of two */

    if (h->c->image[operand].on || far < CACHE_WAY / SET_ROWS)
        return false;
    together = together < CACHE_WAY ? together : CACHE_WAY;
    return rows * (double)together > (double)SET_ROWS * CACHE_WAY;
}

/* What reading a step's vectors takes where the panel of a block of a long sum
   lies in the second cache: five multiply-adds a register. */
static double
near_cost(const Chooser *h, const Choice *t, double vectors)
{
    double bytes = vectors * t->lanes * (double)h->c->bytes;

    if (!h->blocks || bytes * BLOCK_TERMS <= (double)h->m->l1)
        return 0;
    return 5 * bytes / h->m->vector_bytes;
}

/* One step of the sum on a register tile of rows * vectors. */
static double
step_cost(const Chooser *h, const Choice *t, double rows, double vectors)
{
    double width = t->lanes == h->full ? 1 : 0.9;
    double work = rows * vectors * width;
    double loads = rows * (h->c->both ? vectors : 1) + vectors;
    double far = far_bytes(h, t, rows, vectors) / h->m->vector_bytes;
    double streams = rows > 16 ? (rows - 16) * 0.05 : 0;

    if (!h->c->product)
        loads *= 1.25;
    if (rows_scatter(h, t))
        far += 8;
    if (rows_are_far(h, t))
        far += 2;
    if (rows_collide(h, t, rows))
        loads += rows;
    loads = fmax(loads, near_cost(h, t, vectors));
    return fmax(fmax(work, loads), 8) + 0.25 + 1.2 * far + streams;
}

static bool
is_unit(const Axis *x, int operand)
{
    return x->in[operand] == 1 || x->size == 1;
}

/* Runs shorter than vectors, one behind the other in the panel. */
static bool
is_dense(const Choice *t)
{
    return t->lane_inner % t->lanes != 0;
}

static int64_t
vectors_of(const Choice *t)
{
    return (t->lane_inner * t->lane_outer + t->lanes - 1) / t->lanes;
}

/* Batch indices that read the same of the lanes' operand. */
static int64_t
repeats(const Chooser *h, const Choice *t)
{
    const Axis *batch = h->c->batch;
    int64_t times = 1;

    for (size_t i = 0; i < vec_len(batch); i++)
        if (!batch[i].in[t->lane_side])
            times *= batch[i].size;
    return times;
}

/* Must, or should, the lane operand be packed? */
static bool
wants_panels(const Chooser *h, const Choice *t)
{
    const Axis *lane = h->list[t->lane_side], *sum = h->c->sum;
    int operand = t->lane_side;
    int64_t rows = axes_size(h->list[!t->lane_side], 0), far = 0;

    rows *= repeats(h, t);
    if (is_dense(t))
        return true;
    if (!h->c->k)
        return false;
    if (!is_unit(&lane[0], operand))
        return true;
    if (h->c->image[operand].on || !sum)
        return false;
    if (h->c->outside)
        return vec_last(sum).in[operand] * h->c->bytes >= CACHE_WAY / 4 &&
               !h->c->both && rows >= 96;
    if (h->c->leader->op != OP_contract)
        return rows >= 96;
    for (size_t i = 0; i < vec_len(sum); i++)
        if (sum[i].in[operand] * sum[i].size > far)
            far = sum[i].in[operand] * sum[i].size;
    return far * h->c->bytes > SPREAD_MOST && rows >= 96;
}

static double
pack_cost(const Chooser *h, const Choice *t)
{
    const Axis *lane = h->list[t->lane_side], *sum = h->c->sum;
    double each = 1.5;

    if (is_unit(&lane[0], t->lane_side))
        each = 0.2 + 1.0 / (double)t->lane_inner;
    else if (sum && vec_last(sum).in[t->lane_side] == 1)
        each = h->c->leader->op == OP_contract ? 0.3
               : t->lane_inner < t->lanes      ? 2 /* element by element */
                                               : 0.8;
    return each;
}

static double
side_blocks(const Axis *axis, int64_t inner, int64_t outer)
{
    return ceil((double)axis[0].size / (double)inner) *
           (double)(axis[1].size / outer) * (double)axes_size(axis, 2);
}

/* Average rows of a block: the last one is smaller. */
static double
mean_rows(const Axis *axis, int64_t inner, int64_t outer)
{
    double blocks = ceil((double)axis[0].size / (double)inner);

    return (double)axis[0].size / blocks * (double)outer;
}

static Walk
walk_of(const Axis *row, const Axis *lane)
{
    return lane[0].at[0] == 1  ? WALK_LANES
           : row[0].at[0] == 1 ? WALK_ROWS
                               : WALK_POINTS;
}

/* Storing a tile, with the epilogue's overhead; more where lanes are few. */
static double
tile_cost(const Chooser *h, const Choice *t, double rows, double vectors)
{
    const Axis *row = h->list[!t->lane_side], *lane = h->list[t->lane_side];

    switch (walk_of(row, lane)) {
    case WALK_LANES: return 40 + rows * vectors * 5;
    case WALK_ROWS: return 40 + rows * vectors * 20;
    default: return 40 + rows * vectors * 5 * t->lanes;
    }
}

static double
choice_cost(const Chooser *h, const Choice *t)
{
    const Axis *row = h->list[!t->lane_side], *lane = h->list[t->lane_side];
    double rows = mean_rows(row, t->row_inner, t->row_outer);
    double vectors = (double)vectors_of(t);
    double row_blocks = side_blocks(row, t->row_inner, t->row_outer);
    double lane_blocks = side_blocks(lane, t->lane_inner, t->lane_outer);
    double cost, panels = 0, k = (double)h->c->k;

    cost =
        row_blocks * lane_blocks *
        (k * step_cost(h, t, rows, vectors) + tile_cost(h, t, rows, vectors));
    if (wants_panels(h, t))
        panels = k * (double)axes_size(lane, 0) * pack_cost(h, t);
    if (!h->c->outside && !h->c->image[t->lane_side].on)
        panels /= (double)repeats(h, t);
    if (h->blocks) /* once a tile */
        panels *= ceil((double)axes_size(row, 0) / BLOCK_ROWS);
    return cost + panels;
}

/* ---- candidates ---------------------------------------------------------- */

static void
try_choice(Chooser *h, Choice t)
{
    t.cost = choice_cost(h, &t);
    if (h->best.cost <= 0 || t.cost < h->best.cost)
        h->best = t;
}

/* Rows: a cut of the innermost axis, or all of it and a cut of the next. */
static void
try_rows(Chooser *h, Choice t, int64_t most)
{
    const Axis *row = h->list[!t.lane_side];

    t.row_outer = 1;
    for (t.row_inner = 1; t.row_inner <= most && t.row_inner <= row[0].size;
         t.row_inner++)
        try_choice(h, t);
    t.row_inner = row[0].size;
    for (t.row_outer = 2;
         t.row_outer <= row[1].size && t.row_outer * t.row_inner <= most;
         t.row_outer++)
        if (row[1].size % t.row_outer == 0)
            try_choice(h, t);
}

/* All of the innermost axis, `inner` lanes wide, and a cut of the next. */
static void
try_outer_lanes(Chooser *h, Choice t, int64_t inner)
{
    const Axis *lane = h->list[t.lane_side];
    int64_t vectors;

    t.lane_inner = inner;
    for (t.lane_outer = 2; t.lane_outer <= lane[1].size; t.lane_outer++) {
        vectors = vectors_of(&t);
        if (vectors <= 6 && lane[1].size % t.lane_outer == 0)
            try_rows(h, t, (h->m->registers - vectors - 2) / vectors);
    }
}

static void
try_lanes(Chooser *h, Choice t)
{
    const Axis *lane = h->list[t.lane_side];
    int64_t whole = (lane[0].size + t.lanes - 1) / t.lanes;
    int64_t registers =
        h->c->both && h->c->outside ? h->m->registers / 2 : h->m->registers;

    for (int64_t v = 1; v <= 4 && v <= whole; v++) {
        t.lane_inner = v * t.lanes;
        t.lane_outer = 1;
        try_rows(h, t, (registers - v - 2) / v);
    }
    if (h->c->both)
        return;
    try_outer_lanes(h, t, whole * t.lanes);
    if (lane[0].size % t.lanes)
        try_outer_lanes(h, t, lane[0].size);
}

static void
try_side(Chooser *h, Axis *left, Axis *right, int lane_side)
{
    Choice t = {.lane_side = lane_side};

    h->list[0] = innermost_first(h, left, lane_side == 0 ? 0 : -1);
    h->list[1] = innermost_first(h, right, lane_side == 1 ? 1 : -1);
    if (h->c->both && lane_side == 0)
        return;
    t.lanes = h->full;
    try_lanes(h, t);
    t.lanes = h->full / 2;
    if (t.lanes >= 4)
        try_lanes(h, t);
}

/* ---- the plan --------------------------------------------------------------
 */

static Side
side_made(Axis *axis, int operand, int64_t inner, int64_t outer)
{
    Side s = {.axis = axis, .operand = operand, .inner = inner, .outer = outer};

    s.inner_blocks = (axis[0].size + inner - 1) / inner;
    s.tail = axis[0].size - (s.inner_blocks - 1) * inner;
    s.outer_blocks = axis[1].size / outer;
    s.blocks = s.inner_blocks * s.outer_blocks * axes_size(axis, 2);
    s.chunk = s.blocks;
    s.chunks = 1;
    return s;
}

static void
log_choice(const Contraction *c, double cost)
{
    static const char *const packing[] = {"in place", "shared", "by tile"};
    static const char *const walk[] = {"lanes", "rows", "points"};

    log_line("contract",
             "%s: lanes on %s, tile %lldx%lld rows * %lldx%lld/%d lanes, "
             "tails %lld %lld, panels %s, stored by %s, sum %lld of %lld%s, "
             "chunks %lld * %lld of %lld * %lld blocks, cost %.0f",
             value_at(c->graph, c->leader->out[0])->name,
             c->lane.operand ? "right" : "left", (long long)c->row.outer,
             (long long)c->row.inner, (long long)c->lane.outer,
             (long long)c->lane.inner, c->lanes, (long long)c->row.tail,
             (long long)c->lane.tail, packing[c->packing], walk[c->walk],
             (long long)c->inside, (long long)c->k,
             c->outside ? " (outside)" : "", (long long)c->row.chunks,
             (long long)c->lane.chunks, (long long)c->row.blocks,
             (long long)c->lane.blocks, cost);
}

void
contraction_choose(Arena *a, Contraction *c, Axis *left, Axis *right,
                   const Machine *m)
{
    Chooser h = {.arena = a, .c = c, .m = m};
    const Choice *t = &h.best;
    bool long_sum, panels;
    int64_t least;

    h.full = (int)(m->vector_bytes / c->bytes);
    if (h.full < 2)
        h.full = 2;
    long_sum = c->product && vec_len(c->sum) == 1 &&
               c->split == 1 && c->k > BLOCK_TERMS * 3 / 2;
    least = c->leader->op == OP_contract && c->k > VERY_LONG ? FEW : MANY;
    h.blocks = long_sum && axes_size(left, 0) >= least &&
               axes_size(right, 0) >= least;
    try_side(&h, left, right, 1);
    try_side(&h, left, right, 0);
    h.list[0] = innermost_first(&h, left, t->lane_side == 0 ? 0 : -1);
    h.list[1] = innermost_first(&h, right, t->lane_side == 1 ? 1 : -1);
    c->lanes = t->lanes;
    c->lane = side_made(h.list[t->lane_side], t->lane_side, t->lane_inner,
                        t->lane_outer);
    c->row = side_made(h.list[!t->lane_side], !t->lane_side, t->row_inner,
                       t->row_outer);
    c->vectors = vectors_of(t);
    c->walk = walk_of(c->row.axis, c->lane.axis);
    c->inside = axes_size(c->sum, c->outside ? 1 : 0);
    panels = wants_panels(&h, t);
    if (panels && c->row.blocks == 1) /* one use: it should be a near one */
        h.blocks = long_sum;
    lay_tiles(a, c, panels, h.blocks, t->cost, m);
    log_choice(c, t->cost);
}
