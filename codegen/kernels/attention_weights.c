/* attention_weights: scores become weights, two vectors of queries at a time,
   key after key. */
#include "codegen/kernels/attention_parts.h"
#include "codegen/scalar.h"

#include <math.h>
#include <stdio.h>

enum { VECTORS = 2 };

/* A function that walks columns: what it is given, and where it is. */
typedef struct Walk {
    const Attend *k;
    LLVMValueRef score, slope, rows, bias, keys, columns, edge;
    LLVMValueRef column; /* of the first vector */
} Walk;

/* ---- small things ------------------------------------------------------- */

int64_t
common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a < 0 ? -a : a;
}

static LLVMValueRef
call(const Attend *k, const Formula *f, LLVMValueRef x)
{
    LLVMValueRef y;

    scalar_emit(k->u, f, k->lanes, &x, &y);
    return y;
}

static LLVMValueRef
attend_exp(const Attend *k, LLVMValueRef x)
{
    return call(k, k->exp, x);
}

static LLVMValueRef
attend_log(const Attend *k, LLVMValueRef x)
{
    return call(k, k->log, x);
}

LLVMValueRef
vector_of(const Attend *k, double x)
{
    return splat(k->u, LLVMConstReal(k->element, x), k->lanes);
}

LLVMValueRef
element_at(const Attend *k, LLVMValueRef p, LLVMValueRef index)
{
    return address(k->u, p, index, k->t->bytes);
}

static LLVMValueRef
lowest(const Attend *k)
{
    return vector_of(k, -INFINITY);
}

static LLVMValueRef
fused(const Attend *k, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
    LLVMValueRef args[] = {x, y, z};

    return intrinsic(k->u, "llvm.fma", k->vector, 3, args);
}

/* x where it is not -inf, else 0 */
static LLVMValueRef
finite_or_zero(const Attend *k, LLVMValueRef x)
{
    LLVMBuilderRef b = k->u->b;
    LLVMValueRef none = LLVMBuildFCmp(b, LLVMRealOEQ, x, lowest(k), "");

    return LLVMBuildSelect(b, none, vector_of(k, 0), x, "");
}

/* Vector `column` of row `row` of a panel. */
static LLVMValueRef
spot(const Attend *k, LLVMValueRef panel, LLVMValueRef row, LLVMValueRef column)
{
    return element_at(k, address(k->u, panel, row, QUERY_BLOCK * k->t->bytes),
                      column);
}

static LLVMValueRef
get(const Attend *k, LLVMValueRef p)
{
    return load(k->u, k->vector, p, (unsigned)(k->lanes * k->t->bytes));
}

static void
put(const Attend *k, LLVMValueRef x, LLVMValueRef p)
{
    store(k->u, x, p, (unsigned)(k->lanes * k->t->bytes));
}

/* ---- walking ------------------------------------------------------------ */

static LLVMValueRef
column_of(const Walk *w, int v)
{
    Unit *u = w->k->u;

    return LLVMBuildNSWAdd(u->b, w->column,
                           const_i64(u, (int64_t)v * w->k->lanes), "");
}

static LLVMValueRef
row_spot(const Walk *w, int row, int v)
{
    return spot(w->k, w->rows, const_i64(w->k->u, row), column_of(w, v));
}

static LLVMValueRef
bias_of(const Walk *w, LLVMValueRef key, LLVMValueRef column)
{
    const Attend *k = w->k;
    LLVMValueRef p;

    if (attention_turns_bias(k->a))
        return get(k, spot(k, w->bias, key, column));
    p = address(k->u, w->bias, key, k->a->bias_at[3] * k->t->bytes);
    return splat(k->u, load(k->u, k->element, p, (unsigned)k->t->bytes),
                 k->lanes);
}

/* Lanes whose query stands before `edge`: <lanes x i1>. */
static LLVMValueRef
before(const Walk *w, LLVMValueRef edge, LLVMValueRef column)
{
    const Attend *k = w->k;
    LLVMBuilderRef b = k->u->b;
    LLVMValueRef ramp[64], count = LLVMBuildNSWSub(b, edge, column, "");
    LLVMValueRef zero = const_i64(k->u, 0), some;

    for (int i = 0; i < k->lanes; i++)
        ramp[i] = LLVMConstInt(k->u->i32, (unsigned long long)i, false);
    count = least(k->u, count, const_i64(k->u, k->lanes));
    some = LLVMBuildICmp(b, LLVMIntSGT, count, zero, "");
    count = LLVMBuildSelect(b, some, count, zero, "");
    count = LLVMBuildTrunc(b, count, k->u->i32, "");
    return LLVMBuildICmp(b, LLVMIntSLT,
                         LLVMConstVector(ramp, (unsigned)k->lanes),
                         splat(k->u, count, k->lanes), "");
}

/* The score at a spot, with bias and mask. */
static LLVMValueRef
score_of(const Walk *w, LLVMValueRef key, int v)
{
    const Attend *k = w->k;
    LLVMBuilderRef b = k->u->b;
    LLVMValueRef column = column_of(w, v), edge;
    LLVMValueRef s = get(k, spot(k, w->score, key, column));

    if (k->a->bias >= 0)
        s = LLVMBuildFAdd(b, s, bias_of(w, key, column), "");
    if (k->a->causal) {
        edge = LLVMBuildNSWAdd(b, w->edge, key, "");
        s = LLVMBuildSelect(b, before(w, edge, column), lowest(k), s, "");
    }
    return s;
}

/* The function and the loop over its columns. */
static Walk
walk_begin(const Attend *k, const char *suffix, bool slopes, Loop *columns)
{
    Unit *u = k->u;
    char name[256];
    LLVMValueRef f;
    unsigned at = 0;
    Walk w = {.k = k};

    snprintf(name, sizeof name, "%.200s.%s", k->name, suffix);
    f = unit_part(u, name, slopes ? 4 : 3, 3);
    w.score = LLVMGetParam(f, at++);
    w.slope = slopes ? LLVMGetParam(f, at++) : NULL;
    w.rows = LLVMGetParam(f, at++);
    w.bias = LLVMGetParam(f, at++);
    w.keys = LLVMGetParam(f, at++);
    w.columns = LLVMGetParam(f, at++);
    w.edge = LLVMGetParam(f, at++);
    w.column =
        loop_begin(u, columns, const_i64(u, 0), w.columns, k->width, 0, NULL);
    return w;
}

/* ---- forward ------------------------------------------------------------ */

/* m of these columns with the scores of all keys. */
static void
find_largest(const Walk *w, LLVMValueRef *m)
{
    const Attend *k = w->k;
    Unit *u = k->u;
    bool changed = k->a->bias >= 0 || k->a->causal;
    LLVMValueRef key, s, more;
    Loop l;

    key = loop_begin(u, &l, const_i64(u, 0), w->keys, 1, VECTORS, m);
    for (int v = 0; v < VECTORS; v++) {
        s = score_of(w, key, v);
        if (changed)
            put(k, s, spot(k, w->score, key, column_of(w, v)));
        more = LLVMBuildFCmp(u->b, LLVMRealOGT, s, loop_phi(&l, v), "");
        loop_next(&l, v, LLVMBuildSelect(u->b, more, s, loop_phi(&l, v), ""));
    }
    loop_end(u, &l);
    for (int v = 0; v < VECTORS; v++)
        m[v] = loop_phi(&l, v);
}

/* Scores become p = exp(s - from); their sums. */
static void
make_weights(const Walk *w, const LLVMValueRef *from, LLVMValueRef *sum)
{
    const Attend *k = w->k;
    Unit *u = k->u;
    LLVMValueRef key, p, at;
    Loop l;

    for (int v = 0; v < VECTORS; v++)
        sum[v] = vector_of(k, 0);
    key = loop_begin(u, &l, const_i64(u, 0), w->keys, 1, VECTORS, sum);
    for (int v = 0; v < VECTORS; v++) {
        at = spot(k, w->score, key, column_of(w, v));
        p = attend_exp(k, LLVMBuildFSub(u->b, get(k, at), from[v], ""));
        put(k, p, at);
        loop_next(&l, v, LLVMBuildFAdd(u->b, loop_phi(&l, v), p, ""));
    }
    loop_end(u, &l);
    for (int v = 0; v < VECTORS; v++)
        sum[v] = loop_phi(&l, v);
}

LLVMValueRef
attend_soften(const Attend *k)
{
    Unit *u = k->u;
    Loop columns;
    Walk w = walk_begin(k, "soften", false, &columns);
    LLVMValueRef old[VECTORS], m[VECTORS], from[VECTORS], sum[VECTORS], c, l;

    for (int v = 0; v < VECTORS; v++)
        old[v] = m[v] = get(k, row_spot(&w, 0, v));
    find_largest(&w, m);
    for (int v = 0; v < VECTORS; v++)
        from[v] = finite_or_zero(k, m[v]);
    make_weights(&w, from, sum);
    for (int v = 0; v < VECTORS; v++) {
        c = attend_exp(k, LLVMBuildFSub(u->b, old[v], from[v], ""));
        l = fused(k, get(k, row_spot(&w, 1, v)), c, sum[v]);
        put(k, m[v], row_spot(&w, 0, v));
        put(k, l, row_spot(&w, 1, v));
        put(k, c, row_spot(&w, 2, v));
    }
    loop_end(u, &columns);
    LLVMBuildRetVoid(u->b);
    return LLVMGetBasicBlockParent(LLVMGetInsertBlock(u->b));
}

LLVMValueRef
attend_finish(const Attend *k)
{
    Unit *u = k->u;
    char name[256];
    LLVMValueRef f, column, m, l, zero = vector_of(k, 0), none, p;
    Loop columns;

    snprintf(name, sizeof name, "%.200s.finish", k->name);
    f = unit_part(u, name, 2, 2);
    column = loop_begin(u, &columns, const_i64(u, 0), LLVMGetParam(f, 3),
                        k->lanes, 0, NULL);
    m = get(k, spot(k, LLVMGetParam(f, 0), const_i64(u, 0), column));
    p = spot(k, LLVMGetParam(f, 0), const_i64(u, 1), column);
    l = get(k, p);
    none = LLVMBuildFCmp(u->b, LLVMRealOEQ, l, zero, "");
    put(k,
        LLVMBuildSelect(u->b, none, zero,
                        LLVMBuildFDiv(u->b, vector_of(k, 1), l, ""), ""),
        p);
    store_masked(u, k->a->dtype, k->lanes,
                 LLVMBuildFAdd(u->b, m, attend_log(k, l), ""),
                 element_at(k, LLVMGetParam(f, 1), column),
                 LLVMBuildNSWSub(u->b, LLVMGetParam(f, 2), column, ""));
    loop_end(u, &columns);
    LLVMBuildRetVoid(u->b);
    return f;
}

/* ---- gradient ----------------------------------------------------------- */

LLVMValueRef
attend_slopes(const Attend *k)
{
    Unit *u = k->u;
    Loop columns, keys;
    Walk w = walk_begin(k, "slopes", true, &columns);
    LLVMValueRef from[VECTORS], delta[VECTORS], key, p, ds, at;

    for (int v = 0; v < VECTORS; v++) {
        from[v] = get(k, row_spot(&w, 0, v));
        delta[v] = get(k, row_spot(&w, 1, v));
    }
    key = loop_begin(u, &keys, const_i64(u, 0), w.keys, 1, 0, NULL);
    for (int v = 0; v < VECTORS; v++) {
        p = LLVMBuildFSub(u->b, score_of(&w, key, v), from[v], "");
        p = attend_exp(k, p);
        put(k, p, spot(k, w.score, key, column_of(&w, v)));
        at = spot(k, w.slope, key, column_of(&w, v));
        ds = LLVMBuildFSub(u->b, get(k, at), delta[v], "");
        put(k, LLVMBuildFMul(u->b, p, ds, ""), at);
    }
    loop_end(u, &keys);
    loop_end(u, &columns);
    LLVMBuildRetVoid(u->b);
    return LLVMGetBasicBlockParent(LLVMGetInsertBlock(u->b));
}

/* w and delta of a block of queries. */
LLVMValueRef
attend_delta(const Attend *k)
{
    Unit *u = k->u;
    char name[256];
    LLVMValueRef f, column, e, sum = vector_of(k, 0), w, rows;
    Loop columns, features;

    snprintf(name, sizeof name, "%.200s.delta", k->name);
    f = unit_part(u, name, 4, 2);
    rows = LLVMGetParam(f, 2);
    column = loop_begin(u, &columns, const_i64(u, 0), LLVMGetParam(f, 5),
                        k->lanes, 0, NULL);
    e = loop_begin(u, &features, const_i64(u, 0), const_i64(u, k->a->width), 1,
                   1, &sum);
    loop_next(&features, 0,
              fused(k, get(k, spot(k, LLVMGetParam(f, 0), e, column)),
                    get(k, spot(k, LLVMGetParam(f, 1), e, column)),
                    loop_phi(&features, 0)));
    loop_end(u, &features);
    w = load_masked(u, k->a->dtype, k->lanes,
                    element_at(k, LLVMGetParam(f, 3), column),
                    LLVMBuildNSWSub(u->b, LLVMGetParam(f, 4), column, ""));
    put(k, finite_or_zero(k, w), spot(k, rows, const_i64(u, 0), column));
    put(k, loop_phi(&features, 0), spot(k, rows, const_i64(u, 1), column));
    loop_end(u, &columns);
    LLVMBuildRetVoid(u->b);
    return f;
}
