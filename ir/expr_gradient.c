/* expr_gradient: the gradient of a formula as a formula, by the chain rule
   from the results back to one input. */
#include "ir/expr_rows.h"

#include <string.h>

#include "ir/base/vec.h"

typedef struct Chain {
    Arena *arena;
    const Formula *f;
    Formula *out;
    uint32_t *at;      /* node of f -> node of out */
    uint32_t *adjoint; /* node of f -> gradient arriving there; NO_NODE */
    bool *depends;     /* node of f depends on the input */
} Chain;

/* A name for the k-th arriving gradient that no input has. */
static Sym
gradient_name(Syms *s, const Formula *f, int k)
{
    Sym name = k ? sym_format(s, "g%d", k) : sym(s, "g");

    for (size_t i = 0; i < vec_len(f->input); i++)
        if (strcmp(f->input[i], name) == 0)
            return gradient_name(s, f, k + 26);
    return name;
}

static void
mark_dependent(Chain *c, int wrt)
{
    for (size_t i = 0; i < vec_len(c->f->node); i++) {
        const ExprNode *n = &c->f->node[i];

        c->depends[i] = n->op == EX_INPUT && (int)n->arg[0] == wrt;
        for (int k = 0; k < formula_node_args(n); k++)
            c->depends[i] |= c->depends[n->arg[k]];
    }
}

static bool
is_zero(const Formula *f, uint32_t x)
{
    return f->node[x].op == EX_NUMBER && f->node[x].number == 0;
}

static void
arrive(Chain *c, uint32_t node, uint32_t g)
{
    uint32_t *sum = &c->adjoint[node];

    if (is_zero(c->out, g))
        return;
    *sum = *sum == NO_NODE
               ? g
               : formula_node(c->arena, c->out, EX_ADD, *sum, g, 0);
}

static const Formula *
gradients_of(const ExprNode *n)
{
    if (n->op == EX_MATH)
        return math_gradients((int)n->number);
    if (n->op == EX_CAST && !dtype_float(n->dtype))
        return NULL;
    return primitive_gradients(n->op);
}

/* Inputs of a row: the arguments (math: as many as it has, primitives: three
   places), y, g. */
static void
backwards(Chain *c, uint32_t i)
{
    const ExprNode *n = &c->f->node[i];
    const Formula *row = gradients_of(n);
    int args = formula_node_args(n), places = n->op == EX_MATH ? args : 3;
    uint32_t in[5] = {0}, *to;

    if (!row)
        return;
    for (int k = 0; k < args; k++)
        in[k] = c->at[n->arg[k]];
    in[places] = c->at[i];
    in[places + 1] = c->adjoint[i];
    to = NEWN(c->arena, uint32_t, vec_len(row->node));
    formula_copy(c->arena, c->out, row, in, to);
    for (int k = 0; k < args; k++)
        if (c->depends[n->arg[k]])
            arrive(c, n->arg[k], to[row->result[k]]);
}

static void
begin(Chain *c, Syms *s, int wrt)
{
    size_t nodes = vec_len(c->f->node), inputs = vec_len(c->f->input);
    uint32_t *in = NEWN(c->arena, uint32_t, inputs + 1);

    c->at = NEWN(c->arena, uint32_t, nodes);
    c->adjoint = NEWN(c->arena, uint32_t, nodes);
    c->depends = NEWN(c->arena, bool, nodes);
    for (size_t i = 0; i < nodes; i++)
        c->adjoint[i] = NO_NODE;
    for (size_t i = 0; i < inputs; i++)
        in[i] = formula_input(c->arena, c->out, c->f->input[i]);
    formula_copy(c->arena, c->out, c->f, in, c->at);
    mark_dependent(c, wrt);
    for (int k = 0; k < (int)vec_len(c->f->result); k++) {
        Sym name = gradient_name(s, c->f, k);

        arrive(c, c->f->result[k], formula_input(c->arena, c->out, name));
    }
}

static uint32_t
input_node(const Formula *f, int input)
{
    for (uint32_t i = 0; i < vec_len(f->node); i++)
        if (f->node[i].op == EX_INPUT && (int)f->node[i].arg[0] == input)
            return i;
    return NO_NODE;
}

Formula *
formula_gradient(Arena *a, Syms *s, const Formula *f, int wrt)
{
    Arena *scratch = arena_new();
    Chain c = {.arena = scratch, .f = f, .out = formula_new(scratch)};
    uint32_t x = input_node(f, wrt);
    Formula *result = NULL;

    begin(&c, s, wrt);
    for (uint32_t i = (uint32_t)vec_len(f->node); i-- > 0;)
        if (c.adjoint[i] != NO_NODE && c.depends[i])
            backwards(&c, i);
    if (x != NO_NODE && c.adjoint[x] != NO_NODE) {
        vec_push(scratch, c.out->result, c.adjoint[x]);
        result = formula_compact(a, c.out, c.out->input);
    }
    arena_free(scratch);
    return result;
}
