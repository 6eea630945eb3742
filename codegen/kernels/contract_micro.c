/* contract_micro: the register tile: sums that stay in registers while the
   terms go by, in order. */
#include "codegen/kernels/contract_parts.h"

enum {
    UNROLL_MOST = 8,
    BODY_MOST = 192,
    RUN_MOST = 512 /* bytes of a row that are asked for early */
};

typedef struct Micro {
    Maker *k;
    int rows, vectors;
    int64_t row_at[64], lane_at[64]; /* element offsets in the operands */
    int64_t beside_at[64]; /* of vectors in the rows' operand (both) */
    int64_t beside_masked[64];
    int64_t sum_at[64];              /* of vectors in a row of the tile */
    int64_t result_row[64], result_lane[64]; /* in the result */
    int64_t masked[64];                      /* lanes to load; 0: all */
    int64_t cut[64];                         /* lanes there are; 0: all */
    LLVMValueRef sum[64];            /* rows * vectors */
} Micro;

int64_t
lane_stride(const Contraction *c, size_t i)
{
    if (c->packing == PACK_NONE)
        return c->sum[i].in[c->lane.operand];
    return axes_size(c->sum, i + 1) * tile_width(c);
}

static void
lay_rows(Micro *m, const Contraction *c, bool tail)
{
    const Side *s = &c->row;
    int64_t inner = tail ? s->tail : s->inner;
    int64_t near = s->axis[0].in[s->operand], far = s->axis[1].in[s->operand];

    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            m->result_row[m->rows] =
                o * s->axis[1].at[0] + i * s->axis[0].at[0];
            m->row_at[m->rows++] = o * far + i * near;
        }
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
            m->beside_at[m->vectors] = o * s->axis[1].in[!s->operand] + i;
            m->beside_masked[m->vectors] =
                !c->image[!s->operand].on && left < c->lanes ? left : 0;
            m->sum_at[m->vectors] = o * s->inner + i;
            m->result_lane[m->vectors] = o * s->axis[1].at[0] + i;
            m->cut[m->vectors] = left < c->lanes ? left : 0;
            m->masked[m->vectors] = guard ? m->cut[m->vectors] : 0;
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

static LLVMValueRef
row_load(const Micro *m, LLVMValueRef rows, int64_t offset)
{
    Unit *u = m->k->u;
    LLVMValueRef x = load(u, m->k->element, at(m, rows, offset),
                          (unsigned)m->k->c->bytes);

    return splat(u, x, m->k->c->lanes);
}

static LLVMValueRef
beside_load(const Micro *m, LLVMValueRef rows, int64_t offset, int v)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMValueRef p = at(m, rows, offset + m->beside_at[v]);

    if (m->beside_masked[v])
        return load_masked(u, c->dtype, c->lanes, p,
                           const_i64(u, m->beside_masked[v]));
    return load(u, m->k->vector, p, (unsigned)c->bytes);
}

bool
lanes_are_far(const Contraction *c)
{
    ValueId v = c->leader->in[c->lane.operand];

    return c->blocked && c->lane.outer == 1 &&
           type_bytes(&value_at(c->graph, v)->type) >= PAST_CACHES &&
           c->lanes * c->bytes == CACHE_LINE;
}

/* The same term of the next block of lanes. */
static void
ask_next_lanes(const Micro *m, LLVMValueRef lanes, int64_t offset)
{
    const Contraction *c = m->k->c;

    for (int v = 0; v < m->vectors; v++)
        ask_line(m->k->u,
                 at(m, lanes, offset + m->lane_at[v] + c->lane.inner));
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
    if (!k->c->packing && lanes_are_far(k->c))
        ask_next_lanes(m, lanes, lane);
    for (int r = 0; r < m->rows; r++) {
        if (!k->c->both)
            args[0] = row_load(m, rows, row + m->row_at[r]);
        for (int v = 0; v < m->vectors; v++) {
            LLVMValueRef *sum = &m->sum[r * m->vectors + v];

            if (k->c->both)
                args[0] = beside_load(m, rows, row + m->row_at[r], v);
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
    int64_t far = c->sum[i].in[c->row.operand];

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
            (m->k->c->both || !terms_share(m, i, by)))
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
    int64_t row = c->sum[i].in[c->row.operand];
    int64_t lane = lane_stride(c, i);
    Loop l;
    LLVMValueRef first[64];

    for (int s = 0; s < n; s++)
        first[s] = m->sum[s];
    first[n] = address(u, rows, from_to[0], row * c->bytes);
    first[n + 1] = address(u, lanes, from_to[0], lane * c->bytes);
    loop_begin(u, &l, from_to[0], from_to[1], by, n + 2, first);
    take_sums(m, &l);
    for (int64_t t = 0; t < by; t++) {
        if (t) /* loads of the next term would take registers of this one */
            memory_fence(u);
        emit_term(m, loop_phi(&l, n), t * row, loop_phi(&l, n + 1), t * lane);
    }
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

/* So few terms that they need no loops: those of depthwise windows. */
static bool
is_short(const Micro *m, size_t i)
{
    const Contraction *c = m->k->c;

    return c->both &&
           axes_size(c->sum, i) * m->rows * m->vectors <= BODY_MOST;
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

    if (!from_to && i + 1 < vec_len(c->sum) && is_short(m, i)) {
        for (int64_t k = 0; k < size; k++)
            emit_axis(m, i + 1, NULL,
                      at(m, rows, k * c->sum[i].in[c->row.operand]),
                      at(m, lanes, k * lane_stride(c, i)));
        return;
    }
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
                      c->sum[i].in[c->row.operand] * c->bytes),
              address(u, lanes, index,
                      lane_stride(c, i) * c->bytes));
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

static LLVMValueRef
sum_place(const Micro *m, LLVMValueRef sums, int i)
{
    int64_t row = i / m->vectors * tile_width(m->k->c);

    return at(m, sums, row + m->sum_at[i % m->vectors]);
}

static void
take_up_sums(Micro *m, LLVMValueRef sums)
{
    const Contraction *c = m->k->c;
    unsigned align = (unsigned)(c->lanes * c->bytes);

    for (int i = 0; i < m->rows * m->vectors; i++)
        m->sum[i] = load(m->k->u, m->k->vector, sum_place(m, sums, i), align);
}

/* Zero, or what stands in sums unless `first`. */
static void
begin_sums(Micro *m, LLVMValueRef sums, LLVMValueRef first)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    int n = m->rows * m->vectors;
    LLVMValueRef zero = LLVMConstNull(m->k->vector), old[64];
    LLVMBasicBlockRef from[2], go_on, after;

    if (c->begins) {
        take_up_sums(m, sums);
        return;
    }
    for (int i = 0; i < n; i++)
        m->sum[i] = zero;
    if (!c->outside)
        return;
    from[0] = LLVMGetInsertBlock(u->b);
    from[1] = go_on = block_new(u, "more");
    after = block_new(u, "begin");
    first = LLVMBuildICmp(u->b, LLVMIntNE, first, const_i64(u, 0), "");
    LLVMBuildCondBr(u->b, first, after, go_on);
    LLVMPositionBuilderAtEnd(u->b, go_on);
    take_up_sums(m, sums);
    for (int i = 0; i < n; i++)
        old[i] = m->sum[i];
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, after);
    for (int i = 0; i < n; i++) {
        LLVMValueRef either[] = {zero, old[i]};

        m->sum[i] = LLVMBuildPhi(u->b, m->k->vector, "");
        LLVMAddIncoming(m->sum[i], either, from, 2);
    }
}

static void
keep_sums(const Micro *m, LLVMValueRef sums)
{
    unsigned align = (unsigned)(m->k->c->lanes * m->k->c->bytes);

    for (int i = 0; i < m->rows * m->vectors; i++)
        store(m->k->u, m->sum[i], sum_place(m, sums, i), align);
}

bool
stores_result(const Contraction *c)
{
    return !c->group && c->split == 1 && c->walk == WALK_LANES &&
           (!c->outside || c->blocked) && c->lane.inner % c->lanes == 0;
}

/* Do all indices of these axes begin lines? */
static bool
begin_lines(const Contraction *c, const Axis *axis, int64_t step)
{
    for (size_t i = 0; i < vec_len(axis); i++)
        if (axis[i].size > 1 &&
            axis[i].at[0] * (i ? 1 : step) * c->bytes % CACHE_LINE)
            return false;
    return true;
}

bool
stores_past(const Contraction *c)
{
    const Type *y = &value_at(c->graph, c->leader->out[0])->type;

    return stores_result(c) && !c->outside &&
           (!c->in_word || stores_words(c)) &&
           type_bytes(y) >= PAST_CACHES && c->lanes * c->bytes == CACHE_LINE &&
           c->lane.tail % c->lanes == 0 &&
           c->start[0] * c->bytes % CACHE_LINE == 0 &&
           begin_lines(c, c->batch, 1) && begin_lines(c, c->row.axis, 1) &&
           begin_lines(c, c->lane.axis, c->lanes);
}

static void
store_result(const Micro *m, LLVMValueRef result)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;

    for (int i = 0; i < m->rows * m->vectors; i++) {
        int v = i % m->vectors;
        LLVMValueRef p = at(
            m, result, m->result_row[i / m->vectors] + m->result_lane[v]);

        if (m->cut[v])
            store_masked(u, c->dtype, c->lanes, m->sum[i], p,
                         const_i64(u, m->cut[v]));
        else if (stores_past(c))
            store_past(u, m->sum[i], p);
        else
            store(u, m->sum[i], p, (unsigned)c->bytes);
    }
}

static void
end_sums(const Micro *m, LLVMValueRef sums, LLVMValueRef result,
         LLVMValueRef last)
{
    Unit *u = m->k->u;
    LLVMBasicBlockRef keep, done;

    if (!stores_result(m->k->c)) {
        keep_sums(m, sums);
        return;
    }
    if (m->k->c->outside) {
        keep = block_new(u, "keep");
        done = block_new(u, "done");
        last = LLVMBuildICmp(u->b, LLVMIntNE, last, const_i64(u, 0), "");
        LLVMBuildCondBr(u->b, last, done, keep);
        LLVMPositionBuilderAtEnd(u->b, keep);
        keep_sums(m, sums);
        LLVMBuildRetVoid(u->b);
        LLVMPositionBuilderAtEnd(u->b, done);
    }
    store_result(m, result);
}

/* Is the sum so short that the next block's rows would be waited for? They are
   whole runs of terms. */
static bool
asks_rows(const Contraction *c)
{
    return c->rows_first && vec_len(c->sum) == 1 &&
           c->sum[0].in[c->row.operand] == 1 && c->k * c->bytes <= RUN_MOST;
}

static void
ask_rows(const Micro *m, LLVMValueRef rows)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    int64_t far = c->row.inner * c->row.axis[0].in[c->row.operand];

    for (int r = 0; r < m->rows; r++)
        for (int64_t i = 0; i < c->k; i += CACHE_LINE / c->bytes)
            ask_line(u, at(m, rows, far + m->row_at[r] + i));
}

LLVMValueRef
make_micro(Maker *k, bool row_tail, bool lane_tail)
{
    const Contraction *c = k->c;
    Micro m = {.k = k};
    size_t first = c->outside ? 1 : 0;
    char suffix[16];
    LLVMValueRef f, terms[2];

    snprintf(suffix, sizeof suffix, ".tile%d%d", row_tail, lane_tail);
    f = part_begin(k, suffix, 4, 4);
    lay_rows(&m, c, row_tail);
    lay_lanes(&m, c, lane_tail);
    begin_sums(&m, LLVMGetParam(f, 2), LLVMGetParam(f, 6));
    if (asks_rows(c))
        ask_rows(&m, LLVMGetParam(f, 0));
    terms[0] = LLVMGetParam(f, 4);
    terms[1] = LLVMGetParam(f, 5);
    if (first == vec_len(c->sum))
        emit_term(&m, LLVMGetParam(f, 0), 0, LLVMGetParam(f, 1), 0);
    else
        emit_axis(&m, first, parts_are_whole(c) ? NULL : terms,
                  LLVMGetParam(f, 0), LLVMGetParam(f, 1));
    end_sums(&m, LLVMGetParam(f, 2), LLVMGetParam(f, 3), LLVMGetParam(f, 7));
    LLVMBuildRetVoid(k->u->b);
    return f;
}
