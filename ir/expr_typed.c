/* expr_typed: element types for every node, conversions made explicit, math
   functions expanded.

   First every node gets its own type, DT_NONE where only numbers stand below
   it (it is weak); then nodes are emitted on demand, a weak one in the type
   that is wanted of it, so it may be emitted once for each type. */
#include "ir/expr_rows.h"

#include <math.h>

#include "ir/base/vec.h"

/* Of the integers that a weak node may be; low > high: of none. */
typedef struct Range {
    double low, high;
} Range;

typedef struct Typer {
    Arena *arena;
    const Formula *f;
    Formula *out;
    const uint32_t *in; /* input -> node of out */
    DType *own;         /* node -> its type, DT_NONE: weak */
    DType *least;       /* weak node -> least type that holds it */
    Range *range;       /* weak node -> what it lies in */
    uint32_t (*made)[DT_COUNT]; /* node, type -> node of out + 1 */
    Loc loc;
    bool *failed;
} Typer;

/* -- the type of each node ------------------------------------------------ */

static DType
least_type(double x)
{
    if (x > 0x1p63 && x < 0x1p64)
        return DT_U64;
    if (x != floor(x) || fabs(x) > 0x1p63)
        return DT_F32; /* also nan */
    if (x == 0 || x == 1)
        return DT_I1;
    if (x >= -128 && x <= 127)
        return x < 0 ? DT_I8 : DT_U8;
    return x >= -0x1p31 && x < 0x1p31 ? DT_I32 : DT_I64;
}

static bool
shifts(ExprOp op)
{
    return op == EX_SHL || op == EX_SHR || op == EX_SAR;
}

/* Whether argument k of op decides the type that op computes in. */
static bool
decides(ExprOp op, int k)
{
    return !(op == EX_WHERE && k == 0) && !(shifts(op) && k == 1);
}

static Range
joined(Range a, Range b)
{
    return (Range){fmin(a.low, b.low), fmax(a.high, b.high)};
}

/* Does the integer type d hold all of r? */
static bool
holds(DType d, Range r)
{
    int bits = dtype_bits(d);
    bool plain = dtype_unsigned(d);
    double high = ldexp(1, plain ? bits : bits - 1);

    if (d == DT_I1)
        return r.low >= 0 && r.high <= 1;
    return r.low >= (plain ? 0 : -high) && r.high < high;
}

/* What op computes in: the arguments' promotion; numbers widen an integer
   type that cannot hold them. */
static DType
join(const DType *own, const DType *least, const Range *range,
     const ExprNode *n)
{
    DType strong = DT_NONE, weak = DT_NONE;
    Range all = {INFINITY, -INFINITY};

    for (int k = 0; k < formula_node_args(n); k++) {
        if (!decides(n->op, k))
            continue;
        strong = dtype_promote(strong, own[n->arg[k]]);
        if (own[n->arg[k]] != DT_NONE)
            continue;
        weak = dtype_promote(weak, least[n->arg[k]]);
        all = joined(all, range[n->arg[k]]);
    }
    if (strong == DT_NONE || dtype_float(strong) || weak == DT_NONE)
        return strong;
    return !dtype_float(weak) && holds(strong, all)
               ? strong
               : dtype_promote(strong, weak);
}

static DType
least_of(const DType *least, const ExprNode *n)
{
    DType t = n->op == EX_WHERE ? DT_I1 : DT_I32;

    for (int k = 0; k < formula_node_args(n); k++)
        if (decides(n->op, k))
            t = dtype_promote(t, least[n->arg[k]]);
    return n->op == EX_MATH || n->op == EX_SQRT || n->op == EX_DIV ? DT_F32
                                                                   : t;
}

/* A result of arithmetic on numbers: whatever an i32 may be. */
static Range
range_of(const Range *range, const ExprNode *n)
{
    Range r = {INFINITY, -INFINITY};

    if (n->op == EX_NUMBER)
        return (Range){n->number, n->number};
    if (n->op != EX_WHERE)
        r = (Range){-0x1p31, 0x1p31 - 1};
    for (int k = 0; k < formula_node_args(n); k++)
        if (decides(n->op, k))
            r = joined(r, range[n->arg[k]]);
    return r;
}

static bool
has_integers(const ExprNode *n)
{
    return n->op != EX_SQRT &&
           (n->op != EX_MATH || *math_row((int)n->number)->integer);
}

static DType
other_view(ExprOp op, DType t)
{
    if (op == EX_BITS)
        return t == DT_F64 ? DT_I64 : DT_I32;
    return t == DT_I64 ? DT_F64 : DT_F32;
}

static DType
own_type(const DType *input, const DType *own, const DType *least,
         const Range *range, const ExprNode *n)
{
    DType t;

    if (n->op == EX_INPUT)
        return input[n->arg[0]];
    if (n->op == EX_NUMBER || n->op == EX_CAST)
        return n->dtype; /* DT_NONE for a number */
    t = join(own, least, range, n);
    if (n->op == EX_BITS || n->op == EX_FLOAT)
        return other_view(n->op, t);
    return t != DT_NONE && !dtype_float(t) && !has_integers(n) ? DT_F32 : t;
}

static void
own_types(const Formula *f, const DType *input, DType *own, DType *least,
          Range *range)
{
    for (size_t i = 0; i < vec_len(f->node); i++) {
        const ExprNode *n = &f->node[i];

        own[i] = own_type(input, own, least, range, n);
        if (own[i] != DT_NONE)
            continue;
        least[i] = n->op == EX_NUMBER ? least_type(n->number)
                                      : least_of(least, n);
        range[i] = range_of(range, n);
    }
}

static DType
inputs_type(const Formula *f, const DType *input)
{
    DType t = DT_NONE;

    for (size_t i = 0; i < vec_len(f->input); i++)
        t = dtype_promote(t, input[i]);
    return t == DT_NONE ? DT_F32 : t;
}

void
formula_dtypes(const Formula *f, const DType *input, DType *result)
{
    Arena *a = arena_new();
    DType *own = NEWN(a, DType, vec_len(f->node));
    DType *least = NEWN(a, DType, vec_len(f->node));
    Range *range = NEWN(a, Range, vec_len(f->node));

    own_types(f, input, own, least, range);
    for (size_t i = 0; i < vec_len(f->result); i++)
        result[i] = own[f->result[i]] == DT_NONE ? inputs_type(f, input)
                                                 : own[f->result[i]];
    arena_free(a);
}

/* What is converted only when it is stored: a result of a narrow type. */
static bool
is_held_wider(const ExprNode *n, DType own)
{
    return n->op != EX_INPUT && n->op != EX_CAST && dtype_computed(own) != own;
}

/* A bare input or cast needs no pin; a weak result always does. */
Formula *
formula_pin(Arena *a, const Formula *f, const DType *input,
            const DType *result)
{
    Formula *out = formula_new(a);
    DType *own = NEWN(a, DType, vec_len(f->node));
    DType *least = NEWN(a, DType, vec_len(f->node));
    Range *range = NEWN(a, Range, vec_len(f->node));
    uint32_t *in = NEWN(a, uint32_t, vec_len(f->input));
    uint32_t *to = NEWN(a, uint32_t, vec_len(f->node));

    own_types(f, input, own, least, range);
    for (size_t i = 0; i < vec_len(f->input); i++)
        in[i] = formula_input(a, out, f->input[i]);
    formula_copy(a, out, f, in, to);
    for (size_t i = 0; i < vec_len(f->result); i++) {
        uint32_t r = f->result[i];

        vec_push(a, out->result,
                 own[r] == result[i] && !is_held_wider(&f->node[r], own[r])
                     ? to[r]
                     : formula_cast(a, out, to[r], result[i]));
    }
    return out;
}

/* -- emission ------------------------------------------------------------- */

static void
fail(Typer *t, const char *what, const char *type)
{
    if (!*t->failed)
        complain(t->loc, "formula \"%.200s\": %s does not go with %s",
                 formula_print(t->arena, t->f), what, type);
    *t->failed = true;
}

static bool
folds(const Formula *f, const ExprNode *n)
{
    if (n->op == EX_NUMBER || n->op == EX_INPUT)
        return false;
    for (int k = 0; k < expr_op_args(n->op); k++)
        if (f->node[n->arg[k]].op != EX_NUMBER)
            return false;
    return true;
}

static double
scalar_double(DType t, Scalar s)
{
    return t == DT_F64   ? s.f64
           : t == DT_F32 ? (double)s.f32
           : t == DT_U64 ? (double)(uint64_t)s.i64
                         : (double)s.i64;
}

static uint32_t
add_number(Typer *t, DType type, double x)
{
    ExprNode n = {.op = EX_NUMBER, .dtype = type};

    n.number = type == DT_F32 ? (double)(float)x : x;
    if (isnan(x))
        n.number = (double)NAN;
    return formula_intern(t->arena, t->out, n);
}

/* Constants are computed in their own type, as the program would; what a
   double cannot hold (large i64 and u64) stays. */
static uint32_t
add(Typer *t, ExprNode n)
{
    Scalar s;
    double x;

    if (!folds(t->out, &n) || dtype_computed(n.dtype) != n.dtype)
        return formula_intern(t->arena, t->out, n);
    s = expr_fold(t->out->node, &n);
    x = scalar_double(n.dtype, s);
    if (n.dtype == DT_U64 && (x >= 0x1p64 || (uint64_t)x != (uint64_t)s.i64))
        return formula_intern(t->arena, t->out, n);
    if (n.dtype == DT_I64 && (x >= 0x1p63 || (int64_t)x != s.i64))
        return formula_intern(t->arena, t->out, n);
    return add_number(t, n.dtype, x);
}

static uint32_t
convert(Typer *t, uint32_t x, DType to)
{
    if (t->out->node[x].dtype == to)
        return x;
    return add(t, (ExprNode){.op = EX_CAST, .dtype = to, .arg = {x}});
}

static uint32_t emit(Typer *t, uint32_t node, DType want);

static Formula *type_into(Typer *outer, const Formula *f, const uint32_t *in,
                          const DType *result);

static uint32_t
emit_math(Typer *t, const ExprNode *n, DType type)
{
    const Formula *row = math_formula((int)n->number, type);
    uint32_t in[2];
    Formula *results;

    ASSERT(row);
    for (int k = 0; k < formula_node_args(n); k++)
        in[k] = emit(t, n->arg[k], type);
    if (*t->failed)
        return 0;
    results = type_into(t, row, in, &type);
    return results->result[0];
}

static bool
is_integer_op(ExprOp op)
{
    return op >= EX_SHL && op <= EX_BXOR;
}

static bool
is_arithmetic(ExprOp op)
{
    return (op >= EX_ADD && op <= EX_NEG) || op == EX_FMA;
}

static void
check_op(Typer *t, ExprOp op, DType type)
{
    bool integer = type == DT_I64 || type == DT_I32;

    if ((is_integer_op(op) && dtype_float(type)) ||
        (op == EX_BITS && !dtype_float(type)) ||
        (op == EX_FLOAT && !integer) ||
        (is_arithmetic(op) && type == DT_I1))
        fail(t, expr_op_name(op), dtype_name(type));
}

/* Of argument k when the operation computes in `type`. */
static DType
argument_type(const Typer *t, const ExprNode *n, int k, DType type)
{
    DType own = t->own[n->arg[k]];

    if (n->op == EX_WHERE && k == 0)
        return own == DT_NONE ? DT_F32 : dtype_computed(own);
    return type;
}

static void
check_count(Typer *t, const ExprNode *n)
{
    const ExprNode *count = &t->out->node[n->arg[1]];
    double bits = (double)(8 * dtype_bytes(n->dtype));

    if (shifts(n->op) && count->op == EX_NUMBER &&
        !(count->number >= 0 && count->number < bits))
        fail(t, expr_op_name(n->op), "this count");
}

/* The type that n computes in when it is to give `type`. */
static DType
inner_type(const Typer *t, const ExprNode *n, DType type)
{
    DType inner;

    if (n->op != EX_BITS && n->op != EX_FLOAT)
        return type;
    inner = join(t->own, t->least, t->range, n);
    if (inner != DT_NONE)
        return dtype_computed(inner);
    return n->op == EX_BITS ? DT_F32 : DT_I32;
}

static uint32_t
emit_plain(Typer *t, const ExprNode *n, DType type)
{
    ExprNode made = {.op = n->op, .dtype = type};
    DType inner = inner_type(t, n, type);

    check_op(t, n->op, inner);
    if (*t->failed)
        return 0;
    for (int k = 0; k < expr_op_args(n->op); k++)
        made.arg[k] = emit(t, n->arg[k], argument_type(t, n, k, inner));
    if (*t->failed)
        return 0;
    if ((n->op == EX_RINT || n->op == EX_FLOOR) && !dtype_float(type))
        return made.arg[0];
    check_count(t, &made);
    return *t->failed ? 0 : add(t, made);
}

/* The argument of a cast in its own type: a number is read as f64. */
static uint32_t
emit_cast(Typer *t, const ExprNode *n)
{
    const ExprNode *x = &t->f->node[n->arg[0]];
    DType own = t->own[n->arg[0]];
    uint32_t arg;

    if (x->op == EX_NUMBER && dtype_float(n->dtype))
        return add_number(t, n->dtype, x->number);
    arg = emit(t, n->arg[0], own == DT_NONE ? DT_F64 : own);
    return *t->failed ? 0 : convert(t, arg, n->dtype);
}

static uint32_t
emit_node(Typer *t, const ExprNode *n, DType type)
{
    switch (n->op) {
    case EX_NUMBER:
        return add_number(t, type, n->number);
    case EX_INPUT:
        return t->in[n->arg[0]];
    case EX_CAST:
        return emit_cast(t, n);
    case EX_MATH:
        return emit_math(t, n, type);
    default:
        return emit_plain(t, n, type);
    }
}

/* Does weak node i need no wider type than the integer `type`? */
static bool
fits(const Typer *t, uint32_t i, DType type)
{
    return !dtype_float(t->least[i]) && holds(type, t->range[i]);
}

/* Node i of f, converted to `want`. */
static uint32_t
emit(Typer *t, uint32_t i, DType want)
{
    DType type = t->own[i] == DT_NONE ? want : t->own[i];
    uint32_t x;

    if (*t->failed)
        return 0;
    if (t->own[i] == DT_NONE && !dtype_float(type) && !fits(t, i, type))
        type = dtype_promote(type, t->least[i]);
    if (t->f->node[i].op != EX_INPUT && t->f->node[i].op != EX_CAST)
        type = dtype_computed(type);
    if (!t->made[i][type])
        t->made[i][type] = emit_node(t, &t->f->node[i], type) + 1;
    x = t->made[i][type] - 1;
    return *t->failed ? 0 : convert(t, x, want);
}

/* Types f into outer->out; the results of the returned formula are nodes
   there. */
static Formula *
type_into(Typer *outer, const Formula *f, const uint32_t *in,
          const DType *result)
{
    Typer t = *outer;
    size_t n = vec_len(f->node);
    Formula *results = formula_new(t.arena);
    DType *input = NEWN(t.arena, DType, vec_len(f->input) + 1);

    t.f = f;
    t.in = in;
    t.own = NEWN(t.arena, DType, n);
    t.least = NEWN(t.arena, DType, n);
    t.made = arena_alloc(t.arena, n, sizeof *t.made);
    for (size_t i = 0; i < vec_len(f->input); i++)
        input[i] = t.out->node[in[i]].dtype;
    t.range = NEWN(t.arena, Range, n);
    own_types(f, input, t.own, t.least, t.range);
    for (size_t i = 0; i < vec_len(f->result); i++)
        vec_push(t.arena, results->result,
                 emit(&t, f->result[i], result[i]));
    return results;
}

Formula *
formula_typed(Arena *a, const Formula *f, const DType *input,
              const DType *result, Loc loc)
{
    bool failed = false;
    Arena *scratch = arena_new();
    Typer t = {.arena = scratch, .f = f, .loc = loc, .failed = &failed};
    uint32_t *in = NEWN(scratch, uint32_t, vec_len(f->input) + 1);
    Formula *results, *out = formula_new(scratch), *kept;

    t.out = out;
    for (uint32_t i = 0; i < vec_len(f->input); i++) {
        ExprNode n = {.op = EX_INPUT, .dtype = input[i], .arg = {i}};

        in[i] = formula_intern(scratch, out, n);
    }
    results = type_into(&t, f, in, result);
    out->result = results->result;
    kept = failed ? NULL : formula_compact(a, out, f->input);
    arena_free(scratch);
    return kept;
}
