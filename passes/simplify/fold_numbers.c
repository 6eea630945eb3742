/* fold_numbers: only rows of a single operation are rewritten, and only where
   number, other operand and result are of one type: then the number, weak in
   the formula, takes that type and no bit changes. */
#include "passes/simplify/fold_numbers.h"

#include <math.h>

#include "ir/ops/rules.h"

/* The formula of the number that v is, NULL: it is none. */
static const Formula *
number_formula(const Graph *g, ValueId v)
{
    const Value *value = value_at(g, v);
    const Node *n = node_at(g, value->def);
    const Formula *f;

    if (value->kind != V_TEMP || !value->def || n->op != OP_map ||
        n->nin != 0 || n->nout != 1 || value->type.rank != 0)
        return NULL;
    f = node_attr(n, "formula")->formula;
    return vec_len(f->node) == 1 && f->node[0].op == EX_NUMBER &&
                   isfinite(f->node[0].number)
               ? f
               : NULL;
}

static bool
one_operation(const Formula *f)
{
    return vec_len(f->input) == 2 && vec_len(f->node) == 3 &&
           vec_len(f->result) == 1;
}

static bool
one_type(const Graph *g, const Node *n)
{
    DType d = value_at(g, n->out[0])->type.dtype;

    return dtype_float(d) && dtype_computed(d) == d &&
           value_at(g, n->in[0])->type.dtype == d &&
           value_at(g, n->in[1])->type.dtype == d;
}

static void
take_number(Graph *g, NodeId id, int i, const Formula *number)
{
    Arena *a = g->module->arena;
    Node *n = node_at(g, id);
    int map[2] = {0}, none[1] = {0};
    Formula *f =
        formula_substitute(a, node_formula(n), i, number, 0, map, none);

    n->in[0] = n->in[1 - i];
    n->nin = 1;
    n->op = OP_map;
    for (int k = 0; k < MAX_ATTRS; k++)
        n->attr[k] = (Attr){0};
    node_attr_set(n, "formula")->formula = f;
}

void
fold_numbers(Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        NodeId id = g->order[k];
        Node *n = node_at(g, id);
        const Formula *number = NULL;

        if (!(op_info(n->op)->flags & OF_MAP) || n->op == OP_map ||
            n->nin != 2 || n->nout != 1 || !one_operation(node_formula(n)) ||
            !one_type(g, n))
            continue;
        for (int i = 0; i < 2 && !number; i++) {
            number = number_formula(g, n->in[i]);
            if (value_at(g, n->out[0])->over == n->in[i])
                number = NULL; /* its bytes are taken */
            if (number && !number_formula(g, n->in[1 - i]))
                take_number(g, id, i, number);
        }
    }
    graph_touch(g);
}
