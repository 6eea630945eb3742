/* rewrite_parse_expr: the expressions of rewrite rules: attributes, dimensions
   and conditions. Every kind is known as it is read. */
#include "passes/simplify/rewrite_lex.h"

#include <string.h>

static RewriteExpr *read_level(RewriteReader *r, int level);

static const char *
kind_name(RewriteKind k)
{
    static const char *const names[] = {"anything", "a number", "a list",
                                        "a text", "a value"};

    return names[k];
}

int
rewrite_variable(RewriteReader *r, Sym name, RewriteKind kind, bool *fresh)
{
    RewriteRule *rule = r->rule;
    int n = (int)vec_len(rule->variable);

    *fresh = false;
    for (int i = 0; i < n; i++) {
        if (rule->variable[i].name != name)
            continue;
        if (kind != RK_NONE && rule->variable[i].kind != kind)
            rewrite_fault(r, "$%s is %s, here it must be %s", name,
                          kind_name(rule->variable[i].kind),
                          kind_name(kind));
        return i;
    }
    if (kind == RK_NONE)
        return -1;
    *fresh = true;
    vec_push(r->arena, rule->variable, (RewriteVariable){name, kind});
    return n;
}

uint32_t
rewrite_named(const RewriteReader *r, Sym name)
{
    for (uint32_t i = 1; i < vec_len(r->rule->term); i++)
        if (r->rule->term[i].name == name)
            return i;
    return 0;
}

static RewriteExpr *
new_expr(RewriteReader *r, RewriteForm form, RewriteKind kind)
{
    RewriteExpr *e = NEW(r->arena, RewriteExpr);

    if (++r->exprs > REWRITE_EXPRS)
        rewrite_fault(r, "more than %d expressions in one rule",
                      REWRITE_EXPRS);
    e->form = form;
    e->kind = e->constant.kind = kind;
    return e;
}

static void
check_kind(RewriteReader *r, const RewriteExpr *e, RewriteKind kind)
{
    if (kind != RK_NONE && e->kind != kind)
        rewrite_fault(r, "%s is needed here, this is %s",
                      kind_name(kind), kind_name(e->kind));
}

static RewriteExpr *
read_list(RewriteReader *r)
{
    RewriteExpr *e = new_expr(r, RF_LIST, RK_LIST);

    rewrite_need(r, "[");
    while (!r->failed && !rewrite_is(r, "]")) {
        RewriteExpr *x = read_level(r, 1);

        check_kind(r, x, RK_NUMBER);
        vec_push(r->arena, e->arg, x);
        if (!rewrite_take(r, ","))
            break;
    }
    rewrite_need(r, "]");
    return e;
}

static RewriteExpr *
read_call(RewriteReader *r)
{
    Sym name = r->text;
    const char *args = "";
    RewriteKind kind = RK_NUMBER;
    RewriteExpr *e = new_expr(r, RF_CALL, kind);
    size_t n = 0;

    rewrite_advance(r);
    e->function = rewrite_function(name, &args, &kind);
    if (e->function < 0) {
        rewrite_fault(r, "there is no function '%s'%s", name,
                      did_you_mean(r->arena, "\n", name, rewrite_functions()));
        return e;
    }
    e->kind = kind;
    rewrite_need(r, "(");
    for (; args[n] && !r->failed; n++) {
        RewriteExpr *x;

        if (n)
            rewrite_need(r, ",");
        x = read_level(r, 1);
        check_kind(r, x,
                   args[n] == 'v'   ? RK_VALUE
                   : args[n] == 'l' ? RK_LIST
                   : args[n] == 's' ? RK_TEXT
                                    : RK_NUMBER);
        vec_push(r->arena, e->arg, x);
    }
    rewrite_need(r, ")");
    return e;
}

static RewriteExpr *
read_value(RewriteReader *r)
{
    RewriteExpr *e = new_expr(r, RF_VALUE, RK_VALUE);

    e->term = rewrite_named(r, r->text);
    if (!e->term)
        rewrite_fault(r, "the pattern has no %%%s", r->text);
    rewrite_advance(r);
    return e;
}

static RewriteExpr *
read_variable(RewriteReader *r)
{
    bool fresh;
    int i = rewrite_variable(r, r->text, RK_NONE, &fresh);
    RewriteExpr *e = new_expr(r, RF_VARIABLE, RK_NUMBER);

    if (i < 0) {
        rewrite_fault(r, "$%s stands for nothing yet", r->text);
        return e;
    }
    e->variable = i;
    e->kind = r->rule->variable[i].kind;
    rewrite_advance(r);
    return e;
}

static RewriteExpr *
read_inner(RewriteReader *r)
{
    RewriteExpr *e;

    if (r->kind == RW_NUMBER || r->kind == RW_STRING) {
        e = new_expr(r, RF_CONSTANT,
                     r->kind == RW_NUMBER ? RK_NUMBER : RK_TEXT);
        e->constant.number = r->number;
        e->constant.text = r->text;
        rewrite_advance(r);
        return e;
    }
    if (r->kind == RW_VALUE)
        return read_value(r);
    if (r->kind == RW_VARIABLE)
        return read_variable(r);
    if (rewrite_is(r, "["))
        return read_list(r);
    if (r->kind == RW_NAME)
        return read_call(r);
    if (rewrite_take(r, "(")) {
        e = read_level(r, 0);
        rewrite_need(r, ")");
        return e;
    }
    rewrite_expected(r, "an expression");
    return new_expr(r, RF_CONSTANT, RK_NUMBER);
}

static RewriteExpr *
read_primary(RewriteReader *r)
{
    RewriteExpr *e;

    if (++r->depth > REWRITE_DEPTH)
        rewrite_fault(r, "more than %d parentheses within each other",
                      REWRITE_DEPTH);
    e = read_inner(r);
    r->depth--;
    return e;
}

static RewriteExpr *
operation(RewriteReader *r, const char *sign, RewriteExpr *x, RewriteExpr *y)
{
    RewriteExpr *e = new_expr(r, RF_OPERATOR, RK_NUMBER);
    bool compares = strcmp(sign, "==") == 0 || strcmp(sign, "!=") == 0;

    memcpy(e->sign, sign, strlen(sign) + 1);
    check_kind(r, x, compares ? y->kind : RK_NUMBER);
    check_kind(r, y, compares ? x->kind : RK_NUMBER);
    vec_push(r->arena, e->arg, x);
    vec_push(r->arena, e->arg, y);
    return e;
}

static RewriteExpr *
read_negative(RewriteReader *r)
{
    RewriteExpr *zero = new_expr(r, RF_CONSTANT, RK_NUMBER), *e;

    if (!rewrite_take(r, "-"))
        return read_primary(r);
    if (++r->depth > REWRITE_DEPTH)
        rewrite_fault(r, "more than %d signs before one another",
                      REWRITE_DEPTH);
    e = read_negative(r);
    r->depth--;
    return operation(r, "-", zero, e);
}

/* Levels: 0 comparisons, 1 sums, 2 products. */
static RewriteExpr *
read_level(RewriteReader *r, int level)
{
    static const char *const signs[3][6] = {
        {"==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/"}};
    RewriteExpr *e = level == 2 ? read_negative(r) : read_level(r, level + 1);

    for (bool more = true; more && !r->failed;) {
        more = false;
        for (int i = 0; i < 6 && signs[level][i] && !more; i++) {
            if (!rewrite_take(r, signs[level][i]))
                continue;
            more = true;
            e = operation(r, signs[level][i], e,
                          level == 2 ? read_negative(r)
                                     : read_level(r, level + 1));
        }
    }
    return e;
}

RewriteExpr *
rewrite_read_expr(RewriteReader *r, RewriteKind kind)
{
    bool compares = kind == RK_NONE || kind == RK_NUMBER;
    RewriteExpr *e = read_level(r, compares ? 0 : 1);

    check_kind(r, e, kind);
    return r->failed ? NULL : e;
}
