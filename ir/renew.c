/* renew: the content of a module copied into a new arena, so that a pipeline
   holds one state of the module and not all of its past; or changed with that
   of another. */
#include "ir/graph.h"

#include <string.h>

/* A vector of `n` elements with no room to spare. */
static void *
copy_vector(Arena *a, const void *v, size_t size)
{
    size_t n = vec_len(v);
    VecHead *head;

    if (!n)
        return NULL;
    head = arena_alloc(a, 1, sizeof *head + n * size);
    *head = (VecHead){.len = n, .cap = n};
    return memcpy(head + 1, v, n * size);
}

#define COPY(a, v) ((v) = copy_vector((a), (v), sizeof *(v)))

static Formula *
copy_formula(Arena *a, const Formula *f)
{
    Formula *c = NEW(a, Formula);

    *c = *f;
    COPY(a, c->input);
    COPY(a, c->node);
    COPY(a, c->result);
    return c;
}

static ValueId *
copy_operands(Arena *a, const ValueId *v, size_t n)
{
    return memcpy(NEWN(a, ValueId, n ? n : 1), v, n * sizeof *v);
}

static void renew_graph(Graph *g, Arena *a);

static Graph *
copy_body(Graph *outer, const Graph *body, Arena *a)
{
    Graph *c = NEW(a, Graph);

    *c = *body;
    c->outer = outer;
    renew_graph(c, a);
    return c;
}

static void
renew_node(Graph *g, Node *n, Arena *a)
{
    const OpInfo *info = op_info(n->op);

    n->in = copy_operands(a, n->in, n->nin);
    n->out = copy_operands(a, n->out, n->nout);
    for (int i = 0; i < info->attrs; i++) {
        if (info->attr[i].kind == 'l')
            COPY(a, n->attr[i].list);
        if (info->attr[i].kind == 'x' && n->attr[i].formula)
            n->attr[i].formula = copy_formula(a, n->attr[i].formula);
    }
    if (n->body)
        n->body = copy_body(g, n->body, a);
}

static void
renew_graph(Graph *g, Arena *a)
{
    COPY(a, g->value);
    COPY(a, g->node);
    COPY(a, g->order);
    COPY(a, g->input);
    COPY(a, g->output);
    for (NodeId n = 1; n < vec_len(g->node); n++)
        renew_node(g, &g->node[n], a);
    g->by_name = map_new(a);
    for (ValueId v = 1; v < vec_len(g->value); v++)
        map_put_ptr(g->by_name, g->value[v].name, v);
    g->suffix = NULL;
    graph_touch(g);
}

static void
renew_stores(Module *m, Arena *a)
{
    COPY(a, m->store);
    if (m->store_by_name)
        m->store_by_name = map_new(a);
    for (uint32_t s = 1; s < vec_len(m->store); s++) {
        COPY(a, m->store[s].init.list);
        map_put_ptr(m->store_by_name, m->store[s].name, s);
    }
}

void
module_renew(Module *m)
{
    Arena *old = m->arena, *a = arena_new();

    COPY(a, m->meta);
    COPY(a, m->space);
    COPY(a, m->origin);
    COPY(a, m->entry);
    renew_stores(m, a);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        renew_graph(m->entry[i], a);
    m->arena = a;
    arena_free(old);
}

static void
belong_to(Graph *g, Module *m)
{
    g->module = m;
    for (NodeId n = 1; n < vec_len(g->node); n++)
        if (g->node[n].body)
            belong_to(g->node[n].body, m);
    graph_touch(g);
}

void
module_take(Module *m, Module *from)
{
    Module content = *m;

    ASSERT(m->owner == from->owner);
    *m = *from;
    *from = content;
    from->origin = m->origin;
    m->origin = content.origin;
    for (size_t i = 0; i < vec_len(m->entry); i++)
        belong_to(m->entry[i], m);
    for (size_t i = 0; i < vec_len(from->entry); i++)
        belong_to(from->entry[i], from);
}
