/* expr_print: formulas as canonical text. What is used twice, or would nest
   too deeply, is named t1, t2, ... in the order in which it is first needed,
   so the text depends on the structure only. */
#include "ir/expr_rows.h"

#include <math.h>
#include <string.h>

#include "ir/base/vec.h"

enum { DEEPEST_PRINTED = 40 };

typedef struct Printer {
    Arena *arena;
    const Formula *f;
    int *uses;  /* of each node */
    int *depth; /* of the text of each node */
    int *name;  /* 0: not named yet */
    int names;  /* given so far */
    int first;  /* number of the first name */
    Text definitions;
} Printer;

const char *
formula_letter(Arena *a, int i)
{
    Text t = text_new(a);

    text_add(&t, "%c", 'a' + i % 26);
    if (i >= 26)
        text_add(&t, "%d", i / 26);
    return text_str(&t);
}

/* -- what gets a name ----------------------------------------------------- */

static bool
is_leaf(const ExprNode *n)
{
    return n->op == EX_NUMBER || n->op == EX_INPUT;
}

static bool
is_named(const Printer *p, uint32_t x)
{
    const ExprNode *n = &p->f->node[x];

    return !is_leaf(n) &&
           (p->uses[x] > 1 || p->depth[x] % DEEPEST_PRINTED == 0);
}

static void
count_uses(Printer *p)
{
    size_t n = vec_len(p->f->node);
    bool *reach = NEWN(p->arena, bool, n);

    formula_reach(p->f, reach);
    for (size_t i = 0; i < vec_len(p->f->result); i++)
        p->uses[p->f->result[i]]++;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; reach[i] && k < formula_node_args(&p->f->node[i]); k++)
            p->uses[p->f->node[i].arg[k]]++;
}

static void
measure_depth(Printer *p)
{
    for (uint32_t i = 0; i < vec_len(p->f->node); i++) {
        const ExprNode *n = &p->f->node[i];
        int deepest = 0;

        for (int k = 0; k < formula_node_args(n); k++)
            if (!is_named(p, n->arg[k]) && p->depth[n->arg[k]] > deepest)
                deepest = p->depth[n->arg[k]];
        p->depth[i] = deepest + 1;
    }
}

/* -- text of one expression ----------------------------------------------- */

static void print(Printer *p, Text *t, uint32_t x, int level);

static void
print_number(Text *t, double x)
{
    if (isnan(x))
        text_add(t, "nan");
    else if (isinf(x))
        text_add(t, x < 0 ? "-inf" : "inf");
    else
        text_add_double(t, x);
}

static int
level_of(const ExprNode *n)
{
    switch (n->op) {
    case EX_OR:
        return 1;
    case EX_AND:
        return 2;
    case EX_LT:
    case EX_LE:
    case EX_EQ:
    case EX_NE:
        return 3;
    case EX_ADD:
    case EX_SUB:
        return 4;
    case EX_MUL:
    case EX_DIV:
        return 5;
    case EX_NEG:
        return 6;
    case EX_NUMBER:
        return signbit(n->number) ? 6 : 8;
    default:
        return 8;
    }
}

/* b>0 rather than 0<b. */
static void
print_binary(Printer *p, Text *t, const ExprNode *n, int level)
{
    const ExprNode *node = p->f->node;
    bool word = n->op == EX_AND || n->op == EX_OR;
    bool order = n->op == EX_LT || n->op == EX_LE;
    bool swap = order && node[n->arg[0]].op == EX_NUMBER &&
                node[n->arg[1]].op != EX_NUMBER;
    const char *text = expr_op_name(n->op);

    if (swap)
        text = n->op == EX_LT ? ">" : ">=";
    print(p, t, n->arg[swap], level);
    text_add(t, word ? " %s " : "%s", text);
    print(p, t, n->arg[!swap], level + 1);
}

static void
print_call(Printer *p, Text *t, const ExprNode *n)
{
    const char *name = n->op == EX_MATH   ? math_row((int)n->number)->name
                       : n->op == EX_CAST ? dtype_name(n->dtype)
                                          : expr_op_name(n->op);

    text_add(t, "%s", name);
    for (int k = 0; k < formula_node_args(n); k++) {
        text_add(t, k ? "," : "(");
        print(p, t, n->arg[k], 1);
    }
    text_add(t, ")");
}

static void
print_plain(Printer *p, Text *t, const ExprNode *n, int level)
{
    if (n->op == EX_NUMBER) {
        print_number(t, n->number);
    } else if (n->op == EX_INPUT) {
        text_add(t, "%s", formula_letter(p->arena, (int)n->arg[0]));
    } else if (n->op == EX_NEG) {
        text_add(t, "-");
        print(p, t, n->arg[0], 6);
    } else if (level < 6) {
        print_binary(p, t, n, level);
    } else {
        print_call(p, t, n);
    }
}

static void
print_grouped(Printer *p, Text *t, uint32_t x, int level)
{
    int own = level_of(&p->f->node[x]);

    if (own < level)
        text_add(t, "(");
    print_plain(p, t, &p->f->node[x], own);
    if (own < level)
        text_add(t, ")");
}

static void
print(Printer *p, Text *t, uint32_t x, int level)
{
    if (!is_named(p, x)) {
        print_grouped(p, t, x, level);
        return;
    }
    if (!p->name[x]) {
        Text own = text_new(p->arena);

        print_grouped(p, &own, x, 1);
        p->name[x] = p->first + p->names++;
        text_add(&p->definitions, "t%d = %s; ", p->name[x], text_str(&own));
    }
    text_add(t, "t%d", p->name[x]);
}

/* Inputs from the 46th on are called t1, t2, ...: names begin behind them. */
const char *
formula_print(Arena *a, const Formula *f)
{
    size_t n = vec_len(f->node);
    Printer p = {.arena = a, .f = f, .uses = NEWN(a, int, n)};
    Text results = text_new(a);

    p.depth = NEWN(a, int, n);
    p.name = NEWN(a, int, n);
    p.first = 1 + (int)vec_len(f->input) / 26;
    p.definitions = text_new(a);
    count_uses(&p);
    measure_depth(&p);
    for (size_t i = 0; i < vec_len(f->result); i++) {
        text_add(&results, i ? "; " : "");
        print(&p, &results, f->result[i], 1);
    }
    text_add_n(&p.definitions, text_str(&results), results.len);
    return text_str(&p.definitions);
}
