/* window_taps: 16 neighbouring windows of a plane side by side, tap by tap. */
#include "codegen/kernels/window_parts.h"

#include <math.h>

enum { NARROW = 1 << 28 };

int64_t
pool_planes(const Pool *p)
{
    return p->images * p->channels;
}

LLVMValueRef
pool_constant(Pool *p, int64_t x)
{
    return const_i64(p->u, x);
}

LLVMValueRef
pool_scaled(Pool *p, LLVMValueRef i, int64_t by, int64_t plus)
{
    LLVMValueRef far = LLVMBuildMul(p->u->b, i, pool_constant(p, by), "");

    return LLVMBuildAdd(p->u->b, far, pool_constant(p, plus), "");
}

LLVMValueRef
pool_real(Pool *p, double x, int lanes)
{
    return splat(p->u, LLVMConstReal(unit_type(p->u, p->dtype), x), lanes);
}

LLVMValueRef
pool_element(Pool *p, LLVMValueRef base, LLVMValueRef i)
{
    return address(p->u, base, i, dtype_bytes(p->dtype));
}

LLVMValueRef
pool_between(Pool *p, LLVMValueRef i, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef low = LLVMBuildICmp(p->u->b, LLVMIntSGE, i, a, "");
    LLVMValueRef high = LLVMBuildICmp(p->u->b, LLVMIntSLT, i, b, "");

    return LLVMBuildAnd(p->u->b, low, high, "");
}

LLVMValueRef
pool_ramp(Pool *p, LLVMValueRef i, int64_t step)
{
    LLVMTypeRef t = LLVMTypeOf(i);
    LLVMValueRef lane[LANES];

    for (int k = 0; k < LANES; k++)
        lane[k] = LLVMConstInt(t, (unsigned long long)(k * step), true);
    return LLVMBuildAdd(p->u->b, splat(p->u, i, LANES),
                        LLVMConstVector(lane, LANES), "");
}

/* Lanes of 32 bits do where no row is long. */
static bool
is_narrow(const Pool *p)
{
    const Geometry *geo = &p->geo;

    return geo->in[1] < NARROW && geo->before[1] < NARROW &&
           geo->after[1] < NARROW && geo->kernel[1] < NARROW &&
           geo->dilation[1] < NARROW / geo->kernel[1] &&
           geo->stride[1] < NARROW / LANES;
}

LLVMValueRef
pool_lanes_below(Pool *p, LLVMValueRef i, int64_t step, int64_t limit)
{
    LLVMTypeRef t = is_narrow(p) ? p->u->i32 : p->u->i64;
    LLVMValueRef to = LLVMConstInt(t, (unsigned long long)limit, true);

    i = pool_ramp(p, LLVMBuildIntCast2(p->u->b, i, t, true, ""), step);
    return LLVMBuildICmp(p->u->b, LLVMIntULT, i, splat(p->u, to, LANES), "");
}

/* ---- 16 windows side by side -------------------------------------------- */

/* A tap of 16 windows: which lanes lie inside the input, and their values. */
typedef struct Taps {
    LLVMValueRef inside, value;
} Taps;

/* Every other one of the elements of two vectors. */
static LLVMValueRef
take_even(Pool *p, LLVMValueRef *part)
{
    LLVMValueRef even[LANES];

    for (int i = 0; i < LANES; i++)
        even[i] = LLVMConstInt(p->u->i32, (unsigned)i * 2, false);
    return LLVMBuildShuffleVector(p->u->b, part[0], part[1],
                                  LLVMConstVector(even, LANES), "");
}

/* Row h of the plane from column w on, by `stride`; lanes outside read 0. */
static LLVMValueRef
load_strided(Pool *p, LLVMValueRef row, LLVMValueRef w, LLVMValueRef inside,
             LLVMValueRef live)
{
    LLVMBuilderRef b = p->u->b;
    int64_t stride = p->geo.stride[1], width = p->geo.in[1];
    LLVMValueRef part[2], v;

    if (stride == 1)
        return load_where(p->u, p->dtype, LANES, pool_element(p, row, w),
                          inside);
    if (stride == 2) {
        for (int k = 0; k < 2; k++) {
            LLVMValueRef from = pool_scaled(p, w, 1, (int64_t)k * LANES), mask;

            mask = pool_lanes_below(p, from, 1, width);
            mask = LLVMBuildAnd(b, mask, splat(p->u, live, LANES), "");
            part[k] = load_where(p->u, p->dtype, LANES,
                                 pool_element(p, row, from), mask);
        }
        return take_even(p, part);
    }
    v = LLVMConstNull(unit_vector(p->u, p->dtype, LANES));
    for (int i = 0; i < LANES; i++) {
        LLVMValueRef k = LLVMConstInt(p->u->i32, (unsigned)i, false), far, one;

        far = LLVMBuildSelect(
            b, LLVMBuildExtractElement(b, inside, k, ""),
            pool_element(p, row, pool_scaled(p, w, 1, i * stride)), p->x, "");
        one = load(p->u, unit_type(p->u, p->dtype), far,
                   (unsigned)dtype_bytes(p->dtype));
        v = LLVMBuildInsertElement(b, v, one, k, "");
    }
    return v;
}

/* The same where all that is read can be read, and all windows that count lie
   inside. */
static LLVMValueRef
load_whole(Pool *p, LLVMValueRef row, LLVMValueRef w)
{
    LLVMTypeRef t = unit_vector(p->u, p->dtype, LANES);
    unsigned size = (unsigned)dtype_bytes(p->dtype);
    LLVMValueRef part[2];

    for (int k = 0; k < p->geo.stride[1]; k++)
        part[k] =
            load(p->u, t, pool_element(p, row, pool_scaled(p, w, 1, k * LANES)),
                 size);
    return p->geo.stride[1] == 1 ? part[0] : take_even(p, part);
}

/* The row, or the first of the columns, that tap k of window o reads. */
static LLVMValueRef
tap_from(Pool *p, LLVMValueRef o, LLVMValueRef k, int axis)
{
    const Geometry *geo = &p->geo;

    return LLVMBuildAdd(
        p->u->b, pool_scaled(p, o, geo->stride[axis], -geo->before[axis]),
        pool_scaled(p, k, geo->dilation[axis], 0), "");
}

/* Is row h one of the input's? */
static LLVMValueRef
is_row(Pool *p, LLVMValueRef h)
{
    return pool_between(p, h, pool_constant(p, 0),
                        pool_constant(p, p->geo.in[0]));
}

LLVMValueRef
pool_taps_inside(Pool *p, LLVMValueRef oh, LLVMValueRef ow, LLVMValueRef kh,
                 LLVMValueRef kw)
{
    LLVMValueRef live = is_row(p, tap_from(p, oh, kh, 0)), inside;

    inside = pool_lanes_below(p, tap_from(p, ow, kw, 1), p->geo.stride[1],
                              p->geo.in[1]);
    return LLVMBuildAnd(p->u->b, inside, splat(p->u, live, LANES), "");
}

/* Tap (kh, kw) of windows (oh, ow ... ow + 15); `plane` is the input's. */
static Taps
load_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
          LLVMValueRef kh, LLVMValueRef kw)
{
    LLVMValueRef h = tap_from(p, oh, kh, 0), w = tap_from(p, ow, kw, 1), row;
    Taps t;

    row = pool_element(p, plane, pool_scaled(p, h, p->geo.in[1], 0));
    if (p->whole) {
        t.inside = splat(p->u, LLVMConstInt(p->u->i1, 1, false), LANES);
        t.value = load_whole(p, row, w);
        return t;
    }
    t.inside = pool_taps_inside(p, oh, ow, kh, kw);
    t.value = load_strided(p, row, w, t.inside, is_row(p, h));
    return t;
}

/* What one more tap makes of the state: {y, count of taps or winner}. */
static void
take_tap(Pool *p, const Taps *t, LLVMValueRef tap, LLVMValueRef *state)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef take, number;

    if (p->max) {
        take = LLVMBuildFCmp(b, LLVMRealOGT, t->value, state[0], "");
        take = LLVMBuildAnd(b, take, t->inside, "");
        number = LLVMBuildTrunc(b, tap, p->u->i32, "");
        state[0] = LLVMBuildSelect(b, take, t->value, state[0], "");
        state[1] =
            LLVMBuildSelect(b, take, splat(p->u, number, LANES), state[1], "");
        return;
    }
    number = LLVMBuildZExt(b, t->inside, LLVMTypeOf(state[1]), "");
    state[0] = LLVMBuildSelect(
        b, t->inside, LLVMBuildFAdd(b, state[0], t->value, ""), state[0], "");
    state[1] = LLVMBuildAdd(b, state[1], number, "");
}

/* All taps of 16 windows in the order (kh, kw), one by one. */
static void
walk_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
          LLVMValueRef *state)
{
    int64_t wide = p->geo.kernel[1];
    LLVMValueRef tap, kh, kw;
    Taps t;
    Loop l;

    state[0] = pool_real(p, p->max ? -(double)INFINITY : 0, LANES);
    state[1] =
        splat(p->u, LLVMConstInt(p->u->i32, p->max ? ~0u : 0, false), LANES);
    if (p->taps <= UNROLLED_TAPS) {
        for (int64_t k = 0; k < p->taps; k++) {
            t = load_taps(p, plane, oh, ow, pool_constant(p, k / wide),
                          pool_constant(p, k % wide));
            take_tap(p, &t, pool_constant(p, k), state);
        }
        return;
    }
    tap = loop_begin(p->u, &l, pool_constant(p, 0), pool_constant(p, p->taps),
                     1, 2, state);
    kh = LLVMBuildUDiv(p->u->b, tap, pool_constant(p, wide), "");
    kw = LLVMBuildURem(p->u->b, tap, pool_constant(p, wide), "");
    state[0] = loop_phi(&l, 0);
    state[1] = loop_phi(&l, 1);
    t = load_taps(p, plane, oh, ow, kh, kw);
    take_tap(p, &t, tap, state);
    loop_next(&l, 0, state[0]);
    loop_next(&l, 1, state[1]);
    loop_end(p->u, &l);
    state[0] = loop_phi(&l, 0);
    state[1] = loop_phi(&l, 1);
}

/* Do all taps of the windows from (oh, ow) on that there are lie inside, and
   does what is read with them lie inside the operand? */
static LLVMValueRef
are_whole(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow)
{
    const Geometry *geo = &p->geo;
    LLVMBuilderRef b = p->u->b;
    int64_t reach[2], all = pool_planes(p) * geo->in[0] * geo->in[1];
    LLVMValueRef h = pool_scaled(p, oh, geo->stride[0], -geo->before[0]), is,
                 last;
    LLVMValueRef w = pool_scaled(p, ow, geo->stride[1], -geo->before[1]), far;

    for (int i = 0; i < 2; i++)
        reach[i] = (geo->kernel[i] - 1) * geo->dilation[i];
    last = least(p->u, pool_scaled(p, ow, 1, LANES),
                 pool_constant(p, geo->out[1]));
    last = pool_scaled(p, last, geo->stride[1],
                       reach[1] - geo->stride[1] - geo->before[1]);
    is = pool_between(p, h, pool_constant(p, 0),
                      pool_constant(p, geo->in[0] - reach[0]));
    is = LLVMBuildAnd(
        b, is, LLVMBuildICmp(b, LLVMIntSGE, w, pool_constant(p, 0), ""), "");
    is = LLVMBuildAnd(
        b, is,
        LLVMBuildICmp(b, LLVMIntSLT, last, pool_constant(p, geo->in[1]), ""),
        "");
    far = pool_scaled(p, pool_scaled(p, h, 1, reach[0]), geo->in[1],
                      reach[1] + geo->stride[1] * LANES);
    far = pool_element(p, plane, LLVMBuildAdd(b, far, w, ""));
    last = pool_element(p, p->x, pool_constant(p, all));
    return LLVMBuildAnd(b, is, LLVMBuildICmp(b, LLVMIntULE, far, last, ""), "");
}

/* Asks for what windows some way on will read first. */
static void
ask_ahead(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow)
{
    const int64_t *stride = p->geo.stride;
    LLVMValueRef h = tap_from(p, oh, pool_constant(p, p->geo.kernel[0] - 1), 0);
    LLVMValueRef w = pool_scaled(p, ow, stride[1], 0), at;

    for (int64_t i = 0; i < stride[0] && i < p->geo.kernel[0]; i++)
        for (int64_t k = 0; k < stride[1]; k++) {
            at = pool_scaled(p, pool_scaled(p, h, 1, -i), p->geo.in[1],
                             k * LANES);
            at = pool_element(p, plane, LLVMBuildAdd(p->u->b, at, w, ""));
            ask_line(p->u, address(p->u, at, pool_constant(p, POOL_AHEAD), 1));
        }
}

/* All taps of 16 windows: mostly none is outside. */
void
pool_run_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
              LLVMValueRef *state)
{
    LLVMBuilderRef b = p->u->b;
    LLVMBasicBlockRef way[2], after;
    LLVMValueRef made[2][2];

    if (p->geo.stride[1] > 2) {
        walk_taps(p, plane, oh, ow, state);
        return;
    }
    ask_ahead(p, plane, oh, ow);
    way[0] = block_new(p->u, "whole");
    way[1] = block_new(p->u, "edge");
    after = block_new(p->u, "after");
    LLVMBuildCondBr(b, are_whole(p, plane, oh, ow), way[0], way[1]);
    for (int i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(b, way[i]);
        p->whole = !i;
        walk_taps(p, plane, oh, ow, made[i]);
        way[i] = LLVMGetInsertBlock(b);
        LLVMBuildBr(b, after);
    }
    p->whole = false;
    LLVMPositionBuilderAtEnd(b, after);
    for (int i = 0; i < 2; i++) {
        LLVMValueRef either[] = {made[0][i], made[1][i]};

        state[i] = LLVMBuildPhi(b, LLVMTypeOf(either[0]), "");
        LLVMAddIncoming(state[i], either, way, 2);
    }
}
