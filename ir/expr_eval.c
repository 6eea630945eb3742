/* expr_eval: typed formulas computed, one node after the other over a block of
   points. One point and many points run the same loops, so they agree. */
#include "ir/expr_eval.h"

#include <math.h>
#include <string.h>

#include "ir/base/vec.h"
#include "ir/expr_rows.h"
#include "ir/narrow.h"

/* What a node's loop reads: the arguments' lanes. */
typedef struct Args {
    const void *lane[3];
    DType type[3];
} Args;

/* Lanes that a float leaves on its way to an integer. */
typedef union Wide {
    double f[EXPR_BLOCK];
    int64_t i[EXPR_BLOCK];
} Wide;

#define EACH(expression)                                                       \
    for (int i = 0; i < n; i++)                                                \
        r[i] = (expression);                                                   \
    break

#define COMPARISONS(T)                                                         \
    case EX_MAX:                                                               \
        EACH(y[i] > x[i] ? y[i] : x[i]);                                       \
    case EX_MIN:                                                               \
        EACH(y[i] < x[i] ? y[i] : x[i]);                                       \
    case EX_LT:                                                                \
        EACH((T)(x[i] < y[i]));                                                \
    case EX_LE:                                                                \
        EACH((T)(x[i] <= y[i]));                                               \
    case EX_EQ:                                                                \
        EACH((T)(x[i] == y[i]));                                               \
    case EX_NE:                                                                \
        EACH((T)(x[i] != y[i]));                                               \
    case EX_AND:                                                               \
        EACH((T)(x[i] != 0 && y[i] != 0));                                     \
    case EX_OR:                                                                \
        EACH((T)(x[i] != 0 || y[i] != 0));

#define FLOATS(T, suffix)                                                      \
    static void floats_##T(ExprOp op, int n, void *to, const Args *a)          \
    {                                                                          \
        const T *x = a->lane[0], *y = a->lane[1], *z = a->lane[2];             \
        T *r = to;                                                             \
                                                                               \
        switch (op) {                                                          \
            COMPARISONS(T)                                                     \
        case EX_ADD:                                                           \
            EACH(x[i] + y[i]);                                                 \
        case EX_SUB:                                                           \
            EACH(x[i] - y[i]);                                                 \
        case EX_MUL:                                                           \
            EACH(x[i] * y[i]);                                                 \
        case EX_DIV:                                                           \
            EACH(x[i] / y[i]);                                                 \
        case EX_NEG:                                                           \
            EACH(-x[i]);                                                       \
        case EX_FMA:                                                           \
            EACH(fma##suffix(x[i], y[i], z[i]));                               \
        case EX_SQRT:                                                          \
            EACH(sqrt##suffix(x[i]));                                          \
        case EX_RINT:                                                          \
            EACH(rint##suffix(x[i]));                                          \
        case EX_FLOOR:                                                         \
            EACH(floor##suffix(x[i]));                                         \
        default:                                                               \
            UNREACHABLE();                                                     \
        }                                                                      \
    }

FLOATS(float, f)
FLOATS(double, )

/* Arithmetic is done in 64 bits without sign and cut, so it wraps. */
#define U(v) ((uint64_t)(v))
#define COUNT(v) ((unsigned)(v) & (8 * sizeof *r - 1))

#define INTEGERS(T, Unsigned)                                                  \
    static T divide_##T(T x, T y)                                              \
    {                                                                          \
        if (y == 0)                                                            \
            return 0;                                                          \
        if (y == (T)-1 && (T)-1 < 1)                                           \
            return (T)(0 - U(x));                                              \
        return (T)(x / y);                                                     \
    }                                                                          \
                                                                               \
    static void integers_##T(ExprOp op, int n, void *to, const Args *a)        \
    {                                                                          \
        const T *x = a->lane[0], *y = a->lane[1], *z = a->lane[2];             \
        T *r = to;                                                             \
                                                                               \
        switch (op) {                                                          \
            COMPARISONS(T)                                                     \
        case EX_ADD:                                                           \
            EACH((T)(U(x[i]) + U(y[i])));                                      \
        case EX_SUB:                                                           \
            EACH((T)(U(x[i]) - U(y[i])));                                      \
        case EX_MUL:                                                           \
            EACH((T)(U(x[i]) * U(y[i])));                                      \
        case EX_DIV:                                                           \
            EACH(divide_##T(x[i], y[i]));                                      \
        case EX_NEG:                                                           \
            EACH((T)(0 - U(x[i])));                                            \
        case EX_FMA:                                                           \
            EACH((T)(U(x[i]) * U(y[i]) + U(z[i])));                            \
        case EX_SHL:                                                           \
            EACH((T)(U(x[i]) << COUNT(y[i])));                                 \
        case EX_SHR:                                                           \
            EACH((T)((Unsigned)x[i] >> COUNT(y[i])));                          \
        case EX_SAR:                                                           \
            EACH((T)(x[i] >> COUNT(y[i])));                                    \
        case EX_BAND:                                                          \
            EACH((T)(x[i] & y[i]));                                            \
        case EX_BOR:                                                           \
            EACH((T)(x[i] | y[i]));                                            \
        case EX_BXOR:                                                          \
            EACH((T)(x[i] ^ y[i]));                                            \
        default:                                                               \
            UNREACHABLE();                                                     \
        }                                                                      \
    }

INTEGERS(int64_t, uint64_t)
INTEGERS(int32_t, uint32_t)
INTEGERS(int16_t, uint16_t)
INTEGERS(int8_t, uint8_t)
INTEGERS(uint64_t, uint64_t)
INTEGERS(uint32_t, uint32_t)
INTEGERS(uint16_t, uint16_t)
INTEGERS(uint8_t, uint8_t)

/* -- choice --------------------------------------------------------------- */

#define TRUTHS(T)                                                              \
    for (int i = 0; i < n; i++)                                                \
        truth[i] = ((const T *)lane)[i] != 0;                                  \
    break

static void
truths(DType t, int n, const void *lane, uint8_t *truth)
{
    switch (t) {
    case DT_F64:
        for (int i = 0; i < n; i++)
            truth[i] = ((const double *)lane)[i] != 0;
        return;
    case DT_F32:
        for (int i = 0; i < n; i++)
            truth[i] = ((const float *)lane)[i] != 0;
        return;
    default:
        break;
    }
    switch (dtype_bytes(t)) {
    case 8:
        TRUTHS(uint64_t);
    case 4:
        TRUTHS(uint32_t);
    case 2:
        TRUTHS(uint16_t);
    default:
        TRUTHS(uint8_t);
    }
}

#define CHOOSE(T)                                                              \
    for (int i = 0; i < n; i++)                                                \
        ((T *)to)[i] = truth[i] ? ((const T *)a->lane[1])[i]                   \
                                : ((const T *)a->lane[2])[i];                  \
    break

/* Bits move, whatever they mean. */
static void
choose(DType t, int n, void *to, const Args *a)
{
    uint8_t truth[EXPR_BLOCK];

    truths(a->type[0], n, a->lane[0], truth);
    switch (dtype_bytes(t)) {
    case 8:
        CHOOSE(uint64_t);
    case 4:
        CHOOSE(uint32_t);
    case 2:
        CHOOSE(uint16_t);
    default:
        CHOOSE(uint8_t);
    }
}

/* -- conversion ----------------------------------------------------------- */

#define WIDEN(T, field)                                                        \
    for (int i = 0; i < n; i++)                                                \
        w->field[i] = ((const T *)from)[i];                                    \
    break

static void
widen(DType t, int n, const void *from, Wide *w)
{
    switch (t) {
    case DT_F64:
        memcpy(w->f, from, (size_t)n * sizeof(double));
        break;
    case DT_F32:
        for (int i = 0; i < n; i++)
            w->f[i] = (double)((const float *)from)[i];
        break;
    case DT_I64:
    case DT_U64:
        memcpy(w->i, from, (size_t)n * sizeof(int64_t));
        break;
    case DT_I32:
        WIDEN(int32_t, i);
    case DT_U32:
        WIDEN(uint32_t, i);
    case DT_I16:
        WIDEN(int16_t, i);
    case DT_U16:
        WIDEN(uint16_t, i);
    case DT_I8:
    case DT_I4:
    case DT_I2:
        WIDEN(int8_t, i);
    default:
        WIDEN(uint8_t, i);
    }
}

/* Towards zero; beyond the range the nearest of it, nan is 0. */
static int64_t
saturate(double x, double low, double high, int64_t least, int64_t most)
{
    if (!(x > low))
        return isnan(x) ? 0 : least;
    return x >= high ? most : (int64_t)x;
}

static void
float_to_integer(DType t, int n, Wide *w)
{
    int bits = dtype_bits(t);
    bool plain = dtype_unsigned(t);
    double high = ldexp(1, plain ? bits : bits - 1), low = plain ? 0 : -high;
    int64_t most = (int64_t)(UINT64_MAX >> (plain ? 64 - bits : 65 - bits));

    for (int i = 0; i < n; i++) {
        double x = w->f[i];

        if (t == DT_I1)
            w->i[i] = x != 0;
        else if (x >= 0x1p63 && x < high) /* of a u64 */
            w->i[i] = (int64_t)(uint64_t)x;
        else
            w->i[i] = saturate(x, low, high, (int64_t)low, most);
    }
}

#define NARROW(T, field)                                                       \
    for (int i = 0; i < n; i++)                                                \
        ((T *)to)[i] = (T)w->field[i];                                         \
    break

/* As integers wrap: the lowest bits stay, the highest of them is the sign. */
#define KEEP(T, bits)                                                          \
    for (int i = 0; i < n; i++)                                                \
        ((T *)to)[i] = (T)((T)((uint64_t)w->i[i] << (8 - (bits))) /            \
                           (1 << (8 - (bits))));                               \
    break

static void
integer_to(DType t, int n, const Wide *w, void *to)
{
    switch (t) {
    case DT_I64:
    case DT_U64:
        memcpy(to, w->i, (size_t)n * sizeof(int64_t));
        break;
    case DT_I32:
    case DT_U32:
        NARROW(uint32_t, i);
    case DT_I16:
    case DT_U16:
        NARROW(uint16_t, i);
    case DT_I4:
        KEEP(int8_t, 4);
    case DT_I2:
        KEEP(int8_t, 2);
    case DT_U4:
        KEEP(uint8_t, 4);
    case DT_U2:
        KEEP(uint8_t, 2);
    case DT_I1:
        for (int i = 0; i < n; i++)
            ((uint8_t *)to)[i] = w->i[i] != 0;
        break;
    default:
        NARROW(uint8_t, i);
    }
}

/* `large`: the integers are without sign. */
#define TO_FLOAT(T)                                                            \
    for (int i = 0; i < n; i++)                                                \
        ((T *)to)[i] = large ? (T)(uint64_t)w->i[i] : (T)w->i[i];              \
    break

static void
integer_to_float(DType t, bool large, int n, const Wide *w, void *to)
{
    switch (t) {
    case DT_F64:
        TO_FLOAT(double);
    default:
        TO_FLOAT(float);
    }
}

static void
float_to(DType t, int n, const Wide *w, void *to)
{
    switch (t) {
    case DT_F64:
        NARROW(double, f);
    default:
        NARROW(float, f);
    }
}

static void cast(DType from, DType t, int n, void *to, const void *lane);

/* Through f32; a double leaves a mark there of what it lost. */
static void
cast_narrow(DType from, DType t, int n, void *to, const void *lane)
{
    float middle[EXPR_BLOCK];

    if (narrow_of(from))
        narrow_unpack(from, n, lane, middle);
    else if (from == DT_F64)
        for (int i = 0; i < n; i++)
            middle[i] = narrow_middle(((const double *)lane)[i]);
    else
        cast(from, DT_F32, n, middle, lane);
    if (narrow_of(t))
        narrow_pack(t, n, middle, to);
    else
        cast(DT_F32, t, n, to, middle);
}

static void
cast(DType from, DType t, int n, void *to, const void *lane)
{
    Wide w;

    if (narrow_of(from) || narrow_of(t)) {
        cast_narrow(from, t, n, to, lane);
        return;
    }
    widen(from, n, lane, &w);
    if (dtype_float(from) && dtype_float(t)) {
        float_to(t, n, &w, to);
        return;
    }
    if (dtype_float(t)) {
        integer_to_float(t, from == DT_U64, n, &w, to);
        return;
    }
    if (dtype_float(from))
        float_to_integer(dtype_bits(t) < 8 ? DT_I32 : t, n, &w);
    integer_to(t, n, &w, to);
}

/* -- nodes ---------------------------------------------------------------- */

static void
compute(ExprOp op, DType t, int n, void *to, const Args *a)
{
    switch (t) {
    case DT_F64:
        floats_double(op, n, to, a);
        break;
    case DT_F32:
        floats_float(op, n, to, a);
        break;
    case DT_I64:
        integers_int64_t(op, n, to, a);
        break;
    case DT_I32:
        integers_int32_t(op, n, to, a);
        break;
    case DT_I16:
        integers_int16_t(op, n, to, a);
        break;
    case DT_I8:
        integers_int8_t(op, n, to, a);
        break;
    case DT_U64:
        integers_uint64_t(op, n, to, a);
        break;
    case DT_U32:
        integers_uint32_t(op, n, to, a);
        break;
    case DT_U16:
        integers_uint16_t(op, n, to, a);
        break;
    default:
        integers_uint8_t(op, n, to, a);
    }
}

static void
node(const ExprNode *e, int n, void *to, const Args *a)
{
    if (e->op == EX_CAST)
        cast(a->type[0], e->dtype, n, to, a->lane[0]);
    else if (e->op == EX_WHERE)
        choose(e->dtype, n, to, a);
    else if (e->op == EX_BITS || e->op == EX_FLOAT)
        memcpy(to, a->lane[0], (size_t)(n * dtype_bytes(e->dtype)));
    else
        compute(e->op, e->dtype, n, to, a);
}

/* A number as one lane of type t. */
static void
number_lane(DType t, double x, void *to)
{
    cast(DT_F64, t == DT_NONE ? DT_F64 : t, 1, to, &x);
}

static Scalar
scalar_of(DType t, const void *lane)
{
    Scalar s = {.i64 = 0};
    Wide w;

    if (t == DT_F64)
        memcpy(&s.f64, lane, sizeof s.f64);
    else if (dtype_float(t))
        cast(t, DT_F32, 1, &s.f32, lane);
    else {
        widen(t, 1, lane, &w);
        s.i64 = w.i[0];
    }
    return s;
}

static void
lane_of(DType t, Scalar s, void *to)
{
    if (t == DT_F64)
        memcpy(to, &s.f64, sizeof s.f64);
    else if (dtype_float(t))
        cast(DT_F32, t, 1, to, &s.f32);
    else
        cast(DT_I64, t, 1, to, &s.i64);
}

static Args
args_of(const ExprNode *nodes, const ExprNode *e, const Scalar *work)
{
    Args a = {{NULL}, {DT_NONE}};

    for (int k = 0; k < expr_op_args(e->op); k++) {
        a.lane[k] = &work[e->arg[k]];
        a.type[k] = nodes[e->arg[k]].dtype;
    }
    return a;
}

void
formula_eval(const Formula *typed, const Scalar *in, Scalar *out,
             Scalar *work)
{
    for (size_t i = 0; i < vec_len(typed->node); i++) {
        const ExprNode *e = &typed->node[i];
        Args a;

        if (e->op == EX_INPUT) {
            lane_of(e->dtype, in[e->arg[0]], &work[i]);
        } else if (e->op == EX_NUMBER) {
            number_lane(e->dtype, e->number, &work[i]);
        } else {
            a = args_of(typed->node, e, work);
            node(e, 1, &work[i], &a);
        }
    }
    for (size_t i = 0; i < vec_len(typed->result); i++) {
        uint32_t r = typed->result[i];

        out[i] = scalar_of(typed->node[r].dtype, &work[r]);
    }
}

/* Numbers that have no type yet are f64. */
Scalar
expr_fold(const ExprNode *nodes, const ExprNode *n)
{
    Scalar work[3], to;
    Args a = {{NULL}, {DT_NONE}};

    for (int k = 0; k < expr_op_args(n->op); k++) {
        const ExprNode *x = &nodes[n->arg[k]];

        a.type[k] = x->dtype == DT_NONE ? DT_F64 : x->dtype;
        number_lane(a.type[k], x->number, &work[k]);
        a.lane[k] = &work[k];
    }
    node(n, 1, &to, &a);
    return scalar_of(n->dtype, &to);
}

/* -- blocks --------------------------------------------------------------- */

struct Lanes {
    const Formula *f;
    void **own;       /* node -> its room; NULL: an input */
    const void **at;  /* node -> its lanes now */
};

Lanes *
lanes_new(Arena *a, const Formula *typed)
{
    size_t nodes = vec_len(typed->node);
    Lanes *l = NEW(a, Lanes);

    l->f = typed;
    l->own = NEWN(a, void *, nodes);
    l->at = NEWN(a, const void *, nodes);
    for (size_t i = 0; i < nodes; i++) {
        const ExprNode *e = &typed->node[i];
        int64_t size = dtype_bytes(e->dtype);

        if (e->op == EX_INPUT)
            continue;
        l->at[i] = l->own[i] = arena_alloc(a, EXPR_BLOCK, (size_t)size);
        for (int k = 0; e->op == EX_NUMBER && k < EXPR_BLOCK; k++)
            number_lane(e->dtype, e->number, (char *)l->own[i] + k * size);
    }
    return l;
}

static void
lanes_node(Lanes *l, size_t i, int n)
{
    const ExprNode *e = &l->f->node[i];
    Args a = {{NULL}, {DT_NONE}};

    for (int k = 0; k < expr_op_args(e->op); k++) {
        a.lane[k] = l->at[e->arg[k]];
        a.type[k] = l->f->node[e->arg[k]].dtype;
    }
    node(e, n, l->own[i], &a);
}

void
lanes_eval(Lanes *l, int n, const void *const *in, void *const *out)
{
    for (size_t i = 0; i < vec_len(l->f->node); i++) {
        ExprOp op = l->f->node[i].op;

        if (op == EX_INPUT)
            l->at[i] = in[l->f->node[i].arg[0]];
        else if (op != EX_NUMBER)
            lanes_node(l, i, n);
    }
    for (size_t i = 0; i < vec_len(l->f->result); i++) {
        uint32_t r = l->f->result[i];

        memcpy(out[i], l->at[r],
               (size_t)(n * dtype_bytes(l->f->node[r].dtype)));
    }
}
