/* contraction_dot: how products of bf16 operands and of whole numbers are
   walked. Both operands stand in panels of words, two or four terms in 32 bits:
   what dot products read at once, and what rows without gaps are already. */
#include "ir/contraction.h"

#include <math.h>

enum {
    SHARED_MOST = 4 << 20,  /* bytes of panels packed once for all */
    DEPTH = 4096,           /* terms of a panel, where they are more */
    SUMS_MOST = 768 << 10,  /* bytes of running sums a worker */
    ROWS_BYTES = 384 << 10, /* bytes of rows that a worker packs */
    TILE_UNITS = 16384,     /* of work that a tile for threads should have */
    TILES_MOST = 64,
    VECTORS_MOST = 4,
    SET_ROWS = 8      /* that a set has room for */
};

static const double pack_cost = 0.1; /* of a word, in cycles */

typedef struct Choice {
    double cost;
    int side; /* of the lanes */
    int64_t rows, vectors;
} Choice;

/* The axis of unit stride in the result first, the others outwards. */
static Axis *
innermost_first(Arena *a, const Contraction *c, const Axis *list)
{
    Axis none = {.size = 1, .at = NEWN(a, int64_t, c->classes)};
    size_t n = vec_len(list), inner = n ? n - 1 : 0;
    Axis *made = NULL;

    for (size_t i = 0; i < n; i++)
        if (list[i].at[0] == 1)
            inner = i;
    if (n)
        vec_push(a, made, list[inner]);
    for (size_t i = n; i-- > 0;)
        if (i != inner)
            vec_push(a, made, list[i]);
    while (vec_len(made) < 2)
        vec_push(a, made, none);
    return made;
}

static double
blocks_of(const Axis *axis, int64_t inner)
{
    return ceil((double)axis[0].size / (double)inner) *
           (double)axes_size(axis, 1);
}

bool
words_want_flip(const Contraction *c)
{
    return c->in_word == 4 && c->of[0] == c->of[1];
}

/* Do the terms of a row lie side by side, in words from the start of a part,
   as dot products read them? */
static bool
lies_in_words(const Contraction *c, int operand)
{
    return dtype_bytes(c->of[operand]) == dtype_bytes(c->packed) &&
           !words_want_flip(c) && vec_len(c->sum) == 1 &&
           c->sum[0].in[operand] == 1 &&
           (c->split == 1 || c->part % c->in_word == 0);
}

/* Rows in place whose words fall into one set of the first cache, more than it
   has ways: each step would miss. */
static bool
rows_collide(const Contraction *c, const Axis *row, int operand, int64_t rows)
{
    int64_t far = row[0].in[operand] * dtype_bytes(c->of[operand]);
    int64_t together = far & -far; /* its largest power of two */

    if (!lies_in_words(c, operand) || far < CACHE_WAY / SET_ROWS)
        return false;
    together = together < CACHE_WAY ? together : CACHE_WAY;
    return rows * together > (int64_t)SET_ROWS * CACHE_WAY;
}

/* Words of both sides that are packed, rows once and lanes for every lot of
   rows that a worker packs. */
static double
packed_words(const Contraction *c, Axis *const list[2], int side)
{
    double words = (double)c->k / c->in_word, lots = 1;
    double rows = (double)axes_size(list[!side], 0) * words;
    double lanes = (double)axes_size(list[side], 0) * words;

    if (lies_in_words(c, !side))
        return lanes;
    if (rows * 4 > SHARED_MOST)
        lots = ceil(rows * 4 / ROWS_BYTES);
    return rows + lanes * lots;
}

/* In cycles: the terms of all register tiles, storing those, packing. */
static double
choice_cost(const Contraction *c, Axis *const list[2], const Choice *t,
            int full)
{
    const Axis *row = list[!t->side], *lane = list[t->side];
    double work = (double)(t->rows * t->vectors);
    double loads = (double)t->rows * 1.2 + (double)t->vectors;
    double store = lane[0].at[0] == 1 ? 5 : row[0].at[0] == 1 ? 10 : 5 * full;
    double step;

    if (rows_collide(c, row, !t->side, t->rows))
        loads *= 4;
    step = fmax(fmax(work, loads), 8) + 0.25;
    return blocks_of(row, t->rows) * blocks_of(lane, t->vectors * full) *
               ((double)c->k / c->in_word * step + 40 + work * store) +
           packed_words(c, list, t->side) * pack_cost;
}

static Choice
choose(const Contraction *c, Axis *const list[2], int full, int registers)
{
    Choice best = {0}, t;

    for (t.side = 0; t.side < 2; t.side++)
        for (t.vectors = 1; t.vectors <= VECTORS_MOST; t.vectors++) {
            int64_t flip = words_want_flip(c) ? t.vectors + 1 : 0;
            int64_t most = (registers - t.vectors - 2 - flip) / t.vectors;
            int64_t size = list[!t.side][0].size;

            for (t.rows = 1; t.rows <= most && t.rows <= size; t.rows++) {
                t.cost = choice_cost(c, list, &t, full);
                if (best.cost <= 0 || t.cost < best.cost)
                    best = t;
            }
        }
    return best;
}

static Side
side_made(Axis *axis, int operand, int64_t inner)
{
    Side s = {.axis = axis, .operand = operand, .inner = inner, .outer = 1};

    s.inner_blocks = (axis[0].size + inner - 1) / inner;
    s.tail = axis[0].size - (s.inner_blocks - 1) * inner;
    s.outer_blocks = axis[1].size;
    s.blocks = s.inner_blocks * axes_size(axis, 1);
    s.chunk = s.blocks;
    s.chunks = 1;
    return s;
}

static void
cut(Side *s, int64_t parts)
{
    parts = parts > s->blocks ? s->blocks : parts < 1 ? 1 : parts;
    s->chunk = (s->blocks + parts - 1) / parts;
    s->chunks = (s->blocks + s->chunk - 1) / s->chunk;
}

/* ---- panels ------------------------------------------------------------- */

int64_t
word_count(const Contraction *c, int64_t terms)
{
    return (terms + c->in_word - 1) / c->in_word;
}

int64_t
word_width(const Contraction *c, const Side *s)
{
    return s == &c->lane ? tile_width(c) : s->inner;
}

/* Terms are copied by whole vectors, so the last one reaches too far. */
int64_t
word_panel_bytes(const Contraction *c, const Side *s, Packing packing)
{
    int64_t depth = c->part < c->depth ? c->part : c->depth;
    int64_t words = packing == PACK_SHARED ? c->split * word_count(c, c->part)
                                           : word_count(c, depth);

    return (words * word_width(c, s) * 4 + 127) / 64 * 64;
}

int64_t
word_panel_count(const Contraction *c, const Side *s)
{
    int64_t copies = 1;

    for (size_t i = 0; i < vec_len(c->batch); i++)
        if (c->batch[i].in[s->operand])
            copies *= c->batch[i].size;
    return copies * s->blocks;
}

static bool
is_small(const Contraction *c, const Side *s)
{
    return word_panel_count(c, s) * word_panel_bytes(c, s, PACK_SHARED) <=
           SHARED_MOST;
}

static void
choose_packing(Contraction *c)
{
    c->packing = PACK_TILE;
    c->row_packing = PACK_TILE;
    if (lies_in_words(c, c->row.operand))
        c->row_packing = PACK_NONE;
    else if (is_small(c, &c->row))
        c->row_packing = PACK_SHARED;
    if (is_small(c, &c->lane) &&
        (c->row_packing == PACK_TILE || word_panel_count(c, &c->lane) < 8))
        c->packing = PACK_SHARED;
}

/* ---- tiles for threads --------------------------------------------------- */

static int64_t
block_bytes(const Contraction *c)
{
    return tile_width(c) * tile_height(c) * c->bytes;
}

/* What is packed by tile is packed again for each cut of the other side. */
static void
cut_tiles(Contraction *c, double cycles)
{
    double want = fmin(fmax(cycles / TILE_UNITS, 1), TILES_MOST);
    int64_t around = axes_size(c->batch, 0) * c->split, most;
    int64_t parts = ((int64_t)want + around - 1) / (around > 0 ? around : 1);
    int64_t rows;

    if (c->row_packing == PACK_TILE && c->packing == PACK_TILE) {
        rows = ROWS_BYTES / word_panel_bytes(c, &c->row, PACK_TILE);
        cut(&c->row, (c->row.blocks + rows - 1) / rows);
        cut(&c->lane, (parts + c->row.chunks - 1) / c->row.chunks);
    } else if (c->row_packing == PACK_TILE) {
        rows = ROWS_BYTES / word_panel_bytes(c, &c->row, PACK_TILE);
        cut(&c->row, parts);
        if (c->row.chunk > rows)
            cut(&c->row, (c->row.blocks + rows) / (rows > 0 ? rows : 1));
    } else {
        cut(&c->lane, parts);
        if (c->packing != PACK_TILE)
            cut(&c->row, (parts + c->lane.chunks - 1) / c->lane.chunks);
    }
    if (c->part <= c->depth)
        return;
    most = SUMS_MOST / block_bytes(c);
    if (c->row.chunk > most)
        cut(&c->row, (c->row.blocks + most - 1) / most);
    most /= c->row.chunk;
    if (c->lane.chunk > most)
        cut(&c->lane, (c->lane.blocks + most - 1) / (most > 0 ? most : 1));
}

static int64_t
take(int64_t *used, int64_t bytes)
{
    int64_t at = *used;

    *used = (at + bytes + 63) / 64 * 64;
    return at;
}

static void
lay_scratch(Contraction *c)
{
    Scratch *s = &c->scratch;
    const Type *out = &value_at(c->graph, c->leader->out[0])->type;
    int64_t row = word_panel_bytes(c, &c->row, c->row_packing);
    int64_t lane = word_panel_bytes(c, &c->lane, c->packing);

    if (c->split > 1)
        c->partial = take(&s->shared, type_elements(out) * c->split * c->bytes);
    if (c->packing == PACK_SHARED)
        c->panels = take(&s->shared, word_panel_count(c, &c->lane) * lane);
    if (c->row_packing == PACK_SHARED)
        c->row_panels = take(&s->shared, word_panel_count(c, &c->row) * row);
    if (c->packing == PACK_TILE)
        c->panel = take(&s->each, lane);
    if (c->row_packing == PACK_TILE)
        c->row_panels = take(&s->each, c->row.chunk * row);
    if (c->part > c->depth)
        c->sums = take(&s->each,
                       c->row.chunk * c->lane.chunk * block_bytes(c));
}

void
contraction_choose_dot(Arena *a, Contraction *c, Axis *left, Axis *right,
                        const Machine *m)
{
    Axis *list[2] = {innermost_first(a, c, left), innermost_first(a, c, right)};
    int full = m->vector_bytes / 4;
    Choice t = choose(c, list, full, m->registers);

    c->outside = false;
    c->lanes = full;
    c->vectors = t.vectors;
    c->depth = DEPTH;
    c->inside = c->k;
    c->lane = side_made(list[t.side], t.side, t.vectors * full);
    c->row = side_made(list[!t.side], !t.side, t.rows);
    c->walk = c->lane.axis[0].at[0] == 1  ? WALK_LANES
              : c->row.axis[0].at[0] == 1 ? WALK_ROWS
                                          : WALK_POINTS;
    choose_packing(c);
    cut_tiles(c, t.cost * (double)axes_size(c->batch, 0));
    c->tiles =
        axes_size(c->batch, 0) * c->split * c->lane.chunks * c->row.chunks;
    lay_scratch(c);
    log_line("contract",
             "%s: %s, lanes on %s, tile %lld rows * %lld lanes, rows %s, "
             "lanes %s, k %lld, chunks %lld * %lld of %lld * %lld blocks",
             value_at(c->graph, c->leader->out[0])->name,
             dtype_name(c->packed), t.side ? "right" : "left",
             (long long)t.rows, (long long)tile_width(c),
             c->row_packing ? "packed" : "in place",
             c->packing == PACK_SHARED ? "shared" : "by tile", (long long)c->k,
             (long long)c->row.chunks, (long long)c->lane.chunks,
             (long long)c->row.blocks, (long long)c->lane.blocks);
}
