/* contract_dot_tile: register tiles of dot products of words: pairs of bf16 or
   of 16-bit whole numbers, fours of 8-bit ones. Where the CPU has no such
   instruction: two fused multiply-adds a pair of bf16, and products of 16 bits
   whose pairs are added. */
#include "codegen/kernels/contract_parts.h"

#include <stdio.h>
#include <string.h>

enum { UNROLL = 4 };

typedef struct Micro {
    Maker *k;
    int rows, vectors;
    Dot dot;
    bool lanes_first;       /* DOT_BYTES: the lanes are the unsigned side */
    LLVMValueRef sum[64];   /* rows * vectors */
    LLVMValueRef extra[64]; /* vectors: what flipped rows add too much */
} Micro;

/* ---- instructions -------------------------------------------------------- */

static bool
has_whole_dots(const Maker *k)
{
    Unit *u = k->u;

    if (k->c->lanes == 16)
        return unit_has(u, "avx512vnni");
    return k->c->lanes == 8 &&
           (unit_has(u, "avxvnni") ||
            (unit_has(u, "avx512vnni") && unit_has(u, "avx512vl")));
}

static Dot
dot_of(const Maker *k)
{
    const Contraction *c = k->c;

    if (c->packed == DT_BF16)
        return c->lanes == 16 && unit_has(k->u, "avx512bf16") ? DOT_BF16
                                                              : DOT_NONE;
    if (!has_whole_dots(k))
        return DOT_NONE;
    return c->in_word == 4 ? DOT_BYTES : DOT_WORDS;
}

bool
rows_are_flipped(const Maker *k)
{
    return words_want_flip(k->c) && dot_of(k) == DOT_BYTES;
}

static LLVMValueRef
dot_product(const Micro *m, LLVMValueRef sum, LLVMValueRef x, LLVMValueRef y)
{
    static const char *const name[] = {[DOT_BF16] = "avx512bf16.dpbf16ps",
                                       [DOT_WORDS] = "avx512.vpdpwssd",
                                       [DOT_BYTES] = "avx512.vpdpbusd"};
    Unit *u = m->k->u;
    char full[64];
    LLVMValueRef f, args[3] = {sum};
    LLVMTypeRef type, of[3];

    snprintf(full, sizeof full, "llvm.x86.%s.%d", name[m->dot],
             m->k->c->lanes * 32);
    f = LLVMGetIntrinsicDeclaration(
        u->module, LLVMLookupIntrinsicID(full, strlen(full)), NULL, 0);
    type = LLVMGlobalGetValueType(f);
    LLVMGetParamTypes(type, of);
    args[1] = LLVMBuildBitCast(u->b, x, of[1], "");
    args[2] = LLVMBuildBitCast(u->b, y, of[2], "");
    return LLVMBuildCall2(u->b, type, f, args, 3, "");
}

/* ---- one word, without such an instruction ------------------------------- */

/* The f32 of one term of each pair. */
static LLVMValueRef
wide_float(const Micro *m, LLVMValueRef x, bool second)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMValueRef by =
        LLVMConstInt(u->i32, second ? 0xffff0000u : 16, false);

    by = splat(u, by, c->lanes);
    x = second ? LLVMBuildAnd(u->b, x, by, "") : LLVMBuildShl(u->b, x, by, "");
    return LLVMBuildBitCast(u->b, x, m->k->vector, "");
}

/* Pairs of 16 bits: as they are, or the even or odd of four bytes. */
static LLVMValueRef
wide_words(const Micro *m, LLVMValueRef x, DType of, bool second)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMTypeRef pairs = LLVMVectorType(u->i16, (unsigned)c->lanes * 2);
    LLVMValueRef by = splat(u, LLVMConstInt(u->i16, 8, false), c->lanes * 2);

    x = LLVMBuildBitCast(u->b, x, pairs, "");
    if (c->in_word == 2)
        return x;
    if (!second)
        x = LLVMBuildShl(u->b, x, by, "");
    return of == DT_I8 ? LLVMBuildAShr(u->b, x, by, "")
                       : LLVMBuildLShr(u->b, x, by, "");
}

static LLVMValueRef
widened(const Micro *m, LLVMValueRef x, const Side *s, bool second)
{
    if (m->k->c->packed == DT_BF16)
        return wide_float(m, x, second);
    return wide_words(m, x, m->k->c->of[s->operand], second);
}

/* Every second lane. */
static LLVMValueRef
every_second(Unit *u, LLVMValueRef x, int lanes, int from)
{
    LLVMValueRef pick[64];

    for (int i = 0; i < lanes; i++)
        pick[i] = LLVMConstInt(u->i32, (unsigned)(2 * i + from), false);
    return LLVMBuildShuffleVector(u->b, x, LLVMGetUndef(LLVMTypeOf(x)),
                                  LLVMConstVector(pick, (unsigned)lanes), "");
}

static LLVMValueRef
add_terms(const Micro *m, LLVMValueRef sum, LLVMValueRef x, LLVMValueRef y)
{
    int lanes = m->k->c->lanes;
    Unit *u = m->k->u;
    LLVMTypeRef wide = LLVMVectorType(u->i32, (unsigned)lanes * 2);
    LLVMValueRef args[] = {x, y, sum};

    if (m->k->c->packed == DT_BF16)
        return intrinsic(u, "llvm.fma", m->k->vector, 3, args);
    x = LLVMBuildSExt(u->b, x, wide, "");
    y = LLVMBuildSExt(u->b, y, wide, "");
    x = LLVMBuildMul(u->b, x, y, "");
    y = every_second(u, x, lanes, 1);
    x = every_second(u, x, lanes, 0);
    return LLVMBuildAdd(u->b, sum, LLVMBuildAdd(u->b, x, y, ""), "");
}

/* ---- one word of every row and lane -------------------------------------- */

static int
steps_of(const Micro *m)
{
    return m->k->c->packed == DT_I16 ? 1 : 2;
}

static void
add_row(Micro *m, int row, LLVMValueRef x, LLVMValueRef *const lane[2])
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMValueRef *sum = &m->sum[row * m->vectors], y;

    x = splat(u, x, c->lanes);
    for (int i = steps_of(m); i-- > 0 && !m->dot;) {
        y = widened(m, x, &c->row, i);
        for (int v = 0; v < m->vectors; v++)
            sum[v] = add_terms(m, sum[v], y, lane[i][v]);
    }
    for (int v = 0; v < m->vectors && m->dot; v++)
        sum[v] = m->lanes_first ? dot_product(m, sum[v], lane[0][v], x)
                                : dot_product(m, sum[v], x, lane[0][v]);
}

/* What 128 more in every row's term adds to a sum. */
static void
add_extra(Micro *m, LLVMValueRef *lane)
{
    Unit *u = m->k->u;
    LLVMValueRef by = LLVMConstInt(u->i32, 0x80808080u, false);

    by = splat(u, by, m->k->c->lanes);
    for (int v = 0; v < m->vectors; v++)
        m->extra[v] = m->lanes_first
                          ? dot_product(m, m->extra[v], lane[v], by)
                          : dot_product(m, m->extra[v], by, lane[v]);
}

static int64_t
row_step(const Contraction *c)
{
    return c->row_packing ? 1 : c->row.axis[0].in[c->row.operand];
}

/* The word of a row at p; rest: so many terms are there, 0: all. */
static LLVMValueRef
row_word(const Micro *m, LLVMValueRef p, int rest)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    int64_t bytes = dtype_bytes(c->packed);
    LLVMValueRef x = NULL, one, by;

    if (!rest)
        return load(u, u->i32, p, (unsigned)(c->row_packing ? 4 : bytes));
    for (int i = 0; i < rest; i++) {
        by = LLVMConstInt(u->i32, (unsigned)(8 * bytes * i), false);
        one = load(u, bytes == 1 ? u->i8 : u->i16,
                   address(u, p, const_i64(u, i), bytes), (unsigned)bytes);
        one = LLVMBuildZExt(u->b, one, u->i32, "");
        one = LLVMBuildShl(u->b, one, by, "");
        x = x ? LLVMBuildOr(u->b, x, one, "") : one;
    }
    return x;
}

/* row_step: in terms where rows are in place, else in words. */
static void
add_word(Micro *m, LLVMValueRef rows, LLVMValueRef lanes, int rest)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    LLVMTypeRef t = unit_vector(u, DT_I32, c->lanes);
    LLVMValueRef vector[2][64], *const lane[2] = {vector[0], vector[1]}, p;
    int64_t bytes = c->row_packing ? 4 : dtype_bytes(c->packed);

    for (int v = 0; v < m->vectors; v++) {
        p = address(u, lanes, const_i64(u, (int64_t)v * c->lanes), 4);
        vector[0][v] = load(u, t, p, (unsigned)c->lanes * 4);
        if (m->dot)
            continue;
        vector[1][v] = widened(m, vector[0][v], &c->lane, true);
        vector[0][v] = widened(m, vector[0][v], &c->lane, false);
    }
    for (int r = 0; r < m->rows; r++) {
        p = address(u, rows, const_i64(u, r * row_step(c)), bytes);
        add_row(m, r, row_word(m, p, rest), lane);
    }
    if (rows_are_flipped(m->k))
        add_extra(m, vector[0]);
}

/* ---- all words ----------------------------------------------------------- */

/* The running values, in order: sums, extras, where rows and lanes stand. */
static int
carry(Micro *m, LLVMValueRef *at, LLVMValueRef *value)
{
    int n = m->rows * m->vectors, extras;

    extras = rows_are_flipped(m->k) ? m->vectors : 0;
    memcpy(value, m->sum, (size_t)n * sizeof *value);
    memcpy(value + n, m->extra, (size_t)extras * sizeof *value);
    value[n + extras] = at[0];
    value[n + extras + 1] = at[1];
    return n + extras + 2;
}

static void
take_phis(Micro *m, const Loop *l, int count, LLVMValueRef *at)
{
    int n = m->rows * m->vectors;

    for (int i = 0; i < count - 2; i++)
        *(i < n ? &m->sum[i] : &m->extra[i - n]) = loop_phi(l, i);
    at[0] = loop_phi(l, count - 2);
    at[1] = loop_phi(l, count - 1);
}

/* `by` words a round, [from, to). */
static void
add_words(Micro *m, LLVMValueRef *at, LLVMValueRef from, LLVMValueRef to,
          int by, int rest)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    int64_t row = c->row_packing ? c->row.inner * 4 : 4;
    int64_t lane = tile_width(c) * 4;
    LLVMValueRef carried[64];
    int n = carry(m, at, carried);
    Loop l;

    loop_begin(u, &l, from, to, by, n, carried);
    take_phis(m, &l, n, at);
    for (int i = 0; i < by; i++)
        add_word(m, address(u, at[0], const_i64(u, i * row), 1),
                 address(u, at[1], const_i64(u, i * lane), 1), rest);
    at[0] = address(u, at[0], const_i64(u, by * row), 1);
    at[1] = address(u, at[1], const_i64(u, by * lane), 1);
    carry(m, at, carried);
    for (int i = 0; i < n; i++)
        loop_next(&l, i, carried[i]);
    loop_end(u, &l);
    take_phis(m, &l, n, at);
}

static LLVMValueRef
finished(const Micro *m, int i)
{
    if (!rows_are_flipped(m->k))
        return m->sum[i];
    return LLVMBuildSub(m->k->u->b, m->sum[i], m->extra[i % m->vectors], "");
}

static void
move_sums(Micro *m, LLVMValueRef sums, LLVMValueRef first, bool out)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;
    unsigned align = (unsigned)(c->lanes * c->bytes);
    LLVMValueRef zero = LLVMConstNull(m->k->vector);

    for (int i = 0; i < m->rows * m->vectors; i++) {
        int r = i / m->vectors, v = i % m->vectors;
        LLVMValueRef p = address(
            u, sums, const_i64(u, r * tile_width(c) + v * c->lanes), c->bytes);

        if (out)
            store(u, finished(m, i), p, align);
        else if (in_chunks(c))
            m->sum[i] = LLVMBuildSelect(u->b, first, zero,
                                        load(u, m->k->vector, p, align), "");
        else
            m->sum[i] = zero;
        if (!out)
            m->extra[v] = zero;
    }
}

/* The sums are the result's elements, which stand there. */
static void
store_sums(const Micro *m, LLVMValueRef result, int64_t lanes)
{
    const Contraction *c = m->k->c;
    Unit *u = m->k->u;

    for (int i = 0; i < m->rows * m->vectors; i++) {
        int64_t lane = (int64_t)(i % m->vectors) * c->lanes;
        int64_t at = i / m->vectors * c->row.axis[0].at[0] + lane;
        LLVMValueRef p = address(u, result, const_i64(u, at), c->bytes);

        if (lanes - lane < c->lanes)
            store_masked(u, c->dtype, c->lanes, finished(m, i), p,
                         const_i64(u, lanes - lane));
        else if (stores_past(c))
            store_past(u, finished(m, i), p);
        else
            store(u, finished(m, i), p, (unsigned)c->bytes);
    }
}

/* The words of rows in place, the last of which is not whole: `rest` terms. */
static void
add_last_word(Micro *m, LLVMValueRef *at, LLVMValueRef terms, int rest)
{
    Unit *u = m->k->u;
    int by = m->k->c->in_word;
    LLVMValueRef zero = const_i64(u, 0), some;

    some = LLVMBuildAnd(u->b, terms, const_i64(u, by - 1), "");
    some = LLVMBuildICmp(u->b, LLVMIntNE, some, zero, "");
    add_words(m, at, zero, LLVMBuildZExt(u->b, some, u->i64, ""), 1, rest);
}

LLVMValueRef
make_dot_micro(Maker *k, bool row_tail, bool lane_tail)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    int64_t lanes = lane_tail ? c->lane.tail : c->lane.inner;
    Micro m = {.k = k,
               .rows = (int)(row_tail ? c->row.tail : c->row.inner),
               .vectors = (int)((lanes + c->lanes - 1) / c->lanes),
               .dot = dot_of(k),
               .lanes_first = c->of[c->lane.operand] == DT_U8};
    int rest = c->row_packing ? 0 : (int)(c->k % c->in_word);
    char suffix[16];
    LLVMValueRef f, at[2], terms, words, whole, first;
    LLVMValueRef zero = const_i64(u, 0);

    snprintf(suffix, sizeof suffix, ".words%d%d", row_tail, lane_tail);
    f = part_begin(k, suffix, 3, 2);
    at[0] = LLVMGetParam(f, 0);
    at[1] = LLVMGetParam(f, 1);
    terms = LLVMGetParam(f, 3);
    words = terms;
    if (!rest)
        words = LLVMBuildNSWAdd(u->b, terms, const_i64(u, c->in_word - 1), "");
    words = LLVMBuildUDiv(u->b, words, const_i64(u, c->in_word), "");
    first = LLVMBuildICmp(u->b, LLVMIntNE, LLVMGetParam(f, 4), zero, "");
    move_sums(&m, LLVMGetParam(f, 2), first, false);
    whole = LLVMBuildAnd(u->b, words, const_i64(u, -UNROLL), "");
    add_words(&m, at, zero, whole, UNROLL, 0);
    add_words(&m, at, whole, words, 1, 0);
    if (rest)
        add_last_word(&m, at, terms, rest);
    if (stores_words(c))
        store_sums(&m, LLVMGetParam(f, 2), lanes);
    else
        move_sums(&m, LLVMGetParam(f, 2), first, true);
    LLVMBuildRetVoid(u->b);
    return f;
}
