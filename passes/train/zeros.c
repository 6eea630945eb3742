/* zeros: a formula is zero by its structure: a product of which one factor is
   zero, a sum of which both terms are, a choice that falls on a zero. What
   moves or adds up elements is zero if they are, a product of tensors if one
   of them is. */
#include "passes/train/zeros.h"

#include <string.h>

#include "ir/guard.h"
#include "ir/ops/rules.h"

/* ---- formulas ----------------------------------------------------------- */

static bool
is_zero(const ExprNode *e, const bool *zero, const bool *operand)
{
    bool x = zero[e->arg[0]], y = zero[e->arg[1]], z = zero[e->arg[2]];

    switch (e->op) {
    case EX_NUMBER: return e->number == 0;
    case EX_INPUT: return operand[e->arg[0]];
    case EX_CAST:
    case EX_NEG:
    case EX_SQRT:
    case EX_RINT:
    case EX_FLOOR:
    case EX_DIV: return x;
    case EX_ADD:
    case EX_SUB:
    case EX_MAX:
    case EX_MIN:
    case EX_OR:
    case EX_LT:
    case EX_NE: return x && y;
    case EX_MUL:
    case EX_AND: return x || y;
    case EX_FMA: return (x || y) && z;
    case EX_WHERE: return (x || y) && z;
    default: return false;
    }
}

static bool
formula_zeros(Arena *a, const Formula *f, const bool *operand, bool *result)
{
    size_t nodes = vec_len(f->node);
    bool *zero = NEWN(a, bool, nodes + vec_len(f->input) + 1), all = true;

    for (size_t i = 0; i < nodes; i++)
        zero[i] = is_zero(&f->node[i], zero, operand);
    for (size_t i = 0; i < vec_len(f->result); i++)
        all &= result[i] = zero[f->result[i]];
    return all;
}

/* ---- other nodes -------------------------------------------------------- */

static bool
all_zero(const Node *n, const bool *zero)
{
    for (int i = 0; i < n->nin; i++)
        if (!zero[i])
            return false;
    return true;
}

/* Leaving aside what a result goes on from. */
static bool
adds_zero(const Node *n, const bool *zero)
{
    enum { GRADIENT = 5 }; /* of attention's result */

    switch (n->op) {
    case OP_view:
    case OP_part:
    case OP_transpose:
    case OP_slice:
    case OP_broadcast:
    case OP_gather:
    case OP_reduce:
    case OP_window:
    case OP_window_grad_mean: return zero[0];
    case OP_pad: return zero[0] && node_attr(n, "value")->f == 0;
    case OP_concat:
    case OP_put: return all_zero(n, zero);
    case OP_scatter:
        return zero[0] && strcmp(node_text(n, "op"), "add") == 0;
    case OP_contract:
    case OP_conv:
    case OP_conv_grad_input:
    case OP_conv_grad_weight: return zero[0] || zero[1];
    case OP_window_grad_max: return zero[1];
    case OP_attention_grad: return zero[GRADIENT];
    default: return false;
    }
}

bool
zero_results(Arena *a, const Graph *g, const Node *n, const bool *zero,
             bool *result)
{
    bool adds;

    if (op_info(n->op)->flags & OF_MAP || n->op == OP_map) {
        adds = formula_zeros(a, node_formula(n), zero, result);
        return adds || (zero[1] && goes_on_from(g, n, 0));
    }
    adds = adds_zero(n, zero);
    for (int i = 0; i < n->nout; i++) {
        ValueId from = goes_on_from(g, n, i);

        result[i] = adds;
        for (int k = 0; from && k < n->nin; k++)
            if (n->in[k] == from)
                result[i] = result[i] && zero[k];
    }
    return adds;
}
