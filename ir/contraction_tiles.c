/* contraction_tiles: what follows from the register tile: blocks of a long sum,
   tiles for threads, scratch. */
#include "ir/base/diag.h"
#include "ir/contraction.h"

enum {
    TILE_UNITS = 8192,  /* of work that a tile for threads should have */
    TILES_MOST = 128,
    COPIES_MOST = 12,      /* tiles, where each makes copies of its own */
    ROWS_LEAST = 96,       /* that a panel is packed for */
    SHARED_MOST = 1 << 19, /* bytes of panels packed once for all */
    WEIGHTS_MOST = 1 << 24, /* of a convolution: all images read them */
    SUMS_MOST = 1 << 18,  /* bytes of running sums a worker */
    BLOCK_LANES = 64,      /* of a tile of a blocked sum, about, at most */
    FAR_TERMS = 1 << 14,   /* sums that no cache holds a side's terms of */
    FAR_SIDE = 256,
    FAR_TILES = 4,         /* of such sums, at least: threads share them */
    TILES_FEW = 8,
    LARGE = 8 << 20,       /* bytes of a result that no cache holds */
    SHORT_TERMS = 64,
};

int64_t
tile_width(const Contraction *c)
{
    return c->vectors * c->lanes;
}

int64_t
tile_height(const Contraction *c)
{
    int64_t rows = c->row.inner * c->row.outer;

    return (rows + c->lanes - 1) / c->lanes * c->lanes;
}

/* Squares are turned whole. */
int64_t
tile_bytes(const Contraction *c)
{
    int64_t rows = c->walk == WALK_ROWS ? tile_height(c)
                                        : c->row.inner * c->row.outer;

    return rows * tile_width(c) * c->bytes;
}

/* Runs are copied by whole vectors, so the last one reaches too far. */
int64_t
panel_bytes(const Contraction *c)
{
    int64_t bytes = (c->inside * tile_width(c) + c->lanes) * c->bytes;

    return (bytes + 63) / 64 * 64;
}

/* Does the lane operand differ along this batch axis? */
static int64_t
panel_copies(const Contraction *c)
{
    int64_t copies = 1;

    for (size_t i = 0; i < vec_len(c->batch); i++)
        if (c->batch[i].in[c->lane.operand])
            copies *= c->batch[i].size;
    return copies;
}

int64_t
panel_count(const Contraction *c)
{
    return panel_copies(c) * c->lane.blocks;
}

static int64_t
least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void
side_cut(Side *s, int64_t parts)
{
    parts = parts < 1 ? 1 : least_of(parts, s->blocks);
    s->chunk = (s->blocks + parts - 1) / parts;
    s->chunks = (s->blocks + s->chunk - 1) / s->chunk;
}

/* A tile's rows are read again for each of its blocks of lanes, and while a
   panel lasts: they should stay in the second cache. */
static void
keep_rows_near(Contraction *c, const Machine *m)
{
    int64_t block = c->row.inner * c->row.outer, rows, most;

    if (!c->product || c->outside || !c->k)
        return;
    rows = m->l2 / 2 / (c->k * c->bytes);
    rows = rows < ROWS_LEAST ? ROWS_LEAST : rows;
    most = rows / block ? rows / block : 1;
    if (c->row.chunk > most)
        side_cut(&c->row, (c->row.blocks + most - 1) / most);
}

/* Terms of a block: a divisor of the sum near BLOCK_TERMS, or about as many. */
static int64_t
block_terms(int64_t k)
{
    int64_t blocks = (k + BLOCK_TERMS - 1) / BLOCK_TERMS;

    for (int64_t i = BLOCK_TERMS * 3 / 2; i >= BLOCK_TERMS * 3 / 4; i -= 8)
        if (k % i == 0)
            return i;
    return (k + blocks - 1) / blocks;
}

/* A long sum of a product is walked in blocks whose panels stay in the first
   cache, the running sums of a tile beside them. */
static void
cut_sum(Arena *a, Contraction *c)
{
    Axis outer = c->sum[0], inner = c->sum[0];

    inner.size = block_terms(c->k);
    outer.size = (c->k + inner.size - 1) / inner.size;
    for (int i = 0; i < 2; i++)
        outer.in[i] *= inner.size;
    c->sum = NULL;
    vec_push(a, c->sum, outer);
    vec_push(a, c->sum, inner);
    c->outside = c->blocked = true;
    c->inside = inner.size;
}

/* Each chunk of a side reads all of the other one from afar: the longer side
   is cut. */
static void
share_far_tiles(Contraction *c)
{
    bool long_rows = axes_size(c->row.axis, 0) >= axes_size(c->lane.axis, 0);
    Side *cut = long_rows ? &c->row : &c->lane;
    const Side *other = long_rows ? &c->lane : &c->row;

    side_cut(cut, (FAR_TILES + other->chunks - 1) / other->chunks);
}

/* An odd one of a few tiles would leave a thread idle: rows are cut, whose
   panels are packed once more for each. */
static void
share_few_tiles(Contraction *c)
{
    int64_t tiles = c->row.chunks * c->lane.chunks;

    if (tiles % 2 && tiles < TILES_FEW)
        side_cut(&c->row, c->row.chunks * 2);
}

/* Tiles of a blocked sum: many rows, so that a panel serves long, and few
   lanes; of a very long sum both are read from afar, then as many of each. */
static void
cut_block_tiles(Contraction *c, const Machine *m)
{
    int64_t height = c->row.inner * c->row.outer, width = tile_width(c);
    bool far = c->k > FAR_TERMS;
    int64_t most = c->leader->op == OP_contract
                       ? BLOCK_ROWS
                       : m->l2 / 2 / (c->inside * c->bytes);
    int64_t rows = (far ? FAR_SIDE : most) + height - 1;
    int64_t lanes = (far ? FAR_SIDE : BLOCK_LANES) + width / 2;

    rows /= height;
    lanes /= width;
    side_cut(&c->row, (c->row.blocks + rows - 1) / rows);
    lanes = lanes < 1 ? 1 : lanes;
    side_cut(&c->lane, (c->lane.blocks + lanes - 1) / lanes);
    if (far && c->row.chunks * c->lane.chunks < FAR_TILES)
        share_far_tiles(c);
    if (!far)
        share_few_tiles(c);
}

/* Tiles whose panels stay in the second cache while rows go by: the result is
   written line after line. */
static void
cut_wide_tiles(Contraction *c, int64_t want, const Machine *m)
{
    int64_t near = m->l2 / 4 / panel_bytes(c);

    near = near < 1 ? 1 : near;
    side_cut(&c->lane, (c->lane.blocks + near - 1) / near);
    want /= c->lane.chunks;
    side_cut(&c->row, want < 8 ? 8 : want);
}

static void
cut_tiles(Contraction *c, double units, const Machine *m)
{
    int64_t around = axes_size(c->batch, 0) * c->split, want;
    int64_t most = c->outside ? SUMS_MOST / tile_bytes(c) : INT64_MAX;
    bool copies = c->outside || c->image[0].on || c->packing == PACK_TILE;

    want = (int64_t)(units / TILE_UNITS);
    want = want < 1 ? 1 : least_of(want, TILES_MOST);
    if (copies)
        want = least_of(want, COPIES_MOST);
    else
        want += around - 1;
    want = c->both && copies ? 1 : around ? want / around : 1;
    if (!c->lane.blocks || !c->row.blocks)
        return;
    if (c->blocked) {
        cut_block_tiles(c, m);
        return;
    }
    if (c->rows_first) {
        cut_wide_tiles(c, want, m);
        return;
    }
    side_cut(&c->lane, want);
    side_cut(&c->row, want / c->lane.chunks);
    if (most < 1)
        most = 1;
    if (c->lane.chunk > most)
        side_cut(&c->lane, (c->lane.blocks + most - 1) / most);
    most /= c->lane.chunk ? c->lane.chunk : 1;
    if (c->outside && c->row.chunk > most)
        side_cut(&c->row, (c->row.blocks + most - 1) / (most < 1 ? 1 : most));
    keep_rows_near(c, m);
}

static int64_t
take(int64_t *used, int64_t bytes)
{
    int64_t at = *used;

    *used = (at + bytes + 63) / 64 * 64;
    return at;
}

/* Behind the last row of a copy lie as many elements as a vector may read
   too far. */
static int64_t
image_bytes(const Contraction *c, const Image *m)
{
    return (m->images * m->channels * m->rows * m->columns + tile_width(c) +
            c->lanes) *
           c->bytes;
}

void
lay_tile_scratch(Contraction *c)
{
    Scratch *s = &c->scratch;
    int64_t elements = 1;
    const Type *out = &value_at(c->graph, c->leader->out[0])->type;

    elements = type_elements(out);
    if (c->split > 1)
        c->partial = take(&s->shared, elements * c->split * c->bytes);
    if (c->packing == PACK_SHARED)
        c->panels = take(&s->shared, panel_count(c) * panel_bytes(c));
    for (int i = 0; i < 2; i++)
        if (c->image[i].on)
            c->copy[i] = take(&s->each, image_bytes(c, &c->image[i]));
    if (c->packing == PACK_TILE)
        c->panel = take(&s->each, panel_bytes(c));
    if (c->outside)
        c->sums =
            take(&s->each, c->row.chunk * c->lane.chunk * tile_bytes(c));
}

static Packing
packing_of(const Contraction *c, bool wanted)
{
    if (!wanted)
        return PACK_NONE;
    if (c->outside || c->image[c->lane.operand].on ||
        panel_count(c) * panel_bytes(c) >
            (c->leader->op == OP_contract ? SHARED_MOST : WEIGHTS_MOST))
        return PACK_TILE;
    return PACK_SHARED;
}

/* A large result of rows whose terms are pages apart: they should be read
   once, the lanes' panels or what few terms they have staying near. */
static bool
reads_rows_once(const Contraction *c)
{
    const Type *y = &value_at(c->graph, c->leader->out[0])->type;

    return c->product && c->packing != PACK_TILE && !c->outside &&
           type_bytes(y) >= LARGE && vec_len(c->sum) == 1 &&
           c->sum[0].in[c->row.operand] * c->bytes >= CACHE_WAY;
}

/* Short sums, or rows of the result that share a set of the first cache: there
   a line is better written whole before the next. */
static bool
writes_lines(const Contraction *c)
{
    int64_t apart = c->row.axis[0].at[0] * c->bytes;

    if (c->leader->op == OP_contract)
        return reads_rows_once(c);
    return c->product && !c->outside && c->packing != PACK_TILE &&
           (c->k <= SHORT_TERMS || apart % CACHE_WAY == 0);
}

void
lay_tiles(Arena *a, Contraction *c, bool panels, bool blocks, double cost,
          const Machine *m)
{
    if (blocks)
        cut_sum(a, c);
    c->packing = packing_of(c, panels);
    c->rows_first = writes_lines(c);
    cut_tiles(c, cost * (double)axes_size(c->batch, 0), m);
    if (c->packing == PACK_SHARED && c->row.chunks == 1 && !c->rows_first &&
        panel_copies(c) == axes_size(c->batch, 0))
        c->packing = PACK_TILE; /* each is made once all the same */
    c->tiles =
        axes_size(c->batch, 0) * c->split * c->lane.chunks * c->row.chunks;
    lay_tile_scratch(c);
}
