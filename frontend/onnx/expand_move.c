/* expand_move: operators that cut, repeat, rearrange or make tensors by a
   rule, composed of slices, views, transposes and counting. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

#include <math.h>
#include <string.h>

enum { SPLITS_MOST = 1024, CONSTANT_MOST = 4096 };

/* Sizes given: by attribute before opset 13, then by input. */
static bool
split_given(Import *I, int64_t *size, int *n)
{
    *n = 0;
    if (I->opset < 13)
        attr_ints(I, "split", SPLITS_MOST, size, n);
    else if (has_input(I, 1))
        return input_integers(I, 1, SPLITS_MOST, size, n);
    return true;
}

/* Sizes not given: equal parts, the last one smaller since opset 18. */
static bool
split_equally(Import *I, int64_t total, int64_t *size, int *n)
{
    int64_t parts = attr_int(I, "num_outputs", (int64_t)I->node->n_output);
    int64_t part;

    if (parts < 1 || parts > SPLITS_MOST || parts > total ||
        parts != (int64_t)I->node->n_output ||
        (I->opset < 18 && total % parts != 0)) {
        lower_fault(I, "cannot cut %lld into %lld parts for %zu outputs",
                    (long long)total, (long long)parts, I->node->n_output);
        return false;
    }
    part = (total + parts - 1) / parts;
    for (*n = 0; *n < parts; ++*n)
        size[*n] = *n == parts - 1 ? total - part * *n : part;
    return true;
}

static bool
split_fits(Import *I, int64_t total, const int64_t *size, int n)
{
    int64_t left = total;

    for (int i = 0; i < n; i++) {
        if (size[i] < 0 || size[i] > left) {
            lower_fault(I, "its parts do not fit into %lld", (long long)total);
            return false;
        }
        left -= size[i];
    }
    if (left != 0 || n != (int)I->node->n_output)
        lower_fault(I,
                    "has %d parts of together %lld for %zu outputs and "
                    "%lld elements",
                    n, (long long)(total - left), I->node->n_output,
                    (long long)total);
    return left == 0 && n == (int)I->node->n_output;
}

void
lower_Split(Import *I)
{
    const Type *t = input_type(I, 0);
    ValueId x = input(I, 0);
    int64_t size[SPLITS_MOST], axis, total, at = 0;
    int n;

    if (!t || !normal_axis(I, attr_int(I, "axis", 0), t->rank, &axis))
        return;
    total = t->dim[axis];
    if (!split_given(I, size, &n) ||
        (n == 0 && !split_equally(I, total, size, &n)) ||
        !split_fits(I, total, size, n))
        return;
    for (int i = 0; i < n; at += size[i++])
        bind_output(I, i, slice_axis(I, x, (int)axis, at, size[i]));
}

/* An axis of d repeated r times is a broadcast of (1, d) to (r, d). */
void
lower_Tile(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t times[MAXRANK], from[MAXRANK], to[MAXRANK], dim[MAXRANK];
    int n, rank = 0;
    ValueId x = input(I, 0);

    if (!t || !input_integers(I, 1, MAXRANK, times, &n))
        return;
    for (int i = 0; i < t->rank && n == t->rank; i++) {
        if (times[i] < 0 ||
            __builtin_mul_overflow(t->dim[i], times[i], &dim[i]))
            n = -1;
        if (times[i] != 1 && rank < MAXRANK) {
            from[rank] = 1;
            to[rank++] = times[i];
        }
        if (rank == MAXRANK)
            n = -1;
        else
            from[rank] = to[rank] = t->dim[i], rank++;
    }
    if (n != t->rank) {
        lower_fault(I, "cannot repeat %s so many times or along so many axes",
                    type_text(I->a, t));
        return;
    }
    n = t->rank;
    x = build_broadcast(&I->b, build_view(&I->b, x, rank, from, NULL), rank, to,
                        NULL);
    bind_output(I, 0, build_view(&I->b, x, n, dim, NULL));
}

/* Views x as `dim`, permutes, and views the result as `last`. */
static ValueId
shuffled(Import *I, const int64_t dim[6], const int64_t perm[6],
         const int64_t last[4])
{
    ValueId x = build_view(&I->b, input(I, 0), 6, dim, NULL);

    x = build_transpose(&I->b, x, perm, NULL);
    return build_view(&I->b, x, 4, last, NULL);
}

static bool
block_mode(Import *I, bool *columns)
{
    const char *mode = attr_text(I, "mode", "DCR");

    *columns = strcmp(mode, "CRD") == 0;
    if (!*columns && strcmp(mode, "DCR") != 0)
        lower_fault(I, "its mode is DCR or CRD, not '%s'", mode);
    return *columns || strcmp(mode, "DCR") == 0;
}

/* A block size between 1 and 2^20 that divides what it cuts. */
static bool
block_size(Import *I, const Type *t, int64_t *b)
{
    *b = attr_int(I, "blocksize", 0);
    if (!t)
        return false;
    if (t->rank == 4 && type_elements(t) > 0 && *b >= 1 && *b <= 1 << 20)
        return true;
    lower_fault(I,
                "blocks of %lld in %s: four axes, elements and a positive "
                "size are needed",
                (long long)*b, type_text(I->a, t));
    return false;
}

void
lower_DepthToSpace(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t b, c;
    bool columns;

    if (!block_mode(I, &columns) || !block_size(I, t, &b))
        return;
    c = t->dim[1] / (b * b);
    if (c * b * b != t->dim[1]) {
        lower_fault(I, "%lld channels are not a multiple of %lld",
                    (long long)t->dim[1], (long long)(b * b));
        return;
    }
    const int64_t n = t->dim[0], h = t->dim[2], w = t->dim[3];
    const int64_t last[4] = {n, c, h * b, w * b};

    bind_output(I, 0,
                columns ? shuffled(I, (int64_t[]){n, c, b, b, h, w},
                                   (int64_t[]){0, 1, 4, 2, 5, 3}, last)
                        : shuffled(I, (int64_t[]){n, b, b, c, h, w},
                                   (int64_t[]){0, 3, 4, 1, 5, 2}, last));
}

void
lower_SpaceToDepth(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t b;
    bool columns;

    if (!block_mode(I, &columns) || !block_size(I, t, &b))
        return;
    const int64_t n = t->dim[0], c = t->dim[1], h = t->dim[2] / b;
    const int64_t w = t->dim[3] / b, last[4] = {n, c * b * b, h, w};

    if (h * b != t->dim[2] || w * b != t->dim[3]) {
        lower_fault(I, "%s is not made of blocks of %lld", type_text(I->a, t),
                    (long long)b);
        return;
    }
    bind_output(I, 0,
                shuffled(I, (int64_t[]){n, c, h, b, w, b},
                         columns ? (int64_t[]){0, 1, 3, 5, 2, 4}
                                 : (int64_t[]){0, 3, 5, 1, 2, 4},
                         last));
}

/* Diagonals further away hold nothing in any tensor that there can be. */
static int64_t
near_diagonal(int64_t k)
{
    const int64_t far = INT64_C(1) << 61;

    return k < -far ? -far : k > far ? far : k;
}

/* Elements above (upper) or below diagonal k stay. */
void
lower_Trilu(Import *I)
{
    const Type *t = input_type(I, 0);
    bool upper = attr_int(I, "upper", 1) != 0;
    int64_t k = 0;
    Type whole;
    int n;

    if (!t || (has_input(I, 1) && !input_integers(I, 1, 1, &k, &n)))
        return;
    k = near_diagonal(k);
    if (t->rank < 2) {
        lower_fault(I, "takes a matrix, %s is none", type_text(I->a, t));
        return;
    }
    whole = *t;
    bind_output(
        I, 0,
        compose(
            I, whole.dtype, 3,
            (ValueId[]){input(I, 0),
                        counting(I, DT_I64, 2, 0, whole.dim[whole.rank - 2]),
                        counting(I, DT_I64, 2, 1, whole.dim[whole.rank - 1])},
            "where(c-b%s(%lld),a,0)", upper ? ">=" : "<=", (long long)k));
}

/* One number in every element: a constant while it is small. */
static void
bind_filled(Import *I, Type t, double x)
{
    if (type_elements(&t) <= CONSTANT_MOST) {
        Tensor made = tensor_new(I->a, t);

        for (int64_t i = 0; i < type_elements(&t); i++)
            tensor_set(&made, i, x);
        bind_constant(I, 0, made);
        return;
    }
    bind_output(I, 0,
                build_broadcast(&I->b, build_number(&I->b, x, t.dtype, NULL),
                                t.rank, t.dim, NULL));
}

void
lower_ConstantOfShape(Import *I)
{
    const Onnx__TensorProto *p = attr_tensor(I, "value");
    int64_t dim[MAXRANK];
    DType d = DT_F32;
    double x = 0;
    Type t;
    int n;

    if (p) {
        const Tensor *value = tensor_content(I->a, p, lower_loc(I));

        if (!value)
            return;
        if (type_elements(&value->type) != 1) {
            lower_fault(I, "its value must be one number");
            return;
        }
        d = value->type.dtype;
        x = tensor_get(value, 0);
    }
    if (!input_integers(I, 0, MAXRANK, dim, &n))
        return;
    if (type_make(d, n, dim, &t))
        bind_filled(I, t, x);
    else
        lower_fault(I, "asks for an impossible shape");
}

void
lower_Range(Import *I)
{
    const Tensor *first = input_constant(I, 0);
    double start, limit, step, count;
    Tensor made;
    int64_t n;

    attr_int(I, "stash_type", 1);
    if (!input_number(I, 0, "start", &start) ||
        !input_number(I, 1, "limit", &limit) ||
        !input_number(I, 2, "delta", &step))
        return;
    count = ceil((limit - start) / step);
    if (step == 0 || !(count <= CONSTANT_MOST * 16)) {
        lower_fault(I, "has too many elements, or a step of 0");
        return;
    }
    n = count > 0 ? (int64_t)count : 0;
    if (!type_make(first->type.dtype, 1, &n, &made.type))
        return;
    made = tensor_new(I->a, made.type);
    for (int64_t i = 0; i < n; i++)
        tensor_set(&made, i, start + (double)i * step);
    bind_constant(I, 0, made);
}

void
lower_EyeLike(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t k = near_diagonal(attr_int(I, "k", 0));
    int32_t number = (int32_t)attr_int(I, "dtype", 0);
    DType d;

    if (!t)
        return;
    d = attr_given(I, "dtype") ? onnx_dtype(number) : t->dtype;
    if (d == DT_NONE || t->rank != 2) {
        lower_fault(I, "of %s in %s is not supported", type_text(I->a, t),
                    onnx_type_name(number));
        return;
    }
    const int64_t rows = t->dim[0], columns = t->dim[1];

    bind_output(I, 0,
                compose(I, d, 2,
                        (ValueId[]){counting(I, DT_I64, 2, 0, rows),
                                    counting(I, DT_I64, 2, 1, columns)},
                        "b-a==(%lld)", (long long)k));
}

/* The two values of OneHot as scalars: off first. */
static bool
one_hot_values(Import *I, ValueId out[2])
{
    const Tensor *known = input_literal(I, 2);
    const Type *t = known ? &known->type : input_type(I, 2);

    if (!t)
        return false;
    if (t->rank != 1 || t->dim[0] != 2) {
        lower_fault(I, "its values must be two numbers, off and on");
        return false;
    }
    for (int i = 0; i < 2; i++)
        out[i] = known
                     ? build_number(&I->b, tensor_get(known, i), t->dtype, NULL)
                     : build_view(&I->b, slice_axis(I, input(I, 2), 0, i, 1), 0,
                                  NULL, NULL);
    return true;
}

/* A new axis whose element i is `on` where the index is i or i - depth. */
void
lower_OneHot(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t axis, dim[MAXRANK];
    ValueId value[2], index, count;
    double depth;
    Type whole;

    if (!t || !input_number(I, 1, "depth", &depth) ||
        !normal_axis(I, attr_int(I, "axis", -1), t->rank + 1, &axis) ||
        !one_hot_values(I, value))
        return;
    whole = type_of(I, input(I, 0));
    if (depth < 1 || depth > 1e9 || whole.rank == MAXRANK) {
        lower_fault(I, "cannot make %g classes of %s", depth,
                    type_text(I->a, &whole));
        return;
    }
    for (int i = 0; i <= whole.rank; i++)
        dim[i] = i < axis ? whole.dim[i] : i == axis ? 1 : whole.dim[i - 1];
    index = compose(I, DT_I64, 1, (ValueId[]){input(I, 0)}, "a");
    index = build_view(&I->b, index, whole.rank + 1, dim, NULL);
    count = counting(I, DT_I64, whole.rank + 1, (int)axis, (int64_t)depth);
    bind_output(I, 0,
                compose(I, type_of(I, value[0]).dtype, 4,
                        (ValueId[]){index, count, value[1], value[0]},
                        "where(a==b or a+%lld==b,c,d)", (long long)depth));
}

void
lower_Size(Import *I)
{
    const Tensor *c = input_constant(I, 0);
    const Type *t = c ? &c->type : input_type(I, 0);
    Tensor made;

    if (!t)
        return;
    made = tensor_new(I->a, type_scalar(DT_I64));
    tensor_set_integer(&made, 0, type_elements(t));
    bind_constant(I, 0, made);
}

/* One axis cut or padded around its middle. */
static ValueId
centered(Import *I, ValueId x, int axis, int64_t size)
{
    int64_t now = type_of(I, x).dim[axis];

    if (size < now)
        return slice_axis(I, x, axis, (now - size) / 2, size);
    return size > now ? pad_axis(I, x, axis, (size - now) / 2, size, 0) : x;
}

void
lower_CenterCropPad(Import *I)
{
    const Type *t = input_type(I, 0);
    int64_t size[MAXRANK], axes[MAXRANK], axis;
    ValueId x = input(I, 0);
    int n, count;

    if (!t || !input_integers(I, 1, MAXRANK, size, &n))
        return;
    attr_ints(I, "axes", MAXRANK, axes, &count);
    if (n != (attr_given(I, "axes") ? count : t->rank)) {
        lower_fault(I, "has %d sizes for %d axes", n, count ? count : t->rank);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (!normal_axis(I, count ? axes[i] : i, t->rank, &axis))
            return;
        if (size[i] < 0) {
            lower_fault(I, "asks for a size of %lld", (long long)size[i]);
            return;
        }
        x = centered(I, x, (int)axis, size[i]);
    }
    bind_output(I, 0, build_map1(&I->b, OP_copy, x, NULL));
}
