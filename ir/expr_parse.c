/* expr_parse: formulas from text, by precedence climbing. */
#include "ir/expr_rows.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/vec.h"

enum { DEEPEST = 200 };

typedef struct Local {
    const char *name;
    size_t len;
    uint32_t node;
} Local;

typedef struct Parser {
    Arena *arena;
    const char *text, *at; /* at: the next character not yet read */
    Formula *f;
    Local *local; /* vector: NAME = expr; */
    Loc loc;
    int depth;
    bool failed;
} Parser;

typedef struct Binary {
    const char *text;
    int level; /* how tightly it binds */
    ExprOp op;
    bool swap;        /* operands change places */
    const char *math; /* else this math row */
} Binary;

/* Longer texts stand before their beginnings. */
static const Binary binaries[] = {
    {"or", 1, EX_OR, false, NULL},  {"and", 2, EX_AND, false, NULL},
    {"<=", 3, EX_LE, false, NULL},  {"<", 3, EX_LT, false, NULL},
    {">=", 3, EX_LE, true, NULL},   {">", 3, EX_LT, true, NULL},
    {"==", 3, EX_EQ, false, NULL},  {"!=", 3, EX_NE, false, NULL},
    {"+", 4, EX_ADD, false, NULL},  {"-", 4, EX_SUB, false, NULL},
    {"*", 5, EX_MUL, false, NULL},  {"//", 5, EX_MATH, false, "floordiv"},
    {"/", 5, EX_DIV, false, NULL},  {"%", 5, EX_MATH, false, "mod"},
};

static uint32_t expression(Parser *p, int level);

/* Notes the first problem only; what follows would be its echo. */
static uint32_t
fail(Parser *p, const char *at, const char *what)
{
    if (!p->failed)
        complain(p->loc, "formula \"%.200s\", column %d: %s", p->text,
                 (int)(at - p->text) + 1, what);
    p->failed = true;
    p->at = p->text + strlen(p->text);
    return formula_number(p->arena, p->f, 0);
}

static uint32_t
fail_name(Parser *p, const char *at, size_t len, const char *what)
{
    Text t = text_new(p->arena);

    text_add(&t, "'%.*s' %s", len > 80 ? 80 : (int)len, at, what);
    return fail(p, at, text_str(&t));
}

static void
skip_space(Parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool
accept(Parser *p, const char *token)
{
    size_t n = strlen(token);

    skip_space(p);
    if (strncmp(p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

static void
expect(Parser *p, const char *token)
{
    Text t;

    if (accept(p, token))
        return;
    t = text_new(p->arena);
    text_add(&t, *p->at ? "expected '%s'" : "expected '%s' at the end", token);
    fail(p, p->at, text_str(&t));
}

static bool
name_begins(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t
name_length(const char *s)
{
    size_t n = 0;

    if (name_begins(*s))
        while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '.')
            n++;
    return n;
}

static bool
same_text(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(s, word, len) == 0;
}

/* -- calls ---------------------------------------------------------------- */

static int
arguments(Parser *p, uint32_t arg[3])
{
    int n = 0;

    if (accept(p, ")"))
        return 0;
    do {
        uint32_t x = expression(p, 1);

        if (n < 3)
            arg[n] = x;
        n++;
    } while (accept(p, ","));
    expect(p, ")");
    return n;
}

static bool
right_count(Parser *p, const char *at, size_t len, int want, int got)
{
    char what[60];

    if (want == got)
        return true;
    snprintf(what, sizeof what, "takes %d argument%s, not %d", want,
             want == 1 ? "" : "s", got);
    fail_name(p, at, len, what);
    return false;
}

static ExprOp
primitive_named(const char *s, size_t len)
{
    for (ExprOp op = 0; op < EX_COUNT; op++)
        if (name_begins(*expr_op_name(op)) && op != EX_AND && op != EX_OR &&
            same_text(s, len, expr_op_name(op)))
            return op;
    return EX_COUNT;
}

static uint32_t
inline_row(Parser *p, Op op, const uint32_t *arg)
{
    const Formula *row = op_formula(op);
    uint32_t *to = NEWN(p->arena, uint32_t, vec_len(row->node));

    formula_copy(p->arena, p->f, row, arg, to);
    return to[row->result[0]];
}

/* What a function name means: a primitive, then a math row, then a MAP row. */
static uint32_t
apply(Parser *p, const char *at, size_t len, int n, const uint32_t *arg)
{
    Text name = text_new(p->arena);
    DType cast = dtype_named(at, len);
    ExprOp op = primitive_named(at, len);
    Op map;
    int row;

    text_add_n(&name, at, len);
    row = math_named(text_str(&name));
    map = op_named(text_str(&name));
    if (cast != DT_NONE)
        return right_count(p, at, len, 1, n)
                   ? formula_cast(p->arena, p->f, arg[0], cast)
                   : 0;
    if (op != EX_COUNT)
        return right_count(p, at, len, expr_op_args(op), n)
                   ? formula_node(p->arena, p->f, op, arg[0], arg[1], arg[2])
                   : 0;
    if (row >= 0)
        return right_count(p, at, len, math_inputs(row), n)
                   ? formula_math(p->arena, p->f, row, arg[0], arg[1])
                   : 0;
    if (map != OP_NONE && op_info(map)->value)
        return right_count(p, at, len, op_info(map)->inputs, n)
                   ? inline_row(p, map, arg)
                   : 0;
    return fail_name(p, at, len, "is not a function of formulas");
}

static uint32_t
call(Parser *p, const char *at, size_t len)
{
    uint32_t arg[3] = {0};
    int n = arguments(p, arg);

    return p->failed ? 0 : apply(p, at, len, n, arg);
}

/* -- atoms ---------------------------------------------------------------- */

static uint32_t
variable(Parser *p, const char *at, size_t len)
{
    for (size_t i = vec_len(p->local); i-- > 0;)
        if (p->local[i].len == len && !memcmp(p->local[i].name, at, len))
            return p->local[i].node;
    for (uint32_t i = 0; i < vec_len(p->f->input); i++)
        if (same_text(at, len, p->f->input[i]))
            return formula_input(p->arena, p->f, p->f->input[i]);
    if (same_text(at, len, "inf"))
        return formula_number(p->arena, p->f, (double)INFINITY);
    if (same_text(at, len, "nan"))
        return formula_number(p->arena, p->f, (double)NAN);
    return fail_name(p, at, len, "is not known here");
}

static uint32_t
number(Parser *p)
{
    char *end;
    double x = strtod(p->at, &end);

    if (end == p->at)
        return fail(p, p->at, *p->at ? "a value was expected"
                                     : "a value was expected at the end");
    p->at = end;
    return formula_number(p->arena, p->f, x);
}

static uint32_t
atom(Parser *p)
{
    const char *at;
    size_t len;
    uint32_t x;

    if (accept(p, "(")) {
        x = expression(p, 1);
        expect(p, ")");
        return x;
    }
    at = p->at;
    len = name_length(at);
    if (!len)
        return *at == '+' || *at == '-' ? fail(p, at, "a value was expected")
                                        : number(p);
    p->at += len;
    return accept(p, "(") ? call(p, at, len) : variable(p, at, len);
}

static uint32_t negation(Parser *p);

/* x^2, x^3, x^4, x^0.5, x^-0.5 and x^-1 are products, roots and quotients by
   definition; any other power is pow. */
static uint32_t
power(Parser *p, uint32_t x, uint32_t y)
{
    Arena *a = p->arena;
    Formula *f = p->f;
    double e = f->node[y].op == EX_NUMBER ? f->node[y].number : 0;
    uint32_t base = e == 0.5 || e == -0.5
                        ? formula_node(a, f, EX_SQRT, x, 0, 0)
                        : x;

    if (e == 0.5 || e == 1)
        return base;
    if (e == -0.5 || e == -1)
        return formula_node(a, f, EX_DIV, formula_number(a, f, 1), base, 0);
    if (e != 2 && e != 3 && e != 4)
        return formula_math(a, f, math_named("pow"), x, y);
    x = formula_node(a, f, EX_MUL, base, base, 0);
    return e == 2 ? x : formula_node(a, f, EX_MUL, x, e == 3 ? base : x, 0);
}

static uint32_t
powers(Parser *p)
{
    uint32_t x = atom(p), y;

    if (!accept(p, "^"))
        return x;
    y = negation(p);
    return p->failed ? 0 : power(p, x, y);
}

static uint32_t
negation(Parser *p)
{
    uint32_t x;

    if (!accept(p, "-"))
        return powers(p);
    if (++p->depth > DEEPEST)
        return fail(p, p->at, "nested too deeply");
    x = negation(p);
    p->depth--;
    return formula_node(p->arena, p->f, EX_NEG, x, 0, 0);
}

/* -- operators ------------------------------------------------------------ */

static const Binary *
binary_at(Parser *p)
{
    skip_space(p);
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++) {
        size_t n = strlen(binaries[i].text);

        if (strncmp(p->at, binaries[i].text, n) == 0 &&
            (!isalpha((unsigned char)*p->at) || name_length(p->at) == n))
            return &binaries[i];
    }
    return NULL;
}

static uint32_t
combine(Parser *p, const Binary *b, uint32_t x, uint32_t y)
{
    if (p->failed)
        return 0;
    if (b->math)
        return formula_math(p->arena, p->f, math_named(b->math), x, y);
    return b->swap ? formula_node(p->arena, p->f, b->op, y, x, 0)
                   : formula_node(p->arena, p->f, b->op, x, y, 0);
}

static uint32_t
expression(Parser *p, int level)
{
    uint32_t x;
    const Binary *b;

    if (++p->depth > DEEPEST || vec_len(p->f->node) > MOST_NODES)
        return fail(p, p->at, p->depth > DEEPEST ? "nested too deeply"
                                                 : "the formula is too long");
    x = negation(p);
    while ((b = binary_at(p)) && b->level >= level && !p->failed) {
        p->at += strlen(b->text);
        x = combine(p, b, x, expression(p, b->level + 1));
    }
    p->depth--;
    return x;
}

/* -- statements ----------------------------------------------------------- */

/* NAME "=" begins here, and not NAME "==". */
static size_t
definition(Parser *p)
{
    size_t len, i;

    skip_space(p);
    len = i = name_length(p->at);
    while (len && isspace((unsigned char)p->at[i]))
        i++;
    return len && p->at[i] == '=' && p->at[i + 1] != '=' ? len : 0;
}

static void
define(Parser *p, size_t len)
{
    Local local = {p->at, len, 0};

    p->at += len;
    expect(p, "=");
    local.node = expression(p, 1);
    vec_push(p->arena, p->local, local);
}

static void
statements(Parser *p)
{
    do {
        size_t len = definition(p);

        if (len && vec_len(p->f->result))
            fail(p, p->at, "names are defined before the results");
        else if (len)
            define(p, len);
        else
            vec_push(p->arena, p->f->result, expression(p, 1));
    } while (accept(p, ";"));
    skip_space(p);
    if (*p->at)
        fail(p, p->at, "an operator, ';' or the end was expected");
    if (!vec_len(p->f->result))
        fail(p, p->at, "a result was expected");
}

static void
name_inputs(Parser *p, Syms *s, const char *names, int inputs)
{
    for (int i = 0; !names && i < inputs; i++)
        vec_push(p->arena, p->f->input, sym(s, formula_letter(p->arena, i)));
    while (names && *names) {
        size_t n = strcspn(names, " ");

        if (n)
            vec_push(p->arena, p->f->input, sym_n(s, names, n));
        names += n + (names[n] == ' ');
    }
}

Formula *
formula_parse(Arena *a, Syms *s, const char *text, const char *names,
              int inputs, Loc loc)
{
    Parser p = {.arena = a, .text = text, .at = text, .loc = loc};

    p.f = formula_new(a);
    name_inputs(&p, s, names, inputs);
    statements(&p);
    return p.failed ? NULL : p.f;
}
