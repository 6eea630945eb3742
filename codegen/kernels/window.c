/* window: pooling with 16 neighbouring results in a vector, and its gradients:
   windows that tile the input in vectors as well, others plane by plane. */
#include "codegen/kernels/window_last.h"

#include <math.h>
#include <string.h>

#include "ir/base/diag.h"

enum { LANES = 16, TILE_WORK = 16384, UNROLLED_TAPS = 16 };

static int64_t
planes(const Pool *p)
{
    return p->images * p->channels;
}

static LLVMValueRef
constant(Pool *p, int64_t x)
{
    return const_i64(p->u, x);
}

static LLVMValueRef
scaled(Pool *p, LLVMValueRef i, int64_t by, int64_t plus)
{
    LLVMValueRef far = LLVMBuildMul(p->u->b, i, constant(p, by), "");

    return LLVMBuildAdd(p->u->b, far, constant(p, plus), "");
}

static LLVMValueRef
real(Pool *p, double x, int lanes)
{
    return splat(p->u, LLVMConstReal(unit_type(p->u, p->dtype), x), lanes);
}

static LLVMValueRef
at_element(Pool *p, LLVMValueRef base, LLVMValueRef i)
{
    return address(p->u, base, i, dtype_bytes(p->dtype));
}

/* a <= i < b as an i1 (or a vector of them) */
static LLVMValueRef
between(Pool *p, LLVMValueRef i, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef low = LLVMBuildICmp(p->u->b, LLVMIntSGE, i, a, "");
    LLVMValueRef high = LLVMBuildICmp(p->u->b, LLVMIntSLT, i, b, "");

    return LLVMBuildAnd(p->u->b, low, high, "");
}

/* i, i + step, ... as a vector of i64 */
static LLVMValueRef
ramp(Pool *p, LLVMValueRef i, int64_t step)
{
    LLVMValueRef lane[LANES];

    for (int k = 0; k < LANES; k++)
        lane[k] = constant(p, k * step);
    return LLVMBuildAdd(p->u->b, splat(p->u, i, LANES),
                        LLVMConstVector(lane, LANES), "");
}

/* ---- 16 windows side by side -------------------------------------------- */

/* A tap of 16 windows: which lanes lie inside the input, and their values. */
typedef struct Taps {
    LLVMValueRef inside, value;
} Taps;

/* Row h of the plane from column w on, by `stride`; lanes outside read 0. */
static LLVMValueRef
load_strided(Pool *p, LLVMValueRef row, LLVMValueRef w, LLVMValueRef inside,
             LLVMValueRef live)
{
    LLVMBuilderRef b = p->u->b;
    int64_t stride = p->geo.stride[1], width = p->geo.in[1];
    LLVMValueRef part[2], even[LANES], v;

    if (stride == 1)
        return load_where(p->u, p->dtype, LANES, at_element(p, row, w),
                          inside);
    if (stride == 2) {
        for (int k = 0; k < 2; k++) {
            LLVMValueRef from = scaled(p, w, 1, (int64_t)k * LANES), mask;

            mask = between(p, ramp(p, from, 1),
                           splat(p->u, constant(p, 0), LANES),
                           splat(p->u, constant(p, width), LANES));
            mask = LLVMBuildAnd(b, mask, splat(p->u, live, LANES), "");
            part[k] = load_where(p->u, p->dtype, LANES,
                                 at_element(p, row, from), mask);
            for (int i = 0; i < LANES; i++)
                even[i] = LLVMConstInt(p->u->i32, (unsigned)i * 2, false);
        }
        return LLVMBuildShuffleVector(b, part[0], part[1],
                                      LLVMConstVector(even, LANES), "");
    }
    v = LLVMConstNull(unit_vector(p->u, p->dtype, LANES));
    for (int i = 0; i < LANES; i++) {
        LLVMValueRef k = LLVMConstInt(p->u->i32, (unsigned)i, false), far, one;

        far = LLVMBuildSelect(b, LLVMBuildExtractElement(b, inside, k, ""),
                              at_element(p, row, scaled(p, w, 1, i * stride)),
                              p->x, "");
        one = load(p->u, unit_type(p->u, p->dtype), far,
                   (unsigned)dtype_bytes(p->dtype));
        v = LLVMBuildInsertElement(b, v, one, k, "");
    }
    return v;
}

/* Tap (kh, kw) of windows (oh, ow ... ow + 15); `plane` is the input's. */
static Taps
load_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
          LLVMValueRef kh, LLVMValueRef kw)
{
    LLVMBuilderRef b = p->u->b;
    const Geometry *geo = &p->geo;
    LLVMValueRef h = scaled(p, oh, geo->stride[0], -geo->before[0]);
    LLVMValueRef w = scaled(p, ow, geo->stride[1], -geo->before[1]);
    LLVMValueRef live, row;
    Taps t;

    h = LLVMBuildAdd(b, h, scaled(p, kh, geo->dilation[0], 0), "");
    w = LLVMBuildAdd(b, w, scaled(p, kw, geo->dilation[1], 0), "");
    live = between(p, h, constant(p, 0), constant(p, geo->in[0]));
    t.inside = between(p, ramp(p, w, geo->stride[1]),
                       splat(p->u, constant(p, 0), LANES),
                       splat(p->u, constant(p, geo->in[1]), LANES));
    t.inside = LLVMBuildAnd(b, t.inside, splat(p->u, live, LANES), "");
    row = at_element(p, plane, scaled(p, h, geo->in[1], 0));
    t.value = load_strided(p, row, w, t.inside, live);
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
        state[1] = LLVMBuildSelect(b, take, splat(p->u, number, LANES),
                                   state[1], "");
        return;
    }
    number = LLVMBuildZExt(b, t->inside, LLVMTypeOf(state[1]), "");
    state[0] = LLVMBuildSelect(
        b, t->inside, LLVMBuildFAdd(b, state[0], t->value, ""), state[0], "");
    state[1] = LLVMBuildAdd(b, state[1], number, "");
}

/* All taps of 16 windows in the order (kh, kw). */
static void
run_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
         LLVMValueRef *state)
{
    int64_t wide = p->geo.kernel[1];
    LLVMValueRef tap, kh, kw;
    Taps t;
    Loop l;

    state[0] = real(p, p->max ? -(double)INFINITY : 0, LANES);
    state[1] = splat(p->u, LLVMConstInt(p->u->i32, p->max ? ~0u : 0, false),
                     LANES);
    if (p->taps <= UNROLLED_TAPS) {
        for (int64_t k = 0; k < p->taps; k++) {
            t = load_taps(p, plane, oh, ow, constant(p, k / wide),
                          constant(p, k % wide));
            take_tap(p, &t, constant(p, k), state);
        }
        return;
    }
    tap = loop_begin(p->u, &l, constant(p, 0), constant(p, p->taps), 1, 2,
                     state);
    kh = LLVMBuildUDiv(p->u->b, tap, constant(p, wide), "");
    kw = LLVMBuildURem(p->u->b, tap, constant(p, wide), "");
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

/* What a mean divides by, as a vector. */
static LLVMValueRef
divisors(Pool *p, LLVMValueRef count)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef one =
        splat(p->u, LLVMConstInt(p->u->i32, 1, false), LANES);
    LLVMValueRef none = LLVMBuildICmp(b, LLVMIntSLT, count, one, "");

    if (p->count_pad || !p->padded)
        return real(p, (double)p->taps, LANES);
    return LLVMBuildSIToFP(b, LLVMBuildSelect(b, none, one, count, ""),
                           unit_vector(p->u, p->dtype, LANES), "");
}

/* ---- units of a kernel --------------------------------------------------- */

static void
begin_kernel(Pool *p, const char *name, int operands)
{
    p->kernel = unit_kernel(p->u, name);
    p->y = kernel_pointer(p->u, p->kernel, operands);
    p->x = kernel_pointer(p->u, p->kernel, 0);
    p->g = operands > 1 ? kernel_pointer(p->u, p->kernel, 1) : p->x;
}

static LLVMValueRef
begin_units(Pool *p, Loop *l, int64_t units, int64_t work, Lowered *out)
{
    int64_t per = work < TILE_WORK ? TILE_WORK / work : 1;
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef from, to;

    from = LLVMBuildMul(b, LLVMGetParam(p->kernel, 2), constant(p, per), "");
    to = LLVMBuildMul(b, LLVMGetParam(p->kernel, 3), constant(p, per), "");
    *out = (Lowered){.phases = 1};
    out->kernel[0] = p->kernel;
    out->tiles[0] = (units + per - 1) / per;
    return loop_begin(p->u, l, from, least(p->u, to, constant(p, units)), 1, 0,
                      NULL);
}

static void
end_units(Pool *p, Loop *l)
{
    loop_end(p->u, l);
    LLVMBuildRetVoid(p->u->b);
}

static LLVMValueRef
plane_at(Pool *p, LLVMValueRef base, LLVMValueRef plane, const int64_t *size)
{
    return at_element(p, base, scaled(p, plane, size[0] * size[1], 0));
}

static void
lower_forward(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef unit, plane, oh, ow, state[2], y, left, rows, to;
    Loop l, across;

    begin_kernel(p, name, 1);
    unit = begin_units(p, &l, planes(p) * size[0], size[1] * p->taps, out);
    rows = constant(p, size[0]);
    plane = LLVMBuildUDiv(p->u->b, unit, rows, "");
    oh = LLVMBuildURem(p->u->b, unit, rows, "");
    plane = plane_at(p, p->x, plane, p->geo.in);
    ow = loop_begin(p->u, &across, constant(p, 0), constant(p, size[1]), LANES,
                    0, NULL);
    run_taps(p, plane, oh, ow, state);
    y = p->max ? state[0]
               : LLVMBuildFDiv(p->u->b, state[0], divisors(p, state[1]), "");
    to = LLVMBuildAdd(p->u->b, scaled(p, unit, size[1], 0), ow, "");
    left = LLVMBuildSub(p->u->b, constant(p, size[1]), ow, "");
    store_masked(p->u, p->dtype, LANES, y, at_element(p, p->y, to), left);
    loop_end(p->u, &across);
    end_units(p, &l);
}

/* ---- gradient where windows tile the input ------------------------------- */

static bool
windows_tile(const Pool *p)
{
    const Geometry *geo = &p->geo;

    for (int i = 0; i < 2; i++)
        if (geo->kernel[i] != geo->stride[i] || geo->dilation[i] != 1 ||
            geo->in[i] != geo->out[i] * geo->kernel[i])
            return false;
    return !p->padded && geo->kernel[1] <= 2 && p->taps <= UNROLLED_TAPS;
}

/* What tap k of the windows gets of g: all (mean: g is divided already), or
   where it is the winner. */
static LLVMValueRef
share(Pool *p, LLVMValueRef g, LLVMValueRef winner, int64_t k)
{
    LLVMValueRef tap = LLVMConstInt(p->u->i32, (unsigned long long)k, false);
    LLVMValueRef is;

    if (!p->max)
        return g;
    is = LLVMBuildICmp(p->u->b, LLVMIntEQ, winner, splat(p->u, tap, LANES),
                       "");
    return LLVMBuildSelect(p->u->b, is, g, real(p, 0, LANES), "");
}

/* One or two columns of shares into row h from column w on. */
static void
store_shares(Pool *p, LLVMValueRef row, LLVMValueRef w, LLVMValueRef *part,
             LLVMValueRef left)
{
    LLVMValueRef order[2 * LANES], both, twice;
    int64_t wide = p->geo.kernel[1];

    if (wide == 1) {
        store_masked(p->u, p->dtype, LANES, part[0], at_element(p, row, w),
                     left);
        return;
    }
    for (int i = 0; i < 2 * LANES; i++)
        order[i] =
            LLVMConstInt(p->u->i32, (unsigned)(i / 2 + i % 2 * LANES), false);
    both = LLVMBuildShuffleVector(p->u->b, part[0], part[1],
                                  LLVMConstVector(order, 2 * LANES), "");
    twice = LLVMBuildMul(p->u->b, left, constant(p, 2), "");
    store_masked(p->u, p->dtype, 2 * LANES, both, at_element(p, row, w),
                 twice);
}

static void
spread_shares(Pool *p, LLVMValueRef plane, LLVMValueRef oh, LLVMValueRef ow,
              LLVMValueRef g, LLVMValueRef winner)
{
    const Geometry *geo = &p->geo;
    LLVMValueRef w = scaled(p, ow, geo->kernel[1], 0), part[2];
    LLVMValueRef left =
        LLVMBuildSub(p->u->b, constant(p, geo->out[1]), ow, "");

    for (int64_t kh = 0; kh < geo->kernel[0]; kh++) {
        LLVMValueRef h = scaled(p, oh, geo->kernel[0], kh);

        for (int64_t kw = 0; kw < geo->kernel[1]; kw++)
            part[kw] = share(p, g, winner, kh * geo->kernel[1] + kw);
        store_shares(p, at_element(p, plane, scaled(p, h, geo->in[1], 0)), w,
                     part, left);
    }
}

static void
lower_tiling(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef unit, plane, oh, ow, state[2] = {0}, g, left, rows, from;
    Loop l, across;

    begin_kernel(p, name, p->max ? 2 : 1);
    unit = begin_units(p, &l, planes(p) * size[0], size[1] * p->taps, out);
    rows = constant(p, size[0]);
    plane = LLVMBuildUDiv(p->u->b, unit, rows, "");
    oh = LLVMBuildURem(p->u->b, unit, rows, "");
    ow = loop_begin(p->u, &across, constant(p, 0), constant(p, size[1]), LANES,
                    0, NULL);
    from = LLVMBuildAdd(p->u->b, scaled(p, unit, size[1], 0), ow, "");
    left = LLVMBuildSub(p->u->b, constant(p, size[1]), ow, "");
    g = load_masked(p->u, p->dtype, LANES, at_element(p, p->g, from), left);
    if (p->max)
        run_taps(p, plane_at(p, p->x, plane, p->geo.in), oh, ow, state);
    else
        g = LLVMBuildFDiv(p->u->b, g, real(p, (double)p->taps, LANES), "");
    /* the sum begins at +0: a -0 becomes +0 */
    g = LLVMBuildFAdd(p->u->b, real(p, 0, LANES), g, "");
    spread_shares(p, plane_at(p, p->y, plane, p->geo.in), oh, ow, g, state[1]);
    loop_end(p->u, &across);
    end_units(p, &l);
}

/* ---- gradient of any windows: a plane has one owner ---------------------- */

static void
clear_plane(Pool *p, LLVMValueRef plane)
{
    int64_t n = p->geo.in[0] * p->geo.in[1];
    Loop l;
    LLVMValueRef i = loop_begin(p->u, &l, constant(p, 0), constant(p, n),
                                LANES, 0, NULL);

    store_masked(p->u, p->dtype, LANES, real(p, 0, LANES),
                 at_element(p, plane, i),
                 LLVMBuildSub(p->u->b, constant(p, n), i, ""));
    loop_end(p->u, &l);
}

/* Where tap k of window (oh, ow) lies in its plane; *inside: is it there? */
static LLVMValueRef
tap_place(Pool *p, LLVMValueRef oh, LLVMValueRef ow, LLVMValueRef k,
          LLVMValueRef *inside)
{
    LLVMBuilderRef b = p->u->b;
    const Geometry *geo = &p->geo;
    LLVMValueRef wide = constant(p, geo->kernel[1]);
    LLVMValueRef h = scaled(p, oh, geo->stride[0], -geo->before[0]);
    LLVMValueRef w = scaled(p, ow, geo->stride[1], -geo->before[1]);
    LLVMValueRef kh = LLVMBuildUDiv(b, k, wide, "");
    LLVMValueRef kw = LLVMBuildURem(b, k, wide, "");

    h = LLVMBuildAdd(b, h, scaled(p, kh, geo->dilation[0], 0), "");
    w = LLVMBuildAdd(b, w, scaled(p, kw, geo->dilation[1], 0), "");
    *inside = LLVMBuildAnd(
        b, between(p, h, constant(p, 0), constant(p, geo->in[0])),
        between(p, w, constant(p, 0), constant(p, geo->in[1])), "");
    return LLVMBuildAdd(b, scaled(p, h, geo->in[1], 0), w, "");
}

/* if (condition) plane[at] += g */
static void
add_where(Pool *p, LLVMValueRef condition, LLVMValueRef plane,
          LLVMValueRef at, LLVMValueRef g)
{
    LLVMBuilderRef b = p->u->b;
    LLVMBasicBlockRef add = block_new(p->u, "add");
    LLVMBasicBlockRef done = block_new(p->u, "done");
    unsigned size = (unsigned)dtype_bytes(p->dtype);
    LLVMValueRef to, sum;

    LLVMBuildCondBr(b, condition, add, done);
    LLVMPositionBuilderAtEnd(b, add);
    to = at_element(p, plane, at);
    sum = LLVMBuildFAdd(b, load(p->u, unit_type(p->u, p->dtype), to, size), g,
                        "");
    store(p->u, sum, to, size);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
}

/* plane_x[at] where inside, else its first element: always readable */
static LLVMValueRef
read_inside(Pool *p, LLVMValueRef plane, LLVMValueRef at, LLVMValueRef inside)
{
    at = LLVMBuildSelect(p->u->b, inside, at, constant(p, 0), "");
    return load(p->u, unit_type(p->u, p->dtype), at_element(p, plane, at),
                (unsigned)dtype_bytes(p->dtype));
}

static void
give_to_winner(Pool *p, LLVMValueRef x, LLVMValueRef dx, LLVMValueRef oh,
               LLVMValueRef ow, LLVMValueRef g)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef start[] = {real(p, -(double)INFINITY, 1), constant(p, -1)};
    LLVMValueRef k, at, inside, value, take;
    Loop l;

    k = loop_begin(p->u, &l, constant(p, 0), constant(p, p->taps), 1, 2,
                   start);
    at = tap_place(p, oh, ow, k, &inside);
    value = read_inside(p, x, at, inside);
    take = LLVMBuildFCmp(b, LLVMRealOGT, value, loop_phi(&l, 0), "");
    take = LLVMBuildAnd(b, take, inside, "");
    loop_next(&l, 0, LLVMBuildSelect(b, take, value, loop_phi(&l, 0), ""));
    loop_next(&l, 1, LLVMBuildSelect(b, take, at, loop_phi(&l, 1), ""));
    loop_end(p->u, &l);
    at = loop_phi(&l, 1);
    add_where(p, LLVMBuildICmp(b, LLVMIntSGE, at, constant(p, 0), ""), dx, at,
              g);
}

static LLVMValueRef
count_inside(Pool *p, LLVMValueRef oh, LLVMValueRef ow)
{
    LLVMValueRef zero = constant(p, 0), k, inside, more;
    Loop l;

    k = loop_begin(p->u, &l, zero, constant(p, p->taps), 1, 1, &zero);
    tap_place(p, oh, ow, k, &inside);
    more = LLVMBuildZExt(p->u->b, inside, p->u->i64, "");
    loop_next(&l, 0, LLVMBuildAdd(p->u->b, loop_phi(&l, 0), more, ""));
    loop_end(p->u, &l);
    return loop_phi(&l, 0);
}

static void
give_to_all(Pool *p, LLVMValueRef dx, LLVMValueRef oh, LLVMValueRef ow,
            LLVMValueRef g)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef divisor = real(p, (double)p->taps, 1), k, at, inside;
    Loop l;

    if (!p->count_pad && p->padded)
        divisor = LLVMBuildSIToFP(b, count_inside(p, oh, ow),
                                  unit_type(p->u, p->dtype), "");
    g = LLVMBuildFDiv(b, g, divisor, "");
    k = loop_begin(p->u, &l, constant(p, 0), constant(p, p->taps), 1, 0, NULL);
    at = tap_place(p, oh, ow, k, &inside);
    add_where(p, inside, dx, at, g);
    loop_end(p->u, &l);
}

static void
lower_any(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef plane, x, dx, window, oh, ow, g, wide, from;
    int64_t windows = size[0] * size[1];
    Loop l, inner;

    begin_kernel(p, name, p->max ? 2 : 1);
    plane = begin_units(p, &l, planes(p), windows * p->taps, out);
    x = plane_at(p, p->x, plane, p->geo.in);
    dx = plane_at(p, p->y, plane, p->geo.in);
    from = plane_at(p, p->g, plane, size);
    clear_plane(p, dx);
    window = loop_begin(p->u, &inner, constant(p, 0), constant(p, windows), 1,
                        0, NULL);
    wide = constant(p, size[1]);
    oh = LLVMBuildUDiv(p->u->b, window, wide, "");
    ow = LLVMBuildURem(p->u->b, window, wide, "");
    g = load(p->u, unit_type(p->u, p->dtype), at_element(p, from, window),
             (unsigned)dtype_bytes(p->dtype));
    if (p->max)
        give_to_winner(p, x, dx, oh, ow, g);
    else
        give_to_all(p, dx, oh, ow, g);
    loop_end(p->u, &inner);
    end_units(p, &l);
}

void
lower_window(Unit *u, const Graph *g, NodeId id, const char *name,
             Lowered *out)
{
    const Node *n = &g->node[id];
    bool forward = n->op == OP_window, nhwc = node_int(n, "nhwc");
    const Type *x = &g->value[forward ? n->in[0] : n->out[0]].type;
    Pool p = {.u = u,
              .forward = forward,
              .dtype = x->dtype,
              .images = x->dim[0],
              .channels = x->dim[image_axis(nhwc, 1)]};

    ASSERT(geometry_read(g, id, x->dim + image_axis(nhwc, 2),
                         node_list(n, "kernel"), &p.geo));
    p.max = n->op == OP_window_grad_max ||
            (forward && strcmp(node_text(n, "op"), "max") == 0);
    p.count_pad = !p.max && node_int(n, "count_pad");
    p.taps = p.geo.kernel[0] * p.geo.kernel[1];
    for (int i = 0; i < 2; i++)
        p.padded = p.padded || p.geo.before[i] || p.geo.after[i];
    if (nhwc)
        lower_window_last(&p, name, out);
    else if (forward)
        lower_forward(&p, name, out);
    else if (windows_tile(&p))
        lower_tiling(&p, name, out);
    else
        lower_any(&p, name, out);
}
