/* expr_rows: the rows of math.def and op.def, parsed when first asked for and
   kept as long as the process lives. */
#include "ir/expr_rows.h"

#include <string.h>

#include "ir/base/vec.h"

static const MathRow math_rows[] = {
#define MATH(name, inputs, f32, f64, integer, gradient, error, doc)            \
    {#name, inputs, f32, f64, integer, gradient, error, doc},
#include "ir/math.def"
#undef MATH
};

enum { MATH_COUNT = sizeof math_rows / sizeof *math_rows };

enum { IN_F32, IN_F64, IN_INTEGER, IN_WAYS };

typedef struct Cache {
    Arena *arena;
    Syms *syms;
    const Formula *math[MATH_COUNT][IN_WAYS];
    const Formula *math_gradient[MATH_COUNT];
    const Formula *op[OP_COUNT];
    const Formula *op_gradient[OP_COUNT];
    const Formula *primitive[EX_COUNT];
} Cache;

/* Derived from tables that never change, so one copy serves everybody. */
static Cache *
cache(void)
{
    static Cache *made;

    if (!made) {
        Arena *a = arena_new();

        made = NEW(a, Cache);
        made->arena = a;
        made->syms = syms_new(a);
    }
    return made;
}

int
math_count(void)
{
    return MATH_COUNT;
}

const MathRow *
math_row(int row)
{
    return &math_rows[row];
}

int
math_named(const char *name)
{
    for (int i = 0; i < MATH_COUNT; i++)
        if (strcmp(math_rows[i].name, name) == 0)
            return i;
    return -1;
}

int
math_inputs(int row)
{
    return strchr(math_rows[row].inputs, ' ') ? 2 : 1;
}

/* A row that does not parse is a fault of the table, not of the user. */
static const Formula *
row(const char *name, const char *text, const char *names)
{
    Cache *c = cache();
    Loc loc = {.file = "ir/*.def", .node = name, .op = "row"};
    Formula *f = formula_parse(c->arena, c->syms, text, names, 0, loc);

    if (!f)
        internal_error("ir/*.def", 0, name);
    return f;
}

static const char *
gradient_names(const char *inputs)
{
    Text t = text_new(cache()->arena);

    text_add(&t, "%s y g", inputs);
    return text_str(&t);
}

const Formula *
math_formula(int i, DType d)
{
    const MathRow *m = &math_rows[i];
    int way = d == DT_F32 ? IN_F32 : d == DT_F64 ? IN_F64 : IN_INTEGER;
    const char *text[IN_WAYS] = {m->f32, m->f64, m->integer};

    if (!*text[way])
        return NULL;
    if (!cache()->math[i][way])
        cache()->math[i][way] = row(m->name, text[way], m->inputs);
    return cache()->math[i][way];
}

const Formula *
math_gradients(int i)
{
    const MathRow *m = &math_rows[i];

    if (!cache()->math_gradient[i])
        cache()->math_gradient[i] =
            row(m->name, m->gradient, gradient_names(m->inputs));
    return cache()->math_gradient[i];
}

const Formula *
op_formula(Op op)
{
    const OpInfo *o = op_info(op);

    ASSERT(o->value);
    if (!cache()->op[op])
        cache()->op[op] = row(o->name, o->value, o->input_names);
    return cache()->op[op];
}

const Formula *
op_gradients(Op op)
{
    const OpInfo *o = op_info(op);

    ASSERT(o->gradients);
    if (!cache()->op_gradient[op])
        cache()->op_gradient[op] =
            row(o->name, o->gradients, gradient_names(o->input_names));
    return cache()->op_gradient[op];
}

static const char *const primitives[EX_COUNT] = {
    [EX_CAST] = "g",
    [EX_ADD] = "g; g",
    [EX_SUB] = "g; -g",
    [EX_MUL] = "g*b; g*a",
    [EX_DIV] = "g/b; -g*y/b",
    [EX_NEG] = "-g",
    [EX_FMA] = "g*b; g*a; g",
    [EX_SQRT] = "g/(2*y)",
    [EX_MAX] = "where(b>a,0,g); where(b>a,g,0)",
    [EX_MIN] = "where(b<a,0,g); where(b<a,g,0)",
    [EX_WHERE] = "0; where(a,g,0); where(a,0,g)",
};

const Formula *
primitive_gradients(ExprOp op)
{
    if (!primitives[op])
        return NULL;
    if (!cache()->primitive[op])
        cache()->primitive[op] =
            row(expr_op_name(op), primitives[op], "a b c y g");
    return cache()->primitive[op];
}
