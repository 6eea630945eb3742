/* contract_copy: operands brought where register tiles can read them: panels
   with unit stride along the lanes, images with zeros around. */
#include "codegen/kernels/contract_parts.h"
#include "codegen/kernels/square.h"
#include "ir/base/diag.h"

#include <string.h>

LLVMValueRef
part_begin(Maker *k, const char *suffix, int pointers, int integers)
{
    char name[256];

    snprintf(name, sizeof name, "%.200s%s", k->name, suffix);
    return unit_part(k->u, name, pointers, integers);
}

void
part_call(Maker *k, LLVMValueRef function, int count, LLVMValueRef *args)
{
    unit_call(k->u, function, count, args);
}

bool
is_const(LLVMValueRef v, int64_t *x)
{
    if (!LLVMIsAConstantInt(v))
        return false;
    *x = LLVMConstIntGetSExtValue(v);
    return true;
}

LLVMValueRef
offset_add(Unit *u, LLVMValueRef sum, LLVMValueRef index, int64_t stride)
{
    LLVMValueRef far;

    if (!sum)
        sum = const_i64(u, 0);
    if (!stride)
        return sum;
    far = LLVMBuildNSWMul(u->b, index, const_i64(u, stride), "");
    return LLVMBuildNSWAdd(u->b, sum, far, "");
}

/* ---- transposing ----------------------------------------------------------
 */

LLVMValueRef
make_transpose(Maker *k)
{
    Unit *u = k->u;
    LLVMValueRef f = part_begin(k, ".turn", 2, 2), row[64];
    unsigned align = (unsigned)k->c->bytes;

    for (int i = 0; i < k->c->lanes; i++)
        row[i] = load(u, k->vector,
                      address(u, LLVMGetParam(f, 0),
                              LLVMBuildNSWMul(u->b, LLVMGetParam(f, 2),
                                              const_i64(u, i), ""),
                              1),
                      align);
    square_transpose(k->u, row, k->c->lanes);
    for (int i = 0; i < k->c->lanes; i++)
        store(u, row[i],
              address(u, LLVMGetParam(f, 1),
                      LLVMBuildNSWMul(u->b, LLVMGetParam(f, 3), const_i64(u, i),
                                      ""),
                      1),
              align);
    LLVMBuildRetVoid(u->b);
    return f;
}

/* ---- panels
 * ------------------------------------------------------------------ */

/* A block of lanes, a term after the other. */
typedef struct Pack {
    Maker *k;
    LLVMValueRef count; /* of inner indices */
    LLVMValueRef terms; /* of the sum's innermost axis */
    bool turned;        /* the sum's last axis has unit stride: transpose */
} Pack;

static void
copy_one(const Maker *k, LLVMValueRef from, LLVMValueRef to)
{
    unsigned align = (unsigned)k->c->bytes;

    store(k->u, load(k->u, k->element, from, align), to, align);
}

static int64_t
lane_step(const Pack *p)
{
    return p->k->c->lane.axis[0].in[p->k->c->lane.operand] * p->k->c->bytes;
}

/* One term with unit stride, by vectors; few lanes by short ones. */
static void
pack_vectors(const Pack *p, LLVMValueRef from, LLVMValueRef to)
{
    const Contraction *c = p->k->c;
    Unit *u = p->k->u;
    int64_t known = p->k->c->lane.inner;
    int lanes = c->lanes;

    is_const(p->count, &known);
    while (lanes / 2 >= known)
        lanes /= 2;
    for (int64_t i = 0; i < known; i += lanes) {
        LLVMValueRef at = const_i64(u, i), x;

        x = load_masked(u, c->dtype, lanes, address(u, from, at, c->bytes),
                        LLVMBuildNSWSub(u->b, p->count, at, ""));
        store(u, x, address(u, to, at, c->bytes), (unsigned)c->bytes);
        if (lanes_are_far(c))
            ask_line(u, address(u, from, const_i64(u, i + c->lane.inner),
                                c->bytes));
    }
}

/* The indices of one term, vector by vector or one by one. */
static void
pack_lanes(const Pack *p, LLVMValueRef from, LLVMValueRef to)
{
    Unit *u = p->k->u;
    int64_t bytes = p->k->c->bytes;
    Loop l;

    if (lane_step(p) == bytes) {
        pack_vectors(p, from, to);
        return;
    }
    loop_begin(u, &l, const_i64(u, 0), p->count, 1, 0, NULL);
    copy_one(p->k, address(u, from, l.i, lane_step(p)),
             address(u, to, l.i, bytes));
    loop_end(u, &l);
}

/* A square whose sides are cut off: element by element. */
static void
pack_rest(const Pack *p, LLVMValueRef from, LLVMValueRef to, LLVMValueRef lanes,
          LLVMValueRef terms)
{
    const Contraction *c = p->k->c;
    Unit *u = p->k->u;
    LLVMValueRef i, t, x, y, zero = const_i64(u, 0);
    Loop outer, inner;

    lanes = least(u, lanes, const_i64(u, c->lanes));
    terms = least(u, terms, const_i64(u, c->lanes));
    i = loop_begin(u, &outer, zero, lanes, 1, 0, NULL);
    t = loop_begin(u, &inner, zero, terms, 1, 0, NULL);
    x = address(u, address(u, from, i, lane_step(p)), t, c->bytes);
    y = address(u, to, t, tile_width(c) * c->bytes);
    y = address(u, y, i, c->bytes);
    copy_one(p->k, x, y);
    loop_end(u, &inner);
    loop_end(u, &outer);
}

static void
pack_square(const Pack *p, LLVMValueRef from, LLVMValueRef to,
            LLVMValueRef lanes, LLVMValueRef terms)
{
    const Contraction *c = p->k->c;
    Unit *u = p->k->u;
    LLVMBasicBlockRef whole = block_new(u, "whole"), cut = block_new(u, "cut");
    LLVMBasicBlockRef after = block_new(u, "after");
    LLVMValueRef full = const_i64(u, c->lanes), both;
    LLVMValueRef args[] = {from, to, const_i64(u, lane_step(p)),
                           const_i64(u, tile_width(p->k->c) * c->bytes)};

    both = LLVMBuildAnd(u->b, LLVMBuildICmp(u->b, LLVMIntSGE, lanes, full, ""),
                        LLVMBuildICmp(u->b, LLVMIntSGE, terms, full, ""), "");
    LLVMBuildCondBr(u->b, both, whole, cut);
    LLVMPositionBuilderAtEnd(u->b, whole);
    part_call(p->k, p->k->transpose, 4, args);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, cut);
    pack_rest(p, from, to, lanes, terms);
    LLVMBuildBr(u->b, after);
    LLVMPositionBuilderAtEnd(u->b, after);
}

/* All terms of the innermost axis, whose stride is one: by squares. */
static void
pack_turned(const Pack *p, LLVMValueRef from, LLVMValueRef to)
{
    const Contraction *c = p->k->c;
    Unit *u = p->k->u;
    LLVMValueRef i, t, x, y, zero = const_i64(u, 0);
    Loop outer, inner;

    i = loop_begin(u, &outer, zero, p->count, c->lanes, 0, NULL);
    t = loop_begin(u, &inner, zero, p->terms, c->lanes, 0, NULL);
    x = address(u, from, i, lane_step(p));
    x = address(u, x, t, c->bytes);
    y = address(u, to, i, c->bytes);
    y = address(u, y, t, tile_width(p->k->c) * c->bytes);
    pack_square(p, x, y, LLVMBuildNSWSub(u->b, p->count, i, ""),
                LLVMBuildNSWSub(u->b, p->terms, t, ""));
    loop_end(u, &inner);
    loop_end(u, &outer);
}

static void
pack_axis(const Pack *p, size_t i, LLVMValueRef from, LLVMValueRef to)
{
    const Contraction *c = p->k->c;
    const Side *s = &c->lane;
    Unit *u = p->k->u;
    bool last = i + 1 == vec_len(c->sum);
    LLVMValueRef index;
    Loop l;

    if (i + (p->turned ? 1 : 0) < vec_len(c->sum)) {
        index = loop_begin(u, &l, const_i64(u, 0),
                           last ? p->terms : const_i64(u, c->sum[i].size), 1, 0,
                           NULL);
        pack_axis(p, i + 1,
                  address(u, from, index, c->sum[i].in[s->operand] * c->bytes),
                  address(u, to, index, lane_stride(c, i) * c->bytes));
        loop_end(u, &l);
        return;
    }
    for (int64_t o = 0; o < s->outer; o++) {
        int64_t far = s->axis[1].in[s->operand];
        LLVMValueRef x = address(u, from, const_i64(u, o * far * c->bytes), 1);
        LLVMValueRef y =
            address(u, to, const_i64(u, o * s->inner * c->bytes), 1);

        if (p->turned)
            pack_turned(p, x, y);
        else
            pack_lanes(p, x, y);
    }
}

LLVMValueRef
make_pack(Maker *k)
{
    const Contraction *c = k->c;
    const Side *s = &c->lane;
    Pack p = {.k = k};
    size_t first = c->outside ? 1 : 0;
    LLVMValueRef f = part_begin(k, ".panel", 2, 2);

    p.count = s->inner_blocks == 1 ? const_i64(k->u, s->tail)
                                   : LLVMGetParam(f, 2);
    p.terms = LLVMGetParam(f, 3);
    if (!c->blocked && vec_len(c->sum) > first)
        p.terms = const_i64(k->u, vec_last(c->sum).size);
    p.turned = vec_len(c->sum) > first &&
               vec_last(c->sum).in[s->operand] == 1 &&
               s->axis[0].in[s->operand] != 1 && vec_last(c->sum).size > 1;
    pack_axis(&p, first, LLVMGetParam(f, 0), LLVMGetParam(f, 1));
    LLVMBuildRetVoid(k->u->b);
    return f;
}

/* ---- images
 * ------------------------------------------------------------------ */

static int64_t
ceil_div(int64_t a, int64_t b)
{
    return a <= 0 ? 0 : (a + b - 1) / b;
}

/* `count` elements side by side: whole vectors, then the rest. */
static void
copy_run(Maker *k, LLVMValueRef from, LLVMValueRef to, int64_t count)
{
    Unit *u = k->u;
    int lanes = k->c->lanes;
    int64_t bytes = k->c->bytes, whole = count / lanes * lanes;
    LLVMValueRef i, left = const_i64(u, count - whole);
    Loop l;

    if (whole) {
        i = loop_begin(u, &l, const_i64(u, 0), const_i64(u, whole), lanes, 0,
                       NULL);
        store(u,
              load(u, k->vector, address(u, from, i, bytes), (unsigned)bytes),
              address(u, to, i, bytes), (unsigned)bytes);
        loop_end(u, &l);
    }
    if (whole == count)
        return;
    i = const_i64(u, whole * bytes);
    store_masked(u, k->c->dtype, lanes,
                 load_masked(u, k->c->dtype, lanes, address(u, from, i, 1),
                             left),
                 address(u, to, i, 1), left);
}

static void
clear(Maker *k, LLVMValueRef to, LLVMValueRef bytes)
{
    int64_t known;

    if (!is_const(bytes, &known) || known > 0)
        LLVMBuildMemSet(k->u->b, to, LLVMConstInt(k->u->i8, 0, false), bytes,
                        (unsigned)k->c->bytes);
}

/* Columns [from, to) of a row of the copy. */
static void
clear_columns(Maker *k, const Image *m, LLVMValueRef row, int64_t from,
              int64_t to)
{
    int64_t each = m->to_column * k->c->bytes;

    clear(k, address(k->u, row, const_i64(k->u, from * each), 1),
          const_i64(k->u, (to - from) * each));
}

static bool
is_spread(const Image *m)
{
    return m->spread_rows != 1 || m->spread_columns != 1;
}

/* One row of the source; what falls outside of the copy is left out. Runs are
   as long as elements stand side by side on both sides. */
static void
copy_row(Maker *k, const Image *m, LLVMValueRef from, LLVMValueRef to)
{
    Unit *u = k->u;
    int64_t bytes = k->c->bytes, spread = m->spread_columns, last, first;
    int64_t each = m->run ? m->channels : 1, step = spread * m->to_column;
    LLVMValueRef i;
    Loop l;

    first = ceil_div(-m->left, spread);
    last = ceil_div(m->columns - m->left, spread);
    last = last < m->width ? last : m->width;
    last = last < first ? first : last;
    if (!is_spread(m)) {
        clear_columns(k, m, to, 0, last == first ? 0 : m->left + first);
        clear_columns(k, m, to, last == first ? 0 : m->left + last,
                      m->columns);
    }
    if (last == first)
        return;
    to = address(u, to, const_i64(u, m->left * m->to_column * bytes), 1);
    if (m->from_column == each && step == each) {
        copy_run(k, address(u, from, const_i64(u, first * each * bytes), 1),
                 address(u, to, const_i64(u, first * each * bytes), 1),
                 (last - first) * each);
        return;
    }
    i = loop_begin(u, &l, const_i64(u, first), const_i64(u, last), 1, 0, NULL);
    from = address(u, from, i, m->from_column * bytes);
    to = address(u, to, i, step * bytes);
    if (each > 1)
        copy_run(k, from, to, each);
    else
        copy_one(k, from, to);
    loop_end(u, &l);
}

/* ceil(max(x, 0) / by) */
static LLVMValueRef
rows_up_to(Unit *u, LLVMValueRef x, int64_t by)
{
    LLVMValueRef zero = const_i64(u, 0);
    LLVMValueRef more = LLVMBuildICmp(u->b, LLVMIntSGT, x, zero, "");

    x = LLVMBuildSelect(u->b, more, x, zero, "");
    x = LLVMBuildNSWAdd(u->b, x, const_i64(u, by - 1), "");
    return LLVMBuildUDiv(u->b, x, const_i64(u, by), "");
}

/* Rows [first, last) of the source, from which and where to `top` moves them.
 */
static void
copy_rows(Maker *k, const Image *m, LLVMValueRef from, LLVMValueRef to,
          LLVMValueRef first, LLVMValueRef last, LLVMValueRef top)
{
    Unit *u = k->u;
    int64_t bytes = k->c->bytes;
    LLVMValueRef i, row;
    Loop rows;

    i = loop_begin(u, &rows, first, last, 1, 0, NULL);
    row = LLVMBuildNSWMul(u->b, i, const_i64(u, m->spread_rows), "");
    row = LLVMBuildNSWAdd(u->b, row, top, "");
    copy_row(k, m, address(u, from, i, m->from_row * bytes),
             address(u, to, row, m->to_row * bytes));
    loop_end(u, &rows);
}

static LLVMValueRef
most(Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef more = LLVMBuildICmp(u->b, LLVMIntSGT, a, b, "");

    return LLVMBuildSelect(u->b, more, a, b, "");
}

/* Rows of a plane of the copy above and below those that come from rows [first,
   last) of the source. */
static void
clear_around(Maker *k, const Image *m, LLVMValueRef to, LLVMValueRef first,
             LLVMValueRef last, LLVMValueRef top)
{
    Unit *u = k->u;
    LLVMValueRef rows = const_i64(u, m->rows), each, above, below;

    each = const_i64(u, m->to_row * k->c->bytes);
    above = least(u, LLVMBuildNSWAdd(u->b, first, top, ""), rows);
    below = most(u, LLVMBuildNSWAdd(u->b, last, top, ""), above);
    clear(k, to, LLVMBuildNSWMul(u->b, above, each, ""));
    to = address(u, to, below, m->to_row * k->c->bytes);
    below = LLVMBuildNSWSub(u->b, rows, below, "");
    clear(k, to, LLVMBuildNSWMul(u->b, below, each, ""));
}

LLVMValueRef
make_image(Maker *k, int operand)
{
    const Image *m = &k->c->image[operand];
    Unit *u = k->u;
    LLVMValueRef f = part_begin(k, operand ? ".image1" : ".image0", 2, 1);
    LLVMValueRef from = LLVMGetParam(f, 0), to = LLVMGetParam(f, 1), top, c;
    LLVMValueRef height = const_i64(u, m->height), first, last;
    int64_t bytes = k->c->bytes, plane = m->rows * m->columns;
    int64_t planes = m->run ? 1 : m->channels;
    Loop images, channels;

    if (is_spread(m))
        clear(k, to, const_i64(u, m->images * m->channels * plane * bytes));
    top = LLVMBuildNSWMul(u->b, LLVMGetParam(f, 2), const_i64(u, m->step), "");
    top = LLVMBuildNSWSub(u->b, const_i64(u, m->top), top, "");
    first = rows_up_to(u, LLVMBuildNSWNeg(u->b, top, ""), m->spread_rows);
    last = LLVMBuildNSWSub(u->b, const_i64(u, m->rows), top, "");
    last = least(u, rows_up_to(u, last, m->spread_rows), height);
    c = loop_begin(u, &images, const_i64(u, 0), const_i64(u, m->images), 1, 0,
                   NULL);
    from = address(u, from, c, m->from_image * bytes);
    to = address(u, to, c, m->to_image * bytes);
    c = loop_begin(u, &channels, const_i64(u, 0), const_i64(u, planes), 1, 0,
                   NULL);
    from = address(u, from, c, m->from_channel * bytes);
    to = address(u, to, c, m->to_channel * bytes);
    if (!is_spread(m))
        clear_around(k, m, to, first, last, top);
    copy_rows(k, m, from, to, first, last, top);
    loop_end(u, &channels);
    loop_end(u, &images);
    LLVMBuildRetVoid(u->b);
    return f;
}
