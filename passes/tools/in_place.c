/* in_place: a kernel may write over an operand that it reads element by
   element in the places that it writes: maps, the maps behind a product, and
   what a product's sums or a scatter begin from, and what a put writes into.
   Kernels that reduce rows pass over a row several times, but only the last
   pass writes, each element behind its reads, and nobody reads another's
   row. ir/check_over has the same condition. */
#include "passes/tools/in_place.h"

static bool
is_by_element(const Node *n, int operand, ValueId result)
{
    if (n->op == OP_attention_grad) /* dk and dv, each from its own */
        return n->nin > 7 && operand >= n->nin - 2 &&
               result == n->out[operand - n->nin + 3];
    return (op_info(n->op)->flags & OF_MAP) ||
           ((n->op == OP_contract || n->op == OP_scatter) && operand == 2) ||
           (n->op == OP_put && operand == 0);
}

/* Does node n (of a body or alone) read v only element by element, in the
   same places as it writes a result? */
static bool
reads_by_element(const Graph *g, const Node *n, ValueId v, const Type *t,
                 ValueId result)
{
    Type same = *t;

    same.dtype = value_at(g, v)->type.dtype;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v &&
            (!is_by_element(n, i, result) ||
             !type_equal(&value_at(g, v)->type, &same)))
            return false;
    return true;
}

static bool
reduces_last_axis(const Type *x, const Node *n)
{
    const int64_t *axes = node_list(n, "axes");

    for (size_t i = 0; i < vec_len(axes); i++)
        if (axes[i] == x->rank - 1)
            return true;
    return false;
}

/* Is a result of type t as large as all that the body reduces, or an element
   of each row? The rows are whole; of what they hold columns may be reduced,
   too. True without reductions. */
static bool
goes_row_by_row(const Graph *body, const Type *t)
{
    bool any = false, rows = false;

    for (size_t k = 0; k < vec_len(body->order); k++) {
        const Node *n = node_at(body, body->order[k]);
        const Type *x, *y;
        bool row;

        if (n->op != OP_reduce)
            continue;
        x = &value_at(body, n->in[0])->type;
        y = &value_at(body, n->out[0])->type;
        row = reduces_last_axis(x, n);
        if (!type_same_shape(x, t) && !(row && type_same_shape(y, t)))
            return false;
        any = true;
        rows = rows || row;
    }
    return rows || !any;
}

static bool
body_reads_by_element(const Graph *body, ValueId v, const Type *t)
{
    for (size_t k = 0; k < vec_len(body->order); k++) {
        const Node *n = node_at(body, body->order[k]);

        if (n->op != OP_reduce && !reads_by_element(body, n, v, t, 0))
            return false;
    }
    return goes_row_by_row(body, t);
}

static bool
may_take(const Graph *g, const Node *n, ValueId operand, ValueId result)
{
    const Type *t = &value_at(g, result)->type;
    const Value *v = value_at(g, operand);

    if (dtype_bytes(v->type.dtype) != dtype_bytes(t->dtype) ||
        type_bytes(&v->type) != type_bytes(t)) /* perhaps nothing reads it */
        return false;
    if (n->op == OP_group)
        return body_reads_by_element(n->body, graph_find(n->body, v->name), t);
    return reads_by_element(g, n, operand, t, result);
}

/* Whatever n reads of v's bytes, under this name or as a view, it reads by
   element; nothing reads another part of them. */
bool
may_take_bytes(const Graph *g, const Facts *f, const Node *n, ValueId v,
               ValueId result)
{
    for (int i = 0; i < n->nin; i++)
        if (f->buffer_of[n->in[i]] == f->buffer_of[v] &&
            (f->ahead[n->in[i]] != f->ahead[v] ||
             !may_take(g, n, n->in[i], result)))
            return false;
    return true;
}

/* The operand's buffer is a temporary that ends at this position. */
static bool
dies_here(const Graph *g, const Facts *f, ValueId v, int position)
{
    const Buffer *b = &f->buffer[f->buffer_of[v]];
    const Value *root = value_at(g, b->root);

    return root->kind == V_TEMP && b->last == position &&
           b->bytes == type_bytes(&value_at(g, v)->type);
}

static void
take_operand(Graph *g, const Facts *f, NodeId id, int result, bool *taken)
{
    const Node *n = node_at(g, id);
    Value *r = value_at(g, n->out[result]);

    if (r->over)
        return;
    for (int i = 0; i < n->nin; i++) {
        ValueId v = n->in[i];

        if (taken[f->buffer_of[v]] || !dies_here(g, f, v, f->position[id]) ||
            !may_take_bytes(g, f, n, v, n->out[result]))
            continue;
        r->over = v;
        taken[f->buffer_of[v]] = true;
        return;
    }
}

void
take_in_place(Graph *g, Arena *scratch)
{
    const Facts *f = facts(g);
    bool *taken = NEWN(scratch, bool, vec_len(f->buffer) + 1);

    for (size_t v = 1; v < vec_len(g->value); v++)
        if (g->value[v].over && f->position[g->value[v].def] >= 0)
            taken[f->buffer_of[g->value[v].over]] = true;
    for (size_t i = 0; i < vec_len(g->output); i++)
        taken[f->buffer_of[g->output[i]]] = true;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nout; i++)
            take_operand(g, f, g->order[k], i, taken);
    }
    graph_touch(g);
}
