/* rule_term: terms are hash-consed; numbers are folded by the formulas' own
   f64 arithmetic, and what a number makes superfluous (0*x, x+0, 1*x,
   where(1,a,b)) is left out, as a rule without that part would do. */
#include "passes/train/rule.h"

#include <math.h>
#include <string.h>

Terms
terms_new(Arena *a, Syms *s, DType dtype)
{
    return (Terms){.arena = a, .syms = s, .known = map_new(a), .dtype = dtype};
}

static Sym
key_of(Terms *t, const Term *x)
{
    Text k = text_new(t->arena);
    uint64_t bits;

    memcpy(&bits, &x->number, sizeof bits);
    text_add(&k, "%d %d %s %llx %x %s", (int)x->kind, (int)x->source,
             x->text ? x->text : "", (unsigned long long)bits, x->axes,
             type_text(t->arena, &x->type));
    for (int i = 0; i < x->args; i++)
        text_add(&k, " %d", x->arg[i]->id);
    return sym_n(t->syms, k.s, k.len);
}

static Term *
intern(Terms *t, Term x)
{
    Sym key = key_of(t, &x);
    uint64_t found = 0;
    Term *copy;

    if (map_get_ptr(t->known, key, &found))
        return (Term *)(uintptr_t)found;
    copy = NEW(t->arena, Term);
    x.id = (int)vec_len(t->all);
    *copy = x;
    map_put_ptr(t->known, key, (uint64_t)(uintptr_t)copy);
    vec_push(t->arena, t->all, copy);
    return copy;
}

Term *
term_number(Terms *t, double x)
{
    return intern(
        t, (Term){.kind = TM_NUMBER, .number = x, .type = type_scalar(DT_F64)});
}

Term *
term_value(Terms *t, TermSource source, int index, Type type)
{
    return intern(t, (Term){.kind = TM_VALUE,
                            .source = source,
                            .number = index,
                            .type = type});
}

/* Is x the number n? */
static bool
is(const Term *x, double n)
{
    return x->kind == TM_NUMBER && x->number == n;
}

static bool
is_op(const char *text, const char *op)
{
    return strcmp(text, op) == 0;
}

/* x (op) y over numbers, by the interpreter of formulas. */
static Term *
fold_numbers(Terms *t, const char *text, int n, Term *const *arg)
{
    static const char *const letters[] = {"a", "b", "c"};
    static const DType f64[] = {DT_F64, DT_F64, DT_F64};
    Text s = text_new(t->arena);
    Formula *f;
    Scalar in[3] = {{0}}, out;

    term_add_text(&s, text, n, letters);
    f = formula_parse(t->arena, t->syms, text_str(&s), NULL, n, NOWHERE);
    ASSERT(f);
    f = formula_typed(t->arena, f, f64, f64, NOWHERE);
    ASSERT(f);
    for (int i = 0; i < n; i++)
        in[i].f64 = arg[i]->number;
    formula_eval(f, in, &out, NEWN(t->arena, Scalar, vec_len(f->node) + 1));
    return term_number(t, out.f64);
}

void
term_add_text(Text *s, const char *text, int n, const char *const *arg)
{
    bool name = (text[0] >= 'a' && text[0] <= 'z') && !is_op(text, "and") &&
                !is_op(text, "or");

    if (is_op(text, "neg")) {
        text_add(s, "(-%s)", arg[0]);
    } else if (!name) {
        text_add(s, "(%s %s %s)", arg[0], text, arg[1]);
    } else {
        text_add(s, "%s(", text);
        for (int i = 0; i < n; i++)
            text_add(s, "%s%s", i ? ", " : "", arg[i]);
        text_add(s, ")");
    }
}

/* x^y without pow where products or a root say the same; else NULL. */
static Term *
simple_power(Terms *t, Term *x, const Term *y)
{
    Term *xx;

    if (is(y, 0))
        return term_number(t, 1);
    if (is(y, 1))
        return x;
    if (is(y, 0.5))
        return term_map(t, "sqrt", 1, &x);
    if (is(y, -1))
        return term_map(t, "/", 2, (Term *[]){term_number(t, 1), x});
    if (!is(y, 2) && !is(y, 3))
        return NULL;
    xx = term_map(t, "*", 2, (Term *[]){x, x});
    return is(y, 2) ? xx : term_map(t, "*", 2, (Term *[]){xx, x});
}

/* The term that x (op) y is without computing, or NULL. Only where the shape
   of the result is that of the term. */
static Term *
simplify(Terms *t, const char *op, Term *x, Term *y)
{
    if (is_op(op, "^"))
        return simple_power(t, x, y);
    if (is_op(op, "+"))
        return is(x, 0) ? y : is(y, 0) ? x : NULL;
    if (is_op(op, "-") && is(x, 0))
        return term_map(t, "neg", 1, &y);
    if (is_op(op, "-"))
        return is(y, 0) ? x : NULL;
    if (is_op(op, "*") && (is(x, 0) || is(y, 0)))
        return term_number(t, 0);
    if (is_op(op, "*"))
        return is(x, 1) ? y : is(y, 1) ? x : NULL;
    if (is_op(op, "/"))
        return is(y, 1) ? x : is(x, 0) ? x : NULL;
    return NULL;
}

static bool
joint_type(const Terms *t, int n, Term *const *arg, Type *out)
{
    Type type = type_scalar(DT_F64);
    bool tensor = false;

    for (int i = 0; i < n; i++) {
        tensor |= arg[i]->type.rank > 0 || arg[i]->type.dtype != DT_F64;
        if (!type_broadcast(&type, &arg[i]->type, &type))
            return false;
    }
    type.dtype = tensor ? t->dtype : DT_F64;
    *out = type;
    return true;
}

Term *
term_map(Terms *t, const char *text, int n, Term *const *arg)
{
    Term x = {.kind = TM_MAP, .text = sym(t->syms, text), .args = n};
    Term *simple = n == 2 ? simplify(t, text, arg[0], arg[1]) : NULL;
    bool numbers = true;

    if (simple)
        return simple;
    if (is_op(text, "^"))
        x.text = text = sym(t->syms, "pow");
    if (is_op(text, "where") && arg[0]->kind == TM_NUMBER)
        return arg[0]->number != 0 ? arg[1] : arg[2];
    if (is_op(text, "where") && arg[1] == arg[2])
        return arg[1];
    for (int i = 0; i < n; i++) {
        numbers &= arg[i]->kind == TM_NUMBER;
        x.arg[i] = arg[i];
    }
    if (numbers)
        return fold_numbers(t, text, n, arg);
    return joint_type(t, n, arg, &x.type) ? intern(t, x) : NULL;
}

Term *
term_sum(Terms *t, Term *x, unsigned axes)
{
    Term sum = {.kind = TM_REDUCE, .type = x->type, .args = 1, .arg[0] = x};

    for (int i = 0; i < x->type.rank; i++)
        if ((axes >> i & 1) && x->type.dim[i] != 1) {
            sum.axes |= 1u << i;
            sum.type.dim[i] = 1;
        }
    return sum.axes ? intern(t, sum) : x;
}

Term *
term_product(Terms *t, Term *x, Term *y)
{
    const Type *a = &x->type, *b = &y->type;
    Term z = {.kind = TM_PRODUCT, .args = 2, .arg = {x, y}};

    if (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[0] ||
        !type_make(t->dtype, 2, (int64_t[]){a->dim[0], b->dim[1]}, &z.type))
        return NULL;
    return intern(t, z);
}

Term *
term_transpose(Terms *t, Term *x)
{
    Term z = {.kind = TM_TRANSPOSE, .type = x->type, .args = 1, .arg[0] = x};

    if (x->type.rank != 2)
        return NULL;
    z.type.dim[0] = x->type.dim[1];
    z.type.dim[1] = x->type.dim[0];
    return intern(t, z);
}

Term *
term_reshape(Terms *t, Term *x, Type to)
{
    if (type_elements(&to) != type_elements(&x->type))
        return NULL;
    if (type_equal(&to, &x->type))
        return x;
    return intern(
        t, (Term){.kind = TM_RESHAPE, .type = to, .args = 1, .arg[0] = x});
}

Term *
term_iota(Terms *t, int64_t n)
{
    Term x = {.kind = TM_IOTA};

    return type_make(t->dtype, 1, &n, &x.type) ? intern(t, x) : NULL;
}

Term *
term_random(Terms *t, Term *key, int64_t rows, int64_t columns)
{
    Term x = {.kind = TM_RANDOM, .args = 1, .arg[0] = key};
    int64_t dim[2] = {rows, columns};

    return type_make(t->dtype, 2, dim, &x.type) ? intern(t, x) : NULL;
}
