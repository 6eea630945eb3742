/* contract_dot_pack: panels of words: two or four terms of one row or lane in
   32 bits, the first term low. What is f32 in memory is rounded on the way,
   8 bits beside 16 are widened. */
#include "codegen/convert.h"
#include "codegen/kernels/contract_parts.h"
#include "codegen/kernels/square.h"

enum { UNROLL = 4 }; /* words */

typedef struct Pack {
    Maker *k;
    const Side *s;
    DType of;      /* of the operand */
    int64_t bytes; /* of its elements */
    DType to_type; /* of a term in the panel */
    int by;        /* terms of a word */
    bool flip;     /* the highest bit of each term of 8 bits */
    int64_t width; /* rows or lanes of a word in the panel */
    int lanes;
    LLVMValueRef from, to; /* operand, panel */
    LLVMValueRef count, first, end, words;
} Pack;

/* Lanes of i32: the codes of elements. */
static LLVMValueRef
codes(const Pack *p, int lanes, LLVMValueRef x)
{
    Unit *u = p->k->u;

    if (p->by == 2) /* bytes stay what they are */
        x = convert(u, lanes, p->of, p->to_type, x);
    return LLVMBuildZExt(u->b, x, unit_vector(u, DT_I32, lanes), "");
}

/* Codes of the terms of a word, in one. */
static LLVMValueRef
joined(const Pack *p, LLVMValueRef *code, int lanes)
{
    Unit *u = p->k->u;
    LLVMValueRef x = code[0], by;

    for (int i = 1; i < p->by; i++) {
        by = LLVMConstInt(u->i32, (unsigned)(32 / p->by * i), false);
        by = LLVMBuildShl(u->b, code[i], splat(u, by, lanes), "");
        x = LLVMBuildOr(u->b, x, by, "");
    }
    return x;
}

static LLVMValueRef
flipped(const Pack *p, LLVMValueRef x, int lanes)
{
    Unit *u = p->k->u;
    LLVMValueRef by = LLVMConstInt(u->i32, 0x80808080u, false);

    return p->flip ? LLVMBuildXor(u->b, x, splat(u, by, lanes), "") : x;
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

/* The terms of a word; missing ones are 0. */
typedef struct Word {
    LLVMValueRef at[4]; /* in the operand */
    LLVMValueRef there[4]; /* NULL: it is */
    LLVMValueRef to; /* in the panel */
} Word;

static Word
word_at(const Pack *p, LLVMValueRef number)
{
    Unit *u = p->k->u;
    LLVMValueRef one = const_i64(u, 1), last, term;
    Word w = {.to = address(u, p->to, number, p->width * 4)};

    last = LLVMBuildNSWSub(u->b, p->end, one, "");
    number = offset_add(u, p->first, number, p->by);
    for (int i = 0; i < p->by; i++) {
        term = LLVMBuildNSWAdd(u->b, number, const_i64(u, i), "");
        w.there[i] = LLVMBuildICmp(u->b, LLVMIntSLT, term, p->end, "");
        term = i ? least(u, term, last) : term;
        w.at[i] = address(u, p->from, term_at(p, term), p->bytes);
    }
    return w;
}

/* One whose terms are all there. */
static Word
whole_word_at(const Pack *p, LLVMValueRef number)
{
    Unit *u = p->k->u;
    Word w = {.to = address(u, p->to, number, p->width * 4)};

    number = offset_add(u, p->first, number, p->by);
    for (int i = 0; i < p->by; i++) {
        w.at[i] = LLVMBuildNSWAdd(u->b, number, const_i64(u, i), "");
        w.at[i] = address(u, p->from, term_at(p, w.at[i]), p->bytes);
    }
    return w;
}

static LLVMValueRef
word_codes(const Pack *p, const Word *w, LLVMValueRef *x, int lanes)
{
    Unit *u = p->k->u;

    for (int i = 0; i < p->by; i++) {
        x[i] = codes(p, lanes, x[i]);
        if (i && w->there[i])
            x[i] = LLVMBuildSelect(u->b, w->there[i], x[i],
                                   LLVMConstNull(LLVMTypeOf(x[i])), "");
    }
    return flipped(p, joined(p, x, lanes), lanes);
}

/* ---- lanes of unit stride: vector by vector ----------------------------- */

static void
pack_vector(const Pack *p, const Word *w, LLVMValueRef i, LLVMValueRef left)
{
    Unit *u = p->k->u;
    unsigned align = (unsigned)p->bytes;
    LLVMTypeRef t = unit_vector(u, p->of, p->lanes);
    LLVMValueRef x[4];

    for (int j = 0; j < p->by; j++) {
        LLVMValueRef at = address(u, w->at[j], i, p->bytes);

        x[j] = left ? load_masked(u, p->of, p->lanes, at, left)
                    : load(u, t, at, align);
    }
    store(u, word_codes(p, w, x, p->lanes), address(u, w->to, i, 4), 4);
}

/* The words [from, to) of as many elements as there are. */
static void
pack_cut_rows(const Pack *p, LLVMValueRef from, LLVMValueRef to)
{
    Unit *u = p->k->u;
    LLVMValueRef zero = const_i64(u, 0), whole, left, n;
    Loop words, lanes;
    Word w;

    whole = LLVMBuildAnd(u->b, p->count, const_i64(u, -(int64_t)p->lanes), "");
    n = loop_begin(u, &words, from, to, 1, 0, NULL);
    w = word_at(p, n);
    loop_begin(u, &lanes, zero, whole, p->lanes, 0, NULL);
    pack_vector(p, &w, lanes.i, NULL);
    loop_end(u, &lanes);
    loop_begin(u, &lanes, whole, p->count, p->lanes, 0, NULL);
    left = LLVMBuildNSWSub(u->b, p->count, whole, "");
    pack_vector(p, &w, lanes.i, left);
    loop_end(u, &lanes);
    loop_end(u, &words);
}

/* The words [from, to), all of whose elements and terms are there, `by` a
   round. */
static void
pack_whole_rows(const Pack *p, LLVMValueRef from, LLVMValueRef to, int by)
{
    Unit *u = p->k->u;
    Loop words;

    loop_begin(u, &words, from, to, by, 0, NULL);
    for (int n = 0; n < by; n++) {
        Word w = whole_word_at(
            p, LLVMBuildNSWAdd(u->b, words.i, const_i64(u, n), ""));

        for (int64_t i = 0; i < p->width; i += p->lanes) {
            int64_t left = p->width - i;

            pack_vector(p, &w, const_i64(u, i),
                        left < p->lanes ? const_i64(u, left) : NULL);
        }
    }
    loop_end(u, &words);
}

/* Mostly a block is whole, and all words but the last one. */
static void
pack_rows(const Pack *p)
{
    Unit *u = p->k->u;
    LLVMBasicBlockRef all = block_new(u, "all"), cut = block_new(u, "rest");
    LLVMValueRef zero = const_i64(u, 0), whole, many, is, from;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(u->b);

    whole = LLVMBuildNSWSub(u->b, p->end, p->first, "");
    whole = LLVMBuildUDiv(u->b, whole, const_i64(u, p->by), "");
    many = LLVMBuildAnd(u->b, whole, const_i64(u, -UNROLL), "");
    is = LLVMBuildICmp(u->b, LLVMIntEQ, p->count, const_i64(u, p->width), "");
    LLVMBuildCondBr(u->b, is, all, cut);
    LLVMPositionBuilderAtEnd(u->b, all);
    pack_whole_rows(p, zero, many, UNROLL);
    pack_whole_rows(p, many, whole, 1);
    all = LLVMGetInsertBlock(u->b);
    LLVMBuildBr(u->b, cut);
    LLVMPositionBuilderAtEnd(u->b, cut);
    from = LLVMBuildPhi(u->b, u->i64, "");
    LLVMAddIncoming(from, (LLVMValueRef[]){zero, whole},
                    (LLVMBasicBlockRef[]){before, all}, 2);
    pack_cut_rows(p, from, p->words);
}

/* ---- anything: element by element --------------------------------------- */

static void
pack_points(const Pack *p, LLVMValueRef from)
{
    Unit *u = p->k->u;
    int64_t stride = p->s->axis[0].in[p->s->operand];
    LLVMTypeRef t = unit_type(u, p->of);
    Loop words, lanes;
    LLVMValueRef x[4], n;
    Word one;

    n = loop_begin(u, &words, from, p->words, 1, 0, NULL);
    one = word_at(p, n);
    loop_begin(u, &lanes, const_i64(u, 0), p->count, 1, 0, NULL);
    for (int j = 0; j < p->by; j++)
        x[j] = load(u, t, address(u, one.at[j], lanes.i, stride * p->bytes),
                    (unsigned)p->bytes);
    store(u, word_codes(p, &one, x, 1), address(u, one.to, lanes.i, 4), 4);
    loop_end(u, &lanes);
    loop_end(u, &words);
}

/* ---- terms of unit stride: squares of words, transposed ------------------ */

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

/* Words side by side at `at`. */
static LLVMValueRef
load_words(const Pack *p, LLVMValueRef at)
{
    Unit *u = p->k->u;
    unsigned align = (unsigned)p->bytes;
    LLVMTypeRef t = unit_vector(u, p->of, p->lanes);
    LLVMValueRef x, y, pair[2];

    if (p->bytes == dtype_bytes(p->to_type)) {
        x = load(u, unit_vector(u, DT_I32, p->lanes), at, align);
        return flipped(p, x, p->lanes);
    }
    x = load(u, t, at, align);
    y = load(u, t, address(u, at, const_i64(u, p->lanes), p->bytes), align);
    x = codes(p, p->lanes, x);
    y = codes(p, p->lanes, y);
    for (int i = 0; i < 2; i++)
        pair[i] = halves(u, x, y, p->lanes, i);
    return joined(p, pair, p->lanes);
}

/* left: lanes that there are, NULL: enough. Of those that are missing the last
   one is read in their place. */
static void
pack_square(const Pack *p, LLVMValueRef lane, LLVMValueRef word,
            LLVMValueRef left)
{
    Unit *u = p->k->u;
    int64_t stride = p->s->axis[0].in[p->s->operand] * p->bytes;
    LLVMValueRef row[64], term, from, to, i;

    term = offset_add(u, p->first, word, p->by);
    from = address(u, p->from, term, p->bytes);
    from = address(u, from, lane, stride);
    for (int r = 0; r < p->lanes; r++) {
        i = const_i64(u, r);
        if (left)
            i = least(u, i, LLVMBuildNSWSub(u->b, left, const_i64(u, 1), ""));
        row[r] = load_words(p, address(u, from, i, stride));
    }
    square_transpose(u, row, p->lanes);
    to = address(u, p->to, word, p->width * 4);
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
             LLVMValueRef words, LLVMValueRef left)
{
    Unit *u = p->k->u;
    Loop lanes, terms;

    loop_begin(u, &lanes, from, to, p->lanes, 0, NULL);
    loop_begin(u, &terms, const_i64(u, 0), words, p->lanes, 0, NULL);
    pack_square(p, lanes.i, terms.i, left);
    loop_end(u, &terms);
    loop_end(u, &lanes);
}

/* Squares, then the words that fill none. */
static void
pack_turned(const Pack *p)
{
    Unit *u = p->k->u;
    LLVMValueRef mask = const_i64(u, -(int64_t)p->lanes);
    LLVMValueRef zero = const_i64(u, 0), lanes, words, terms;

    lanes = LLVMBuildAnd(u->b, p->count, mask, "");
    terms = LLVMBuildNSWSub(u->b, p->end, p->first, "");
    words = LLVMBuildUDiv(u->b, terms, const_i64(u, p->by), "");
    words = LLVMBuildAnd(u->b, words, mask, "");
    pack_squares(p, zero, lanes, words, NULL);
    pack_squares(p, lanes, p->count, words,
                 LLVMBuildNSWSub(u->b, p->count, lanes, ""));
    pack_points(p, words);
}

LLVMValueRef
make_word_pack(Maker *k, const Side *s)
{
    const Contraction *c = k->c;
    Unit *u = k->u;
    int op = s->operand;
    LLVMValueRef f = part_begin(k, s == &c->lane ? ".lanes" : ".rows", 2, 3);
    Pack p = {.k = k,
              .s = s,
              .of = c->of[op],
              .bytes = dtype_bytes(c->of[op]),
              .to_type = c->packed,
              .by = c->in_word,
              .flip = s == &c->row && rows_are_flipped(k),
              .width = word_width(c, s),
              .lanes = c->lanes,
              .from = LLVMGetParam(f, 0),
              .to = LLVMGetParam(f, 1),
              .count = LLVMGetParam(f, 2),
              .first = LLVMGetParam(f, 3),
              .end = LLVMGetParam(f, 4)};

    p.words = LLVMBuildNSWSub(u->b, p.end, p.first, "");
    p.words = LLVMBuildNSWAdd(u->b, p.words, const_i64(u, p.by - 1), "");
    p.words = LLVMBuildUDiv(u->b, p.words, const_i64(u, p.by), "");
    if (s->axis[0].in[op] == 1)
        pack_rows(&p);
    else if (vec_len(c->sum) == 1 && c->sum[0].in[op] == 1)
        pack_turned(&p);
    else
        pack_points(&p, const_i64(u, 0));
    LLVMBuildRetVoid(u->b);
    return f;
}
