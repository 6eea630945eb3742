/* window: pooling with 16 neighbouring results in a vector, and its gradients:
   windows that tile the input in vectors as well, others plane by plane. */
#include "codegen/kernels/window_parts.h"
#include "ir/base/diag.h"

#include <math.h>
#include <string.h>

enum { TILE_WORK = 16384 };

/* What a mean divides by, as a vector. */
static LLVMValueRef
divisors(Pool *p, LLVMValueRef count)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef one = splat(p->u, LLVMConstInt(p->u->i32, 1, false), LANES);
    LLVMValueRef none;

    if (p->count_pad || !p->padded)
        return pool_real(p, (double)p->taps, LANES);
    none = LLVMBuildICmp(b, LLVMIntSLT, count, one, "");
    return LLVMBuildSIToFP(b, LLVMBuildSelect(b, none, one, count, ""),
                           unit_vector(p->u, p->dtype, LANES), "");
}

/* ---- units of a kernel --------------------------------------------------- */

void
pool_begin(Pool *p, const char *name)
{
    int operands = p->forward || !p->max ? 1 : 2;

    p->kernel = unit_kernel(p->u, name);
    p->x = kernel_pointer(p->u, p->kernel, 0);
    p->g = kernel_pointer(p->u, p->kernel, operands - 1);
    p->y = kernel_pointer(p->u, p->kernel, operands);
}

LLVMValueRef
pool_units(Pool *p, Loop *l, int64_t units, int64_t work, Lowered *out)
{
    int64_t per = work < TILE_WORK ? TILE_WORK / work : 1;
    LLVMValueRef from, to;

    from = pool_scaled(p, LLVMGetParam(p->kernel, 2), per, 0);
    to = pool_scaled(p, LLVMGetParam(p->kernel, 3), per, 0);
    *out = (Lowered){.phases = 1};
    out->kernel[0] = p->kernel;
    out->tiles[0] = (units + per - 1) / per;
    return loop_begin(p->u, l, from, least(p->u, to, pool_constant(p, units)),
                      1, 0, NULL);
}

static void
end_units(Pool *p, Loop *l)
{
    loop_end(p->u, l);
    LLVMBuildRetVoid(p->u->b);
}

LLVMValueRef
pool_plane(Pool *p, LLVMValueRef base, LLVMValueRef i, const int64_t size[2],
           int64_t channels)
{
    return pool_element(p, base,
                        pool_scaled(p, i, size[0] * size[1] * channels, 0));
}

static void
lower_forward(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef unit, plane, oh, ow, state[2], y, left, rows, to;
    Loop l, across;

    pool_begin(p, name);
    unit = pool_units(p, &l, pool_planes(p) * size[0], size[1] * p->taps, out);
    rows = pool_constant(p, size[0]);
    plane = LLVMBuildUDiv(p->u->b, unit, rows, "");
    oh = LLVMBuildURem(p->u->b, unit, rows, "");
    plane = pool_plane(p, p->x, plane, p->geo.in, 1);
    ow = loop_begin(p->u, &across, pool_constant(p, 0),
                    pool_constant(p, size[1]), LANES, 0, NULL);
    pool_run_taps(p, plane, oh, ow, state);
    y = p->max ? state[0]
               : LLVMBuildFDiv(p->u->b, state[0], divisors(p, state[1]), "");
    to = LLVMBuildAdd(p->u->b, pool_scaled(p, unit, size[1], 0), ow, "");
    left = LLVMBuildSub(p->u->b, pool_constant(p, size[1]), ow, "");
    store_masked(p->u, p->dtype, LANES, y, pool_element(p, p->y, to), left);
    loop_end(p->u, &across);
    end_units(p, &l);
}

/* ---- what 16 windows give ------------------------------------------------ */

/* The taps inside of windows (oh, ow ... ow + 15). */
static LLVMValueRef
count_taps(Pool *p, LLVMValueRef oh, LLVMValueRef ow)
{
    LLVMTypeRef many = LLVMVectorType(p->u->i32, LANES);
    LLVMValueRef count = LLVMConstNull(many), is;

    for (int64_t k = 0; k < p->taps; k++) {
        is = pool_taps_inside(p, oh, ow, pool_constant(p, k / p->geo.kernel[1]),
                              pool_constant(p, k % p->geo.kernel[1]));
        is = LLVMBuildZExt(p->u->b, is, many, "");
        count = LLVMBuildAdd(p->u->b, count, is, "");
    }
    return count;
}

void
pool_share(Pool *p, LLVMValueRef x, LLVMValueRef g, LLVMValueRef oh,
           LLVMValueRef ow, LLVMValueRef share[2])
{
    LLVMValueRef at = pool_scaled(p, oh, p->geo.out[1], 0), left, state[2];

    at = pool_element(p, g, LLVMBuildAdd(p->u->b, at, ow, ""));
    left = LLVMBuildSub(p->u->b, pool_constant(p, p->geo.out[1]), ow, "");
    ask_line(p->u, address(p->u, at, pool_constant(p, POOL_AHEAD / 4), 1));
    share[0] = load_masked(p->u, p->dtype, LANES, at, left);
    if (!p->max) {
        left = p->count_pad || !p->padded ? NULL : count_taps(p, oh, ow);
        share[0] = LLVMBuildFDiv(p->u->b, share[0], divisors(p, left), "");
        return;
    }
    pool_run_taps(p, x, oh, ow, state);
    left = pool_lanes_below(p, ow, 1, p->geo.out[1]);
    share[1] = LLVMBuildSelect(p->u->b, left, state[1],
                               LLVMConstAllOnes(LLVMTypeOf(state[1])), "");
}

/* ---- gradient of any windows: a plane has one owner ---------------------- */

static void
clear_plane(Pool *p, LLVMValueRef plane)
{
    int64_t n = p->geo.in[0] * p->geo.in[1];
    Loop l;
    LLVMValueRef i = loop_begin(p->u, &l, pool_constant(p, 0),
                                pool_constant(p, n), LANES, 0, NULL);

    store_masked(p->u, p->dtype, LANES, pool_real(p, 0, LANES),
                 pool_element(p, plane, i),
                 LLVMBuildSub(p->u->b, pool_constant(p, n), i, ""));
    loop_end(p->u, &l);
}

/* Where tap k of window (oh, ow) lies in its plane; *inside: is it there? */
static LLVMValueRef
tap_place(Pool *p, LLVMValueRef oh, LLVMValueRef ow, LLVMValueRef k,
          LLVMValueRef *inside)
{
    LLVMBuilderRef b = p->u->b;
    const Geometry *geo = &p->geo;
    LLVMValueRef wide = pool_constant(p, geo->kernel[1]);
    LLVMValueRef h = pool_scaled(p, oh, geo->stride[0], -geo->before[0]);
    LLVMValueRef w = pool_scaled(p, ow, geo->stride[1], -geo->before[1]);
    LLVMValueRef kh = LLVMBuildUDiv(b, k, wide, "");
    LLVMValueRef kw = LLVMBuildURem(b, k, wide, "");

    h = LLVMBuildAdd(b, h, pool_scaled(p, kh, geo->dilation[0], 0), "");
    w = LLVMBuildAdd(b, w, pool_scaled(p, kw, geo->dilation[1], 0), "");
    *inside = LLVMBuildAnd(
        b,
        pool_between(p, h, pool_constant(p, 0), pool_constant(p, geo->in[0])),
        pool_between(p, w, pool_constant(p, 0), pool_constant(p, geo->in[1])),
        "");
    return LLVMBuildAdd(b, pool_scaled(p, h, geo->in[1], 0), w, "");
}

/* if (condition) plane[at] += g */
static void
add_where(Pool *p, LLVMValueRef condition, LLVMValueRef plane, LLVMValueRef at,
          LLVMValueRef g)
{
    LLVMBuilderRef b = p->u->b;
    LLVMBasicBlockRef add = block_new(p->u, "add");
    LLVMBasicBlockRef done = block_new(p->u, "done");
    unsigned size = (unsigned)dtype_bytes(p->dtype);
    LLVMValueRef to, sum;

    LLVMBuildCondBr(b, condition, add, done);
    LLVMPositionBuilderAtEnd(b, add);
    to = pool_element(p, plane, at);
    sum = LLVMBuildFAdd(b, load(p->u, unit_type(p->u, p->dtype), to, size), g,
                        "");
    store(p->u, sum, to, size);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
}

/* Where in their plane the winners of 16 windows lie; < 0: there is none. */
static LLVMValueRef
winner_places(Pool *p, LLVMValueRef oh, LLVMValueRef ow, LLVMValueRef winner)
{
    LLVMBuilderRef b = p->u->b;
    const Geometry *geo = &p->geo;
    LLVMTypeRef i64s = LLVMVectorType(p->u->i64, LANES);
    LLVMValueRef wide = splat(p->u, pool_constant(p, geo->kernel[1]), LANES);
    LLVMValueRef k = LLVMBuildSExt(b, winner, i64s, ""), h, w, there;
    LLVMValueRef down, across;

    there = LLVMBuildICmp(b, LLVMIntSGE, k, LLVMConstNull(i64s), "");
    h = pool_scaled(p, oh, geo->stride[0], -geo->before[0]);
    w = pool_scaled(p, ow, geo->stride[1], -geo->before[1]);
    down = splat(p->u, pool_constant(p, geo->dilation[0] * geo->in[1]), LANES);
    down = LLVMBuildMul(b, LLVMBuildUDiv(b, k, wide, ""), down, "");
    across = splat(p->u, pool_constant(p, geo->dilation[1]), LANES);
    across = LLVMBuildMul(b, LLVMBuildURem(b, k, wide, ""), across, "");
    w = LLVMBuildAdd(b, pool_scaled(p, h, geo->in[1], 0), w, "");
    w = LLVMBuildAdd(b, pool_ramp(p, w, geo->stride[1]), across, "");
    return LLVMBuildSelect(b, there, LLVMBuildAdd(b, w, down, ""),
                           splat(p->u, pool_constant(p, -1), LANES), "");
}

/* A row of windows: the places of 16 winners at once, then one after another.
   from: where the row's gradient stands. */
static void
give_to_winners(Pool *p, LLVMValueRef x, LLVMValueRef dx, LLVMValueRef oh,
                LLVMValueRef from)
{
    Unit *u = p->u;
    LLVMValueRef room = stack_room(u, u->i64, LANES, CACHE_LINE), ow, at, g;
    LLVMValueRef state[2], left = pool_constant(p, p->geo.out[1]);
    Loop across, one;

    ow = loop_begin(u, &across, pool_constant(p, 0), left, LANES, 0, NULL);
    pool_run_taps(p, x, oh, ow, state);
    store(u, winner_places(p, oh, ow, state[1]), room, CACHE_LINE);
    left = LLVMBuildSub(u->b, left, ow, "");
    left = least(u, left, pool_constant(p, LANES));
    loop_begin(u, &one, pool_constant(p, 0), left, 1, 0, NULL);
    at = load(u, u->i64, address(u, room, one.i, 8), 8);
    g = pool_element(p, from, LLVMBuildAdd(u->b, ow, one.i, ""));
    g = load(u, unit_type(u, p->dtype), g, (unsigned)dtype_bytes(p->dtype));
    add_where(p, LLVMBuildICmp(u->b, LLVMIntSGE, at, pool_constant(p, 0), ""),
              dx, at, g);
    loop_end(u, &one);
    loop_end(u, &across);
}

static LLVMValueRef
count_inside(Pool *p, LLVMValueRef oh, LLVMValueRef ow)
{
    LLVMValueRef zero = pool_constant(p, 0), k, inside, more;
    Loop l;

    k = loop_begin(p->u, &l, zero, pool_constant(p, p->taps), 1, 1, &zero);
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
    LLVMValueRef divisor = pool_real(p, (double)p->taps, 1), k, at, inside;
    Loop l;

    if (!p->count_pad && p->padded)
        divisor = LLVMBuildSIToFP(b, count_inside(p, oh, ow),
                                  unit_type(p->u, p->dtype), "");
    g = LLVMBuildFDiv(b, g, divisor, "");
    k = loop_begin(p->u, &l, pool_constant(p, 0), pool_constant(p, p->taps), 1,
                   0, NULL);
    at = tap_place(p, oh, ow, k, &inside);
    add_where(p, inside, dx, at, g);
    loop_end(p->u, &l);
}

static void
give_row(Pool *p, LLVMValueRef dx, LLVMValueRef oh, LLVMValueRef from)
{
    Loop across;
    LLVMValueRef ow = loop_begin(p->u, &across, pool_constant(p, 0),
                                 pool_constant(p, p->geo.out[1]), 1, 0, NULL);
    LLVMValueRef g =
        load(p->u, unit_type(p->u, p->dtype), pool_element(p, from, ow),
             (unsigned)dtype_bytes(p->dtype));

    give_to_all(p, dx, oh, ow, g);
    loop_end(p->u, &across);
}

static void
lower_any(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef plane, x, dx, oh, from;
    Loop l, rows;

    pool_begin(p, name);
    plane = pool_units(p, &l, pool_planes(p), size[0] * size[1] * p->taps, out);
    x = pool_plane(p, p->x, plane, p->geo.in, 1);
    dx = pool_plane(p, p->y, plane, p->geo.in, 1);
    from = pool_plane(p, p->g, plane, size, 1);
    clear_plane(p, dx);
    oh = loop_begin(p->u, &rows, pool_constant(p, 0), pool_constant(p, size[0]),
                    1, 0, NULL);
    from = pool_element(p, from, pool_scaled(p, oh, size[1], 0));
    if (p->max)
        give_to_winners(p, x, dx, oh, from);
    else
        give_row(p, dx, oh, from);
    loop_end(p->u, &rows);
    end_units(p, &l);
}

void
lower_window(Unit *u, const Graph *g, NodeId id, const char *name, Lowered *out)
{
    const Node *n = &g->node[id];
    bool forward = n->op == OP_window, nhwc = node_int(n, "nhwc");
    const Type *x = &g->value[forward ? n->in[0] : n->out[0]].type;
    Pool p = {.u = u,
              .forward = forward,
              .nhwc = nhwc,
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
    if (!forward && window_gathers(&p))
        lower_window_gather(&p, name, out);
    else if (nhwc)
        lower_window_last(&p, name, out);
    else if (forward)
        lower_forward(&p, name, out);
    else
        lower_any(&p, name, out);
}
