/* compact: one walk that collects the values in textual order, one that
   renames every id. */
#include "passes/compact.h"

typedef struct Renaming {
    Graph *g;
    ValueId *to; /* old id -> new id, 0: dropped */
    Value *value;
} Renaming;

static void
keep(Renaming *r, ValueId v)
{
    if (r->to[v])
        return;
    r->to[v] = (ValueId)vec_len(r->value);
    vec_push(r->g->module->arena, r->value, r->g->value[v]);
}

static void
mark_store(const Graph *g, bool *used, ValueId v)
{
    while (g->value[v].over)
        v = g->value[v].over;
    used[v] = true;
}

/* Stores that are read, updated or handed out, in the order of the module. */
static void
keep_stores(Renaming *r, Arena *scratch)
{
    const Graph *g = r->g;
    bool *used = NEWN(scratch, bool, vec_len(g->value));
    ValueId *of_store = NEWN(scratch, ValueId, vec_len(g->module->store));

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        for (int i = 0; i < n->nin; i++)
            used[n->in[i]] = true;
        used[n->when] = true;
        for (int i = 0; i < n->nout; i++)
            mark_store(g, used, n->out[i]);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        used[g->output[i]] = true;
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (used[v] && g->value[v].kind == V_STORE)
            of_store[g->value[v].store] = v;
    for (size_t s = 1; s < vec_len(g->module->store); s++)
        if (of_store[s])
            keep(r, of_store[s]);
}

static void
rename_ids(const Renaming *r, ValueId *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ASSERT(v[i] == 0 || r->to[v[i]]);
        v[i] = r->to[v[i]];
    }
}

static void compact_graph(Graph *g, Arena *scratch);

static Node *
rename_nodes(const Renaming *r, Arena *scratch)
{
    Graph *g = r->g;
    Node *node = NULL;

    vec_push(g->module->arena, node, (Node){0});
    for (size_t k = 0; k < vec_len(g->order); k++) {
        Node *n = &g->node[g->order[k]];

        rename_ids(r, n->in, n->nin);
        rename_ids(r, n->out, n->nout);
        rename_ids(r, &n->when, 1);
        if (n->body)
            compact_graph(n->body, scratch);
        g->order[k] = (NodeId)vec_len(node);
        vec_push(g->module->arena, node, *n);
    }
    return node;
}

static void
number_results(Renaming *r)
{
    const Graph *g = r->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        for (int i = 0; i < n->nout; i++) {
            keep(r, n->out[i]);
            r->value[r->to[n->out[i]]].def = (NodeId)k + 1;
        }
    }
}

static void
compact_graph(Graph *g, Arena *scratch)
{
    Renaming r = {.g = g, .to = NEWN(scratch, ValueId, vec_len(g->value))};

    vec_push(g->module->arena, r.value, (Value){0});
    for (size_t i = 0; i < vec_len(g->input); i++)
        keep(&r, g->input[i]);
    keep_stores(&r, scratch);
    number_results(&r);
    g->node = rename_nodes(&r, scratch);
    rename_ids(&r, g->input, vec_len(g->input));
    rename_ids(&r, g->output, vec_len(g->output));
    g->value = r.value;
    for (ValueId v = 1; v < vec_len(g->value); v++)
        g->value[v].over = r.to[g->value[v].over];
}

void
compact_module(Module *m)
{
    Arena *scratch = arena_new();

    for (size_t i = 0; i < vec_len(m->entry); i++)
        compact_graph(m->entry[i], scratch);
    arena_free(scratch);
    module_renew(m);
}
