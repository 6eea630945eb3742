/* contract_micro: the register tile: sums that stay in registers while the
   terms go by, in order. */
#include "codegen/kernels/contract_parts.h"

enum { UNROLL_MOST = 8, BODY_MOST = 192 };

typedef struct Micro {
    Maker *k;
    int rows, vectors;
    int64_t row_at[64], lane_at[64]; /* element offsets in the operands */
    int64_t sum_at[64];              /* of vectors in a row of the tile */
    int64_t masked[64];              /* lanes to load; 0: all */
    LLVMValueRef sum[64];            /* rows * vectors */
} Micro;

bool
side_packed(const Contraction *c, const Side *s)
{
    return s == &c->lane ? c->packing != PACK_NONE : c->rows_packed;
}

int64_t
side_stride(const Contraction *c, const Side *s, size_t i)
{
    if (!side_packed(c, s))
        return c->sum[i].in[s->operand];
    return axes_size(c->sum, i + 1) *
           (s == &c->lane ? tile_width(c) : tile_height(c));
}

static void
lay_rows(Micro *m, const Contraction *c, bool tail)
{
    const Side *s = &c->row;
    int64_t inner = tail ? s->tail : s->inner;
    int64_t near = s->axis[0].in[s->operand], far = s->axis[1].in[s->operand];

    if (c->rows_packed) {
        near = 1;
        far = s->inner;
    }
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < inner; i++)
            m->row_at[m->rows++] = o * far + i * near;
}

/* A copy has room behind it, a panel is full; elsewhere only what is there
   may be read. */
static void
lay_lanes(Micro *m, const Contraction *c, bool tail)
{
    const Side *s = &c->lane;
    bool guard = c->packing == PACK_NONE && !c->image[s->operand].on;
    int64_t inner = tail ? s->tail : s->inner;
    int64_t far = c->packing ? s->inner : s->axis[1].in[s->operand];

    if (s->inner % c->lanes) { /* dense runs in a panel */
        for (m->vectors = 0; m->vectors < c->vectors; m->vectors++)
            m->lane_at[m->vectors] = m->sum_at[m->vectors] =
                m->vectors * c->lanes;
        return;
    }
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < inner; i += c->lanes) {
            int64_t left = inner - i;

            m->lane_at[m->vectors] = o * far + i;
            m->sum_at[m->vectors] = o * s->inner + i;
            m->masked[m->vectors] = guard && left < c->lanes ? left : 0;
            m->vectors++;
        }
}

static LLVMValueRef
at(const Micro *m, LLVMValueRef p, int64_t elements)
{
    Unit *u = m->k->u;

    return address(u, p, const_i64(u, elements * m->k->c->bytes), 1);
}

static LLVMValueRef
lane_load(const Micro *m, LLVMValueRef lanes, int64_t offset, int v)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMValueRef p = at(m, lanes, offset + m->lane_at[v]);
    unsigned align = (unsigned)c->bytes;

    if (m->masked[v])
        return load_masked(u, c->dtype, c->lanes, p,
                           const_i64(u, m->masked[v]));
    if (c->packing)
        align *= (unsigned)c->lanes;
    return load(u, m->k->vector, p, align);
}

/* One term: offsets are those of the term in the two operands. */
static void
emit_term(Micro *m, LLVMValueRef rows, int64_t row, LLVMValueRef lanes,
          int64_t lane)
{
    const Maker *k = m->k;
    LLVMValueRef vector[64], args[3];

    for (int v = 0; v < m->vectors; v++)
        vector[v] = lane_load(m, lanes, lane, v);
    for (int r = 0; r < m->rows; r++) {
        LLVMValueRef p = at(m, rows, row + m->row_at[r]);
        LLVMValueRef x = load(k->u, k->element, p, (unsigned)k->c->bytes);

        args[0] = splat(k->u, x, k->c->lanes);
        for (int v = 0; v < m->vectors; v++) {
            LLVMValueRef *sum = &m->sum[r * m->vectors + v];

            args[1] = vector[v];
            args[2] = *sum;
            *sum = intrinsic(k->u, "llvm.fma", k->vector, 3, args);
        }
    }
}

static void
take_sums(Micro *m, const Loop *l)
{
    for (int i = 0; i < m->rows * m->vectors; i++)
        m->sum[i] = loop_phi(l, i);
}

static void
give_sums(Micro *m, Loop *l)
{
    for (int i = 0; i < m->rows * m->vectors; i++)
        loop_next(l, i, m->sum[i]);
}

/* Do two of `by` neighbouring terms read the same element? LLVM would keep it
   for both, and run out of registers. */
static bool
terms_share(const Micro *m, size_t i, int64_t by)
{
    const Contraction *c = m->k->c;
    int64_t far = side_stride(c, &c->row, i);

    for (int64_t t = 1; t < by; t++)
        for (int r = 0; r < m->rows; r++)
            for (int s = 0; s < m->rows; s++)
                if (m->row_at[r] + t * far == m->row_at[s])
                    return true;
    return false;
}

/* How many terms one round takes: a divisor of the axis. */
static int64_t
unroll_of(const Micro *m, size_t i)
{
    int64_t best = 1, size = m->k->c->sum[i].size;

    for (int64_t by = 2; by <= UNROLL_MOST && by <= size; by++)
        if (size % by == 0 && by * m->rows * m->vectors <= BODY_MOST &&
            !terms_share(m, i, by))
            best = by;
    return best;
}

/* The innermost axis, [from, to) of it, `by` terms a round. */
static void
emit_innermost(Micro *m, size_t i, LLVMValueRef *from_to, int64_t by,
               LLVMValueRef rows, LLVMValueRef lanes)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    int n = m->rows * m->vectors;
    int64_t row = side_stride(c, &c->row, i);
    int64_t lane = side_stride(c, &c->lane, i);
    Loop l;
    LLVMValueRef first[64];

    for (int s = 0; s < n; s++)
        first[s] = m->sum[s];
    first[n] = address(u, rows, from_to[0], row * c->bytes);
    first[n + 1] = address(u, lanes, from_to[0], lane * c->bytes);
    loop_begin(u, &l, from_to[0], from_to[1], by, n + 2, first);
    take_sums(m, &l);
    for (int64_t t = 0; t < by; t++)
        emit_term(m, loop_phi(&l, n), t * row, loop_phi(&l, n + 1), t * lane);
    give_sums(m, &l);
    loop_next(&l, n, at(m, loop_phi(&l, n), by * row));
    loop_next(&l, n + 1, at(m, loop_phi(&l, n + 1), by * lane));
    loop_end(u, &l);
    take_sums(m, &l);
}

static LLVMValueRef
most(Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef more = LLVMBuildICmp(u->b, LLVMIntSGT, a, b, "");

    return LLVMBuildSelect(u->b, more, a, b, "");
}

/* The terms [from, to) of axis i and those inside it; NULL: all of them.
   Where a part of a split begins or ends within a row, the rows beside it are
   whole. */
static void
emit_axis(Micro *m, size_t i, LLVMValueRef *from_to, LLVMValueRef rows,
          LLVMValueRef lanes)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMValueRef zero = const_i64(u, 0), some[2], bound[2], index;
    int64_t size = c->sum[i].size, below = axes_size(c->sum, i + 1);
    LLVMValueRef all[] = {zero, const_i64(u, size)};
    LLVMValueRef inside = const_i64(u, below);
    Loop l;

    if (i + 1 == vec_len(c->sum)) {
        emit_innermost(m, i, from_to ? from_to : all,
                       from_to ? 1 : unroll_of(m, i), rows, lanes);
        return;
    }
    if (from_to) {
        all[0] = LLVMBuildUDiv(u->b, from_to[0], inside, "");
        all[1] = LLVMBuildNSWAdd(u->b, from_to[1], const_i64(u, below - 1), "");
        all[1] = LLVMBuildUDiv(u->b, all[1], inside, "");
    }
    index = loop_begin(u, &l, all[0], all[1], 1, m->rows * m->vectors, m->sum);
    take_sums(m, &l);
    if (from_to) {
        LLVMValueRef gone = LLVMBuildNSWMul(u->b, index, inside, "");

        some[0] = LLVMBuildNSWSub(u->b, from_to[0], gone, "");
        some[1] = LLVMBuildNSWSub(u->b, from_to[1], gone, "");
        bound[0] = most(u, some[0], zero);
        bound[1] = least(u, some[1], inside);
    }
    emit_axis(m, i + 1, from_to ? bound : NULL,
              address(u, rows, index,
                      side_stride(c, &c->row, i) * c->bytes),
              address(u, lanes, index,
                      side_stride(c, &c->lane, i) * c->bytes));
    give_sums(m, &l);
    loop_end(u, &l);
    take_sums(m, &l);
}

/* Is every part of the split, or block of the sum, whole within the blocks? */
static bool
parts_are_whole(const Contraction *c)
{
    if (c->blocked && c->k % c->inside)
        return false;
    return c->split == 1 || (c->outside && c->part % c->inside == 0);
}

/* What stands in sums, or zero where `first`. */
static LLVMValueRef
sum_before(const Micro *m, LLVMValueRef p, LLVMValueRef first, unsigned align)
{
    LLVMValueRef v = load(m->k->u, m->k->vector, p, align);

    return LLVMBuildSelect(m->k->u->b, first, LLVMConstNull(m->k->vector), v,
                           "");
}

/* first: NULL on the way out. */
static void
emit_sums(Micro *m, LLVMValueRef sums, LLVMValueRef first)
{
    const Contraction *c = m->k->c;
    unsigned align = (unsigned)(c->lanes * c->bytes);

    for (int r = 0; r < m->rows; r++)
        for (int v = 0; v < m->vectors; v++) {
            LLVMValueRef *s = &m->sum[r * m->vectors + v];
            LLVMValueRef p = at(m, sums, r * tile_width(c) + m->sum_at[v]);

            if (!first)
                store(m->k->u, *s, p, align);
            else if (c->outside)
                *s = sum_before(m, p, first, align);
            else
                *s = LLVMConstNull(m->k->vector);
        }
}

LLVMValueRef
make_micro(Maker *k, bool row_tail, bool lane_tail)
{
    const Contraction *c = k->c;
    Micro m = {.k = k};
    size_t first = c->outside ? 1 : 0;
    char suffix[16];
    LLVMValueRef f, terms[2], once;

    snprintf(suffix, sizeof suffix, ".tile%d%d", row_tail, lane_tail);
    f = part_begin(k, suffix, 3, 3);
    lay_rows(&m, c, row_tail);
    lay_lanes(&m, c, lane_tail);
    once = LLVMBuildICmp(k->u->b, LLVMIntNE, LLVMGetParam(f, 5),
                         const_i64(k->u, 0), "");
    emit_sums(&m, LLVMGetParam(f, 2), once);
    terms[0] = LLVMGetParam(f, 3);
    terms[1] = LLVMGetParam(f, 4);
    if (first == vec_len(c->sum))
        emit_term(&m, LLVMGetParam(f, 0), 0, LLVMGetParam(f, 1), 0);
    else
        emit_axis(&m, first, parts_are_whole(c) ? NULL : terms,
                  LLVMGetParam(f, 0), LLVMGetParam(f, 1));
    emit_sums(&m, LLVMGetParam(f, 2), NULL);
    LLVMBuildRetVoid(k->u->b);
    return f;
}
