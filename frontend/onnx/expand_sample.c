/* expand_sample: images read at computed coordinates: GridSample, and the grids
   of AffineGrid. */
#include <string.h>

#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "frontend/onnx/places.h"
#include "frontend/onnx/sample.h"
#include "frontend/onnx/windows.h"

typedef struct Grid {
    Between between;
    Outside outside;
    bool aligned;
} Grid;

/* The index of attribute `name` in the list; -1 after a fault. */
static int
choice(Import *I, const char *name, const char *otherwise,
       const char *const *list)
{
    const char *given = attr_text(I, name, otherwise);

    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], given) == 0)
            return i;
    lower_fault(I, "its %s '%s' is not known", name, given);
    return -1;
}

static bool
take_grid(Import *I, Grid *g)
{
    static const char *const outside[] = {"zeros", "border", "reflection",
                                          NULL};
    static const char *const old[] = {"nearest", "bilinear", "bicubic", NULL};
    static const char *const new[] = {"nearest", "linear", "cubic", NULL};
    int between = choice(I, "mode", I->opset < 20 ? "bilinear" : "linear",
                         I->opset < 20 ? old : new);
    int edge = choice(I, "padding_mode", "zeros", outside);

    g->aligned = attr_int(I, "align_corners", 0) != 0;
    g->between = (Between)between;
    g->outside = (Outside)edge;
    return between >= 0 && edge >= 0;
}

/* Do x, [n, c, ...], and the grid, [n, ..., axes], go together? */
static bool
grid_fits(Import *I, const Type *x, const Type *grid)
{
    Windows w;

    if (!windows_begin(I, x, &w))
        return false;
    if (grid->rank == x->rank && grid->dim[0] == x->dim[0] &&
        grid->dim[grid->rank - 1] == x->rank - 2 && dtype_float(grid->dtype) &&
        span(x, 2, x->rank) > 0)
        return true;
    lower_fault(I, "reads %s by a grid of %s", type_text(I->a, x),
                type_text(I->a, grid));
    return false;
}

/* Column i of the grid, from -1 to 1, as a coordinate of pixels. */
static ValueId
coordinate(Import *I, ValueId grid, int i, int64_t size, DType d, bool aligned)
{
    ValueId c = slice_axis(I, grid, 1, i, 1);

    return compose(I, d, 1, &c,
                   aligned ? "(a+1)/2*%lld" : "((a+1)*%lld-1)/2",
                   (long long)(aligned ? size - 1 : size));
}

/* Of each of `points` points in all of `images` the first row. */
static ValueId
first_rows(Import *I, int64_t images, int64_t points, int64_t pixels)
{
    Type t = {DT_I64, 2, {images, points}};
    ValueId base = build_iota(&I->b, t, 0, NULL);

    base = compose1(I, base, "a*%lld", (long long)pixels);
    return build_view(&I->b, base, 2, (int64_t[]){images * points, 1}, NULL);
}

void
lower_GridSample(Import *I)
{
    ValueId x = input(I, 0), grid = input(I, 1), base;
    Taps taps[3];
    int64_t points;
    Type t, of;
    Grid g;
    int axes;

    if (!x || !grid || !take_grid(I, &g))
        return;
    t = type_of(I, x);
    of = type_of(I, grid);
    if (!grid_fits(I, &t, &of))
        return;
    axes = t.rank - 2;
    points = span(&of, 1, of.rank - 1);
    grid = as_rows(I, grid, of.rank - 1);
    for (int i = 0; i < axes; i++)
        taps[i] = taps_at(I,
                          coordinate(I, grid, axes - 1 - i, t.dim[2 + i],
                                     t.dtype, g.aligned),
                          t.dim[2 + i], g.between, g.outside, g.aligned);
    base = first_rows(I, t.dim[0], points, span(&t, 2, t.rank));
    x = sampled(I, pixel_rows(I, x), base, axes, taps, false);
    x = build_view(&I->b, x, 3, (int64_t[]){t.dim[0], points, t.dim[1]}, NULL);
    x = build_transpose(&I->b, x, (int64_t[]){0, 2, 1}, NULL);
    memcpy(t.dim + 2, of.dim + 1, (size_t)axes * sizeof *t.dim);
    bind_output(I, 0, build_view(&I->b, x, t.rank, t.dim, NULL));
}

/* ---- AffineGrid ------------------------------------------------------- */

static bool
take_theta(Import *I, const Type *t, int64_t size[5], int *axes)
{
    int n;

    if (!input_integers(I, 1, 5, size, &n))
        return false;
    *axes = n - 2;
    for (int i = 0; i < n; i++)
        if (size[i] < 1 || size[i] > INT32_MAX)
            *axes = 0;
    if (*axes >= 2 && t->rank == 3 && t->dim[0] == size[0] &&
        t->dim[1] == *axes && t->dim[2] == *axes + 1)
        return true;
    lower_fault(I, "makes no grid of %s and that size", type_text(I->a, t));
    return false;
}

/* The coordinates, from -1 to 1, of the middles of the pixels of an axis, or
   (aligned) with the outermost middles at -1 and 1. */
static ValueId
axis_middles(Import *I, DType d, int rank, int axis, int64_t size, bool aligned)
{
    ValueId i = counting(I, DT_I64, rank, axis, size);

    if (aligned && size == 1)
        return compose(I, d, 1, &i, "0*a");
    return compose(I, d, 1, &i,
                   d == DT_F64 ? "f64(2*a+%d)/%lld-1" : "f32(2*a+%d)/%lld-1",
                   !aligned, (long long)(aligned ? size - 1 : size));
}

void
lower_AffineGrid(Import *I)
{
    bool aligned = attr_int(I, "align_corners", 0) != 0;
    ValueId theta = input(I, 0), in[7], grid;
    int64_t size[5], dim[5];
    int axes;
    Type t;

    if (!theta)
        return;
    t = type_of(I, theta);
    if (!take_theta(I, &t, size, &axes))
        return;
    for (int i = 0; i < axes + 2; i++)
        dim[i] = i == 0 ? t.dim[0] : i == axes + 1 ? axes : 1;
    for (int i = 0; i <= axes; i++)
        in[i] = build_view(&I->b, slice_axis(I, theta, 2, i, 1), axes + 2, dim,
                           NULL);
    for (int i = 0; i < axes; i++)
        in[axes + 1 + i] = axis_middles(I, t.dtype, axes + 2, axes - i,
                                        size[1 + axes - i], aligned);
    grid = compose(I, t.dtype, 2 * axes + 1, in, "%s",
                   axes == 2 ? "a*d+b*e+c" : "a*e+b*f+c*g+d");
    bind_output(I, 0, grid);
}
