/* reduce_edit: each edit leaves the rest of the module as it is; whether that
   is still a module says the verifier. */
#include "frontend/cli/reduce_edit.h"

#include <string.h>

/* Things [from, from + size) of a vector go. */
#define drop_range(v, e)                                                       \
    (memmove((v) + (e)->from, (v) + (e)->from + (e)->size,                     \
             (vec_len(v) - (e)->from - (e)->size) * sizeof *(v)),              \
     VEC_HEAD(v)->len -= (e)->size)

/* Is v read by a node, handed out, or written over? */
static bool
is_read(const Graph *g, ValueId v)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == v)
                return true;
        for (int i = 0; i < n->nout; i++)
            if (value_at(g, n->out[i])->over == v)
                return true;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (g->output[i] == v)
            return true;
    return false;
}

static bool
is_used(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (is_read(g, n->out[i]))
            return true;
    return false;
}

static bool
cut_nodes(Graph *g, const Edit *e)
{
    Edit range = *e;
    NodeId *gone = NULL;

    for (size_t k = e->from; k < e->from + e->size; k++)
        vec_push(g->module->arena, gone, g->order[k]);
    drop_range(g->order, &range);
    for (size_t k = 0; k < vec_len(gone); k++) {
        const Node *n = node_at(g, gone[k]);

        for (int i = 0; i < n->nout; i++) {
            Value *v = value_at(g, n->out[i]);

            v->def = 0;
            v->over = 0;
            v->kind = V_INPUT;
            if (is_read(g, n->out[i]))
                vec_push(g->module->arena, g->input, n->out[i]);
        }
    }
    return true;
}

static bool
drop_nodes(Graph *g, const Edit *e)
{
    bool some = false;

    for (size_t k = e->from + e->size; k-- > e->from;)
        if (!is_used(g, node_at(g, g->order[k]))) {
            drop_range(g->order, &((Edit){.from = k, .size = 1}));
            some = true;
        }
    return some;
}

/* The operand in whose place the result may stand; 0: there is none. */
static ValueId
like_result(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nin && n->nout == 1; i++)
        if (type_equal(&value_at(g, n->in[i])->type,
                       &value_at(g, n->out[0])->type))
            return n->in[i];
    return 0;
}

static bool
pass_nodes(Graph *g, const Edit *e)
{
    bool some = false;

    for (size_t k = e->from + e->size; k-- > e->from;) {
        const Node *n = node_at(g, g->order[k]);
        ValueId x = like_result(g, n);

        if (!x || !is_used(g, n))
            continue;
        graph_replace(g, n->out[0], x);
        drop_range(g->order, &((Edit){.from = k, .size = 1}));
        some = true;
    }
    return some;
}

static bool
drop_inputs(Graph *g, const Edit *e)
{
    bool some = false;

    for (size_t k = e->from + e->size; k-- > e->from;)
        if (!is_read(g, g->input[k])) {
            drop_range(g->input, &((Edit){.from = k, .size = 1}));
            some = true;
        }
    return some;
}

/* Values that stand for stores, as the numbers of stores change. */
static bool
renumber(Module *m, uint32_t store, bool change)
{
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        Graph *g = m->entry[i];

        for (ValueId v = 1; v < vec_len(g->value); v++) {
            Value *value = value_at(g, v);

            if (value->kind == V_STORE && value->store == store &&
                is_read(g, v))
                return false;
            if (change && value->kind == V_STORE && value->store > store)
                value->store--;
        }
    }
    return true;
}

static bool
drop_stores(Module *m, const Edit *e)
{
    bool some = false;

    for (size_t k = e->from + e->size; k-- > e->from;)
        if (renumber(m, (uint32_t)k + 1, false)) {
            renumber(m, (uint32_t)k + 1, true);
            drop_range(m->store, &((Edit){.from = k + 1, .size = 1}));
            some = true;
        }
    return some;
}

static bool
fill_stores(Module *m, const Edit *e)
{
    bool some = false;

    for (size_t k = e->from; k < e->from + e->size; k++) {
        Init *init = &m->store[k + 1].init;

        some |= init->kind != INIT_FILL;
        *init = (Init){.kind = INIT_FILL};
    }
    return some;
}

size_t
edit_count(const Module *m, EditKind kind, size_t entry)
{
    const Graph *g = entry < vec_len(m->entry) ? m->entry[entry] : NULL;

    switch (kind) {
    case ED_ENTRY: return entry ? 0 : vec_len(m->entry);
    case ED_OUTPUT: return g ? vec_len(g->output) : 0;
    case ED_CUT:
    case ED_DROP:
    case ED_PASS: return g ? vec_len(g->order) : 0;
    case ED_INPUT: return g ? vec_len(g->input) : 0;
    case ED_STORE:
    case ED_FILL: return entry ? 0 : vec_len(m->store) - 1;
    case ED_META: return entry ? 0 : vec_len(m->meta);
    case EDITS: break;
    }
    return 0;
}

bool
edit_module(Module *m, const Edit *asked)
{
    Edit range = *asked, *e = &range;
    size_t n = edit_count(m, e->kind, e->entry);
    Graph *g = e->entry < vec_len(m->entry) ? m->entry[e->entry] : NULL;

    if (e->from >= n || !g)
        return false;
    if (e->size > n - e->from)
        e->size = n - e->from;
    switch (e->kind) {
    case ED_ENTRY: return drop_range(m->entry, e), true;
    case ED_OUTPUT: return drop_range(g->output, e), true;
    case ED_CUT: return cut_nodes(g, e);
    case ED_DROP: return drop_nodes(g, e);
    case ED_PASS: return pass_nodes(g, e);
    case ED_INPUT: return drop_inputs(g, e);
    case ED_STORE: return drop_stores(m, e);
    case ED_FILL: return fill_stores(m, e);
    case ED_META: return drop_range(m->meta, e), true;
    case EDITS: break;
    }
    return false;
}
