/* window_last: pooling of images with channels last, and its gradients: lanes
   along channels, taps inside the image as bounds of loops. A gradient adds
   window after window into the channels that one worker owns. */
#include "codegen/kernels/window_parts.h"

#include <math.h>

enum { UNITS_WANTED = 16 /* of a gradient, for threads */ };

/* The taps of one window: [first, last) of each axis lie inside; the row and
   column of tap 0. */
typedef struct Inside {
    LLVMValueRef first[2], last[2], at[2];
    LLVMValueRef whole; /* i1: all taps */
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

static LLVMValueRef
is_whole(Pool *p, const Inside *in)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef whole = LLVMConstInt(p->u->i1, 1, false), is;

    for (int i = 0; i < 2; i++) {
        is = LLVMBuildICmp(b, LLVMIntEQ, in->first[i], number(p, 0), "");
        whole = LLVMBuildAnd(b, whole, is, "");
        is = LLVMBuildICmp(b, LLVMIntEQ, in->last[i],
                           number(p, p->geo.kernel[i]), "");
        whole = LLVMBuildAnd(b, whole, is, "");
    }
    return whole;
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
    in.whole = is_whole(p, &in);
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
    row = LLVMBuildNSWAdd(b, in->at[0], scaled(p, kh, geo->dilation[0], 0), "");
    column =
        LLVMBuildNSWAdd(b, in->at[1], scaled(p, kw, geo->dilation[1], 0), "");
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

/* What a window gives to its taps. */
typedef struct Share {
    Lanes lanes;
    LLVMValueRef g, winner;
} Share;

static LLVMValueRef
pixel_at(Pool *p, LLVMValueRef base, LLVMValueRef pixel, const Lanes *l)
{
    LLVMValueRef i = LLVMBuildNSWAdd(p->u->b, scaled(p, pixel, p->channels, 0),
                                     l->first, "");

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
    return (Lanes){first,
                   LLVMBuildNSWSub(p->u->b, number(p, p->channels), first, "")};
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
    return splat(p->u, LLVMBuildSIToFP(b, count, unit_type(p->u, p->dtype), ""),
                 LANES);
}

/* One more tap, at pixel `at`. */
static void
take_tap(Pool *p, LLVMValueRef image, LLVMValueRef at, LLVMValueRef tap,
         const Lanes *l, LLVMValueRef state[2])
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef x = take(p, pixel_at(p, image, at, l), l), more;

    if (!p->max) {
        state[0] = LLVMBuildFAdd(b, state[0], x, "");
        return;
    }
    more = LLVMBuildFCmp(b, LLVMRealOGT, x, state[0], "");
    tap = LLVMBuildTrunc(b, tap, p->u->i32, "");
    state[0] = LLVMBuildSelect(b, more, x, state[0], "");
    state[1] = LLVMBuildSelect(b, more, splat(p->u, tap, LANES), state[1], "");
}

/* The taps inside. */
static void
walk_taps(Pool *p, const Inside *in, LLVMValueRef image, const Lanes *l,
          LLVMValueRef state[2])
{
    Walk w;

    walk_begin(p, &w, in, 2, state);
    for (int i = 0; i < 2; i++)
        state[i] = loop_phi(&w.wide, i);
    take_tap(p, image, w.at, w.tap, l, state);
    for (int i = 0; i < 2; i++)
        loop_next(&w.wide, i, state[i]);
    walk_end(p, &w);
    for (int i = 0; i < 2; i++)
        state[i] = loop_phi(&w.high, i);
}

/* The pixel of tap k of a window that is whole. */
static LLVMValueRef
tap_at(Pool *p, const Inside *in, int64_t k)
{
    const Geometry *geo = &p->geo;
    int64_t row = k / geo->kernel[1] * geo->dilation[0];
    int64_t column = k % geo->kernel[1] * geo->dilation[1];
    LLVMValueRef at = scaled(p, in->at[0], geo->in[1], 0);

    at = LLVMBuildNSWAdd(p->u->b, at, in->at[1], "");
    return scaled(p, at, 1, row * geo->in[1] + column);
}

/* Asks for what windows some way on will read first. */
static void
ask_ahead(Pool *p, const Inside *in, LLVMValueRef image, const Lanes *l)
{
    const Geometry *geo = &p->geo;

    for (int64_t k = 0; k < p->taps; k++)
        if (k / geo->kernel[1] + geo->stride[0] >= geo->kernel[0] &&
            k % geo->kernel[1] + geo->stride[1] >= geo->kernel[1])
            ask_line(p->u,
                     address(p->u, pixel_at(p, image, tap_at(p, in, k), l),
                             number(p, POOL_AHEAD / 2), 1));
}

/* All taps, none being outside. */
static void
take_all_taps(Pool *p, const Inside *in, LLVMValueRef image, const Lanes *l,
              LLVMValueRef state[2])
{
    ask_ahead(p, in, image, l);
    for (int64_t k = 0; k < p->taps; k++)
        take_tap(p, image, tap_at(p, in, k), number(p, k), l, state);
}

/* The largest of a window and the tap that holds it (-1: none is above -inf),
   or their sum. state[0]: value, state[1]: tap. */
static void
run_window(Pool *p, const Inside *in, LLVMValueRef image, const Lanes *l,
           LLVMValueRef state[2])
{
    LLVMBuilderRef b = p->u->b;
    LLVMBasicBlockRef way[2], after;
    LLVMValueRef made[2][2];

    state[0] = pool_real(p, p->max ? -(double)INFINITY : 0, LANES);
    state[1] = splat(p->u, LLVMConstInt(p->u->i32, ~0u, false), LANES);
    if (p->taps > UNROLLED_TAPS) {
        walk_taps(p, in, image, l, state);
        return;
    }
    way[0] = block_new(p->u, "whole");
    way[1] = block_new(p->u, "edge");
    after = block_new(p->u, "after");
    LLVMBuildCondBr(b, in->whole, way[0], way[1]);
    for (int i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(b, way[i]);
        made[i][0] = state[0];
        made[i][1] = state[1];
        (i ? walk_taps : take_all_taps)(p, in, image, l, made[i]);
        way[i] = LLVMGetInsertBlock(b);
        LLVMBuildBr(b, after);
    }
    LLVMPositionBuilderAtEnd(b, after);
    for (int i = 0; i < 2; i++) {
        LLVMValueRef either[] = {made[0][i], made[1][i]};

        state[i] = LLVMBuildPhi(b, LLVMTypeOf(either[0]), "");
        LLVMAddIncoming(state[i], either, way, 2);
    }
}

/* ---- kernels ------------------------------------------------------------- */

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

    pool_begin(p, name);
    unit = pool_units(p, &l, p->images * size[0],
                      size[1] * p->taps * p->channels, out);
    image = LLVMBuildUDiv(p->u->b, unit, rows, "");
    oh = LLVMBuildURem(p->u->b, unit, rows, "");
    image = pool_plane(p, p->x, image, p->geo.in, p->channels);
    ow =
        loop_begin(p->u, &across, number(p, 0), number(p, size[1]), 1, 0, NULL);
    in = taps_inside(p, oh, ow);
    c = loop_begin(p->u, &channels, number(p, 0), number(p, p->channels), LANES,
                   0, NULL);
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

/* The row behind the last one that row `oh` of windows reaches. */
static LLVMValueRef
reached(Pool *p, LLVMValueRef oh)
{
    const Geometry *geo = &p->geo;
    int64_t reach = (geo->kernel[0] - 1) * geo->dilation[0] + 1;

    oh = scaled(p, oh, geo->stride[0], reach - geo->before[0]);
    return least(p->u, ceiling(p, oh, 1), number(p, geo->in[0]));
}

/* The rows of the result that row `oh` of windows reaches first; behind the
   last windows all others. */
static void
clear(Pool *p, LLVMValueRef image, LLVMValueRef oh, LLVMValueRef from,
      LLVMValueRef to)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef first, last, is, zero = number(p, 0);
    Loop pixels, channels;
    Lanes lanes;

    is = LLVMBuildICmp(b, LLVMIntEQ, oh, zero, "");
    first = LLVMBuildSelect(b, is, zero, reached(p, scaled(p, oh, 1, -1)), "");
    is = LLVMBuildICmp(b, LLVMIntEQ, oh, number(p, p->geo.out[0] - 1), "");
    last = LLVMBuildSelect(b, is, number(p, p->geo.in[0]), reached(p, oh), "");
    loop_begin(p->u, &pixels, scaled(p, first, p->geo.in[1], 0),
               scaled(p, last, p->geo.in[1], 0), 1, 0, NULL);
    loop_begin(p->u, &channels, from, to, LANES, 0, NULL);
    lanes = lanes_from(p, channels.i);
    give(p, pool_real(p, 0, LANES), pixel_at(p, image, pixels.i, &lanes),
         &lanes);
    loop_end(p->u, &channels);
    loop_end(p->u, &pixels);
}

/* Tap `tap` of a window, at pixel `at`, gets its share: all, or where it is the
   winner. */
static void
add_tap(Pool *p, LLVMValueRef image, LLVMValueRef at, LLVMValueRef tap,
        const Share *s)
{
    LLVMBuilderRef b = p->u->b;
    LLVMValueRef to = pixel_at(p, image, at, &s->lanes);
    LLVMValueRef old = take(p, to, &s->lanes), is;
    LLVMValueRef sum = LLVMBuildFAdd(b, old, s->g, "");

    if (p->max) {
        is = LLVMBuildTrunc(b, tap, p->u->i32, "");
        is = LLVMBuildICmp(b, LLVMIntEQ, s->winner, splat(p->u, is, LANES), "");
        sum = LLVMBuildSelect(b, is, sum, old, "");
    }
    give(p, sum, to, &s->lanes);
}

/* One window's gradient, added to the taps that get it. */
static void
add_window(Pool *p, const Inside *in, LLVMValueRef image, const Share *s)
{
    LLVMBuilderRef b = p->u->b;
    LLVMBasicBlockRef whole = block_new(p->u, "whole");
    LLVMBasicBlockRef edge = block_new(p->u, "edge");
    LLVMBasicBlockRef after = block_new(p->u, "after");
    Walk w;

    if (p->taps <= UNROLLED_TAPS)
        LLVMBuildCondBr(b, in->whole, whole, edge);
    else
        LLVMBuildBr(b, edge);
    LLVMPositionBuilderAtEnd(b, whole);
    for (int64_t k = 0; p->taps <= UNROLLED_TAPS && k < p->taps; k++)
        add_tap(p, image, tap_at(p, in, k), number(p, k), s);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, edge);
    walk_begin(p, &w, in, 0, NULL);
    add_tap(p, image, w.at, w.tap, s);
    walk_end(p, &w);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}

/* Channels of a unit: whole vectors, all of them if there are images enough. */
static int64_t
unit_channels(const Pool *p)
{
    int64_t vectors = (p->channels + LANES - 1) / LANES;
    int64_t parts = (UNITS_WANTED + p->images - 1) / p->images;

    parts = parts < vectors ? parts : vectors;
    return (vectors + parts - 1) / parts * LANES;
}

/* What a window gives. */
static Share
share_of(Pool *p, const Inside *in, LLVMValueRef x, LLVMValueRef g,
         LLVMValueRef pixel, LLVMValueRef channel)
{
    LLVMValueRef state[2] = {0};
    Share s = {.lanes = lanes_from(p, channel)};

    s.g = take(p, pixel_at(p, g, pixel, &s.lanes), &s.lanes);
    if (p->max)
        run_window(p, in, x, &s.lanes, state);
    else
        s.g = LLVMBuildFDiv(p->u->b, s.g, divisor(p, in), "");
    s.winner = state[1];
    return s;
}

static LLVMValueRef
window_at(Pool *p, LLVMValueRef oh, LLVMValueRef ow)
{
    return LLVMBuildNSWAdd(p->u->b, scaled(p, oh, p->geo.out[1], 0), ow, "");
}

void
window_last_share(Pool *p, LLVMValueRef x, LLVMValueRef g, LLVMValueRef oh,
                  LLVMValueRef ow, LLVMValueRef channel, LLVMValueRef share[2])
{
    Inside in = taps_inside(p, oh, ow);
    Share s = share_of(p, &in, x, g, window_at(p, oh, ow), channel);

    share[0] = s.g;
    share[1] = s.winner;
}

/* One window, channels [from, to). */
static void
give_window(Pool *p, LLVMValueRef oh, LLVMValueRef ow, LLVMValueRef image[3],
            LLVMValueRef from, LLVMValueRef to)
{
    Inside in = taps_inside(p, oh, ow);
    Share s;
    Loop l;

    loop_begin(p->u, &l, from, to, LANES, 0, NULL);
    s = share_of(p, &in, image[0], image[1], window_at(p, oh, ow), l.i);
    add_window(p, &in, image[2], &s);
    loop_end(p->u, &l);
}

/* A unit is some channels of one image. */
static void
lower_gradient(Pool *p, const char *name, Lowered *out)
{
    const int64_t *size = p->geo.out;
    int64_t some = unit_channels(p), units = (p->channels + some - 1) / some;
    LLVMValueRef unit, from, to, image[3];
    Loop l, rows, columns;

    pool_begin(p, name);
    unit = pool_units(p, &l, p->images * units,
                      size[0] * size[1] * p->taps * some, out);
    from = LLVMBuildURem(p->u->b, unit, number(p, units), "");
    from = scaled(p, from, some, 0);
    to = least(p->u, scaled(p, from, 1, some), number(p, p->channels));
    unit = LLVMBuildUDiv(p->u->b, unit, number(p, units), "");
    image[0] = pool_plane(p, p->x, unit, p->geo.in, p->channels);
    image[1] = pool_plane(p, p->g, unit, size, p->channels);
    image[2] = pool_plane(p, p->y, unit, p->geo.in, p->channels);
    loop_begin(p->u, &rows, number(p, 0), number(p, size[0]), 1, 0, NULL);
    clear(p, image[2], rows.i, from, to);
    loop_begin(p->u, &columns, number(p, 0), number(p, size[1]), 1, 0, NULL);
    give_window(p, rows.i, columns.i, image, from, to);
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
