/* expr: formulas under construction: nodes are hash-consed, arithmetic on
   numbers alone is done in f64 at once (a number stays weak). */
#include "ir/expr_rows.h"

#include <math.h>
#include <string.h>

#include "ir/base/vec.h"

typedef struct ExprRow {
    const char *text;
    int args;
} ExprRow;

static const ExprRow rows[EX_COUNT] = {
#define EXPR(name, args, text) {text, args},
#include "ir/expr.def"
#undef EXPR
};

const char *
expr_op_name(ExprOp op)
{
    return rows[op].text;
}

int
expr_op_args(ExprOp op)
{
    return rows[op].args;
}

int
formula_node_args(const ExprNode *n)
{
    return n->op == EX_MATH ? math_inputs((int)n->number) : rows[n->op].args;
}

Formula *
formula_new(Arena *a)
{
    return NEW(a, Formula);
}

static bool
same_node(const ExprNode *x, const ExprNode *y)
{
    return x->op == y->op && x->dtype == y->dtype && x->arg[0] == y->arg[0] &&
           x->arg[1] == y->arg[1] && x->arg[2] == y->arg[2] &&
           memcmp(&x->number, &y->number, sizeof x->number) == 0;
}

/* Formulas are small: looking backwards through all nodes beats a table. */
uint32_t
formula_intern(Arena *a, Formula *f, ExprNode n)
{
    for (size_t i = vec_len(f->node); i-- > 0;)
        if (same_node(&f->node[i], &n))
            return (uint32_t)i;
    vec_push(a, f->node, n);
    return (uint32_t)vec_len(f->node) - 1;
}

uint32_t
formula_number(Arena *a, Formula *f, double x)
{
    ExprNode n = {.op = EX_NUMBER, .number = isnan(x) ? (double)NAN : x};

    return formula_intern(a, f, n);
}

uint32_t
formula_input(Arena *a, Formula *f, Sym name)
{
    uint32_t i = 0;

    while (i < vec_len(f->input) && f->input[i] != name)
        i++;
    if (i == vec_len(f->input))
        vec_push(a, f->input, name);
    return formula_intern(a, f, (ExprNode){.op = EX_INPUT, .arg = {i}});
}

uint32_t
formula_cast(Arena *a, Formula *f, uint32_t x, DType to)
{
    ExprNode n = {.op = EX_CAST, .dtype = to, .arg = {x}};

    return f->node[x].op == EX_CAST && f->node[x].dtype == to
               ? x
               : formula_intern(a, f, n);
}

static bool
is_number(const Formula *f, uint32_t x, double value)
{
    const ExprNode *n = &f->node[x];

    return n->op == EX_NUMBER && n->number == value;
}

/* Bits and integers have no meaning on a number without a type. */
static bool
folds(ExprOp op)
{
    return op >= EX_ADD && op <= EX_WHERE;
}

static bool
all_numbers(const Formula *f, const ExprNode *n)
{
    for (int i = 0; i < formula_node_args(n); i++)
        if (f->node[n->arg[i]].op != EX_NUMBER)
            return false;
    return true;
}

/* What equals one of its operands bit for bit whatever they are. */
static uint32_t
identity(const Formula *f, ExprOp op, uint32_t x, uint32_t y, uint32_t z)
{
    if (op == EX_MUL && is_number(f, x, 1))
        return y;
    if ((op == EX_MUL || op == EX_DIV) && is_number(f, y, 1))
        return x;
    if (op == EX_SUB && is_number(f, y, 0) && !signbit(f->node[y].number))
        return x;
    if (op == EX_NEG && f->node[x].op == EX_NEG)
        return f->node[x].arg[0];
    if (op == EX_WHERE && y == z)
        return y;
    return NO_NODE;
}

uint32_t
formula_node(Arena *a, Formula *f, ExprOp op, uint32_t x, uint32_t y,
             uint32_t z)
{
    ExprNode n = {.op = op, .arg = {x}};
    uint32_t same = identity(f, op, x, y, z);

    if (same != NO_NODE)
        return same;
    if (rows[op].args > 1)
        n.arg[1] = y;
    if (rows[op].args > 2)
        n.arg[2] = z;
    if (folds(op) && all_numbers(f, &n)) {
        n.dtype = DT_F64;
        return formula_number(a, f, expr_fold(f->node, &n).f64);
    }
    return formula_intern(a, f, n);
}

/* A math function of numbers, in f64. */
static double
math_number(const Formula *f, const ExprNode *n)
{
    static const DType f64[2] = {DT_F64, DT_F64};
    const Formula *row = math_formula((int)n->number, DT_F64);
    Arena *a = arena_new();
    const Formula *typed = formula_typed(a, row, f64, f64, NOWHERE);
    Scalar in[2], out;

    for (int i = 0; i < formula_node_args(n); i++)
        in[i].f64 = f->node[n->arg[i]].number;
    formula_eval(typed, in, &out, NEWN(a, Scalar, vec_len(typed->node)));
    arena_free(a);
    return out.f64;
}

uint32_t
formula_math(Arena *a, Formula *f, int row, uint32_t x, uint32_t y)
{
    ExprNode n = {.op = EX_MATH, .arg = {x}, .number = row};

    if (math_inputs(row) > 1)
        n.arg[1] = y;
    if (all_numbers(f, &n))
        return formula_number(a, f, math_number(f, &n));
    return formula_intern(a, f, n);
}

void
formula_reach(const Formula *f, bool *reach)
{
    memset(reach, 0, vec_len(f->node) * sizeof *reach);
    for (size_t i = 0; i < vec_len(f->result); i++)
        reach[f->result[i]] = true;
    for (size_t i = vec_len(f->node); i-- > 0;)
        for (int k = 0; reach[i] && k < formula_node_args(&f->node[i]); k++)
            reach[f->node[i].arg[k]] = true;
}

static uint32_t
copy_node(Arena *a, Formula *f, const ExprNode *n, const uint32_t *in,
          const uint32_t *to)
{
    uint32_t arg[3] = {0};

    if (n->op == EX_INPUT)
        return in[n->arg[0]];
    if (n->op == EX_NUMBER)
        return formula_intern(a, f, *n);
    for (int k = 0; k < formula_node_args(n); k++)
        arg[k] = to[n->arg[k]];
    if (n->op == EX_CAST)
        return formula_cast(a, f, arg[0], n->dtype);
    if (n->op == EX_MATH)
        return formula_math(a, f, (int)n->number, arg[0], arg[1]);
    return formula_node(a, f, n->op, arg[0], arg[1], arg[2]);
}

void
formula_copy(Arena *a, Formula *f, const Formula *from, const uint32_t *in,
             uint32_t *to)
{
    bool *reach = NEWN(a, bool, vec_len(from->node));

    formula_reach(from, reach);
    for (size_t i = 0; i < vec_len(from->node); i++)
        to[i] = reach[i] ? copy_node(a, f, &from->node[i], in, to) : NO_NODE;
}

void
formula_uses(const Formula *f, bool *used)
{
    Arena *a = arena_new();
    bool *reach = NEWN(a, bool, vec_len(f->node));

    formula_reach(f, reach);
    memset(used, 0, vec_len(f->input) * sizeof *used);
    for (size_t i = 0; i < vec_len(f->node); i++)
        if (reach[i] && f->node[i].op == EX_INPUT)
            used[f->node[i].arg[0]] = true;
    arena_free(a);
}

Formula *
formula_compact(Arena *a, const Formula *f, const Sym *input)
{
    size_t n = vec_len(f->node);
    Formula *out = formula_new(a);
    bool *reach = NEWN(a, bool, n);
    uint32_t *to = NEWN(a, uint32_t, n);

    formula_reach(f, reach);
    for (size_t i = 0; i < vec_len(input); i++)
        vec_push(a, out->input, input[i]);
    for (size_t i = 0; i < n; i++) {
        ExprNode node = f->node[i];

        if (!reach[i])
            continue;
        for (int k = 0; k < formula_node_args(&node); k++)
            node.arg[k] = to[node.arg[k]];
        to[i] = (uint32_t)vec_len(out->node);
        vec_push(a, out->node, node);
    }
    for (size_t i = 0; i < vec_len(f->result); i++)
        vec_push(a, out->result, to[f->result[i]]);
    return out;
}

/* The inputs of `from` joined to those of f; in[i] becomes their nodes,
   map[i] their positions. */
static void
join_inputs(Arena *a, Formula *f, const Formula *from, int skip, int *map,
            uint32_t *in)
{
    for (int i = 0; i < (int)vec_len(from->input); i++) {
        map[i] = -1;
        if (i == skip)
            continue;
        in[i] = formula_input(a, f, from->input[i]);
        map[i] = (int)f->node[in[i]].arg[0];
    }
}

Formula *
formula_substitute(Arena *a, const Formula *f, int i, const Formula *by,
                   int r, int *map, int *by_map)
{
    Formula *out = formula_new(a);
    uint32_t *in = NEWN(a, uint32_t, vec_len(f->input));
    uint32_t *by_in = NEWN(a, uint32_t, vec_len(by->input));
    uint32_t *to = NEWN(a, uint32_t, vec_len(f->node));
    uint32_t *by_to = NEWN(a, uint32_t, vec_len(by->node));

    join_inputs(a, out, f, i, map, in);
    join_inputs(a, out, by, -1, by_map, by_in);
    formula_copy(a, out, by, by_in, by_to);
    in[i] = by_to[by->result[r]];
    formula_copy(a, out, f, in, to);
    for (size_t k = 0; k < vec_len(f->result); k++)
        vec_push(a, out->result, to[f->result[k]]);
    return out;
}

static bool
costs_nothing(ExprOp op)
{
    return op == EX_NUMBER || op == EX_INPUT || op == EX_CAST ||
           op == EX_BITS || op == EX_FLOAT;
}

int
formula_cost(const Formula *typed)
{
    int flops = 0;

    for (size_t i = 0; i < vec_len(typed->node); i++) {
        const ExprNode *n = &typed->node[i];

        if (dtype_float(n->dtype) && !costs_nothing(n->op))
            flops += n->op == EX_FMA ? 2 : 1;
    }
    return flops;
}
