/* tables: who touches a store how. */
#include "ir/tables.h"

#include "ir/ops/gather.h"

#include <string.h>

enum { TABLE = 0, SET = 2 }; /* operands of gather and of scatter */

static bool
sets_rows(const Graph *g, const Node *n)
{
    return n->op == OP_scatter && strcmp(node_text(n, "op"), "set") == 0 &&
           n->nin > SET && value_at(g, n->out[0])->over == n->in[SET] &&
           !n->when; /* what does not run leaves nothing elsewhere */
}

bool
works_in_place(const Graph *g, const Node *n, int i)
{
    if (n->op == OP_gather)
        return i == TABLE && node_int(n, "axis") == 0;
    return i == SET && sets_rows(g, n) && node_int(n, "axis") == 0;
}

uint32_t
store_below(const Graph *g, ValueId v)
{
    for (;;) {
        const Value *x = value_at(g, v);

        if (x->over)
            v = x->over;
        else if (graph_is_view(g, v))
            v = node_at(g, x->def)->in[0];
        else
            return x->kind == V_STORE ? x->store : 0;
    }
}

/* ---- which stores are tables --------------------------------------------- */

typedef struct Touches {
    bool *rows, *whole; /* by store */
} Touches;

static void
touch(const Touches *t, const Graph *g, ValueId v, bool in_place)
{
    uint32_t store = v ? store_below(g, v) : 0;

    (in_place ? t->rows : t->whole)[store] = true;
}

static void
touch_node(const Touches *t, const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        touch(t, g, n->in[i], works_in_place(g, n, i));
    for (int i = 0; i < n->nout; i++)
        touch(t, g, n->out[i], i == 0 && works_in_place(g, n, SET));
    touch(t, g, n->when, false);
}

bool *
find_tables(Arena *a, const Module *m)
{
    size_t stores = vec_len(m->store) + 1;
    Touches t = {NEWN(a, bool, stores), NEWN(a, bool, stores)};

    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (size_t k = 0; k < vec_len(g->order); k++)
            touch_node(&t, g, node_at(g, g->order[k]));
        for (size_t k = 0; k < vec_len(g->output); k++)
            touch(&t, g, g->output[k], false);
    }
    for (size_t i = 1; i < vec_len(m->store); i++)
        t.rows[i] = t.rows[i] && !t.whole[i];
    t.rows[0] = false;
    return t.rows;
}

/* ---- what a node takes of them ------------------------------------------- */

bool
table_rows(const Graph *g, NodeId id, TableRows *r)
{
    const Node *n = node_at(g, id);
    int i = n->op == OP_gather ? TABLE : SET;
    uint32_t store;
    Gather rows;

    if (n->op != OP_gather && n->op != OP_scatter)
        return false;
    if (i >= n->nin || !works_in_place(g, n, i))
        return false;
    store = store_below(g, n->in[i]);
    if (!store || graph_space(g, n->in[i]) == module_arena(g->module))
        return false;
    rows = gather_of(g, id);
    *r = (TableRows){
        store, graph_space(g, n->in[i]), rows.count,
        rows.inner * dtype_bytes(value_at(g, n->in[i])->type.dtype), i == SET};
    return true;
}
