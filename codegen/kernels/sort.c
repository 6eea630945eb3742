/* sort: a line of elements becomes words in scratch, the key above the index,
   so that all words differ and integers order them; they are merged from one
   row into another and back, run lengths 1, 2, 4, ... A tile is some lines. */
#include "ir/ops/sort.h"

#include "codegen/kernels/kernels.h"
#include "ir/base/diag.h"

typedef struct Lines {
    Unit *u;
    Sort s;
    DType dtype;
    LLVMTypeRef key, word; /* key: as wide as an element */
    LLVMValueRef kernel, x, y, index, row[2];
} Lines;

static LLVMValueRef
constant(Lines *m, int64_t x)
{
    return const_i64(m->u, x);
}

static unsigned
key_bits(const Lines *m)
{
    return (unsigned)dtype_bytes(m->dtype) * 8;
}

static LLVMValueRef
key_constant(Lines *m, unsigned long long x)
{
    return LLVMConstInt(m->key, x, false);
}

/* The largest bits of a number's magnitude: those of infinity. */
static unsigned long long
infinity_bits(DType d)
{
    switch (d) {
    case DT_F64: return 0x7ff0000000000000;
    case DT_F32: return 0x7f800000;
    case DT_BF16: return 0x7f80;
    case DT_F16: return 0x7c00;
    default: UNREACHABLE();
    }
}

/* Bits of a float that order as unsigned integers: positive ones count up,
   negative ones count down, both zeros are one, NaNs are the greatest. */
static LLVMValueRef
float_key(Lines *m, LLVMValueRef v)
{
    LLVMBuilderRef b = m->u->b;
    unsigned bits = key_bits(m);
    LLVMValueRef sign = key_constant(m, 1ull << (bits - 1)), size, flip, nan;

    size = LLVMBuildAnd(b, v, LLVMBuildNot(b, sign, ""), "");
    nan = LLVMBuildICmp(b, LLVMIntUGT, size,
                        key_constant(m, infinity_bits(m->dtype)), "");
    v = LLVMBuildSelect(
        b, LLVMBuildICmp(b, LLVMIntEQ, size, key_constant(m, 0), ""),
        key_constant(m, 0), v, "");
    flip = LLVMBuildAShr(b, v, key_constant(m, bits - 1), "");
    v = LLVMBuildXor(b, v, LLVMBuildOr(b, flip, sign, ""), "");
    return LLVMBuildSelect(b, nan, LLVMConstAllOnes(m->key), v, "");
}

/* The word of element i, whose bits are v. */
static LLVMValueRef
word_of(Lines *m, LLVMValueRef v, LLVMValueRef i)
{
    LLVMBuilderRef b = m->u->b;

    if (dtype_float(m->dtype))
        v = float_key(m, v);
    else if (!dtype_unsigned(m->dtype))
        v = LLVMBuildXor(b, v, key_constant(m, 1ull << (key_bits(m) - 1)), "");
    if (m->s.descending)
        v = LLVMBuildNot(b, v, "");
    v = LLVMBuildZExt(b, v, m->word, "");
    v = LLVMBuildShl(
        b, v, LLVMConstInt(m->word, (unsigned long long)m->s.word * 4, false),
        "");
    if (m->s.word > 8)
        i = LLVMBuildZExt(b, i, m->word, "");
    return LLVMBuildOr(b, v, i, "");
}

static LLVMValueRef
word_address(Lines *m, LLVMValueRef row, LLVMValueRef i)
{
    return address(m->u, row, i, m->s.word);
}

static void
fill_row(Lines *m, LLVMValueRef first)
{
    int64_t bytes = dtype_bytes(m->dtype);
    LLVMValueRef i, at, v;
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), constant(m, m->s.size), 1, 0,
                   NULL);
    at = LLVMBuildMul(m->u->b, i, constant(m, m->s.inner), "");
    at = LLVMBuildAdd(m->u->b, at, first, "");
    v = load(m->u, m->key, address(m->u, m->x, at, bytes), (unsigned)bytes);
    store(m->u, word_of(m, v, i), word_address(m, m->row[0], i), 8);
    loop_end(m->u, &l);
}

/* The word at i, or any where i is the end. */
static LLVMValueRef
word_at(Lines *m, LLVMValueRef row, LLVMValueRef i)
{
    i = least(m->u, i, constant(m, m->s.size - 1));
    return load(m->u, m->word, word_address(m, row, i), 8);
}

/* from[low, middle) and from[middle, high) into to[low, high). */
static void
merge(Lines *m, LLVMValueRef from, LLVMValueRef to, LLVMValueRef low,
      LLVMValueRef middle, LLVMValueRef high)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef begin[] = {low, middle}, i, k, x, y, first, p;
    Loop l;

    p = loop_begin(m->u, &l, low, high, 1, 2, begin);
    i = loop_phi(&l, 0);
    k = loop_phi(&l, 1);
    x = word_at(m, from, i);
    y = word_at(m, from, k);
    first = LLVMBuildICmp(b, LLVMIntULT, x, y, "");
    first =
        LLVMBuildOr(b, first, LLVMBuildICmp(b, LLVMIntSGE, k, high, ""), "");
    first =
        LLVMBuildAnd(b, first, LLVMBuildICmp(b, LLVMIntSLT, i, middle, ""), "");
    store(m->u, LLVMBuildSelect(b, first, x, y, ""), word_address(m, to, p), 8);
    first = LLVMBuildZExt(b, first, m->u->i64, "");
    loop_next(&l, 0, LLVMBuildAdd(b, i, first, ""));
    first = LLVMBuildXor(b, first, constant(m, 1), "");
    loop_next(&l, 1, LLVMBuildAdd(b, k, first, ""));
    loop_end(m->u, &l);
}

/* Runs of 2^round are merged in pairs, for every round; the row that holds the
   last one. */
static LLVMValueRef
merge_rounds(Lines *m)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef size = constant(m, m->s.size), round, width, pair, low, from;
    Loop rounds, pairs;
    int count = 0;

    while ((int64_t)1 << count < m->s.size)
        count++;
    round = loop_begin(m->u, &rounds, constant(m, 0), constant(m, count), 1, 2,
                       m->row);
    from = loop_phi(&rounds, 0);
    width = LLVMBuildShl(b, constant(m, 1), round, "");
    pair = LLVMBuildAdd(b, width, width, "");
    pair = LLVMBuildAdd(b, pair, constant(m, m->s.size - 1), "");
    pair = LLVMBuildLShr(b, pair, round, "");
    pair = LLVMBuildLShr(b, pair, constant(m, 1), "");
    low = loop_begin(m->u, &pairs, constant(m, 0), pair, 1, 0, NULL);
    low = LLVMBuildShl(b, LLVMBuildShl(b, low, round, ""), constant(m, 1), "");
    pair = LLVMBuildAdd(b, low, width, "");
    merge(m, from, loop_phi(&rounds, 1), low, least(m->u, pair, size),
          least(m->u, LLVMBuildAdd(b, pair, width, ""), size));
    loop_end(m->u, &pairs);
    loop_next(&rounds, 0, loop_phi(&rounds, 1));
    loop_next(&rounds, 1, from);
    loop_end(m->u, &rounds);
    return from;
}

/* The first words of the row become elements and indices. */
static void
write_results(Lines *m, LLVMValueRef row, LLVMValueRef first, LLVMValueRef to)
{
    LLVMBuilderRef b = m->u->b;
    int64_t bytes = dtype_bytes(m->dtype);
    unsigned long long mask = m->s.word > 8 ? UINT64_MAX : UINT32_MAX;
    LLVMValueRef i, at, v;
    Loop l;

    i = loop_begin(m->u, &l, constant(m, 0), constant(m, m->s.count), 1, 0,
                   NULL);
    v = load(m->u, m->word, word_address(m, row, i), 8);
    v = LLVMBuildAnd(b, v, LLVMConstInt(m->word, mask, false), "");
    if (m->s.word > 8)
        v = LLVMBuildTrunc(b, v, m->u->i64, "");
    i = LLVMBuildMul(b, i, constant(m, m->s.inner), "");
    i = LLVMBuildAdd(b, i, to, "");
    store(m->u, v, address(m->u, m->index, i, 8), 8);
    at = LLVMBuildMul(b, v, constant(m, m->s.inner), "");
    at = LLVMBuildAdd(b, at, first, "");
    v = load(m->u, m->key, address(m->u, m->x, at, bytes), (unsigned)bytes);
    store(m->u, v, address(m->u, m->y, i, bytes), (unsigned)bytes);
    loop_end(m->u, &l);
}

static void
emit_sort(Lines *m, Lowered *out)
{
    LLVMBuilderRef b = m->u->b;
    const Sort *s = &m->s;
    int64_t lines = s->outer * s->inner;
    int64_t per = sort_lines(s);
    LLVMValueRef from, to, line, o, j;
    Loop l;

    from = LLVMBuildMul(b, LLVMGetParam(m->kernel, 2), constant(m, per), "");
    to = LLVMBuildMul(b, LLVMGetParam(m->kernel, 3), constant(m, per), "");
    to = least(m->u, to, constant(m, lines));
    line = loop_begin(m->u, &l, from, to, 1, 0, NULL);
    o = LLVMBuildUDiv(b, line, constant(m, s->inner), "");
    j = LLVMBuildURem(b, line, constant(m, s->inner), "");
    from = LLVMBuildMul(b, o, constant(m, s->size * s->inner), "");
    from = LLVMBuildAdd(b, from, j, "");
    to = LLVMBuildMul(b, o, constant(m, s->count * s->inner), "");
    to = LLVMBuildAdd(b, to, j, "");
    fill_row(m, from);
    write_results(m, merge_rounds(m), from, to);
    loop_end(m->u, &l);
    out->tiles[0] = sort_tiles(s);
}

/* The scratch of the worker that runs it; one tile has all there is. */
static void
take_scratch(Lines *m, int64_t each)
{
    LLVMBuilderRef b = m->u->b;
    LLVMValueRef base = kernel_pointer(m->u, m->kernel, 3), far;

    far = sort_tiles(&m->s) == 1 ? constant(m, 0)
                                 : LLVMBuildMul(b, LLVMGetParam(m->kernel, 4),
                                                constant(m, each), "");
    m->row[0] = address(m->u, base, far, 1);
    m->row[1] = address(m->u, m->row[0], constant(m, m->s.size), m->s.word);
}

void
lower_sort(Unit *u, const Graph *g, NodeId id, const char *name, Lowered *out)
{
    const Type *x = &g->value[g->node[id].in[0]].type;
    Lines m = {.u = u, .s = sort_of(g, id), .dtype = x->dtype};

    *out = (Lowered){.phases = 1};
    m.key = LLVMIntTypeInContext(u->context, key_bits(&m));
    m.word = LLVMIntTypeInContext(u->context, (unsigned)m.s.word * 8);
    m.kernel = out->kernel[0] = unit_kernel(u, name);
    m.x = kernel_pointer(u, m.kernel, 0);
    m.y = kernel_pointer(u, m.kernel, 1);
    m.index = kernel_pointer(u, m.kernel, 2);
    if (type_elements(x) && m.s.count) {
        take_scratch(&m, sort_scratch(g, id));
        emit_sort(&m, out);
    }
    LLVMBuildRetVoid(u->b);
}
