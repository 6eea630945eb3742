/* dce: drops nodes whose results nobody reads and that update no store, and
   constants that no entry reads. */
#include "passes/pass.h"

/* Does a result of n become the content of a store? */
static bool
updates(const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++) {
        ValueId root = graph_root(g, n->out[i]);

        if (root != n->out[i] && g->value[root].kind == V_STORE)
            return true;
    }
    return false;
}

static bool
is_live(const Graph *g, const Node *n, const bool *live)
{
    for (int i = 0; i < n->nout; i++)
        if (live[n->out[i]])
            return true;
    return updates(g, n);
}

static void
sweep(Graph *g, Arena *scratch)
{
    bool *live = NEWN(scratch, bool, vec_len(g->value));
    NodeId *kept = NULL;

    for (size_t i = 0; i < vec_len(g->output); i++)
        live[g->output[i]] = true;
    for (size_t k = vec_len(g->order); k-- > 0;) {
        Node *n = &g->node[g->order[k]];

        if (!is_live(g, n, live))
            continue;
        if (n->body)
            sweep(n->body, scratch);
        for (int i = 0; i < n->nin; i++)
            live[n->in[i]] = true;
        live[n->when] = true;
        vec_push(scratch, kept, g->order[k]);
    }
    vec_clear(g->order);
    for (size_t k = vec_len(kept); k-- > 0;)
        vec_push(g->module->arena, g->order, kept[k]);
    graph_touch(g);
}

static void
mark_stores(const Graph *g, bool *used)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        for (int i = 0; i < n->nin; i++)
            if (g->value[n->in[i]].kind == V_STORE)
                used[g->value[n->in[i]].store] = true;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (g->value[g->output[i]].kind == V_STORE)
            used[g->value[g->output[i]].store] = true;
}

/* Parameters and states belong to the model; unread constants go. */
static void
drop_constants(Module *m, Arena *scratch)
{
    bool *used = NEWN(scratch, bool, vec_len(m->store));
    uint32_t *to = NEWN(scratch, uint32_t, vec_len(m->store));
    Store *old = m->store;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        mark_stores(m->entry[i], used);
    m->store = NULL;
    m->store_by_name = NULL;
    vec_push(m->arena, m->store, (Store){0});
    for (uint32_t s = 1; s < vec_len(old); s++)
        if (old[s].kind != SK_CONST || used[s])
            to[s] = module_add_store(m, old[s]);
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        Graph *g = m->entry[i];

        for (ValueId v = 1; v < vec_len(g->value); v++)
            if (g->value[v].kind == V_STORE)
                g->value[v].store = to[g->value[v].store];
    }
}

void
pass_dce(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        sweep(r->m->entry[i], r->scratch);
    drop_constants(r->m, r->scratch);
}
