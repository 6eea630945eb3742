/* rule_parse: text of rules into their syntax tree: one token of look-ahead,
   recursive descent; an operator's place is where its text stands. */
#include "passes/train/rule.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

typedef enum TokenKind {
    TOK_END,
    TOK_LINE,
    TOK_NUMBER,
    TOK_NAME,
    TOK_SIGN
} TokenKind;

typedef struct Reader {
    Arena *arena;
    Syms *syms;
    const char *file, *p, *line_start;
    int line, depth, open; /* open: parentheses, newlines do not count */
    TokenKind kind;        /* the token that comes next */
    Sym text;
    double number;
    RulePlace at;
} Reader;

void
rule_fault(RulePlace at, const char *format, ...)
{
    char text[1000];
    va_list args;
    int n = snprintf(text, sizeof text, "column %d: ", at.column);

    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    raise_at((Loc){.file = at.file, .line = at.line}, "%s", text);
}

/* -- tokens ------------------------------------------------------------- */

static bool
name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool
name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void
skip_blank(Reader *r)
{
    while (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' ||
           (*r->p == '\n' && r->open) || *r->p == '#') {
        if (*r->p == '#') {
            r->p += strcspn(r->p, "\n");
            continue;
        }
        if (*r->p++ == '\n') {
            r->line++;
            r->line_start = r->p;
        }
    }
}

static void
read_number(Reader *r)
{
    char *end;

    r->kind = TOK_NUMBER;
    r->number = strtod(r->p, &end);
    r->text = sym_n(r->syms, r->p, (size_t)(end - r->p));
    r->p = end;
}

static void
read_sign(Reader *r)
{
    static const char *const two[] = {"<=", ">=", "==", "!=", "//", "->"};
    size_t n = 1;

    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (strncmp(r->p, two[i], 2) == 0)
            n = 2;
    if (n == 1 && !strchr("+-*/%@^<>=(),;:[]'", *r->p))
        rule_fault(r->at, "'%c' is not part of the language", *r->p);
    r->kind = TOK_SIGN;
    r->text = sym_n(r->syms, r->p, n);
    r->p += n;
}

static void
advance(Reader *r)
{
    skip_blank(r);
    r->at = (RulePlace){r->file, r->line, (int)(r->p - r->line_start) + 1};
    r->text = sym(r->syms, "");
    if (*r->p == 0) {
        r->kind = TOK_END;
    } else if (*r->p == '\n') {
        r->kind = TOK_LINE;
        r->p++;
        r->line++;
        r->line_start = r->p;
    } else if (isdigit((unsigned char)*r->p) ||
               (*r->p == '.' && isdigit((unsigned char)r->p[1]))) {
        read_number(r);
    } else if (name_start(*r->p)) {
        const char *start = r->p;

        while (name_part(*r->p))
            r->p++;
        r->kind = TOK_NAME;
        r->text = sym_n(r->syms, start, (size_t)(r->p - start));
    } else {
        read_sign(r);
    }
}

static bool
is(const Reader *r, const char *text)
{
    return (r->kind == TOK_SIGN || r->kind == TOK_NAME) &&
           strcmp(r->text, text) == 0;
}

static bool
take(Reader *r, const char *text)
{
    if (!is(r, text))
        return false;
    advance(r);
    return true;
}

static _Noreturn void
unexpected(const Reader *r, const char *expected)
{
    const char *found = r->kind == TOK_END    ? "the end of the file"
                        : r->kind == TOK_LINE ? "the end of the line"
                                              : r->text;

    rule_fault(r->at, "expected %s, found %s", expected, found);
}

static void
need(Reader *r, const char *text)
{
    char quoted[40];

    snprintf(quoted, sizeof quoted, "'%s'", text);
    if (!take(r, text))
        unexpected(r, quoted);
}

static Sym
need_name(Reader *r, const char *what)
{
    Sym s = r->text;

    if (r->kind != TOK_NAME)
        unexpected(r, what);
    advance(r);
    return s;
}

static void
end_line(Reader *r)
{
    if (r->kind != TOK_LINE && r->kind != TOK_END)
        unexpected(r, "the end of the line");
    while (r->kind == TOK_LINE)
        advance(r);
}

/* -- expressions -------------------------------------------------------- */

static RuleExpr *read_expr(Reader *r);

static RuleExpr *
new_expr(Reader *r, RuleExprKind kind, Sym name)
{
    RuleExpr *e = NEW(r->arena, RuleExpr);

    e->kind = kind;
    e->at = r->at;
    e->name = name;
    return e;
}

static RuleExpr *
operator_of(Reader *r, RulePlace at, const char *text, RuleExpr *x, RuleExpr *y)
{
    RuleExpr *e = new_expr(r, RX_OPERATOR, sym(r->syms, text));

    e->at = at;
    vec_push(r->arena, e->arg, x);
    if (y)
        vec_push(r->arena, e->arg, y);
    return e;
}

/* NUM | NAME | NAME "(" args ")" | "(" expr ")" */
static RuleExpr *
read_atom(Reader *r)
{
    RuleExpr *e;

    if (r->kind == TOK_NUMBER) {
        e = new_expr(r, RX_NUMBER, NULL);
        e->number = r->number;
        advance(r);
        return e;
    }
    if (is(r, "(")) {
        r->open++;
        advance(r);
        e = read_expr(r);
        r->open--;
        need(r, ")");
        return e;
    }
    e = new_expr(r, RX_NAME, r->text);
    need_name(r, "an expression");
    if (!is(r, "("))
        return e;
    e->kind = RX_CALL;
    r->open++;
    advance(r);
    while (!is(r, ")")) {
        vec_push(r->arena, e->arg, read_expr(r));
        if (!is(r, ")"))
            need(r, ",");
    }
    r->open--;
    advance(r);
    return e;
}

static RuleExpr *read_unary(Reader *r);

static RuleExpr *
read_power(Reader *r)
{
    RuleExpr *e = read_atom(r);
    RulePlace at;

    while (is(r, "'")) {
        at = r->at;
        advance(r);
        e = operator_of(r, at, "'", e, NULL);
    }
    at = r->at;
    return take(r, "^") ? operator_of(r, at, "^", e, read_unary(r)) : e;
}

static RuleExpr *
read_unary(Reader *r)
{
    RulePlace at = r->at;
    RuleExpr *e;

    if (++r->depth > MAX_DEPTH)
        rule_fault(r->at, "the expression is nested too deeply");
    e = take(r, "-") ? operator_of(r, at, "-", read_unary(r), NULL)
                     : read_power(r);
    r->depth--;
    return e;
}

/* Binary operators, weakest first; ended by an empty list. */
static const char *const levels[][7] = {
    {"or"},
    {"and"},
    {"<", "<=", ">", ">=", "==", "!="},
    {"+", "-"},
    {"*", "/", "@", "//", "%"},
};

enum { LEVELS = sizeof levels / sizeof *levels, COMPARISONS = 2 };

static RuleExpr *
read_level(Reader *r, int level)
{
    RuleExpr *e = level == LEVELS ? read_unary(r) : read_level(r, level + 1);

    if (level == LEVELS)
        return e;
    for (int i = 0; levels[level][i]; i++) {
        RulePlace at = r->at;

        if (!take(r, levels[level][i]))
            continue;
        e = operator_of(r, at, levels[level][i], e, read_level(r, level + 1));
        if (level == COMPARISONS)
            break;
        i = -1; /* left to right: begin again */
    }
    return e;
}

static RuleExpr *
read_expr(Reader *r)
{
    RuleExpr *e;

    if (++r->depth > MAX_DEPTH)
        rule_fault(r->at, "the expression is nested too deeply");
    e = read_level(r, 0);
    r->depth--;
    return e;
}

/* -- statements --------------------------------------------------------- */

static RuleStep *read_steps(Reader *r);

static RuleStep
read_simple(Reader *r)
{
    RuleStep s = {.kind = RS_ASSIGN, .at = r->at};

    do
        vec_push(r->arena, s.target, need_name(r, "a name"));
    while (take(r, ","));
    need(r, "=");
    s.value = read_expr(r);
    return s;
}

/* simple { ";" simple }, to the end of the line. */
static void
read_line(Reader *r, RuleStep **steps)
{
    do
        vec_push(r->arena, *steps, read_simple(r));
    while (take(r, ";"));
    end_line(r);
}

static RuleExpr *
number_expr(Reader *r, double x)
{
    RuleExpr *e = new_expr(r, RX_NUMBER, NULL);

    e->number = x;
    return e;
}

/* once: t == 1; every K: (t-1) % K == 0; if: the condition itself. */
static RuleExpr *
read_condition(Reader *r, const char *word)
{
    RulePlace at = r->at;
    RuleExpr *t = new_expr(r, RX_NAME, sym(r->syms, "t")), *e;

    if (strcmp(word, "if") == 0)
        return read_expr(r);
    if (strcmp(word, "once") == 0)
        return operator_of(r, at, "==", t, number_expr(r, 1));
    e = operator_of(r, at, "-", t, number_expr(r, 1));
    e = operator_of(r, at, "%", e, read_expr(r));
    return operator_of(r, at, "==", e, number_expr(r, 0));
}

static RuleStep
read_block(Reader *r)
{
    RuleStep s = {.kind = RS_IF, .at = r->at};
    const char *word = r->text;

    if (++r->depth > MAX_DEPTH)
        rule_fault(r->at, "blocks are nested too deeply");
    advance(r);
    s.value = read_condition(r, word);
    if (take(r, ":")) {
        read_line(r, &s.then);
    } else {
        end_line(r);
        s.then = read_steps(r);
        if (take(r, "else")) {
            end_line(r);
            s.other = read_steps(r);
        }
        need(r, "end");
        end_line(r);
    }
    r->depth--;
    return s;
}

static RuleStep *
read_steps(Reader *r)
{
    RuleStep *steps = NULL;

    while (!is(r, "end") && !is(r, "else")) {
        if (r->kind == TOK_END)
            unexpected(r, "'end'");
        if (is(r, "if") || is(r, "every") || is(r, "once"))
            vec_push(r->arena, steps, read_block(r));
        else
            read_line(r, &steps);
    }
    return steps;
}

/* -- declarations ------------------------------------------------------- */

static void
read_view(Reader *r, Rule *rule)
{
    static const char *const views[] = {"asis", "rows", "wide", "square",
                                        "flat"};

    for (int i = 0; i < 5; i++) {
        if (!take(r, views[i]))
            continue;
        rule->view = (RuleView)i;
        return;
    }
    unexpected(r, "asis, rows, wide, square or flat");
}

static void
read_hyper(Reader *r, Rule *rule)
{
    do {
        RuleNumber h = {.name = need_name(r, "a name")};
        double sign = 1;

        need(r, "=");
        if (take(r, "-"))
            sign = -1;
        h.value = sign * r->number;
        if (r->kind != TOK_NUMBER)
            unexpected(r, "a number");
        advance(r);
        vec_push(r->arena, rule->hyper, h);
    } while (take(r, ","));
}

static void
read_shape(Reader *r, RuleSlot *s)
{
    if (take(r, "like")) {
        need(r, "w");
        s->like_w = true;
    } else if (!take(r, "scalar")) {
        need(r, "[");
        do
            vec_push(r->arena, s->shape, read_expr(r));
        while (take(r, ","));
        need(r, "]");
        if (vec_len(s->shape) > MAXRANK)
            rule_fault(s->at, "state '%s' has more than %d axes", s->name,
                       MAXRANK);
    }
}

static void
read_state(Reader *r, Rule *rule)
{
    do {
        RuleSlot s = {.at = r->at};

        s.name = need_name(r, "a name");
        need(r, ":");
        read_shape(r, &s);
        if (is(r, "as"))
            rule_fault(r->at,
                       "codecs of states are not available yet: "
                       "state '%s' is kept as it is computed",
                       s.name);
        if (take(r, "="))
            s.init = read_expr(r);
        if (take(r, "if"))
            s.when = read_expr(r);
        vec_push(r->arena, rule->state, s);
    } while (take(r, ","));
}

static void
read_use(Reader *r, Rule *rule)
{
    RuleUse u = {.at = r->at};

    u.when = read_expr(r);
    need(r, ":");
    need(r, "use");
    u.rule = need_name(r, "the name of a rule");
    vec_push(r->arena, rule->use, u);
}

static void
read_const(Reader *r, Rule *rule)
{
    RuleNumber c = {.name = need_name(r, "a name")};

    need(r, "=");
    c.expr = read_expr(r);
    vec_push(r->arena, rule->constant, c);
}

/* False if the line is no declaration. */
static bool
read_declaration(Reader *r, Rule *rule)
{
    static const struct {
        const char *word;
        void (*read)(Reader *r, Rule *rule);
    } words[] = {{"view", read_view},
                 {"hyper", read_hyper},
                 {"const", read_const},
                 {"when", read_use},
                 {"state", read_state}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!take(r, words[i].word))
            continue;
        words[i].read(r, rule);
        end_line(r);
        return true;
    }
    if (is(r, "input") || is(r, "dir") || is(r, "param"))
        rule_fault(r->at, "'%s' is not available yet", r->text);
    return false;
}

static void
read_rule(Reader *r, RuleFile *into)
{
    Rule rule = {.at = r->at};

    rule.name = need_name(r, "the rule's name");
    end_line(r);
    while (read_declaration(r, &rule))
        ;
    rule.step = read_steps(r);
    need(r, "end");
    end_line(r);
    vec_push(r->arena, into->rule, rule);
}

static void
read_def(Reader *r, RuleFile *into)
{
    RuleDef d = {.at = r->at};

    d.name = need_name(r, "the macro's name");
    need(r, "(");
    do
        vec_push(r->arena, d.param, need_name(r, "a name"));
    while (take(r, ","));
    need(r, ")");
    need(r, "->");
    do
        vec_push(r->arena, d.result, need_name(r, "a name"));
    while (take(r, ","));
    end_line(r);
    d.step = read_steps(r);
    need(r, "end");
    end_line(r);
    vec_push(r->arena, into->def, d);
}

void
rule_parse(Arena *a, Syms *s, const char *text, const char *file,
           RuleFile *into)
{
    Reader r = {.arena = a,
                .syms = s,
                .file = file,
                .p = text,
                .line_start = text,
                .line = 1};

    advance(&r);
    while (r.kind == TOK_LINE)
        advance(&r);
    while (r.kind != TOK_END) {
        if (take(&r, "rule"))
            read_rule(&r, into);
        else if (take(&r, "def"))
            read_def(&r, into);
        else
            unexpected(&r, "'rule' or 'def'");
    }
}
