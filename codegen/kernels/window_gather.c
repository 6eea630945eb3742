/* window_gather: gradients of pooling, each element made once: what a row of
   windows gives to its taps, and to which, waits in a ring on the stack until
   the rows of the result that read it are done. The result goes by cells of
   as many elements as the strides span; each adds its windows in order. */
#include "codegen/kernels/window_parts.h"

#include <string.h>

enum {
    RING_BYTES = 64 << 10, /* half of the first cache */
    SIZE_MOST = 1 << 20,   /* of a side */
    CELL_MOST = 16,        /* elements */
    UNITS_WANTED = 32,     /* for threads */
    NOBODY = 255,          /* the winner where there is none */
};

/* A gradient while its kernel is built. Cell c of an axis reads the windows
   c + low to c + high. The ring holds `rows` rows of `width` windows, the first
   of them window `first`, `some` channels side by side (planes: one). A unit is
   a band of rows of cells of one plane, or of a part of an image's channels. */
typedef struct Gather {
    Pool *p;
    Unit *u;
    int64_t low[2], high[2], cells[2];
    int64_t rows, width, first, some;
    int64_t parts, bands, band;
    bool lines, large;          /* whole cache lines; too many for the caches */
    LLVMValueRef winner, share; /* the ring */
    LLVMValueRef x, g, y;       /* of the unit's plane or image */
    LLVMValueRef from, to;      /* the unit's channels */
} Gather;

/* ---- sizes --------------------------------------------------------------- */

/* floor(a / b) */
static int64_t
floor_ratio(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t
ring_bytes(const Gather *t, int64_t channels)
{
    return t->rows * t->width * channels *
           (dtype_bytes(t->p->dtype) + t->p->max);
}

/* Parts of the channels so large that the ring keeps its size. */
static void
part_channels(Gather *t)
{
    int64_t vectors = (t->p->channels + LANES - 1) / LANES;
    int64_t fit = RING_BYTES / ring_bytes(t, LANES);

    t->some = t->parts = 1;
    if (!t->p->nhwc || fit == 0)
        return;
    t->parts = (vectors + fit - 1) / fit;
    t->some = (vectors + t->parts - 1) / t->parts * LANES;
}

static void
measure(Gather *t)
{
    const Geometry *geo = &t->p->geo;
    int64_t lanes = t->p->nhwc ? 1 : LANES, units;

    for (int i = 0; i < 2; i++) {
        int64_t s = geo->stride[i];

        t->low[i] = -floor_ratio(geo->kernel[i] - 1 - geo->before[i], s);
        t->high[i] = (s - 1 + geo->before[i]) / s;
        t->cells[i] = (geo->in[i] + s - 1) / s;
    }
    t->first = t->low[1] < 0 ? t->low[1] : 0;
    t->rows = t->high[0] - t->low[0] + 1;
    t->width = round_up(t->cells[1], lanes) + t->high[1];
    if (t->width < round_up(geo->out[1], lanes))
        t->width = round_up(geo->out[1], lanes);
    t->width -= t->first;
    part_channels(t);
    units = pool_planes(t->p) / (t->p->nhwc ? t->p->channels : 1) * t->parts;
    t->bands = (UNITS_WANTED + units - 1) / units;
    t->band = (t->cells[0] + t->bands - 1) / t->bands;
    if (t->band < 4 * t->rows)
        t->band = 4 * t->rows;
    t->bands = (t->cells[0] + t->band - 1) / t->band;
}

static Gather
gather_of(Pool *p)
{
    const Geometry *geo = &p->geo;
    int64_t step = p->nhwc ? p->channels : geo->in[1];
    int64_t bytes = dtype_bytes(p->dtype);
    Gather t = {.p = p, .u = p->u};

    measure(&t);
    t.lines = step % LANES == 0;
    t.large = t.lines &&
              pool_planes(p) * geo->in[0] * geo->in[1] >= PAST_CACHES / bytes;
    return t;
}

bool
window_gathers(Pool *p)
{
    const Geometry *geo = &p->geo;
    Gather t;

    for (int i = 0; i < 2; i++)
        if (geo->in[i] > SIZE_MOST || geo->out[i] > SIZE_MOST ||
            geo->before[i] > SIZE_MOST || geo->stride[i] > CELL_MOST ||
            geo->dilation[i] != 1)
            return false;
    if (p->taps > UNROLLED_TAPS ||
        geo->stride[0] * geo->stride[1] > CELL_MOST ||
        (!p->nhwc && geo->stride[1] > 2) || pool_planes(p) == 0)
        return false;
    t = (Gather){.p = p, .u = p->u};
    measure(&t);
    return ring_bytes(&t, t.some) <= RING_BYTES;
}

/* ---- the ring ------------------------------------------------------------ */

static LLVMTypeRef
winner_type(Gather *t)
{
    return LLVMVectorType(t->u->i8, LANES);
}

/* Of window column `first` of the row of windows `row` rows behind the last
   one that row `cell` of cells reads. */
static LLVMValueRef
ring_row(Gather *t, LLVMValueRef cell, int64_t row)
{
    LLVMValueRef slot =
        LLVMBuildURem(t->u->b, pool_scaled(t->p, cell, 1, t->rows - row),
                      pool_constant(t->p, t->rows), "");

    return pool_scaled(t->p, slot, t->width * t->some, 0);
}

/* `count` windows from place `at` on give nothing to anybody. */
static void
ring_clear(Gather *t, LLVMValueRef at, int64_t count)
{
    int64_t bytes = dtype_bytes(t->p->dtype);

    if (t->p->max)
        LLVMBuildMemSet(t->u->b, address(t->u, t->winner, at, 1),
                        LLVMConstInt(t->u->i8, NOBODY, false),
                        pool_constant(t->p, count), 1);
    LLVMBuildMemSet(t->u->b, address(t->u, t->share, at, bytes),
                    LLVMConstInt(t->u->i8, 0, false),
                    pool_constant(t->p, count * bytes), (unsigned)bytes);
}

static void
ring_put(Gather *t, LLVMValueRef at, const LLVMValueRef share[2])
{
    int64_t bytes = dtype_bytes(t->p->dtype);

    if (t->p->max)
        store(t->u, LLVMBuildTrunc(t->u->b, share[1], winner_type(t), ""),
              address(t->u, t->winner, at, 1), 1);
    store(t->u, share[0], address(t->u, t->share, at, bytes), (unsigned)bytes);
}

/* What windows `row` give, side by side, into the ring from place `at` on. */
static void
fill_row(Gather *t, LLVMValueRef row, LLVMValueRef at)
{
    Pool *p = t->p;
    Loop across, channels = {0};
    LLVMValueRef ow, to, share[2];

    ow = loop_begin(t->u, &across, pool_constant(p, 0),
                    pool_constant(p, p->geo.out[1]), p->nhwc ? 1 : LANES, 0,
                    NULL);
    to = LLVMBuildAdd(t->u->b, at,
                      pool_scaled(p, ow, t->some, -t->first * t->some), "");
    if (p->nhwc) {
        loop_begin(t->u, &channels, t->from, t->to, LANES, 0, NULL);
        window_last_share(p, t->x, t->g, row, ow, channels.i, share);
        to = LLVMBuildAdd(t->u->b, to,
                          LLVMBuildSub(t->u->b, channels.i, t->from, ""), "");
    } else {
        pool_share(p, t->x, t->g, row, ow, share);
    }
    ring_put(t, to, share);
    if (p->nhwc)
        loop_end(t->u, &channels);
    loop_end(t->u, &across);
}

/* The last row of windows that row `cell` of cells reads. */
static void
fill(Gather *t, LLVMValueRef cell)
{
    LLVMBuilderRef b = t->u->b;
    LLVMBasicBlockRef some = block_new(t->u, "some");
    LLVMBasicBlockRef none = block_new(t->u, "none");
    LLVMBasicBlockRef done = block_new(t->u, "done");
    LLVMValueRef row = pool_scaled(t->p, cell, 1, t->high[0]);
    LLVMValueRef at = ring_row(t, cell, 0), is;

    is = pool_between(t->p, row, pool_constant(t->p, 0),
                      pool_constant(t->p, t->p->geo.out[0]));
    LLVMBuildCondBr(b, is, some, none);
    LLVMPositionBuilderAtEnd(b, some);
    fill_row(t, row, at);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, none);
    ring_clear(t, at, t->width * t->some);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
}

/* ---- cells --------------------------------------------------------------- */

/* One more window's share, from its place in the ring: all of it, or where tap
   `tap` is the winner. */
static LLVMValueRef
add_share(Gather *t, LLVMValueRef sum, LLVMValueRef at, int64_t tap)
{
    Pool *p = t->p;
    int64_t bytes = dtype_bytes(p->dtype);
    LLVMValueRef one, more, is;

    one = load(t->u, unit_vector(t->u, p->dtype, LANES),
               address(t->u, t->share, at, bytes), (unsigned)bytes);
    more = LLVMBuildFAdd(t->u->b, sum, one, "");
    if (!p->max)
        return more;
    one = load(t->u, winner_type(t), address(t->u, t->winner, at, 1), 1);
    is = LLVMConstInt(t->u->i8, (unsigned long long)tap, false);
    is = LLVMBuildICmp(t->u->b, LLVMIntEQ, one, splat(t->u, is, LANES), "");
    return LLVMBuildSelect(t->u->b, is, more, sum, "");
}

/* Element (h, w) of the cells whose windows stand at `at` behind each row. */
static LLVMValueRef
element_sum(Gather *t, const LLVMValueRef *row, LLVMValueRef at, int64_t h,
            int64_t w)
{
    const Geometry *geo = &t->p->geo;
    LLVMValueRef sum = pool_real(t->p, 0, LANES), place;

    for (int64_t j = t->low[0]; j <= t->high[0]; j++)
        for (int64_t i = t->low[1]; i <= t->high[1]; i++) {
            int64_t kh = h + geo->before[0] - j * geo->stride[0];
            int64_t kw = w + geo->before[1] - i * geo->stride[1];

            if (kh < 0 || kh >= geo->kernel[0] || kw < 0 ||
                kw >= geo->kernel[1])
                continue;
            place = LLVMBuildAdd(t->u->b, row[t->high[0] - j], at, "");
            place = pool_scaled(t->p, place, 1, i * t->some);
            sum = add_share(t, sum, place, kh * geo->kernel[1] + kw);
        }
    return sum;
}

/* Runs what follows only where row (or column) i of the result is one. */
static LLVMBasicBlockRef
begin_where(Gather *t, LLVMValueRef i, int axis)
{
    LLVMBasicBlockRef there = block_new(t->u, "there");
    LLVMBasicBlockRef done = block_new(t->u, "done");
    LLVMValueRef is = LLVMBuildICmp(
        t->u->b, LLVMIntSLT, i, pool_constant(t->p, t->p->geo.in[axis]), "");

    LLVMBuildCondBr(t->u->b, is, there, done);
    LLVMPositionBuilderAtEnd(t->u->b, there);
    return done;
}

static void
end_where(Gather *t, LLVMBasicBlockRef done)
{
    LLVMBuildBr(t->u->b, done);
    LLVMPositionBuilderAtEnd(t->u->b, done);
}

/* A vector of the result; `left` lanes of it exist. */
static void
give(Gather *t, LLVMValueRef v, LLVMValueRef to, LLVMValueRef left)
{
    if (t->large)
        store_past(t->u, v, to);
    else if (t->lines)
        store(t->u, v, to, (unsigned)dtype_bytes(t->p->dtype));
    else
        store_masked(t->u, t->p->dtype, LANES, v, to, left);
}

/* One vector of channels of element (h, w). */
static void
give_pixel(Gather *t, LLVMValueRef v, LLVMValueRef h, LLVMValueRef w,
           LLVMValueRef channel)
{
    Pool *p = t->p;
    LLVMBasicBlockRef done = begin_where(t, w, 1);
    LLVMValueRef at = pool_scaled(p, h, p->geo.in[1], 0);

    at = LLVMBuildAdd(t->u->b, at, w, "");
    at = LLVMBuildAdd(t->u->b, pool_scaled(p, at, p->channels, 0), channel, "");
    give(t, v, pool_element(p, t->y, at),
         LLVMBuildSub(t->u->b, pool_constant(p, p->channels), channel, ""));
    end_where(t, done);
}

/* Columns from w on of row h of a plane: one or two vectors, whose lanes stand
   by turns. */
static void
give_columns(Gather *t, const LLVMValueRef *v, LLVMValueRef h, LLVMValueRef w)
{
    Pool *p = t->p;
    int64_t wide = p->geo.stride[1];
    LLVMValueRef row = pool_scaled(p, h, p->geo.in[1], 0), order[LANES], one;

    for (int64_t k = 0; k < wide; k++) {
        LLVMValueRef from = pool_scaled(p, w, 1, k * LANES);
        LLVMBasicBlockRef done = begin_where(t, from, 1);

        for (int64_t i = 0; i < LANES; i++)
            order[i] = LLVMConstInt(
                t->u->i32,
                (unsigned)((k * LANES + i) / wide + i % wide * LANES), false);
        one = LLVMBuildShuffleVector(t->u->b, v[0], v[wide - 1],
                                     LLVMConstVector(order, LANES), "");
        give(t, one,
             pool_element(p, t->y, LLVMBuildAdd(t->u->b, row, from, "")),
             LLVMBuildSub(t->u->b, pool_constant(p, p->geo.in[1]), from, ""));
        end_where(t, done);
    }
}

/* The vectors of cells (cell, w): `at` is where their window w + 0 stands
   behind the rows of the ring. */
static void
give_cells(Gather *t, LLVMValueRef cell, const LLVMValueRef *row,
           LLVMValueRef w, LLVMValueRef at, LLVMValueRef channel)
{
    const int64_t *stride = t->p->geo.stride;
    LLVMValueRef sum[CELL_MOST];

    w = pool_scaled(t->p, w, stride[1], 0);
    for (int64_t i = 0; i < stride[0]; i++) {
        LLVMValueRef h = pool_scaled(t->p, cell, stride[0], i);
        LLVMBasicBlockRef done = begin_where(t, h, 0);

        for (int64_t k = 0; k < stride[1]; k++)
            sum[k] = element_sum(t, row, at, i, k);
        for (int64_t k = 0; k < stride[1] && t->p->nhwc; k++)
            give_pixel(t, sum[k], h, pool_scaled(t->p, w, 1, k), channel);
        if (!t->p->nhwc)
            give_columns(t, sum, h, w);
        end_where(t, done);
    }
}

/* A row of cells. */
static void
give_row(Gather *t, LLVMValueRef cell)
{
    Pool *p = t->p;
    LLVMValueRef row[UNROLLED_TAPS + 1], w, at;
    Loop across, channels = {0};

    for (int64_t i = 0; i < t->rows; i++)
        row[i] = ring_row(t, cell, i);
    w = loop_begin(t->u, &across, pool_constant(p, 0),
                   pool_constant(p, t->cells[1]), p->nhwc ? 1 : LANES, 0, NULL);
    at = pool_scaled(p, w, t->some, -t->first * t->some);
    if (p->nhwc) {
        loop_begin(t->u, &channels, t->from, t->to, LANES, 0, NULL);
        at = LLVMBuildAdd(t->u->b, at,
                          LLVMBuildSub(t->u->b, channels.i, t->from, ""), "");
    }
    give_cells(t, cell, row, w, at, channels.i);
    if (p->nhwc)
        loop_end(t->u, &channels);
    loop_end(t->u, &across);
}

/* ---- the kernel ---------------------------------------------------------- */

/* What a band's first row of cells reads is made first, but for the last
   row of windows, which each row of cells adds. */
static void
walk_band(Gather *t, LLVMValueRef from, LLVMValueRef to)
{
    LLVMBuilderRef b = t->u->b;
    LLVMBasicBlockRef give = block_new(t->u, "give"), done;
    Loop cells;

    ring_clear(t, pool_constant(t->p, 0), t->rows * t->width * t->some);
    loop_begin(t->u, &cells, pool_scaled(t->p, from, 1, 1 - t->rows), to, 1, 0,
               NULL);
    fill(t, cells.i);
    done = block_new(t->u, "done");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSGE, cells.i, from, ""), give,
                    done);
    LLVMPositionBuilderAtEnd(b, give);
    give_row(t, cells.i);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
    loop_end(t->u, &cells);
}

/* The unit's part of the channels, its plane or image and its band. */
static void
run_unit(Gather *t, LLVMValueRef unit)
{
    Pool *p = t->p;
    LLVMBuilderRef b = t->u->b;
    LLVMValueRef parts = pool_constant(p, t->parts), band, to;
    LLVMValueRef bands = pool_constant(p, t->bands);
    int64_t each = p->nhwc ? p->channels : 1;

    t->from = pool_scaled(p, LLVMBuildURem(b, unit, parts, ""), t->some, 0);
    t->to = least(t->u, pool_scaled(p, t->from, 1, t->some),
                  pool_constant(p, p->channels));
    unit = LLVMBuildUDiv(b, unit, parts, "");
    band = pool_scaled(p, LLVMBuildURem(b, unit, bands, ""), t->band, 0);
    to = least(t->u, pool_scaled(p, band, 1, t->band),
               pool_constant(p, t->cells[0]));
    unit = LLVMBuildUDiv(b, unit, bands, "");
    t->x = pool_plane(p, p->x, unit, p->geo.in, each);
    t->g = pool_plane(p, p->g, unit, p->geo.out, each);
    t->y = pool_plane(p, p->y, unit, p->geo.in, each);
    walk_band(t, band, to);
}

void
lower_window_gather(Pool *p, const char *name, Lowered *out)
{
    Gather t = gather_of(p);
    int64_t each = p->nhwc ? p->channels : 1;
    int64_t ring = t.rows * t.width * t.some;
    int64_t units = pool_planes(p) / each * t.parts * t.bands;
    LLVMValueRef unit;
    Loop l;

    pool_begin(p, name);
    t.winner = stack_room(p->u, p->u->i8, p->max ? ring : 1, CACHE_LINE);
    t.share = stack_room(p->u, unit_type(p->u, p->dtype), ring, CACHE_LINE);
    unit = pool_units(p, &l, units, t.band * p->geo.out[1] * p->taps * t.some,
                      out);
    run_unit(&t, unit);
    loop_end(p->u, &l);
    if (t.large)
        stores_past_end(p->u);
    LLVMBuildRetVoid(p->u->b);
}
