/* contract_bf16_pack: panels of pairs of terms: a pair of one row or lane in 32
   bits, the first term low. What is f32 in memory is rounded on the way. */
#include "codegen/convert.h"
#include "codegen/kernels/contract_parts.h"
#include "codegen/kernels/square.h"

typedef struct Pack {
    Maker *k;
    const Side *s;
    DType of;      /* of the operand */
    int64_t bytes; /* of its elements */
    int64_t width; /* rows or lanes of a pair in the panel */
    int lanes;
    LLVMValueRef from, to; /* operand, panel */
    LLVMValueRef count, first, end, pairs;
} Pack;

/* Lanes of i32: the codes of elements. */
static LLVMValueRef
codes(const Pack *p, int lanes, LLVMValueRef x)
{
    Unit *u = p->k->u;

    x = convert(u, lanes, p->of, DT_BF16, x);
    return LLVMBuildZExt(u->b, x, unit_vector(u, DT_I32, lanes), "");
}

static LLVMValueRef
joined(Unit *u, LLVMValueRef low, LLVMValueRef high, int lanes)
{
    LLVMValueRef by = splat(u, LLVMConstInt(u->i32, 16, false), lanes);

    return LLVMBuildOr(u->b, low, LLVMBuildShl(u->b, high, by, ""), "");
}

static LLVMValueRef
term_at(const Pack *p, LLVMValueRef term)
{
    const Axis *sum = p->k->c->sum;
    Unit *u = p->k->u;
    LLVMValueRef at = const_i64(u, 0), d;

    for (size_t i = vec_len(sum); i-- > 0;) {
        d = i ? digit(u, &term, sum[i].size) : term;
        at = offset_add(u, at, d, sum[i].in[p->s->operand]);
    }
    return at;
}

/* The two terms of a pair; a missing second one is 0. */
typedef struct Pair {
    LLVMValueRef at[2]; /* in the operand */
    LLVMValueRef whole;
    LLVMValueRef to; /* in the panel */
} Pair;

static Pair
pair_at(const Pack *p, LLVMValueRef number)
{
    Unit *u = p->k->u;
    LLVMValueRef one = const_i64(u, 1), first, second, last;
    Pair pair;

    first = offset_add(u, p->first, number, 2);
    second = LLVMBuildNSWAdd(u->b, first, one, "");
    last = LLVMBuildNSWSub(u->b, p->end, one, "");
    pair.whole = LLVMBuildICmp(u->b, LLVMIntSLT, second, p->end, "");
    second = least(u, second, last);
    pair.at[0] = address(u, p->from, term_at(p, first), p->bytes);
    pair.at[1] = address(u, p->from, term_at(p, second), p->bytes);
    pair.to = address(u, p->to, number, p->width * 4);
    return pair;
}

static LLVMValueRef
pair_codes(const Pack *p, const Pair *pair, LLVMValueRef x, LLVMValueRef y,
           int lanes)
{
    Unit *u = p->k->u;

    x = codes(p, lanes, x);
    y = codes(p, lanes, y);
    y = LLVMBuildSelect(u->b, pair->whole, y, LLVMConstNull(LLVMTypeOf(y)), "");
    return joined(u, x, y, lanes);
}

/* ---- lanes of unit stride: vector by vector ----------------------------- */

static void
pack_vector(const Pack *p, const Pair *pair, LLVMValueRef i, LLVMValueRef left)
{
    Unit *u = p->k->u;
    unsigned align = (unsigned)p->bytes;
    LLVMTypeRef t = unit_vector(u, p->of, p->lanes);
    LLVMValueRef x[2];

    for (int j = 0; j < 2; j++) {
        LLVMValueRef at = address(u, pair->at[j], i, p->bytes);

        x[j] = left ? load_masked(u, p->of, p->lanes, at, left)
                    : load(u, t, at, align);
    }
    store(u, pair_codes(p, pair, x[0], x[1], p->lanes),
          address(u, pair->to, i, 4), 4);
}

static void
pack_rows(const Pack *p)
{
    Unit *u = p->k->u;
    LLVMValueRef zero = const_i64(u, 0), whole, left, n;
    Loop pairs, lanes;
    Pair pair;

    whole = LLVMBuildAnd(u->b, p->count, const_i64(u, -(int64_t)p->lanes), "");
    n = loop_begin(u, &pairs, zero, p->pairs, 1, 0, NULL);
    pair = pair_at(p, n);
    loop_begin(u, &lanes, zero, whole, p->lanes, 0, NULL);
    pack_vector(p, &pair, lanes.i, NULL);
    loop_end(u, &lanes);
    loop_begin(u, &lanes, whole, p->count, p->lanes, 0, NULL);
    left = LLVMBuildNSWSub(u->b, p->count, whole, "");
    pack_vector(p, &pair, lanes.i, left);
    loop_end(u, &lanes);
    loop_end(u, &pairs);
}

/* ---- anything: element by element --------------------------------------- */

static void
pack_points(const Pack *p, LLVMValueRef pair)
{
    Unit *u = p->k->u;
    int64_t stride = p->s->axis[0].in[p->s->operand];
    LLVMTypeRef t = unit_type(u, p->of);
    Loop pairs, lanes;
    LLVMValueRef x[2], n;
    Pair one;

    n = loop_begin(u, &pairs, pair, p->pairs, 1, 0, NULL);
    one = pair_at(p, n);
    loop_begin(u, &lanes, const_i64(u, 0), p->count, 1, 0, NULL);
    for (int j = 0; j < 2; j++)
        x[j] = load(u, t, address(u, one.at[j], lanes.i, stride * p->bytes),
                    (unsigned)p->bytes);
    store(u, pair_codes(p, &one, x[0], x[1], 1),
          address(u, one.to, lanes.i, 4), 4);
    loop_end(u, &lanes);
    loop_end(u, &pairs);
}

/* ---- terms of unit stride: squares of pairs, transposed ------------------ */

/* Every second of twice as many lanes. */
static LLVMValueRef
halves(Unit *u, LLVMValueRef x, LLVMValueRef y, int lanes, int from)
{
    LLVMValueRef pick[64];

    for (int i = 0; i < lanes; i++)
        pick[i] = LLVMConstInt(u->i32, (unsigned)(2 * i + from), false);
    return LLVMBuildShuffleVector(u->b, x, y,
                                  LLVMConstVector(pick, (unsigned)lanes), "");
}

/* Pairs side by side at p. */
static LLVMValueRef
load_pairs(const Pack *p, LLVMValueRef at)
{
    Unit *u = p->k->u;
    unsigned align = (unsigned)p->bytes;
    LLVMTypeRef t = unit_vector(u, p->of, p->lanes);
    LLVMValueRef x, y;

    if (p->of == DT_BF16)
        return load(u, unit_vector(u, DT_I32, p->lanes), at, align);
    x = load(u, t, at, align);
    y = load(u, t, address(u, at, const_i64(u, p->lanes), p->bytes), align);
    x = codes(p, p->lanes, x);
    y = codes(p, p->lanes, y);
    return joined(u, halves(u, x, y, p->lanes, 0),
                  halves(u, x, y, p->lanes, 1), p->lanes);
}

/* left: lanes that there are, NULL: enough. Of those that are missing the last
   one is read in their place. */
static void
pack_square(const Pack *p, LLVMValueRef lane, LLVMValueRef pair,
            LLVMValueRef left)
{
    Unit *u = p->k->u;
    int64_t stride = p->s->axis[0].in[p->s->operand] * p->bytes;
    LLVMValueRef row[64], term = offset_add(u, p->first, pair, 2), from, to, i;

    from = address(u, p->from, term, p->bytes);
    from = address(u, from, lane, stride);
    for (int r = 0; r < p->lanes; r++) {
        i = const_i64(u, r);
        if (left)
            i = least(u, i, LLVMBuildNSWSub(u->b, left, const_i64(u, 1), ""));
        row[r] = load_pairs(p, address(u, from, i, stride));
    }
    square_transpose(u, row, p->lanes);
    to = address(u, p->to, pair, p->width * 4);
    to = address(u, to, lane, 4);
    for (int r = 0; r < p->lanes; r++) {
        LLVMValueRef at = address(u, to, const_i64(u, r), p->width * 4);

        if (left)
            store_masked(u, DT_I32, p->lanes, row[r], at, left);
        else
            store(u, row[r], at, 4);
    }
}

static void
pack_squares(const Pack *p, LLVMValueRef from, LLVMValueRef to,
             LLVMValueRef pairs, LLVMValueRef left)
{
    Unit *u = p->k->u;
    Loop lanes, terms;

    loop_begin(u, &lanes, from, to, p->lanes, 0, NULL);
    loop_begin(u, &terms, const_i64(u, 0), pairs, p->lanes, 0, NULL);
    pack_square(p, lanes.i, terms.i, left);
    loop_end(u, &terms);
    loop_end(u, &lanes);
}

/* Squares, then the pairs that fill none. */
static void
pack_turned(const Pack *p)
{
    Unit *u = p->k->u;
    LLVMValueRef mask = const_i64(u, -(int64_t)p->lanes);
    LLVMValueRef zero = const_i64(u, 0), lanes, pairs, terms;

    lanes = LLVMBuildAnd(u->b, p->count, mask, "");
    terms = LLVMBuildNSWSub(u->b, p->end, p->first, "");
    pairs = LLVMBuildLShr(u->b, terms, const_i64(u, 1), "");
    pairs = LLVMBuildAnd(u->b, pairs, mask, "");
    pack_squares(p, zero, lanes, pairs, NULL);
    pack_squares(p, lanes, p->count, pairs,
                 LLVMBuildNSWSub(u->b, p->count, lanes, ""));
    pack_points(p, pairs);
}

LLVMValueRef
make_pair_pack(Maker *k, const Side *s)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    int op = s->operand;
    LLVMValueRef f = part_begin(k, s == &c->lane ? ".lanes" : ".rows", 2, 3);
    Pack p = {.k = k,
              .s = s,
              .of = c->of[op],
              .bytes = dtype_bytes(c->of[op]),
              .width = pair_width(c, s),
              .lanes = c->lanes,
              .from = LLVMGetParam(f, 0),
              .to = LLVMGetParam(f, 1),
              .count = LLVMGetParam(f, 2),
              .first = LLVMGetParam(f, 3),
              .end = LLVMGetParam(f, 4)};

    p.pairs = LLVMBuildNSWSub(u->b, p.end, p.first, "");
    p.pairs = LLVMBuildNSWAdd(u->b, p.pairs, const_i64(u, 1), "");
    p.pairs = LLVMBuildLShr(u->b, p.pairs, const_i64(u, 1), "");
    if (s->axis[0].in[op] == 1)
        pack_rows(&p);
    else if (vec_len(c->sum) == 1 && c->sum[0].in[op] == 1)
        pack_turned(&p);
    else
        pack_points(&p, const_i64(u, 0));
    LLVMBuildRetVoid(u->b);
    return f;
}
