/* expand_resize: Resize and Upsample to sizes known at import. Along each axis
   the result is a product with a constant matrix; where it only repeats or
   leaves out elements, these are moves. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

enum { MATRIX_MOST = 1 << 20 }; /* elements of one axis' matrix */

/* How all axes are resized. */
typedef struct Resize {
    const char *mode, *coordinates, *nearest;
    double cubic, outside;
    bool antialias, exclude;
    double scale[MAXRANK], begin[MAXRANK], end[MAXRANK]; /* roi */
    int64_t size[MAXRANK];
} Resize;

/* One axis: its sizes, and the size that the scale alone would give. */
typedef struct Line {
    int64_t in, out;
    double scale, wide, begin, end;
} Line;

static bool
is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

/* Where output element i lies in the input. */
static double
coordinate(const char *mode, const Line *l, int64_t i)
{
    double x = (double)i, in = (double)l->in;

    if (is(mode, "asymmetric"))
        return x / l->scale;
    if (is(mode, "align_corners"))
        return l->wide == 1 ? 0 : x * (in - 1) / (l->wide - 1);
    if (is(mode, "tf_half_pixel_for_nn"))
        return (x + 0.5) / l->scale;
    if (is(mode, "pytorch_half_pixel") && l->out == 1)
        return 0;
    if (is(mode, "half_pixel_symmetric"))
        return in / 2 * (1 - (double)l->out / l->wide) + (x + 0.5) / l->scale -
               0.5;
    if (is(mode, "tf_crop_and_resize"))
        return l->out == 1
                   ? 0.5 * (l->begin + l->end) * (in - 1)
                   : l->begin * (in - 1) + x * (l->end - l->begin) * (in - 1) /
                                               (double)(l->out - 1);
    return (x + 0.5) / l->scale - 0.5;
}

static int64_t
within(double x, int64_t size)
{
    return !(x > 0) ? 0 : x < (double)size - 1 ? (int64_t)x : size - 1;
}

static int64_t
nearest_element(const Resize *r, const Line *l, double x)
{
    if (is(r->nearest, "floor") || (is(r->nearest, "simple") && l->scale >= 1))
        return within(floor(x), l->in);
    if (is(r->nearest, "ceil") || is(r->nearest, "simple"))
        return within(ceil(x), l->in);
    if (is(r->nearest, "round_prefer_ceil"))
        return within(floor(x + 0.5), l->in);
    return within(ceil(x - 0.5), l->in);
}

/* The weight of an element at distance x, of linear or cubic interpolation. */
static double
weight_at(const Resize *r, double x)
{
    double a = r->cubic;

    x = fabs(x);
    if (is(r->mode, "linear"))
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Row of the matrix for a point at x; what lies outside is the edge. */
static void
interpolate(const Resize *r, const Line *l, double x, double *row)
{
    double shrink = r->antialias && l->scale < 1 ? l->scale : 1, sum = 0;
    double radius = is(r->mode, "linear") ? 1 : 2;
    int64_t first = (int64_t)floor(-radius / shrink) + 1;
    double base = ceil(x) - 1;

    for (int64_t k = first; k <= 1 - first; k++) {
        double at = base + (double)k, w = weight_at(r, (at - x) * shrink);

        if (r->exclude && (at < 0 || at > (double)(l->in - 1)))
            continue;
        row[within(at, l->in)] += w;
        sum += w;
    }
    for (int64_t k = 0; k < l->in && (r->exclude || r->antialias); k++)
        row[k] /= sum;
}

static bool
beyond(const Resize *r, const Line *l, double x)
{
    return is(r->coordinates, "tf_crop_and_resize") &&
           (x < 0 || x > (double)(l->in - 1));
}

/* A constant of the importer's own, f64 for values that are. */
static ValueId
constant(Import *I, DType of, int rank, const int64_t *dim,
         const double *content)
{
    DType dtype = of == DT_F64 ? DT_F64 : DT_F32;
    Init init = {.kind = INIT_LIST};
    Store s = {.name = sym_format(I->m->syms, "resize.%zu",
                                  vec_len(I->m->store)),
               .kind = SK_CONST};

    ASSERT(type_make(dtype, rank, dim, &s.type));
    for (int64_t i = 0; i < type_elements(&s.type); i++)
        vec_push(I->m->arena, init.list,
                 dtype == DT_F64 ? content[i] : (double)(float)content[i]);
    s.init = init;
    while (module_store(I->m, s.name))
        s.name = sym_format(I->m->syms, "%s_", s.name);
    return graph_store(I->g, module_add_store(I->m, s));
}

/* x seen as three axes, the middle one of which is `axis`. */
static ValueId
in_the_middle(Import *I, ValueId x, int axis)
{
    const Type t = type_of(I, x);
    int64_t dim[3] = {1, t.dim[axis], 1};

    for (int i = 0; i < t.rank; i++)
        if (i != axis)
            dim[i < axis ? 0 : 2] *= t.dim[i];
    return build_view(&I->b, x, 3, dim, NULL);
}

/* y[o] = sum over s of matrix[o,s] * x[s], and what is outside is filled. */
static ValueId
multiply(Import *I, const Resize *r, const Line *l, ValueId x)
{
    double *matrix = NEWN(I->a, double, l->out * l->in);
    double *fill = NEWN(I->a, double, l->out);
    bool filled = false;
    DType dtype = type_of(I, x).dtype;
    ValueId m, y;

    for (int64_t o = 0; o < l->out; o++) {
        double at = coordinate(r->coordinates, l, o);

        if (beyond(r, l, at)) {
            fill[o] = r->outside;
            filled |= r->outside != 0;
        } else if (is(r->mode, "nearest")) {
            matrix[o * l->in + nearest_element(r, l, at)] = 1;
        } else {
            interpolate(r, l, at, matrix + o * l->in);
        }
    }
    m = constant(I, dtype, 2, (int64_t[]){l->out, l->in}, matrix);
    if (type_of(I, m).dtype != dtype)
        m = compose(I, dtype, 1, &m, "a");
    y = build_contract(&I->b, "asb,os->aob", x, m, NULL);
    if (!filled)
        return y;
    return compose(I, dtype, 2,
                   (ValueId[]){y, constant(I, dtype, 3,
                                           (int64_t[]){1, l->out, 1}, fill)},
                   "a+b");
}

/* Nearest elements that are all of them, each `times` times, or every
   times-th one from `first` on; 0 if they are neither. */
static ValueId
moved(Import *I, const Resize *r, const Line *l, ValueId x)
{
    const Type t = type_of(I, x); /* three axes */
    int64_t *from = NEWN(I->a, int64_t, l->out);
    int64_t times = l->out / l->in, step;
    bool repeats = l->out % l->in == 0, skips = true;

    for (int64_t o = 0; o < l->out; o++) {
        double at = coordinate(r->coordinates, l, o);

        if (beyond(r, l, at))
            return 0;
        from[o] = nearest_element(r, l, at);
        repeats &= from[o] == o / (times ? times : 1);
        skips &= o < 2 || from[o] - from[o - 1] == from[1] - from[0];
    }
    step = l->out > 1 ? from[1] - from[0] : 1;
    if (repeats) {
        x = build_view(&I->b, x, 4,
                       (int64_t[]){t.dim[0], l->in, 1, t.dim[2]}, NULL);
        x = build_broadcast(&I->b, x, 4,
                            (int64_t[]){t.dim[0], l->in, times, t.dim[2]},
                            NULL);
        return build_view(&I->b, x, 3,
                          (int64_t[]){t.dim[0], l->out, t.dim[2]}, NULL);
    }
    return skips && step > 0 ? slice_steps(I, x, 1, from[0], step, l->out) : 0;
}

static ValueId
resize_axis(Import *I, const Resize *r, const Line *l, ValueId x, int axis)
{
    Type to = type_of(I, x);
    ValueId y;

    to.dim[axis] = l->out;
    if (l->in == l->out && l->scale == 1 &&
        !is(r->coordinates, "tf_crop_and_resize"))
        return x;
    x = in_the_middle(I, x, axis);
    y = is(r->mode, "nearest") ? moved(I, r, l, x) : 0;
    if (!y && (!dtype_float(to.dtype) || l->in > MATRIX_MOST / l->out)) {
        lower_fault(I, "resizes axis %d of %s to %lld: only floats, and at "
                       "most %d elements of an axis' matrix, are supported",
                    axis, type_text(I->a, &to), (long long)l->out,
                    MATRIX_MOST);
        return 0;
    }
    if (!y)
        y = multiply(I, r, l, x);
    return build_view(&I->b, y, to.rank, to.dim, NULL);
}

static ValueId
resize(Import *I, const Resize *r, ValueId x)
{
    const Type t = type_of(I, x);
    int64_t whole = (int64_t)1 << 40;

    for (int i = 0; i < t.rank; i++) {
        if (t.dim[i] < 1 || r->size[i] < 1 || r->size[i] > whole) {
            lower_fault(I, "resizes axis %d of %s to %lld", i,
                        type_text(I->a, &t), (long long)r->size[i]);
            return 0;
        }
        whole /= r->size[i];
    }
    for (int i = 0; x && i < t.rank; i++)
        x = resize_axis(I, r,
                        &(Line){t.dim[i], r->size[i], r->scale[i],
                                r->scale[i] * (double)t.dim[i], r->begin[i],
                                r->end[i]},
                        x, i);
    return x;
}

/* ---- what the node says ----------------------------------------------- */

/* The numbers of input i, one for each of n axes; false after a fault. */
static bool
take_numbers(Import *I, int i, int n, double *x)
{
    const Tensor *t = input_literal(I, i);

    if (!t || type_elements(&t->type) != n) {
        lower_fault(I, "input %d must be %d numbers known at compile time", i,
                    n);
        return false;
    }
    for (int k = 0; k < n; k++)
        x[k] = tensor_get(t, k);
    return true;
}

static bool
is_empty(Import *I, int i)
{
    const Tensor *t = input_literal(I, i);

    return !has_input(I, i) || (t && type_elements(&t->type) == 0);
}

/* Scales: sizes are what the input's give, rounded down in f32 as exporters'
   own sizes are. */
static bool
take_scales(Import *I, Resize *r, const Type *t, const double *scale, int n,
            const int64_t *axes)
{
    for (int i = 0; i < n; i++) {
        double wide = (double)((float)scale[i] * (float)t->dim[axes[i]]);

        if (!(scale[i] > 0) || !(wide < 0x1p40)) {
            lower_fault(I, "its scale %g along axis %lld is impossible",
                        scale[i], (long long)axes[i]);
            return false;
        }
        r->scale[axes[i]] = scale[i];
        r->size[axes[i]] = (int64_t)wide;
    }
    return true;
}

/* Sizes, which keep_aspect_ratio_policy takes as bounds. */
static bool
take_sizes(Import *I, Resize *r, const Type *t, const double *size, int n,
           const int64_t *axes, const char *policy)
{
    bool smaller = is(policy, "not_smaller");
    double one = 0;

    for (int i = 0; i < n; i++) {
        double scale = size[i] / (double)t->dim[axes[i]];

        r->size[axes[i]] = (int64_t)size[i];
        r->scale[axes[i]] = scale;
        one = i == 0 || (smaller ? scale > one : scale < one) ? scale : one;
    }
    if (is(policy, "stretch"))
        return true;
    if (!smaller && !is(policy, "not_larger")) {
        lower_fault(I, "keep_aspect_ratio_policy '%s' is not known", policy);
        return false;
    }
    for (int i = 0; i < n; i++) {
        r->scale[axes[i]] = one;
        r->size[axes[i]] =
            (int64_t)floor(one * (double)t->dim[axes[i]] + 0.5);
    }
    return true;
}

static int
take_axes(Import *I, const Type *t, int64_t axes[MAXRANK])
{
    int n;

    attr_ints(I, "axes", MAXRANK, axes, &n);
    for (int i = 0; i < n; i++)
        if (!normal_axis(I, axes[i], t->rank, &axes[i]))
            return 0;
    for (int i = 0; n == 0 && i < t->rank; i++)
        axes[i] = i;
    return n ? n : t->rank;
}

static bool
take_region(Import *I, Resize *r, int n, const int64_t *axes)
{
    double roi[2 * MAXRANK];

    if (!is(r->coordinates, "tf_crop_and_resize"))
        return true;
    if (!take_numbers(I, 1, 2 * n, roi))
        return false;
    for (int i = 0; i < n; i++) {
        r->begin[axes[i]] = roi[i];
        r->end[axes[i]] = roi[n + i];
    }
    return true;
}

static bool
take_word(Import *I, const char *name, const char **word,
          const char *const *words)
{
    *word = attr_text(I, name, *word);
    for (int i = 0; words[i]; i++)
        if (is(*word, words[i]))
            return true;
    lower_fault(I, "its %s '%s' is not supported", name, *word);
    return false;
}

static bool
take_modes(Import *I, Resize *r)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const nearest[] = {"round_prefer_floor", "floor",
                                          "ceil", "round_prefer_ceil",
                                          "simple", NULL};
    static const char *const coordinates[] = {
        "half_pixel",         "asymmetric",         "align_corners",
        "pytorch_half_pixel", "tf_crop_and_resize", "half_pixel_symmetric",
        "tf_half_pixel_for_nn", NULL};

    r->cubic = attr_float(I, "cubic_coeff_a", -0.75);
    r->outside = attr_float(I, "extrapolation_value", 0);
    r->antialias = attr_int(I, "antialias", 0) != 0;
    r->exclude = attr_int(I, "exclude_outside", 0) != 0;
    return take_word(I, "mode", &r->mode, modes) &&
           take_word(I, "coordinate_transformation_mode", &r->coordinates,
                     coordinates) &&
           take_word(I, "nearest_mode", &r->nearest, nearest);
}

static void
begin_resize(Resize *r, const Type *t)
{
    for (int i = 0; i < t->rank; i++) {
        r->scale[i] = r->end[i] = 1;
        r->size[i] = t->dim[i];
    }
}

void
lower_Resize(Import *I)
{
    ValueId x = input(I, 0);
    const char *policy =
        attr_text(I, "keep_aspect_ratio_policy", "stretch");
    bool old = I->opset < 11;
    Resize r = {.mode = "nearest",
                .coordinates = old ? "asymmetric" : "half_pixel",
                .nearest = old ? "simple" : "round_prefer_floor"};
    int64_t axes[MAXRANK];
    double given[MAXRANK];
    int n, scales = old ? 1 : 2;
    Type t;

    if (!x)
        return;
    t = type_of(I, x);
    begin_resize(&r, &t);
    n = take_axes(I, &t, axes);
    if (!n || !take_modes(I, &r) || !take_region(I, &r, n, axes))
        return;
    if (!is_empty(I, scales)) {
        if (!take_numbers(I, scales, n, given) ||
            !take_scales(I, &r, &t, given, n, axes))
            return;
    } else if (!take_numbers(I, 3, n, given) ||
               !take_sizes(I, &r, &t, given, n, axes, policy)) {
        return;
    }
    bind_output(I, 0, resize(I, &r, x));
}

/* Upsample: scales are an attribute before opset 9. */
void
lower_Upsample(Import *I)
{
    ValueId x = input(I, 0);
    Resize r = {.coordinates = "asymmetric", .nearest = "simple"};
    int64_t axes[MAXRANK], count = 0;
    double given[MAXRANK];
    const float *list = NULL;
    Type t;

    if (I->opset >= 10) {
        lower_fault(I, "is not supported from opset 10 on, which has Resize");
        return;
    }
    if (!x)
        return;
    t = type_of(I, x);
    begin_resize(&r, &t);
    take_axes(I, &t, axes);
    r.mode = attr_text(I, "mode", "nearest");
    if (!is(r.mode, "nearest") && !is(r.mode, "linear")) {
        lower_fault(I, "its mode '%s' is not known", r.mode);
        return;
    }
    if (I->opset < 9) {
        list = attr_list(I, "scales", &count);
        if (!list || count != t.rank) {
            lower_fault(I, "needs %d scales", t.rank);
            return;
        }
        for (int i = 0; i < t.rank; i++)
            given[i] = (double)list[i];
    } else if (!take_numbers(I, 1, t.rank, given)) {
        return;
    }
    if (take_scales(I, &r, &t, given, t.rank, axes))
        bind_output(I, 0, resize(I, &r, x));
}
