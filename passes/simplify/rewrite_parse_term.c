/* rewrite_parse_term: the patterns of rewrite rules. What is element-wise
   becomes terms of primitives, so that it matches however an exporter has cut
   it into operators; every other op is a node. */
#include "passes/simplify/rewrite_parse.h"

#include "ir/expr_rows.h"

#include <math.h>
#include <string.h>

uint32_t
rewrite_new_term(RewriteReader *r, RewriteTermKind kind)
{
    uint32_t t = (uint32_t)vec_len(r->rule->term);

    if (t >= REWRITE_TERMS) {
        rewrite_fault(r, "a rule has at most %d terms", REWRITE_TERMS);
        return t - 1;
    }
    vec_push(r->arena, r->rule->term,
             (RewriteTerm){.kind = kind, .variable = -1});
    return t;
}

static RewriteTerm *
term_at(const RewriteReader *r, uint32_t t)
{
    return &r->rule->term[t];
}

Op
rewrite_read_op(RewriteReader *r)
{
    Op op = r->kind == RW_NAME ? op_named(r->text) : OP_NONE;

    if (r->kind != RW_NAME) {
        rewrite_expected(r, "an op");
    } else if (op == OP_NONE || (op_info(op)->flags & OF_BODY)) {
        rewrite_fault(r, "there is no op '%s' for rules%s", r->text,
                      did_you_mean(r->arena, "\n", r->text, op_names()));
        op = OP_NONE;
    }
    rewrite_advance(r);
    return op;
}

int
rewrite_results(Op op)
{
    int n = op_info(op)->outputs;

    return n < 0 ? 1 : n;
}

bool
rewrite_begins_attr(const RewriteReader *r)
{
    RewriteReader ahead = *r;

    if (r->failed || r->kind == RW_STRING)
        return !r->failed;
    if (r->kind != RW_NAME)
        return false;
    rewrite_advance(&ahead);
    return rewrite_is(&ahead, "=");
}

static RewriteKind
attr_kind(char kind)
{
    return kind == 's' ? RK_TEXT : kind == 'l' ? RK_LIST : RK_NUMBER;
}

static int
read_key(RewriteReader *r, Op op)
{
    const OpInfo *info = op_info(op);

    for (int i = 0; i < info->attrs; i++)
        if (info->attr[i].kind != 'x' &&
            strcmp(info->attr[i].name, r->text) == 0) {
            rewrite_advance(r);
            rewrite_need(r, "=");
            return i;
        }
    rewrite_fault(r, "%s has no attribute '%s'", info->name, r->text);
    return 0;
}

void
rewrite_read_attr(RewriteReader *r, RewriteNode *n, bool pattern)
{
    RewriteAttr a = {0};
    bool fresh;

    if (r->kind == RW_STRING) {
        if (n->op != OP_map)
            rewrite_fault(r, "only map has a formula");
        n->formula = r->text;
        rewrite_advance(r);
        return;
    }
    a.attr = read_key(r, n->op);
    if (!r->failed && pattern && r->kind == RW_VARIABLE)
        rewrite_variable(r, r->text,
                         attr_kind(op_info(n->op)->attr[a.attr].kind), &fresh);
    if (!r->failed)
        a.value = rewrite_read_expr(
            r, attr_kind(op_info(n->op)->attr[a.attr].kind));
    vec_push(r->arena, n->attr, a);
}

/* `%r...`: its index, made if it is new; -1: something else comes next. */
static int
read_group(RewriteReader *r)
{
    size_t length = strlen(r->text);
    int n = (int)vec_len(r->rule->rest), i = 0;
    Sym name = r->text;

    if (r->kind != RW_VALUE || length < 4 ||
        strcmp(name + length - 3, "...") != 0)
        return -1;
    while (i < n && r->rule->rest[i] != name)
        i++;
    if (i == n)
        vec_push(r->arena, r->rule->rest, name);
    rewrite_advance(r);
    return i;
}

Sym *
rewrite_read_names(RewriteReader *r)
{
    RewriteReader back = *r;
    Sym *names = NULL;

    while (r->kind == RW_VALUE) {
        vec_push(r->arena, names, r->text);
        rewrite_advance(r);
        if (rewrite_take(r, "="))
            return names;
        if (!rewrite_take(r, ","))
            break;
    }
    *r = back;
    return NULL;
}

/* -- what both sides of a rule are made of -------------------------------- */

void
rewrite_read_operands(RewriteReader *r, RewriteNode *n, ReadTerm *operand)
{
    do {
        int group = read_group(r);

        if (group >= 0) {
            n->rest = group;
            break;
        }
        vec_push(r->arena, n->in, operand(r));
    } while (rewrite_take(r, ","));
}

void
rewrite_check_count(RewriteReader *r, const RewriteNode *n)
{
    const OpInfo *info = op_info(n->op);

    if (info->inputs >= 0 && n->rest < 0 &&
        (int)vec_len(n->in) != info->inputs)
        rewrite_fault(r, "%s takes %d operands, not %d", info->name,
                      info->inputs, (int)vec_len(n->in));
}

/* A or B or ..., each as `one` reads it. */
static uint32_t
read_either(RewriteReader *r, ReadTerm *one)
{
    uint32_t t = one(r);

    if (!r->failed && rewrite_take(r, "or")) {
        uint32_t other, both;

        if (++r->depth > REWRITE_DEPTH)
            rewrite_fault(r, "more than %d ways", REWRITE_DEPTH);
        other = read_either(r, one);
        r->depth--;
        both = rewrite_new_term(r, RT_EITHER);
        r->rule->term[both].arg[0] = t;
        r->rule->term[both].arg[1] = other;
        t = both;
    }
    return t;
}

uint32_t
rewrite_read_enclosed(RewriteReader *r, ReadTerm *one)
{
    uint32_t t;

    if (++r->depth > REWRITE_DEPTH)
        rewrite_fault(r, "more than %d parentheses within each other",
                      REWRITE_DEPTH);
    t = read_either(r, one);
    r->depth--;
    rewrite_need(r, ")");
    return t;
}

/* -- formulas ------------------------------------------------------------ */

static bool
name_part(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static void
add_once(Arena *a, Sym **list, Sym s)
{
    for (size_t i = 0; i < vec_len(*list); i++)
        if ((*list)[i] == s)
            return;
    vec_push(a, *list, s);
}

const char *
rewrite_plain_formula(Arena *a, Syms *s, const char *text, Text *names,
                      Sym **variables)
{
    Text out = text_new(a);

    while (*text) {
        size_t n = strcspn(text, "$");
        const char *name = text + n + 1;

        text_add_n(&out, text, n);
        text += n;
        if (!*text)
            break;
        for (n = 0; name_part(name[n]); n++)
            ;
        text_add(&out, "v_%.*s", (int)n, name);
        add_once(a, variables, sym_n(s, name, n));
        text = name + n;
    }
    for (size_t i = 0; i < vec_len(*variables); i++)
        text_add(names, " v_%s", (*variables)[i]);
    return text_str(&out);
}

/* Terms for the nodes of f over these operands; the term of its result. */
static uint32_t
formula_terms(RewriteReader *r, const Formula *f, const uint32_t *operand)
{
    uint32_t *to = NEWN(r->arena, uint32_t, vec_len(f->node));

    for (size_t i = 0; i < vec_len(f->node) && !r->failed; i++) {
        const ExprNode *n = &f->node[i];
        RewriteTerm *t;

        if (n->op == EX_INPUT) {
            to[i] = operand[n->arg[0]];
            continue;
        }
        to[i] = rewrite_new_term(r, n->op == EX_NUMBER ? RT_NUMBER : RT_SCALAR);
        t = term_at(r, to[i]);
        t->number = n->number;
        t->op = n->op;
        t->args = n->op == EX_MATH ? math_inputs((int)n->number)
                                   : expr_op_args(n->op);
        for (int k = 0; k < t->args; k++)
            t->arg[k] = to[n->arg[k]];
    }
    return r->failed ? 0 : to[f->result[0]];
}

static uint32_t
variable_term(RewriteReader *r, Sym name)
{
    bool fresh;
    int variable = rewrite_variable(r, name, RK_NUMBER, &fresh);
    uint32_t t = rewrite_new_term(r, RT_VARIABLE);

    term_at(r, t)->variable = variable;
    return t;
}

Formula *
rewrite_read_formula(RewriteReader *r, const char *text, const Text *names)
{
    Formula *f = r->failed
                     ? NULL
                     : formula_parse(r->arena, r->syms, text, text_str(names),
                                     0, (Loc){.file = r->file, .line = r->at});

    if (!f)
        rewrite_stop(r);
    if (f && vec_len(f->result) != 1)
        rewrite_fault(r, "a formula of rules has one result");
    return f;
}

/* `map %x, %y "a*$s+b"` */
static uint32_t
map_terms(RewriteReader *r, const RewriteNode *n)
{
    Text names = text_new(r->arena);
    Sym *variables = NULL;
    uint32_t *operand = NULL;
    const char *text;
    Formula *f;

    if (!n->formula) {
        rewrite_fault(r, "map needs its formula");
        return 0;
    }
    for (size_t i = 0; i < vec_len(n->in); i++) {
        text_add(&names, "%s%s", i ? " " : "",
                 formula_letter(r->arena, (int)i));
        vec_push(r->arena, operand, n->in[i]);
    }
    text = rewrite_plain_formula(r->arena, r->syms, n->formula, &names,
                                 &variables);
    for (size_t i = 0; i < vec_len(variables); i++)
        vec_push(r->arena, operand, variable_term(r, variables[i]));
    f = rewrite_read_formula(r, text, &names);
    return r->failed ? 0 : formula_terms(r, f, operand);
}

/* -- nodes --------------------------------------------------------------- */

static uint32_t read_one(RewriteReader *r);
static uint32_t read_node(RewriteReader *r);

static bool
begins_number(const RewriteReader *r)
{
    return r->kind == RW_NUMBER || rewrite_is(r, "-") ||
           rewrite_is(r, "inf") || rewrite_is(r, "nan");
}

static uint32_t
read_number_term(RewriteReader *r)
{
    bool negative = rewrite_take(r, "-");
    double x = rewrite_is(r, "inf")   ? (double)INFINITY
               : rewrite_is(r, "nan") ? (double)NAN
                                      : r->number;
    uint32_t t = rewrite_new_term(r, RT_NUMBER);

    if (!begins_number(r))
        rewrite_expected(r, "a number");
    rewrite_advance(r);
    term_at(r, t)->number = negative ? -x : x;
    return t;
}

static uint32_t
read_value_term(RewriteReader *r)
{
    uint32_t t = rewrite_named(r, r->text);

    if (!t) {
        t = rewrite_new_term(r, RT_VALUE);
        term_at(r, t)->name = r->text;
    }
    rewrite_advance(r);
    return t;
}

static uint32_t
read_operand(RewriteReader *r)
{
    uint32_t t = 0;

    if (r->kind == RW_VALUE)
        return read_value_term(r);
    if (begins_number(r))
        return read_number_term(r);
    if (r->kind == RW_VARIABLE) {
        t = variable_term(r, r->text);
        rewrite_advance(r);
        return t;
    }
    if (rewrite_take(r, "("))
        return rewrite_read_enclosed(r, read_one);
    rewrite_expected(r, "an operand");
    return 0;
}

static bool
begins_operand(const RewriteReader *r)
{
    return !r->failed && (r->kind == RW_VALUE || r->kind == RW_VARIABLE ||
                          begins_number(r) || rewrite_is(r, "("));
}

/* A row that computes what no formula says: a gradient stops there. */
static bool
is_formula(Op op)
{
    return (op_info(op)->flags & OF_MAP) && op != OP_detach;
}

static void
check_count(RewriteReader *r, const RewriteNode *n)
{
    rewrite_check_count(r, n);
    if (n->rest >= 0 && is_formula(n->op))
        rewrite_fault(r, "the operands of %s are not a group",
                      op_info(n->op)->name);
}

static uint32_t
node_term(RewriteReader *r, const RewriteNode *n)
{
    uint32_t t = rewrite_new_term(r, RT_RESULT);

    term_at(r, t)->node = (uint32_t)vec_len(r->rule->node);
    vec_push(r->arena, r->rule->node, *n);
    return t;
}

static uint32_t
read_node(RewriteReader *r)
{
    RewriteNode n = {.rest = -1, .results = 1};

    n.op = rewrite_read_op(r);
    if (begins_operand(r))
        rewrite_read_operands(r, &n, read_operand);
    while (rewrite_begins_attr(r))
        rewrite_read_attr(r, &n, true);
    if (!r->failed)
        check_count(r, &n);
    if (r->failed)
        return 0;
    n.results = rewrite_results(n.op);
    if (n.op == OP_map)
        return map_terms(r, &n);
    if (is_formula(n.op))
        return formula_terms(r, op_formula(n.op), n.in);
    return node_term(r, &n);
}

static uint32_t
read_one(RewriteReader *r)
{
    return begins_operand(r) ? read_operand(r) : read_node(r);
}

void
rewrite_name_results(RewriteReader *r, uint32_t t, const Sym *names,
                     RewriteNode *n)
{
    for (size_t i = 0; i < vec_len(names) && !r->failed; i++) {
        uint32_t at = i == 0 ? t : rewrite_new_term(r, RT_RESULT);

        if (rewrite_named(r, names[i]))
            rewrite_fault(r, "%%%s stands for something already", names[i]);
        if (term_at(r, at)->name)
            rewrite_fault(r, "%%%s has a name already", names[i]);
        if (i > 0)
            *term_at(r, at) = (RewriteTerm){.kind = RT_RESULT,
                                            .variable = -1,
                                            .node = term_at(r, t)->node,
                                            .result = (int)i};
        term_at(r, at)->name = names[i];
    }
    if (n && op_info(n->op)->outputs < 0 && vec_len(names))
        n->results = (int)vec_len(names);
    if (n && (int)vec_len(names) > n->results)
        rewrite_fault(r, "%s has %d results", op_info(n->op)->name,
                      n->results);
}

static uint32_t
read_statement(RewriteReader *r)
{
    Sym *names = rewrite_read_names(r);
    uint32_t t = read_either(r, read_one);
    RewriteNode *n = NULL;

    if (r->failed)
        return 0;
    if (term_at(r, t)->kind == RT_RESULT)
        n = &r->rule->node[term_at(r, t)->node];
    if (vec_len(names) > 1 && !n)
        rewrite_fault(r, "this has one result");
    if (vec_len(names))
        rewrite_name_results(r, t, names, n);
    return t;
}

void
rewrite_read_pattern(RewriteReader *r)
{
    RewriteTermKind kind;

    rewrite_skip_lines(r);
    do {
        r->rule->root = read_statement(r);
        if (r->kind != RW_LINE && !rewrite_is(r, "where") &&
            !rewrite_is(r, "=>"))
            rewrite_expected(r, "the end of the line");
        rewrite_skip_lines(r);
    } while (!r->failed && !rewrite_is(r, "where") && !rewrite_is(r, "=>"));
    if (r->failed)
        return;
    kind = term_at(r, r->rule->root)->kind;
    if (kind != RT_SCALAR && kind != RT_RESULT)
        rewrite_fault(r, "the last line of a pattern is a node");
}
