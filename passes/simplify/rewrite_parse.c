/* rewrite_parse: rules, their conditions and replacements; patterns are read
   by rewrite_parse_term. */
#include "passes/simplify/rewrite_parse.h"

#include <string.h>

/* -- conditions ---------------------------------------------------------- */

static RewriteExpr **
read_dims(RewriteReader *r)
{
    RewriteExpr **dim = NULL;

    rewrite_need(r, "[");
    while (!r->failed && !rewrite_is(r, "]")) {
        bool fresh = false;

        if (r->kind == RW_VARIABLE)
            rewrite_variable(r, r->text, RK_NUMBER, &fresh);
        vec_push(r->arena, dim, rewrite_read_expr(r, RK_NUMBER));
        if (!rewrite_take(r, ","))
            break;
    }
    rewrite_need(r, "]");
    if (vec_len(dim) > MAXRANK)
        rewrite_fault(r, "a shape has at most %d axes", MAXRANK);
    return dim;
}

static DType
read_dtype(RewriteReader *r)
{
    DType d = DT_NONE;

    if (r->kind == RW_NAME) {
        d = dtype_named(r->text, strlen(r->text));
        if (d == DT_NONE)
            rewrite_fault(r, "'%s' is no element type", r->text);
        rewrite_advance(r);
    }
    return d;
}

/* %x : f32[$a,$b], : [$a,$b] or : f32 */
static void
read_type_condition(RewriteReader *r, RewriteCondition *c)
{
    c->term = rewrite_named(r, r->text);
    if (!c->term)
        rewrite_fault(r, "the pattern has no %%%s", r->text);
    rewrite_advance(r);
    rewrite_need(r, ":");
    c->dtype = read_dtype(r);
    c->shaped = rewrite_is(r, "[");
    if (c->shaped)
        c->dim = read_dims(r);
    else if (c->dtype == DT_NONE)
        rewrite_expected(r, "a type");
}

/* $x = expression, $x else expression; false: neither. */
static bool
read_binding(RewriteReader *r, RewriteCondition *c)
{
    RewriteReader back = *r;
    Sym name = r->text;
    bool fresh;

    rewrite_advance(r);
    if (rewrite_take(r, "else"))
        c->test = RC_DEFAULT;
    else if (rewrite_take(r, "="))
        c->test = RC_LET;
    else {
        *r = back;
        return false;
    }
    c->value = rewrite_read_expr(r, RK_NONE);
    if (r->failed)
        return true;
    c->variable = rewrite_variable(r, name, c->value->kind, &fresh);
    if (fresh && c->test == RC_DEFAULT)
        rewrite_fault(r, "the pattern has no $%s", name);
    if (!fresh && c->test == RC_LET)
        rewrite_fault(r, "$%s stands for something already", name);
    return true;
}

static bool
is_typed(const RewriteReader *r)
{
    RewriteReader ahead = *r;

    if (r->kind != RW_VALUE)
        return false;
    rewrite_advance(&ahead);
    return rewrite_is(&ahead, ":");
}

static void
read_condition(RewriteReader *r)
{
    RewriteCondition c = {.test = RC_HOLDS};

    if (is_typed(r)) {
        c.test = RC_TYPE;
        read_type_condition(r, &c);
    } else if (r->kind != RW_VARIABLE || !read_binding(r, &c)) {
        c.value = rewrite_read_expr(r, RK_NUMBER);
    }
    vec_push(r->arena, r->rule->condition, c);
}

static void
read_conditions(RewriteReader *r)
{
    do {
        rewrite_skip_lines(r);
        read_condition(r);
    } while (rewrite_take(r, ","));
}

/* -- replacements -------------------------------------------------------- */

/* The type behind a node of the replacement, or `like %x`: its elements'. */
static void
read_type(RewriteReader *r, RewriteNode *n)
{
    if (rewrite_take(r, "like")) {
        n->like = rewrite_named(r, r->text);
        if (r->kind != RW_VALUE || !n->like)
            rewrite_expected(r, "a value of the pattern");
        rewrite_advance(r);
        return;
    }
    n->typed = true;
    n->dtype = read_dtype(r);
    n->dim = NULL;
    rewrite_need(r, "[");
    while (!r->failed && !rewrite_is(r, "]")) {
        vec_push(r->arena, n->dim, rewrite_read_expr(r, RK_NUMBER));
        if (!rewrite_take(r, ","))
            break;
    }
    rewrite_need(r, "]");
    if (vec_len(n->dim) > MAXRANK)
        rewrite_fault(r, "a shape has at most %d axes", MAXRANK);
}

static uint32_t read_made(RewriteReader *r);
static uint32_t read_made_operand(RewriteReader *r);

static uint32_t
read_made_value(RewriteReader *r)
{
    uint32_t t = 0;

    if (r->kind != RW_VALUE)
        return read_made(r);
    t = rewrite_named(r, r->text);
    if (!t)
        rewrite_fault(r, "there is no %%%s", r->text);
    rewrite_advance(r);
    return t;
}

static uint32_t
read_made_one(RewriteReader *r)
{
    return rewrite_is(r, "(") ? read_made_operand(r) : read_made_value(r);
}

/* Of A or B or ... the first whose values stand for something is taken. */
static uint32_t
read_made_operand(RewriteReader *r)
{
    if (rewrite_take(r, "("))
        return rewrite_read_enclosed(r, read_made_one);
    if (r->kind != RW_VALUE) {
        rewrite_expected(r, "a %value or a node in parentheses (numbers "
                            "stand in the formula of a `map`)");
        return 0;
    }
    return read_made_value(r);
}

static bool
begins_operand(const RewriteReader *r)
{
    return r->kind == RW_VALUE || r->kind == RW_VARIABLE ||
           r->kind == RW_NUMBER || rewrite_is(r, "(");
}

/* Every attribute is given; the split of a product follows from its shape. */
static void
check_attrs(RewriteReader *r, const RewriteNode *n)
{
    const OpInfo *info = op_info(n->op);

    for (int i = 0; i < info->attrs && !r->failed; i++) {
        bool given = info->attr[i].kind == 'x' ||
                     info->attr[i].kind == 'b' ||
                     info->attr[i].optional ||
                     (n->op == OP_contract &&
                      strcmp(info->attr[i].name, "split") == 0);

        for (size_t k = 0; k < vec_len(n->attr); k++)
            given |= n->attr[k].attr == i;
        if (!given)
            rewrite_fault(r, "%s needs its attribute %s", info->name,
                          info->attr[i].name);
    }
}

static void
check_formula(RewriteReader *r, const RewriteNode *n)
{
    Text names = text_new(r->arena);
    Sym *variables = NULL;
    const char *text;

    if (!n->formula) {
        rewrite_fault(r, "map needs its formula");
        return;
    }
    for (size_t i = 0; i < vec_len(n->in); i++)
        text_add(&names, "%s%s", i ? " " : "",
                 formula_letter(r->arena, (int)i));
    text = rewrite_plain_formula(r->arena, r->syms, n->formula, &names,
                                 &variables);
    for (size_t i = 0; i < vec_len(variables); i++) {
        bool fresh;

        if (rewrite_variable(r, variables[i], RK_NONE, &fresh) < 0)
            rewrite_fault(r, "$%s stands for nothing", variables[i]);
        else
            rewrite_variable(r, variables[i], RK_NUMBER, &fresh);
    }
    (void)rewrite_read_formula(r, text, &names);
}

/* A node; the term of its result 0. Its other results are named behind it. */
static uint32_t
read_made(RewriteReader *r)
{
    RewriteNode n = {.rest = -1, .results = 1};
    uint32_t t;

    n.op = rewrite_read_op(r);
    if (begins_operand(r))
        rewrite_read_operands(r, &n, read_made_operand);
    while (rewrite_begins_attr(r))
        rewrite_read_attr(r, &n, false);
    n.results = rewrite_results(n.op);
    if (!r->failed) {
        check_attrs(r, &n);
        rewrite_check_count(r, &n);
        if (n.op == OP_map)
            check_formula(r, &n);
    }
    if (rewrite_take(r, ":"))
        read_type(r, &n);
    t = rewrite_new_term(r, RT_RESULT);
    r->rule->term[t].node = (uint32_t)vec_len(r->rule->made);
    vec_push(r->arena, r->rule->made, n);
    vec_push(r->arena, r->rule->made_term, t);
    return t;
}

static void
read_made_statement(RewriteReader *r)
{
    Sym *names = rewrite_read_names(r);
    uint32_t t;

    if (r->kind == RW_VALUE && !vec_len(names) && !vec_len(r->rule->made)) {
        r->rule->forward = read_made_operand(r);
        return;
    }
    t = read_made(r);
    if (!r->failed)
        rewrite_name_results(r, t, names, &vec_last(r->rule->made));
}

static void
read_replacement(RewriteReader *r)
{
    RewriteRule *rule = r->rule;

    for (rewrite_skip_lines(r);
         !r->failed && r->kind != RW_END && !rewrite_is(r, "rule");
         rewrite_skip_lines(r)) {
        read_made_statement(r);
        if (r->kind != RW_LINE && r->kind != RW_END)
            rewrite_expected(r, "the end of the line");
    }
    if (!r->failed && !rule->forward && !vec_len(rule->made))
        rewrite_fault(r, "rule %s has no replacement", rule->name);
    if (rule->forward && vec_len(rule->made))
        rewrite_fault(r, "rule %s: a value or nodes take the place, not both",
                      rule->name);
}

/* -- rules --------------------------------------------------------------- */

static void
check_name(RewriteReader *r, const RewriteRule *rules)
{
    for (size_t i = 0; i < vec_len(rules); i++)
        if (rules[i].name == r->text)
            rewrite_fault(r, "there is a rule %s already, in %s:%d", r->text,
                          rules[i].file, rules[i].line);
}

static void
read_head(RewriteReader *r, const RewriteRule *rules)
{
    RewriteRule *rule = r->rule;

    rewrite_need(r, "rule");
    rule->line = r->at;
    if (r->kind != RW_NAME)
        rewrite_expected(r, "the rule's name");
    check_name(r, rules);
    rule->name = r->text;
    rewrite_advance(r);
    if (rewrite_take(r, "within")) {
        rule->within = r->number;
        if (r->kind != RW_NUMBER)
            rewrite_expected(r, "a number");
        rewrite_advance(r);
    }
    rewrite_need(r, ":");
}

/* What the replacement reads must stand for something in every match. */
static void
read_rule(RewriteReader *r, RewriteRule **rules)
{
    RewriteRule rule = {.file = r->file, .within = -1};

    r->rule = &rule;
    vec_push(r->arena, rule.term, (RewriteTerm){0});
    read_head(r, *rules);
    rewrite_read_pattern(r);
    rewrite_skip_lines(r);
    if (rewrite_take(r, "where"))
        read_conditions(r);
    rewrite_skip_lines(r);
    rewrite_need(r, "=>");
    rule.terms = (uint32_t)vec_len(rule.term);
    read_replacement(r);
    if (r->failed)
        rewrite_recover(r);
    else
        vec_push(r->arena, *rules, rule);
    r->exprs = 0;
}

void
rewrite_parse(Arena *a, Syms *s, const char *text, const char *file,
              RewriteRule **rules)
{
    RewriteReader r = {
        .arena = a, .syms = s, .file = file, .p = text, .line = 1};

    rewrite_advance(&r);
    for (rewrite_skip_lines(&r); r.failed || r.kind != RW_END;
         rewrite_skip_lines(&r)) {
        if (r.failed)
            rewrite_recover(&r);
        else
            read_rule(&r, rules);
    }
}
