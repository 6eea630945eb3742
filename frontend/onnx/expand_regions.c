/* expand_regions: operators that read images at places which data say: regions
   of interest and deformable convolution. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "frontend/onnx/sample.h"
#include "frontend/onnx/windows.h"
#include "ir/ops/gather.h"

/* A positive attribute that is no larger than a size can be. */
static bool
take_size(Import *I, const char *name, int64_t otherwise, int64_t *x)
{
    *x = attr_int(I, name, otherwise);
    if (*x >= 1 && *x <= INT16_MAX)
        return true;
    lower_fault(I, "its %s is %lld, must be from 1 to %d", name,
                (long long)*x, INT16_MAX);
    return false;
}

/* Image i of n, brought into range: a negative one counts from the end. */
#define IMAGE "max(min(i64(a)+where(a<0,%lld,0),%lld),0)"

/* ---- RoiAlign --------------------------------------------------------- */

typedef struct Align {
    int64_t out[2], ratio;
    double scale, offset; /* of the coordinates of regions */
    bool largest;
} Align;

static bool
take_align(Import *I, Align *a)
{
    const char *mode = attr_text(I, "mode", "avg");
    const char *middle =
        attr_text(I, "coordinate_transformation_mode",
                  I->opset < 16 ? "output_half_pixel" : "half_pixel");

    a->scale = attr_float(I, "spatial_scale", 1);
    a->offset = strcmp(middle, "half_pixel") == 0 ? 0.5 : 0;
    a->largest = strcmp(mode, "max") == 0;
    if (attr_int(I, "sampling_ratio", 0) == 0) {
        lower_fault(I, "samples each region as finely as its size asks for"
                       "\nhint: export it with a sampling_ratio");
        return false;
    }
    if ((!a->offset && strcmp(middle, "output_half_pixel") != 0) ||
        (!a->largest && strcmp(mode, "avg") != 0)) {
        lower_fault(I, "its mode '%s' or coordinate_transformation_mode '%s' "
                       "is not known",
                    mode, middle);
        return false;
    }
    return take_size(I, "output_height", 1, &a->out[0]) &&
           take_size(I, "output_width", 1, &a->out[1]) &&
           take_size(I, "sampling_ratio", 1, &a->ratio);
}

/* Is x a batch of planes, and input 1 `columns` numbers for each region? */
static bool
regions_fit(Import *I, const Type *x, int columns)
{
    const Type *r = input_type(I, 1);

    if (r && x->rank == 4 && r->rank == 2 && r->dim[1] == columns &&
        r->dtype == x->dtype && span(x, 2, 4) > 0 && x->dim[0] > 0)
        return true;
    if (r)
        lower_fault(I, "takes %d numbers a region from images [n,c,h,w], not "
                       "%s from %s",
                    columns, type_text(I->a, r), type_text(I->a, x));
    return false;
}

/* Coordinates of the samples along axis i: [regions, oh, ow, sh, sw], the other
   axis' sizes 1. */
static ValueId
samples(Import *I, const Align *a, ValueId first, ValueId last, int i)
{
    ValueId in[4] = {first, last,
                     counting(I, DT_I64, 5, 1 + i, a->out[i]),
                     counting(I, DT_I64, 5, 3 + i, a->ratio)};

    for (int k = 0; k < 2; k++)
        in[k] = build_view(&I->b, in[k], 5,
                           (int64_t[]){type_of(I, in[k]).dim[0], 1, 1, 1, 1},
                           NULL);
    return compose(I, type_of(I, first).dtype, 4, in,
                   "t = a*(%.17g)-(%.17g); e = b*(%.17g)-(%.17g)-t; "
                   "s = %s/%lld; t+c*s+(d+0.5)*s/%lld",
                   a->scale, a->offset, a->scale, a->offset,
                   a->offset ? "e" : "max(e,1)", (long long)a->out[i],
                   (long long)a->ratio);
}

/* Between -1 and 0 the first pixel counts, between the last pixel and `size`
   the last; beyond it is 0. */
static Taps
align_taps(Import *I, ValueId c, int64_t size)
{
    Taps t = taps_at(I, compose1(I, c, "max(a,0)"), size, BETWEEN_LINEAR,
                     OUTSIDE_BORDER, true);

    for (int k = 0; k < t.count; k++)
        t.weight[k] = compose2(I, c, t.weight[k],
                               "where(a>=(-1) and a<=%lld,b,0)",
                               (long long)size);
    return t;
}

/* [regions, samples ..., channels] joined over the samples and turned. */
static ValueId
joined_samples(Import *I, ValueId v, const Align *a, int64_t regions)
{
    int64_t channels = type_of(I, v).dim[1], axis = 2;

    v = build_view(&I->b, v, 4,
                   (int64_t[]){regions, a->out[0] * a->out[1],
                               a->ratio * a->ratio, channels},
                   NULL);
    v = a->largest ? build_reduce(&I->b, "max", v, 1, &axis, NULL)
                   : mean(I, v, 1, &axis);
    v = build_transpose(&I->b, v, (int64_t[]){0, 3, 1, 2}, NULL);
    return build_view(&I->b, v, 4,
                      (int64_t[]){regions, channels, a->out[0], a->out[1]},
                      NULL);
}

void
lower_RoiAlign(Import *I)
{
    ValueId x = input(I, 0), r = input(I, 1), image = input(I, 2), c;
    Taps taps[2];
    Type t, of;
    Align a;

    if (!x || !r || !image || !take_align(I, &a))
        return;
    t = type_of(I, x);
    of = type_of(I, image);
    if (!regions_fit(I, &t, 4))
        return;
    if (of.rank != 1 || of.dim[0] != type_of(I, r).dim[0] || of.dim[0] == 0 ||
        dtype_float(of.dtype)) {
        lower_fault(I, "its batch_indices are %s", type_text(I->a, &of));
        return;
    }
    for (int i = 0; i < 2; i++) {
        c = samples(I, &a, slice_axis(I, r, 1, 1 - i, 1),
                    slice_axis(I, r, 1, 3 - i, 1), i);
        taps[i] = align_taps(I, c, t.dim[2 + i]);
    }
    image = compose(I, DT_I64, 1, &image, IMAGE "*%lld", (long long)t.dim[0],
                    (long long)t.dim[0] - 1, (long long)span(&t, 2, 4));
    image = build_view(&I->b, image, 5, (int64_t[]){of.dim[0], 1, 1, 1, 1},
                       NULL);
    x = sampled(I, pixel_rows(I, x), image, 2, taps, a.largest);
    if (x)
        bind_output(I, 0, joined_samples(I, x, &a, of.dim[0]));
}

/* ---- MaxRoiPool ------------------------------------------------------- */

/* The largest of v along axis `from` within each of `count` bins of a region,
   which become the axis `to`. Bounds: [regions,1]. */
static ValueId
largest_in_bins(Import *I, ValueId v, int from, int to, int64_t count,
                ValueId first, ValueId last, double scale)
{
    int64_t size = type_of(I, v).dim[from], axis = from;
    int64_t dim[5] = {type_of(I, first).dim[0], 1, 1, 1, 1};
    ValueId in[4] = {build_view(&I->b, first, 5, dim, NULL),
                     build_view(&I->b, last, 5, dim, NULL),
                     counting(I, DT_I64, 5, to, count),
                     counting(I, DT_I64, 5, from, size)};
    ValueId inside = compose(
        I, DT_I1, 4, in,
        "p = a*(%.17g); q = b*(%.17g); "
        "s = where(p<0,-floor(0.5-p),floor(p+0.5)); "
        "e = where(q<0,-floor(0.5-q),floor(q+0.5)); n = max(e-s+1,1)/%lld; "
        "d>=floor(c*n)+s and d<(-floor(-(c+1)*n))+s",
        scale, scale, (long long)count);

    v = compose2(I, v, inside, "where(b,a,-inf)");
    return build_reduce(&I->b, "max", v, 1, &axis, NULL);
}

/* First along the width, then along the height; an empty bin gives 0. */
void
lower_MaxRoiPool(Import *I)
{
    ValueId x = input(I, 0), r = input(I, 1), image;
    double scale = attr_float(I, "spatial_scale", 1);
    int64_t shape[2], n;
    int count;
    Type t;

    attr_ints(I, "pooled_shape", 2, shape, &count);
    if (!x || !r)
        return;
    t = type_of(I, x);
    if (!regions_fit(I, &t, 5))
        return;
    if (count != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > INT16_MAX ||
        shape[1] > INT16_MAX) {
        lower_fault(I, "its pooled_shape must be two numbers from 1 to %d",
                    INT16_MAX);
        return;
    }
    n = type_of(I, r).dim[0];
    image = slice_axis(I, r, 1, 0, 1);
    image = compose(I, DT_I64, 1, &image, IMAGE, (long long)t.dim[0],
                    (long long)t.dim[0] - 1);
    x = build_gather(&I->b, x, build_view(&I->b, image, 1, &n, NULL), 0);
    x = build_view(&I->b, x, 5,
                   (int64_t[]){n, t.dim[1], t.dim[2], 1, t.dim[3]}, NULL);
    x = largest_in_bins(I, x, 4, 3, shape[1], slice_axis(I, r, 1, 1, 1),
                        slice_axis(I, r, 1, 3, 1), scale);
    x = build_view(&I->b, x, 5,
                   (int64_t[]){n, t.dim[1], 1, t.dim[2], shape[1]}, NULL);
    x = largest_in_bins(I, x, 3, 2, shape[0], slice_axis(I, r, 1, 2, 1),
                        slice_axis(I, r, 1, 4, 1), scale);
    x = compose1(I, x, "where(a>(-inf),a,0)");
    bind_output(I, 0,
                build_view(&I->b, x, 4,
                           (int64_t[]){n, t.dim[1], shape[0], shape[1]}, NULL));
}

/* ---- DeformConv ------------------------------------------------------- */

typedef struct Deform {
    Windows w;
    int64_t out[2], groups, offset_groups;
    int64_t taps, windows; /* of the kernel; of an image */
} Deform;

static bool
deform_fits(Import *I, const Type *x, const Type *weight, Deform *d)
{
    d->groups = attr_int(I, "group", 1);
    d->offset_groups = attr_int(I, "offset_group", 1);
    if (x->rank == 4 && weight->rank == 4 && d->groups >= 1 &&
        d->offset_groups >= 1 && x->dim[1] % d->offset_groups == 0 &&
        x->dim[1] % d->groups == 0 && weight->dim[0] % d->groups == 0 &&
        weight->dim[1] == x->dim[1] / d->groups && span(x, 0, 4) > 0 &&
        span(weight, 0, 4) > 0)
        return true;
    lower_fault(I, "cannot convolve %s with %s in %lld groups and %lld offset "
                   "groups",
                type_text(I->a, x), type_text(I->a, weight),
                (long long)d->groups, (long long)d->offset_groups);
    return false;
}

/* Has input i `each` numbers for every window and tap of x? */
static bool
offsets_fit(Import *I, int i, const Type *x, const Deform *d, int64_t each)
{
    const Type *t = input_type(I, i);
    int64_t per;

    if (!t)
        return false;
    if (t->rank == 4 && t->dtype == x->dtype && t->dim[0] == x->dim[0] &&
        !__builtin_mul_overflow(d->offset_groups, d->taps * each, &per) &&
        t->dim[1] == per && t->dim[2] == d->out[0] && t->dim[3] == d->out[1])
        return true;
    lower_fault(I, "input %d is %s, which does not go with %lld windows of "
                   "%lld taps in %lld offset groups",
                i, type_text(I->a, t), (long long)d->windows,
                (long long)d->taps, (long long)d->offset_groups);
    return false;
}

static bool
take_deform(Import *I, const Type *x, const Type *weight, Deform *d)
{
    if (!deform_fits(I, x, weight, d) || !windows_begin(I, x, &d->w))
        return false;
    memcpy(d->w.kernel + 1, weight->dim + 2, 2 * sizeof *weight->dim);
    if (!kernel_agrees(I, &d->w, weight) || !windows_take(I, &d->w))
        return false;
    for (int i = 0; i < 2; i++) {
        const Windows *w = &d->w;
        int64_t room = w->size[1 + i] + w->before[1 + i] + w->after[1 + i] -
                       (w->kernel[1 + i] - 1) * w->dilations[1 + i] - 1;

        d->out[i] = room < 0 ? 0 : room / w->strides[1 + i] + 1;
    }
    d->taps = d->w.kernel[1] * d->w.kernel[2];
    d->windows = d->out[0] * d->out[1];
    return offsets_fit(I, 2, x, d, 2) &&
           (!has_input(I, 4) || offsets_fit(I, 4, x, d, 1));
}

/* The coordinates along axis i of all taps of all windows, moved by their
   offsets: [images and groups, kh, kw, oh, ow]. */
static ValueId
moved(Import *I, ValueId offset, const Deform *d, int i)
{
    const Windows *w = &d->w;
    int64_t groups = type_of(I, offset).dim[0] * d->offset_groups;
    ValueId in[3];

    offset = build_view(&I->b, offset, 4,
                        (int64_t[]){groups, d->taps, 2, d->windows}, NULL);
    in[0] = build_view(&I->b, slice_axis(I, offset, 2, i, 1), 5,
                       (int64_t[]){groups, w->kernel[1], w->kernel[2],
                                   d->out[0], d->out[1]},
                       NULL);
    in[1] = counting(I, DT_I64, 5, 1 + i, w->kernel[1 + i]);
    in[2] = counting(I, DT_I64, 5, 3 + i, d->out[i]);
    return compose(I, type_of(I, offset).dtype, 3, in, "a+(b*%lld+c*%lld-%lld)",
                   (long long)w->dilations[1 + i],
                   (long long)w->strides[1 + i], (long long)w->before[1 + i]);
}

/* What every tap of every window reads: [n, c, taps, windows]. */
static ValueId
deformed_columns(Import *I, ValueId x, const Deform *d)
{
    const Type t = type_of(I, x);
    int64_t groups = t.dim[0] * d->offset_groups, pixels = span(&t, 2, 4);
    int64_t channels = t.dim[1] / d->offset_groups;
    ValueId base = counting(I, DT_I64, 5, 0, groups), offset = input(I, 2);
    Taps taps[2];

    for (int i = 0; i < 2; i++)
        taps[i] = taps_at(I, moved(I, offset, d, i), t.dim[2 + i],
                          BETWEEN_LINEAR, OUTSIDE_ZEROS, true);
    base = compose1(I, base, "a*%lld", (long long)pixels);
    x = build_view(&I->b, x, 3, (int64_t[]){groups, channels, pixels}, NULL);
    x = sampled(I, pixel_rows(I, x), base, 2, taps, false);
    if (x && has_input(I, 4))
        x = build_map2(&I->b, OP_mul, x,
                       build_view(&I->b, input(I, 4), 2,
                                  (int64_t[]){type_of(I, x).dim[0], 1}, NULL),
                       NULL);
    if (!x)
        return 0;
    x = build_view(&I->b, x, 3,
                   (int64_t[]){groups, d->taps * d->windows, channels}, NULL);
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 1}, NULL);
    return build_view(&I->b, x, 4,
                      (int64_t[]){t.dim[0], t.dim[1], d->taps, d->windows},
                      NULL);
}

void
lower_DeformConv(Import *I)
{
    ValueId x = input(I, 0), weight = input(I, 1), y;
    Type t, of;
    Deform d;

    if (!x || !weight)
        return;
    t = type_of(I, x);
    of = type_of(I, weight);
    if (!take_deform(I, &t, &of, &d))
        return;
    x = deformed_columns(I, x, &d);
    if (!x)
        return;
    x = build_view(&I->b, x, 4,
                   (int64_t[]){t.dim[0], d.groups, of.dim[1] * d.taps,
                               d.windows},
                   NULL);
    weight = build_view(&I->b, weight, 3,
                        (int64_t[]){d.groups, of.dim[0] / d.groups,
                                    of.dim[1] * d.taps},
                        NULL);
    y = build_contract(&I->b, "gmk,ngko->gmno", weight, x, NULL);
    y = build_transpose(&I->b, y, (int64_t[]){2, 0, 1, 3}, NULL);
    y = build_view(&I->b, y, 4,
                   (int64_t[]){t.dim[0], of.dim[0], d.out[0], d.out[1]}, NULL);
    bind_output(I, 0, plus_bias(I, y, 3));
}
