/* rows_stage: one unit of rows: a loop over the row for each stage of
   reductions, a last one for the results; short rows without loops. */
#include "codegen/kernels/rows.h"

#include "ir/base/diag.h"

enum { STAGE_REDUCES = 16 };

typedef struct Round {
    int number; /* of the loop */
    int reduce[STAGE_REDUCES]; /* steps */
    int reduces;
    int lanes; /* that are reduced side by side */
    const struct Round *ahead; /* made of the next row beside the results */
} Round;

static bool
is_short(const Rows *r)
{
    return !r->plain && r->length <= LANES * SHORT_VECTORS;
}

static Round
stage_at(const Rows *r, int number)
{
    Round s = {.number = number, .lanes = LANES};

    for (size_t i = 0; i < vec_len(r->step); i++)
        if (r->step[i].kind == SP_REDUCE && r->step[i].stage == number + 1) {
            ASSERT(s.reduces < STAGE_REDUCES);
            s.reduce[s.reduces++] = (int)i;
            s.lanes = r->plain ? 1 : LANES;
        }
    return s;
}

static DType
dtype_of(const Rows *r, int step)
{
    return r->step[step].type.dtype;
}

static char
letter_of(const Rows *r, int step)
{
    return reduce_letter(r->member[r->step[step].member].node);
}

static int
operand_of(const Rows *r, int step)
{
    return r->member[r->step[step].member].in[0];
}

/* Lanes from `count` on give the identity. */
static LLVMValueRef
only_first(Rows *r, int step, LLVMValueRef v, int64_t count)
{
    LLVMValueRef inside[LANES], which;
    DType d = dtype_of(r, step);

    for (int i = 0; i < LANES; i++)
        inside[i] = LLVMConstInt(r->u->i1, i < count, false);
    which = LLVMConstVector(inside, LANES);
    if (r->u->threads)
        which = LLVMBuildICmp(r->u->b, LLVMIntSLT, threads_lane(r->u),
                              const_i64(r->u, count), "");
    return LLVMBuildSelect(r->u->b, which, v,
                           reduce_identity(r->u, d, letter_of(r, step), LANES),
                           "");
}

/* The second loop over a row, which mostly computes, asks for what the first
   one will read of a row behind. */
static void
fetch_ahead(Rows *r, const At *at)
{
    enum { PAGE = 4096 };

    for (size_t i = 0; i < vec_len(r->step); i++) {
        const Step *s = &r->step[i];
        int64_t row = r->length * dtype_bytes(s->type.dtype), rows = 1;

        if (s->kind != SP_PORT || r->port[s->port].iota ||
            r->port[s->port].reach != RE_DENSE ||
            type_elements(&s->type) != r->units * r->length)
            continue;
        while (rows * row < PAGE)
            rows++;
        rows_fetch(r, &r->port[s->port], at, rows * r->length, false);
    }
}

/* A vector into accumulator k; of a wide one LANES after LANES. */
static void
add_vector(Rows *r, const Round *s, const At *at, int64_t count, int k,
           LLVMValueRef *sum)
{
    int step = s->reduce[k];
    LLVMValueRef v = rows_value(r, operand_of(r, step), at);

    if (count < s->lanes)
        v = only_first(r, step, v, count);
    for (int from = 0; from < at->lanes; from += s->lanes) {
        LLVMValueRef part =
            at->lanes > s->lanes ? reduce_part(r->u, v, from, s->lanes) : v;

        *sum = reduce_pair(r->u, dtype_of(r, step), letter_of(r, step),
                           s->lanes, *sum, part);
    }
}

/* The same vector of the next row, whose bases replace this row's meanwhile. */
static void
add_ahead(Rows *r, const Round *s, const At *at, int64_t count,
          LLVMValueRef *sum)
{
    LLVMValueRef *base = NEWN(r->arena, LLVMValueRef, vec_len(r->port) + 1);

    for (size_t i = 0; i < vec_len(r->port); i++)
        base[i] = r->port[i].base;
    rows_enter_unit(r, r->next);
    r->epoch++;
    for (int k = 0; k < s->reduces; k++)
        add_vector(r, s, at, count, k, &sum[k]);
    rows_leave_loop(r, base);
}

/* One vector: into the accumulators, or out. */
static void
run_vector(Rows *r, const Round *s, const At *at, int64_t count,
           LLVMValueRef *sum)
{
    rows_read_kept(r, s->number, at);
    if (s->number == 1 && s->lanes == LANES && !at->count && !r->u->threads)
        fetch_ahead(r, at);
    for (int k = 0; k < s->reduces; k++)
        add_vector(r, s, at, count, k, &sum[k]);
    rows_fill_kept(r, s->number, at);
    if (s->reduces)
        return;
    rows_add_columns(r, at);
    rows_store_outputs(r, at, true);
    if (s->ahead)
        add_ahead(r, s->ahead, at, count, sum);
}

/* Whose reductions a loop makes. */
static const Round *
reducing(const Round *s)
{
    return s->ahead ? s->ahead : s;
}

static void
begin_sums(Rows *r, const Round *s, LLVMValueRef *sum)
{
    s = reducing(s);
    for (int k = 0; k < s->reduces; k++)
        sum[k] = reduce_identity(r->u, dtype_of(r, s->reduce[k]),
                                 letter_of(r, s->reduce[k]), s->lanes);
}

/* Whole vectors from `from` on: `length` elements, into sum[]. */
static LLVMValueRef
run_whole(Rows *r, const Round *s, LLVMValueRef from, int64_t length,
          int lanes, LLVMValueRef *sum)
{
    LLVMValueRef end =
        LLVMBuildAdd(r->u->b, from, const_i64(r->u, length), "");
    int sums = reducing(s)->reduces;
    At at = {.lanes = lanes};
    Loop l;

    if (!length)
        return from;
    at.i = loop_begin(r->u, &l, from, end, lanes, sums, sum);
    for (int k = 0; k < sums; k++)
        sum[k] = loop_phi(&l, k);
    r->epoch++;
    run_vector(r, s, &at, lanes, sum);
    for (int k = 0; k < sums; k++)
        loop_next(&l, k, sum[k]);
    loop_end(r->u, &l);
    for (int k = 0; k < sums; k++)
        sum[k] = loop_phi(&l, k);
    return end;
}

/* Elements [from, from + length) of the row, length being fixed. */
static void
run_span(Rows *r, const Round *s, LLVMValueRef from, int64_t length,
         LLVMValueRef *sum)
{
    int lanes = s->lanes == 1 ? 1 : r->wide;
    At at = {.lanes = s->lanes};

    begin_sums(r, s, sum);
    from = run_whole(r, s, from, length / lanes * lanes, lanes, sum);
    length %= lanes;
    from = run_whole(r, s, from, length / s->lanes * s->lanes, s->lanes, sum);
    length %= s->lanes;
    if (!length)
        return;
    at.i = from;
    at.count = const_i64(r->u, length);
    r->epoch++;
    run_vector(r, s, &at, length, sum);
}

static void
fold_lanes(Rows *r, const Round *s, LLVMValueRef *sum)
{
    s = reducing(s);
    for (int k = 0; k < s->reduces && s->lanes == LANES; k++)
        sum[k] = reduce_lanes(r->u, dtype_of(r, s->reduce[k]),
                              letter_of(r, s->reduce[k]), sum[k]);
}

static void
push_sums(Rows *r, const Round *s, const Tree *tree, LLVMValueRef block,
          LLVMValueRef *sum)
{
    fold_lanes(r, s, sum);
    for (int k = 0; k < s->reduces; k++)
        tree_push(r->u, &tree[k], block, sum[k]);
}

static int64_t
block_of(const Rows *r)
{
    return r->plain ? COLUMN_BLOCK : ROW_BLOCK;
}

typedef struct RowBlocks {
    Rows *r;
    const Round *s;
} RowBlocks;

static void
make_block(void *context, LLVMValueRef block, bool rest, LLVMValueRef *sum)
{
    const RowBlocks *k = context;
    int64_t size = block_of(k->r);
    LLVMValueRef from =
        LLVMBuildMul(k->r->u->b, block, const_i64(k->r->u, size), "");

    run_span(k->r, k->s, from, rest ? k->r->length % size : size, sum);
    fold_lanes(k->r, k->s, sum);
}

static void
run_turns(Rows *r, const Round *s, LLVMValueRef *sum)
{
    RowBlocks k = {r, s};
    Turns t = {.sums = s->reduces, .make = make_block, .context = &k};

    t.whole = r->length / block_of(r);
    t.rest = r->length % block_of(r) > 0;
    for (int i = 0; i < s->reduces; i++) {
        t.dtype[i] = dtype_of(r, s->reduce[i]);
        t.op[i] = letter_of(r, s->reduce[i]);
    }
    rows_in_turns(r, &t, sum);
}

/* The results of a row by all groups of a block of threads. */
static void
run_widely(Rows *r, const Round *s)
{
    At at = {.lanes = LANES};
    LLVMValueRef from =
        LLVMBuildMul(r->u->b, threads_group(r->u), const_i64(r->u, LANES), "");
    Loop l;

    at.i = loop_begin(r->u, &l, from, const_i64(r->u, r->length),
                      BLOCK_THREADS, 0, NULL);
    if (r->length % LANES)
        at.count =
            LLVMBuildSub(r->u->b, const_i64(r->u, r->length), at.i, "");
    r->epoch++;
    run_vector(r, s, &at, LANES, NULL);
    loop_end(r->u, &l);
}

static void
run_blocks(Rows *r, const Round *s, LLVMValueRef *sum)
{
    int64_t size = block_of(r);
    int64_t whole = r->length / size, rest = r->length % size;
    int64_t blocks = whole + (rest > 0);
    Tree tree[STAGE_REDUCES];
    LLVMValueRef block, from;
    Loop l;

    for (int k = 0; k < s->reduces; k++)
        tree[k] = tree_new(r->u, dtype_of(r, s->reduce[k]),
                           letter_of(r, s->reduce[k]), 1, blocks);
    block = loop_begin(r->u, &l, const_i64(r->u, 0), const_i64(r->u, whole), 1,
                       0, NULL);
    from = LLVMBuildMul(r->u->b, block, const_i64(r->u, size), "");
    run_span(r, s, from, size, sum);
    push_sums(r, s, tree, block, sum);
    loop_end(r->u, &l);
    if (rest) {
        run_span(r, s, const_i64(r->u, whole * size), rest, sum);
        push_sums(r, s, tree, const_i64(r->u, whole), sum);
    }
    for (int k = 0; k < s->reduces; k++)
        sum[k] = tree_end(r->u, &tree[k], blocks);
}

/* All vectors of a short row stay in registers. */
static void
run_short(Rows *r, const Round *s, LLVMValueRef *sum)
{
    begin_sums(r, s, sum);
    for (int64_t i = 0; i < r->length; i += LANES) {
        int64_t left = r->length - i;
        At at = {.i = const_i64(r->u, i), .lanes = LANES,
                 .chunk = (int)(i / LANES)};

        if (left < LANES)
            at.count = const_i64(r->u, left);
        run_vector(r, s, &at, left, sum);
    }
    fold_lanes(r, s, sum);
}

static void
run_stage(Rows *r, const Round *s)
{
    LLVMValueRef sum[STAGE_REDUCES];

    if (is_short(r)) {
        run_short(r, s, sum);
    } else if (r->width == BLOCK_THREADS) {
        if (s->reduces)
            run_turns(r, s, sum);
        else
            run_widely(r, s);
    } else if (!s->reduces || r->length <= block_of(r)) {
        run_span(r, s, const_i64(r->u, 0), r->length, sum);
        fold_lanes(r, s, sum);
    } else {
        run_blocks(r, s, sum);
    }
    for (int k = 0; k < s->reduces; k++)
        r->step[s->reduce[k]].row = sum[k];
}

static bool
has_varying_output(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->out); i++)
        if (r->port[r->out[i].port].reach != RE_ONE)
            return true;
    return false;
}

LLVMValueRef
rows_block_sum(Rows *r, LLVMValueRef from, int64_t length)
{
    Round s = stage_at(r, 0);
    LLVMValueRef sum[STAGE_REDUCES];

    ASSERT(s.reduces == 1);
    run_span(r, &s, from, length, sum);
    fold_lanes(r, &s, sum);
    return sum[0];
}

void
rows_run_row(Rows *r)
{
    At at = {.i = const_i64(r->u, 0), .lanes = 1};
    Round s;
    int k = 0;

    for (; s = stage_at(r, k), s.reduces; k++) {
        run_stage(r, &s);
        rows_make_invariant(r, k + 1);
    }
    if (has_varying_output(r))
        run_stage(r, &s);
    rows_store_outputs(r, &at, false);
}

/* ---- the next row's first loop beside this row's last -------------------- */

/* Is it made of the operands of its row alone, element by element? */
static bool
only_of_operands(const Rows *r, int step)
{
    const Step *s = &r->step[step];

    if (!s->varies)
        return false;
    for (int i = 0; s->member >= 0 && i < r->member[s->member].nin; i++)
        if (!only_of_operands(r, r->member[s->member].in[i]))
            return false;
    return true;
}

static bool
keeps_at_once(const Rows *r)
{
    for (size_t i = 0; i < vec_len(r->step); i++)
        if ((r->step[i].kept || r->step[i].kept_out) &&
            r->step[i].kept_in == 0)
            return true;
    return false;
}

bool
rows_look_ahead(const Rows *r)
{
    Round first = stage_at(r, 0);

    for (int k = 0; k < first.reduces; k++)
        if (!only_of_operands(r, operand_of(r, first.reduce[k])))
            return false;
    return r->wide > LANES && !r->plain && !is_short(r) && first.reduces &&
           r->length <= ROW_BLOCK && has_varying_output(r) &&
           !keeps_at_once(r);
}

static void
run_next(Rows *r, const Round *first, LLVMValueRef *sum)
{
    At at = {.i = const_i64(r->u, 0), .lanes = 1};
    Round s;
    int n = 1;

    for (int k = 0; k < first->reduces; k++)
        r->step[first->reduce[k]].row = sum[k];
    rows_make_invariant(r, 1);
    for (; s = stage_at(r, n), s.reduces; n++) {
        run_stage(r, &s);
        rows_make_invariant(r, n + 1);
    }
    s.ahead = first;
    run_span(r, &s, const_i64(r->u, 0), r->length, sum);
    fold_lanes(r, &s, sum);
    rows_store_outputs(r, &at, false);
}

/* Behind the last row it is made once more, of no use. */
void
rows_run_ahead(Rows *r, LLVMValueRef begin, LLVMValueRef end)
{
    Unit *u = r->u;
    LLVMValueRef one = const_i64(u, 1), sum[STAGE_REDUCES], unit;
    LLVMValueRef last = LLVMBuildSub(u->b, end, one, "");
    Round first = stage_at(r, 0);
    Loop l;

    rows_begin_unit(r, least(u, begin, const_i64(u, r->units - 1)));
    run_span(r, &first, const_i64(u, 0), r->length, sum);
    fold_lanes(r, &first, sum);
    unit = loop_begin(u, &l, begin, end, 1, first.reduces, sum);
    r->next = least(u, LLVMBuildAdd(u->b, unit, one, ""), last);
    rows_begin_unit(r, unit);
    for (int k = 0; k < first.reduces; k++)
        sum[k] = loop_phi(&l, k);
    run_next(r, &first, sum);
    for (int k = 0; k < first.reduces; k++)
        loop_next(&l, k, sum[k]);
    loop_end(u, &l);
}
