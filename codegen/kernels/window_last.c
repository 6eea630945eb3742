/* window_last: pooling of images with channels last, and its gradients: lanes
   along channels, taps inside the image as bounds of loops. A gradient adds
   window after window into the channels that one worker owns. */
#include "codegen/kernels/window_last.h"

#include <math.h>

enum { LANES = 16, TILE_WORK = 16384 };

/* The taps of one window: [first, last) of each axis lie inside; the row and
   column of tap 0. */
typedef struct Inside {
    LLVMValueRef first[2], last[2], at[2];
} Inside;

static LLVMValueRef
number(Pool *p, int64_t x)
{
    return const_i64(p->u, x);
}

static LLVMValueRef
scaled(Pool *p, LLVMValueRef i, int64_t by, int64_t plus)
{
    LLVMValueRef far = LLVMBuildNSWMul(p->u->b, i, number(p, by), "");

    return LLVMBuildNSWAdd(p->u->b, far, number(p, plus), "");
}

static LLVMValueRef
real(Pool *p, double x)
{
    return splat(p->u, LLVMConstReal(unit_type(p->u, p->dtype), x), LANES);
}

/* ceil(x / by), at least 0 */
static LLVMValueRef
ceiling(Pool *p, LLVMValueRef x, int64_t by)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef zero = number(p, 0);
    LLVMValueRef some = LLVMBuildICmp(b, LLVMIntSGT, x, zero, "");

    x = LLVMBuildSelect(b, some, x, zero, "");
    return LLVMBuildUDiv(b, scaled(p, x, 1, by - 1), number(p, by), "");
}

static Inside
taps_inside(Pool *p, LLVMValueRef oh, LLVMValueRef ow)
{
    const Geometry *geo = &p->geo;
    LLVMValueRef out[] = {oh, ow};
    Inside in;

    for (int i = 0; i < 2; i++) {
        LLVMValueRef left;

        in.at[i] = scaled(p, out[i], geo->stride[i], -geo->before[i]);
        in.first[i] = ceiling(p, LLVMBuildNSWNeg(p->u->b, in.at[i], ""),
                              geo->dilation[i]);
        left = LLVMBuildNSWSub(p->u->b, number(p, geo->in[i]), in.at[i], "");
        in.last[i] = least(p->u, ceiling(p, left, geo->dilation[i]),
                           number(p, geo->kernel[i]));
    }
    return in;
}

/* Two loops over the taps inside; `tap` is kh * kernel width + kw, `at` the
   pixel. */
typedef struct Walk {
    Loop high, wide;
    LLVMValueRef tap, at;
    int carried;
} Walk;

static void
walk_begin(Pool *p, Walk *w, const Inside *in, int carried,
           const LLVMValueRef *initial)
{
    const Geometry *geo = &p->geo;
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef kh, kw, row, column;

    w->carried = carried;
    kh = loop_begin(p->u, &w->high, in->first[0], in->last[0], 1, carried,
                    initial);
    kw = loop_begin(p->u, &w->wide, in->first[1], in->last[1], 1, carried,
                    w->high.phi);
    w->tap = LLVMBuildNSWAdd(b, scaled(p, kh, geo->kernel[1], 0), kw, "");
    row = LLVMBuildNSWAdd(b, in->at[0], scaled(p, kh, geo->dilation[0], 0),
                          "");
    column = LLVMBuildNSWAdd(b, in->at[1],
                             scaled(p, kw, geo->dilation[1], 0), "");
    w->at = LLVMBuildNSWAdd(b, scaled(p, row, geo->in[1], 0), column, "");
}

static void
walk_end(Pool *p, Walk *w)
{
    loop_end(p->u, &w->wide);
    for (int i = 0; i < w->carried; i++)
        loop_next(&w->high, i, loop_phi(&w->wide, i));
    loop_end(p->u, &w->high);
}

/* ---- lanes --------------------------------------------------------------- */

/* A pixel of an image at `base`, its lanes' channels at first: vectors of as
   many channels as there are. */
typedef struct Lanes {
    LLVMValueRef first, count;
} Lanes;

static LLVMValueRef
pixel_at(Pool *p, LLVMValueRef base, LLVMValueRef pixel, const Lanes *l)
{
    LLVMValueRef i = LLVMBuildNSWAdd(
        p->u->b, scaled(p, pixel, p->channels, 0), l->first, "");

    return address(p->u, base, i, dtype_bytes(p->dtype));
}

static LLVMValueRef
take(Pool *p, LLVMValueRef from, const Lanes *l)
{
    if (p->channels % LANES == 0)
        return load(p->u, unit_vector(p->u, p->dtype, LANES), from,
                    (unsigned)dtype_bytes(p->dtype));
    return load_masked(p->u, p->dtype, LANES, from, l->count);
}

static void
give(Pool *p, LLVMValueRef v, LLVMValueRef to, const Lanes *l)
{
    if (p->channels % LANES == 0)
        store(p->u, v, to, (unsigned)dtype_bytes(p->dtype));
    else
        store_masked(p->u, p->dtype, LANES, v, to, l->count);
}

static Lanes
lanes_from(Pool *p, LLVMValueRef first)
{
    return (Lanes){first, LLVMBuildNSWSub(p->u->b, number(p, p->channels),
                                          first, "")};
}

/* What a mean divides by. */
static LLVMValueRef
divisor(Pool *p, const Inside *in)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef count = number(p, p->taps), size[2], zero = number(p, 0);
    LLVMValueRef some;

    if (!p->count_pad && p->padded) {
        for (int i = 0; i < 2; i++) {
            size[i] = LLVMBuildNSWSub(b, in->last[i], in->first[i], "");
            some = LLVMBuildICmp(b, LLVMIntSGT, size[i], zero, "");
            size[i] = LLVMBuildSelect(b, some, size[i], zero, "");
        }
        count = LLVMBuildNSWMul(b, size[0], size[1], "");
        some = LLVMBuildICmp(b, LLVMIntSGT, count, zero, "");
        count = LLVMBuildSelect(b, some, count, number(p, 1), "");
    }
    return splat(p->u,
                 LLVMBuildSIToFP(b, count, unit_type(p->u, p->dtype), ""),
                 LANES);
}

/* The largest of a window and the tap that holds it (-1: none is above -inf),
   or their sum. state[0]: value, state[1]: tap. */
static void
run_window(Pool *p, const Inside *in, LLVMValueRef image, const Lanes *l,
           LLVMValueRef state[2])
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef x, more, tap;
    Walk w;

    state[0] = real(p, p->max ? -(double)INFINITY : 0);
    state[1] = splat(p->u, LLVMConstInt(p->u->i32, ~0u, false), LANES);
    walk_begin(p, &w, in, 2, state);
    x = take(p, pixel_at(p, image, w.at, l), l);
    for (int i = 0; i < 2; i++)
        state[i] = loop_phi(&w.wide, i);
    if (p->max) {
        more = LLVMBuildFCmp(b, LLVMRealOGT, x, state[0], "");
        tap = LLVMBuildTrunc(b, w.tap, p->u->i32, "");
        state[0] = LLVMBuildSelect(b, more, x, state[0], "");
        state[1] = LLVMBuildSelect(b, more, splat(p->u, tap, LANES), state[1],
                                   "");
    } else {
        state[0] = LLVMBuildFAdd(b, state[0], x, "");
    }
    for (int i = 0; i < 2; i++)
        loop_next(&w.wide, i, state[i]);
    walk_end(p, &w);
    for (int i = 0; i < 2; i++)
        state[i] = loop_phi(&w.high, i);
}

/* ---- kernels ------------------------------------------------------------- */

static LLVMValueRef
begin(Pool *p, const char *name, Loop *l, int64_t units, int64_t work,
      Lowered *out)
{
    int operands = p->forward || !p->max ? 1 : 2;
    int64_t per = work < TILE_WORK ? TILE_WORK / work : 1;
    LLVMValueRef from, to;

    p->kernel = unit_kernel(p->u, name);
    p->x = kernel_pointer(p->u, p->kernel, 0);
    p->g = kernel_pointer(p->u, p->kernel, operands - 1);
    p->y = kernel_pointer(p->u, p->kernel, operands);
    from = scaled(p, LLVMGetParam(p->kernel, 2), per, 0);
    to = scaled(p, LLVMGetParam(p->kernel, 3), per, 0);
    *out = (Lowered){.phases = 1};
    out->kernel[0] = p->kernel;
    out->tiles[0] = (units + per - 1) / per;
    return loop_begin(p->u, l, from, least(p->u, to, number(p, units)), 1, 0,
                      NULL);
}

static LLVMValueRef
image_at(Pool *p, LLVMValueRef base, LLVMValueRef image, const int64_t *size)
{
    return address(p->u, base, image,
                   size[0] * size[1] * p->channels * dtype_bytes(p->dtype));
}

/* A unit is a row of results. */
static void
lower_forward(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    LLVMValueRef unit, image, oh, ow, c, rows = number(p, size[0]), state[2];
    LLVMValueRef pixel, y;
    Loop l, across, channels;
    Inside in;
    Lanes lanes;

    unit = begin(p, name, &l, p->images * size[0],
                 size[1] * p->taps * p->channels, out);
    image = LLVMBuildUDiv(p->u->b, unit, rows, "");
    oh = LLVMBuildURem(p->u->b, unit, rows, "");
    image = image_at(p, p->x, image, p->geo.in);
    ow = loop_begin(p->u, &across, number(p, 0), number(p, size[1]), 1, 0,
                    NULL);
    in = taps_inside(p, oh, ow);
    c = loop_begin(p->u, &channels, number(p, 0), number(p, p->channels),
                   LANES, 0, NULL);
    lanes = lanes_from(p, c);
    run_window(p, &in, image, &lanes, state);
    y = p->max ? state[0]
               : LLVMBuildFDiv(p->u->b, state[0], divisor(p, &in), "");
    pixel = LLVMBuildNSWAdd(p->u->b, scaled(p, unit, size[1], 0), ow, "");
    give(p, y, pixel_at(p, p->y, pixel, &lanes), &lanes);
    loop_end(p->u, &channels);
    loop_end(p->u, &across);
    loop_end(p->u, &l);
    LLVMBuildRetVoid(p->u->b);
}

static void
clear(Pool *p, LLVMValueRef image, const Lanes *lanes)
{
    Loop l;
    LLVMValueRef i =
        loop_begin(p->u, &l, number(p, 0),
                   number(p, p->geo.in[0] * p->geo.in[1]), 1, 0, NULL);

    give(p, real(p, 0), pixel_at(p, image, i, lanes), lanes);
    loop_end(p->u, &l);
}

/* One window's gradient, added to the taps that get it: all, or each lane's
   winner. */
static void
add_window(Pool *p, const Inside *in, LLVMValueRef image, LLVMValueRef g,
           LLVMValueRef winner, const Lanes *lanes)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef to, old, sum, is;
    Walk w;

    walk_begin(p, &w, in, 0, NULL);
    to = pixel_at(p, image, w.at, lanes);
    old = take(p, to, lanes);
    sum = LLVMBuildFAdd(b, old, g, "");
    if (p->max) {
        is = LLVMBuildTrunc(b, w.tap, p->u->i32, "");
        is = LLVMBuildICmp(b, LLVMIntEQ, winner, splat(p->u, is, LANES), "");
        sum = LLVMBuildSelect(b, is, sum, old, "");
    }
    give(p, sum, to, lanes);
    walk_end(p, &w);
}

/* A unit is one vector of channels of one image. */
static void
lower_gradient(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    int64_t vectors = (p->channels + LANES - 1) / LANES;
    LLVMValueRef unit, x, dx, from, oh, ow, g, pixel, state[2] = {0};
    Loop l, rows, columns;
    Inside in;
    Lanes lanes;

    unit = begin(p, name, &l, p->images * vectors,
                 size[0] * size[1] * p->taps * LANES, out);
    lanes = lanes_from(
        p, scaled(p, LLVMBuildURem(p->u->b, unit, number(p, vectors), ""),
                  LANES, 0));
    unit = LLVMBuildUDiv(p->u->b, unit, number(p, vectors), "");
    x = image_at(p, p->x, unit, p->geo.in);
    dx = image_at(p, p->y, unit, p->geo.in);
    from = image_at(p, p->g, unit, size);
    clear(p, dx, &lanes);
    oh = loop_begin(p->u, &rows, number(p, 0), number(p, size[0]), 1, 0, NULL);
    ow = loop_begin(p->u, &columns, number(p, 0), number(p, size[1]), 1, 0,
                    NULL);
    in = taps_inside(p, oh, ow);
    pixel = LLVMBuildNSWAdd(p->u->b, scaled(p, oh, size[1], 0), ow, "");
    g = take(p, pixel_at(p, from, pixel, &lanes), &lanes);
    if (p->max)
        run_window(p, &in, x, &lanes, state);
    else
        g = LLVMBuildFDiv(p->u->b, g, divisor(p, &in), "");
    add_window(p, &in, dx, g, state[1], &lanes);
    loop_end(p->u, &columns);
    loop_end(p->u, &rows);
    loop_end(p->u, &l);
    LLVMBuildRetVoid(p->u->b);
}

void
lower_window_last(Pool *p, const char *name, Lowered *out)
{
    if (p->forward)
        lower_forward(p, name, out);
    else
        lower_gradient(p, name, out);
}
