/* known: a formula is walked with what is known of its operands, as far as it
   holds bit for bit: x - 0 is x, and so is x + 0 unless x is -0; 0 times a
   finite number is 0 of some sign. Rounding keeps signs, but may make 0 of what
   is too small, so only sums of what is above 0 stay there. */
#include "passes/train/known.h"

#include "ir/ops/rules.h"

#include <math.h>

/* Numbers from here on are above 0 in every type that is trained. */
#define LEAST_ABOVE 1e-37

static const Known nothing = {0};

/* A tiny one may be 0 in the type at hand. */
Known
known_number(double x)
{
    return (Known){.finite = true,
                   .is_number = x == 0 || fabs(x) >= LEAST_ABOVE,
                   .number = x,
                   .zero = x == 0,
                   .least0 = !signbit(x),
                   .above0 = x >= LEAST_ABOVE};
}

static bool
is_plus_zero(const Known *x)
{
    return x->is_number && x->number == 0 && !signbit(x->number);
}

static bool
is_minus_zero(const Known *x)
{
    return x->is_number && x->number == 0 && signbit(x->number);
}

static bool
is_nonzero(const Known *x)
{
    return x->above0 || (x->is_number && x->number != 0);
}

/* ---- sums --------------------------------------------------------------- */

/* Is x + y x, whatever x is? */
static bool
keeps(const Known *x, const Known *y)
{
    return is_minus_zero(y) ||
           (y->zero && (x->least0 || (x->is_number && x->number != 0)));
}

static Known
sum(const Known *x, const Known *y)
{
    Known s = {.finite = x->finite && y->finite,
               .least0 = x->least0 && y->least0,
               .above0 = (x->above0 && y->least0) || (y->above0 && x->least0),
               .zero = x->zero && y->zero};

    if (keeps(x, y))
        return *x;
    if (keeps(y, x))
        return *y;
    if (s.zero && (is_plus_zero(x) || is_plus_zero(y)))
        return known_number(0);
    return s;
}

static Known
negative(const Known *x)
{
    if (x->is_number)
        return known_number(-x->number);
    return (Known){.finite = x->finite, .zero = x->zero};
}

static Known
difference(const Known *x, const Known *y)
{
    Known minus = negative(y);

    return sum(x, &minus);
}

/* ---- products ----------------------------------------------------------- */

/* 0 times infinity is no number. */
static Known
product(const Known *x, const Known *y, bool square)
{
    bool finite = x->finite && y->finite;
    Known p = {.finite = finite,
               .zero = finite && (x->zero || y->zero),
               .least0 = finite && (square || (x->least0 && y->least0))};

    if (x->is_number && x->number == 1)
        return *y;
    if (y->is_number && y->number == 1)
        return *x;
    return p.zero && p.least0 ? known_number(0) : p;
}

/* 0/0 is no number. */
static Known
quotient(const Known *x, const Known *y)
{
    Known q = {.finite = x->finite && y->finite && is_nonzero(y),
               .zero = x->zero && is_nonzero(y),
               .least0 = x->finite && x->least0 && y->above0};

    if (y->is_number && y->number == 1)
        return *x;
    return q.zero && q.least0 ? known_number(0) : q;
}

/* What keeps 0, -0 and signs: sqrt, of what is not below 0, and roundings. */
static Known
kept_sign(const Known *x, bool root)
{
    if (is_plus_zero(x))
        return *x;
    return (Known){.finite = x->finite && (!root || x->least0 || x->zero),
                   .zero = x->zero,
                   .least0 = x->least0,
                   .above0 = root && x->above0};
}

/* ---- choices ------------------------------------------------------------ */

/* Has x one value in every type, but for the sign of 0? */
static bool
is_fixed(const Known *x)
{
    return x->zero || (x->is_number && (double)(float)x->number == x->number);
}

static double
fixed(const Known *x)
{
    return x->zero ? 0 : x->number;
}

static Known
compared(ExprOp op, const Known *x, const Known *y)
{
    double a = fixed(x), b = fixed(y);

    if (is_fixed(x) && is_fixed(y))
        switch (op) {
        case EX_LT: return known_number(a < b);
        case EX_LE: return known_number(a <= b);
        case EX_EQ: return known_number(a == b);
        case EX_NE: return known_number(a != b);
        case EX_AND: return known_number(a != 0 && b != 0);
        case EX_OR: return known_number(a != 0 || b != 0);
        default: UNREACHABLE();
        }
    if (op == EX_LT && x->zero && y->above0)
        return known_number(1);
    if (op == EX_LT && x->least0 && y->zero)
        return known_number(0);
    return (Known){.finite = true};
}

static Known
either(const Known *x, const Known *y)
{
    Known k = {.finite = x->finite && y->finite,
               .zero = x->zero && y->zero,
               .least0 = x->least0 && y->least0,
               .above0 = x->above0 && y->above0,
               .same = x->same == y->same ? x->same : 0};

    if (x->is_number && y->is_number && x->number == y->number &&
        signbit(x->number) == signbit(y->number))
        return *x;
    return k;
}

static Known
chosen(const Known *which, const Known *x, const Known *y)
{
    if (which->zero)
        return *y;
    return is_nonzero(which) ? *x : either(x, y);
}

/* max is y > x ? y : x, min y < x ? y : x. */
static Known
extreme(ExprOp op, const Known *x, const Known *y)
{
    Known k = either(x, y);

    if (is_fixed(x) && is_fixed(y))
        return (op == EX_MAX ? fixed(y) > fixed(x) : fixed(y) < fixed(x)) ? *y
                                                                          : *x;
    if (op == EX_MAX) {
        k.above0 = x->above0 || (x->finite && y->above0);
        k.least0 = x->least0 || (x->finite && y->above0);
    }
    return k;
}

/* ---- formulas ----------------------------------------------------------- */

/* Another type may round, or cut. */
static Known
converted(const Known *x)
{
    if (is_plus_zero(x) || (x->is_number && x->number == 1))
        return *x;
    return (Known){.finite = x->finite, .zero = x->zero, .least0 = x->least0};
}

/* What a value holds that was computed in another type perhaps; `same` is left
   to the caller, who knows the types. */
static Known
stored(const Known *x)
{
    Known k = converted(x);

    k.same = x->same;
    return k;
}

static Known
known(const ExprNode *e, const Known *all, const Known *operand)
{
    const Known *x = &all[e->arg[0]], *y = &all[e->arg[1]];
    const Known *z = &all[e->arg[2]];
    Known p;

    switch (e->op) {
    case EX_NUMBER: return known_number(e->number);
    case EX_INPUT: return operand[e->arg[0]];
    case EX_CAST: return converted(x);
    case EX_ADD: return sum(x, y);
    case EX_SUB: return difference(x, y);
    case EX_MUL: return product(x, y, e->arg[0] == e->arg[1]);
    case EX_DIV: return quotient(x, y);
    case EX_NEG: return negative(x);
    case EX_FMA: p = product(x, y, e->arg[0] == e->arg[1]); return sum(&p, z);
    case EX_SQRT:
    case EX_RINT:
    case EX_FLOOR: return kept_sign(x, e->op == EX_SQRT);
    case EX_MAX:
    case EX_MIN: return extreme(e->op, x, y);
    case EX_LT:
    case EX_LE:
    case EX_EQ:
    case EX_NE:
    case EX_AND:
    case EX_OR: return compared(e->op, x, y);
    case EX_WHERE: return chosen(x, y, z);
    default: return nothing;
    }
}

void
known_results(Arena *a, const Node *n, const Known *operand, Known *result)
{
    const Formula *f = node_formula(n);
    size_t nodes = vec_len(f->node);
    Known *all = NEWN(a, Known, nodes + vec_len(f->input) + 1);

    for (size_t i = 0; i < nodes; i++)
        all[i] = known(&f->node[i], all, operand);
    for (size_t i = 0; i < vec_len(f->result); i++)
        result[i] = stored(&all[f->result[i]]);
}
