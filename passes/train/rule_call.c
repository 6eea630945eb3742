/* rule_call: the functions of the rule language. */
#include "passes/train/rule.h"

#include <math.h>
#include <string.h>

/* kind: m element by element (text: the formula's function), s m n r sums
   over axes (sum, mean, norm, rms), x: by its own code, - : not available. */
typedef struct Function {
    const char *name;
    int args; /* -1: any number */
    char kind;
    char axes; /* a all, r of a row, c of a column */
} Function;

static const Function functions[] = {
    {"sqrt", 1, 'm', 0},      {"rsqrt", 1, 'm', 0},     {"exp", 1, 'm', 0},
    {"log", 1, 'm', 0},       {"sin", 1, 'm', 0},       {"cos", 1, 'm', 0},
    {"tanh", 1, 'm', 0},      {"abs", 1, 'm', 0},       {"sign", 1, 'm', 0},
    {"floor", 1, 'm', 0},     {"ceil", 1, 'm', 0},      {"round", 1, 'm', 0},
    {"max", 2, 'm', 0},       {"min", 2, 'm', 0},       {"where", 3, 'm', 0},
    {"clamp", 3, 'x', 0},     {"sum", 1, 's', 'a'},     {"mean", 1, 'a', 'a'},
    {"norm", 1, 'n', 'a'},    {"rms", 1, 'r', 'a'},     {"rowsum", 1, 's', 'r'},
    {"rowmean", 1, 'a', 'r'}, {"rownorm", 1, 'n', 'r'}, {"colsum", 1, 's', 'c'},
    {"colmean", 1, 'a', 'c'}, {"colnorm", 1, 'n', 'c'}, {"eye", 1, 'x', 0},
    {"iota", 1, 'x', 0},      {"flat", 1, 'x', 0},      {"reshape", -1, 'x', 0},
    {"randn", 3, 'x', 0},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* Of the language, but without a lowering so far. */
static const char *const later[] = {
    "diag",     "topsvd",    "svd",     "svdfull",       "qr",
    "eigbasis", "solve_spd", "invroot", "newton_schulz", "dct",
    "dct2",     "idct2",     "topk",    "sort",          "argsort",
    "rowsof",   "colsof",    "take",    "putrows",       "putcols",
    "setrow",   "setrows",   "setcols", "put",           "addat",
    "scatter",  "keepk",     "carry",   "normal",
    "choose",   "sample",    "draw",    "exchange_mean", NULL};

const char *
shape_text(Arena *a, const Type *t)
{
    Text s = text_new(a);

    text_add(&s, "[");
    for (int i = 0; i < t->rank; i++)
        text_add(&s, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    text_add(&s, "]");
    return text_str(&s);
}

static const Function *
find_function(const RuleExpr *e)
{
    const char *names[FUNCTIONS + 1] = {0}, *near;

    for (int i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, e->name) == 0)
            return &functions[i];
        names[i] = functions[i].name;
    }
    for (const char *const *p = later; *p; p++)
        if (strcmp(*p, e->name) == 0)
            rule_fault(e->at, "'%s' is not available yet", e->name);
    near = nearest_name(e->name, names);
    rule_fault(e->at, "no function or macro '%s'%s%s%s", e->name,
               near ? "\ndid you mean '" : "", near ? near : "",
               near ? "'?" : "");
}

static Term *
two(Terms *t, const char *text, Term *x, Term *y)
{
    return term_map(t, text, 2, (Term *[]){x, y});
}

/* A compile-time integer in [1, 2^40]. */
static int64_t
size_of(const RuleExpr *e, const Term *x)
{
    if (x->kind != TM_NUMBER || x->number != floor(x->number) ||
        !(x->number >= 1 && x->number <= 1099511627776.0))
        rule_fault(e->at,
                   "'%s' needs a positive integer that is known at "
                   "compile time",
                   e->name);
    return (int64_t)x->number;
}

static unsigned
axes_of(const Function *f, const RuleExpr *e, const Term *x)
{
    if (f->axes == 'a')
        return ~0u;
    if (x->type.rank != 2)
        rule_fault(e->at, "'%s' needs a matrix, its argument has rank %d",
                   f->name, x->type.rank);
    return f->axes == 'r' ? 2u : 1u;
}

/* sum x, mean x, sqrt(sum x^2) or sqrt(mean x^2) over axes. */
static Term *
reduce(Terms *t, const Function *f, const RuleExpr *e, Term *x)
{
    unsigned axes = axes_of(f, e, x);
    bool square = f->kind == 'n' || f->kind == 'r';
    Term *sum = term_sum(t, square ? two(t, "*", x, x) : x, axes);
    double count =
        (double)type_elements(&x->type) / (double)type_elements(&sum->type);

    if (f->kind == 'a' || f->kind == 'r')
        sum = two(t, "/", sum, term_number(t, count));
    return square ? term_map(t, "sqrt", 1, &sum) : sum;
}

static Term *
reshape(Terms *t, const RuleExpr *e, int n, Term **arg)
{
    int64_t dim[MAXRANK];
    Type to;
    Term *x;

    if (n < 2 || n > MAXRANK + 1)
        rule_fault(e->at, "reshape(x, ...) needs 1 to %d sizes", MAXRANK);
    for (int i = 1; i < n; i++)
        dim[i - 1] = size_of(e, arg[i]);
    x = type_make(arg[0]->type.dtype, n - 1, dim, &to)
            ? term_reshape(t, arg[0], to)
            : NULL;
    if (!x)
        rule_fault(e->at, "%s cannot be reshaped to these sizes",
                   shape_text(t->arena, &arg[0]->type));
    return x;
}

static Term *
eye(Terms *t, const RuleExpr *e, int64_t n)
{
    Term *i = term_iota(t, n), *column;
    Type to;

    if (!i || !type_make(t->dtype, 2, (int64_t[]){n, 1}, &to))
        rule_fault(e->at, "eye(%lld) is too large", (long long)n);
    column = term_reshape(t, i, to);
    return two(t, "==", i, column);
}

/* randn(key, rows, columns): the same numbers for the same key. */
static Term *
random(Terms *t, const RuleExpr *e, Term **arg)
{
    Term *x = type_elements(&arg[0]->type) == 1
                  ? term_random(t, arg[0], size_of(e, arg[1]),
                                size_of(e, arg[2]))
                  : NULL;

    if (!x)
        rule_fault(e->at, "randn needs a key that is one number, and sizes "
                          "that are not too large");
    return x;
}

static Term *
special(Terms *t, const RuleExpr *e, int n, Term **arg)
{
    Term *x = arg[0];
    int64_t size;

    switch (e->name[0]) {
    case 'c': /* clamp(x, lo, hi) */
        x = two(t, "max", x, arg[1]);
        return x ? two(t, "min", x, arg[2]) : NULL;
    case 'e': return eye(t, e, size_of(e, x));
    case 'i':
        x = term_iota(t, size_of(e, x));
        if (!x)
            rule_fault(e->at, "iota is too large");
        return x;
    case 'f':
        size = type_elements(&x->type);
        return reshape(t, e, 2, (Term *[]){x, term_number(t, (double)size)});
    default:
        return strcmp(e->name, "randn") == 0 ? random(t, e, arg)
                                             : reshape(t, e, n, arg);
    }
}

Term *
rule_call(Terms *t, const RuleExpr *e, int n, Term **arg)
{
    const Function *f = find_function(e);
    Term *x;

    if (f->args >= 0 && f->args != n)
        rule_fault(e->at, "'%s' takes %d argument%s, not %d", f->name, f->args,
                   f->args == 1 ? "" : "s", n);
    if (f->kind == 'm')
        x = term_map(t, f->name, n, arg);
    else if (f->kind == 'x')
        x = special(t, e, n, arg);
    else
        return reduce(t, f, e, arg[0]);
    if (!x)
        rule_fault(e->at,
                   "'%s': the shapes of its arguments do not go "
                   "together",
                   f->name);
    return x;
}
