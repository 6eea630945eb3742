/* codec_mask: comparisons are found in the formulas of who reads; a number that
   is not one compares as false, as the number that stands for false does. */
#include "passes/memory/codec_mask.h"

#include <math.h>

#include "ir/base/vec.h"

static const double NUMBER_MOST = 1e30; /* twice as much is still a number */

ValueId
behind_views(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);

    while (x->kind == V_TEMP && node_at(g, x->def)->op == OP_view) {
        v = node_at(g, x->def)->in[0];
        x = value_at(g, v);
    }
    return v;
}

static const Formula *
formula_of(const Node *n)
{
    if (n->op == OP_map)
        return node_attr(n, "formula")->formula;
    return op_info(n->op)->flags & OF_MAP ? op_formula(n->op) : NULL;
}

/* Node k of f as a comparison of its node x with a number. */
static bool
compares(const Formula *f, uint32_t k, uint32_t x, Mask *m)
{
    const ExprNode *n = &f->node[k], *other;

    if ((n->op != EX_LT && n->op != EX_LE) || n->arg[0] == n->arg[1])
        return false;
    other = &f->node[n->arg[n->arg[0] == x]];
    *m = (Mask){.less = n->op == EX_LT,
                .equal = n->op == EX_LE,
                .turned = n->arg[1] == x,
                .number = other->number};
    return other->op == EX_NUMBER && fabs(other->number) < NUMBER_MOST &&
           (double)(float)other->number == other->number;
}

static bool
is_same(const Mask *x, const Mask *y)
{
    return x->less == y->less && x->equal == y->equal &&
           x->turned == y->turned && !(x->number < y->number) &&
           !(x->number > y->number);
}

static bool
agrees(Mask *all, const Mask *one)
{
    if (!all->less && !all->equal)
        *all = *one;
    return is_same(all, one);
}

static bool
uses_node(const ExprNode *n, uint32_t x)
{
    for (int i = 0; i < expr_op_args(n->op); i++)
        if (n->arg[i] == x)
            return true;
    return false;
}

/* Does f do nothing with its node x but to compare it? */
static bool
only_compares(const Formula *f, uint32_t x, Mask *all)
{
    for (size_t i = 0; i < vec_len(f->result); i++)
        if (f->result[i] == x)
            return false;
    for (uint32_t k = x + 1; k < vec_len(f->node); k++) {
        Mask one;

        if (uses_node(&f->node[k], x) &&
            (!compares(f, k, x, &one) || !agrees(all, &one)))
            return false;
    }
    return true;
}

static bool
reader_compares(const Node *n, int operand, Mask *all)
{
    const Formula *f = formula_of(n);

    if (!f)
        return false;
    for (uint32_t k = 0; k < vec_len(f->node); k++)
        if (f->node[k].op == EX_INPUT &&
            f->node[k].arg[0] == (uint32_t)operand &&
            !only_compares(f, k, all))
            return false;
    return true;
}

bool
codec_mask_of(const Graph *g, ValueId v, Mask *mask)
{
    *mask = (Mask){0};
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; n->phase == 'b' && n->op != OP_view && i < n->nin; i++)
            if (behind_views(g, n->in[i]) == v && !reader_compares(n, i, mask))
                return false;
    }
    return mask->less || mask->equal;
}

const char *
codec_mask_compared(Arena *a, const Mask *m)
{
    Text t = text_new(a);
    const char *how = m->less ? "<" : "<=";

    if (m->turned)
        text_add(&t, "%.17g%sa", m->number, how);
    else
        text_add(&t, "a%s%.17g", how, m->number);
    return text_str(&t);
}

const char *
codec_mask_decoded(Arena *a, const Mask *m)
{
    double far = 2 * fabs(m->number) + 1, c = m->number;
    double beyond = m->turned == m->less ? c + far : c - far;
    Text t = text_new(a);

    text_add(&t, "where(a!=0,%.17g,%.17g)", m->less ? beyond : c,
             m->less ? c : beyond);
    return text_str(&t);
}
