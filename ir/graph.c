/* graph: modules, entries, values and nodes: making, finding, replacing. */
#include "ir/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
free_content(void *module)
{
    arena_free(((Module *)module)->arena);
}

Module *
module_new(Arena *a, const char *name)
{
    Module *m = NEW(a, Module);

    m->owner = a;
    m->arena = arena_new();
    arena_defer(a, free_content, m);
    m->syms = syms_new(a);
    m->name = sym(m->syms, name);
    vec_push(m->arena, m->store, (Store){0});
    return m;
}

Graph *
module_entry(Module *m, const char *name)
{
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (strcmp(m->entry[i]->name, name) == 0)
            return m->entry[i];
    return NULL;
}

Graph *
module_add_entry(Module *m, const char *name)
{
    Graph *g = graph_new(m, name);

    vec_push(m->arena, m->entry, g);
    return g;
}

uint32_t
module_store(const Module *m, Sym name)
{
    uint64_t id = 0;

    return m->store_by_name && map_get_ptr(m->store_by_name, name, &id)
               ? (uint32_t)id
               : 0;
}

uint32_t
module_add_store(Module *m, Store s)
{
    uint32_t id = (uint32_t)vec_len(m->store);

    ASSERT(module_store(m, s.name) == 0);
    if (!m->store_by_name)
        m->store_by_name = map_new(m->arena);
    map_put_ptr(m->store_by_name, s.name, id);
    vec_push(m->arena, m->store, s);
    return id;
}

void
module_set(Module *m, const char *key, const char *value)
{
    Sym k = sym(m->syms, key);

    for (size_t i = 0; i < vec_len(m->meta); i++) {
        if (m->meta[i].key == k) {
            m->meta[i].value = sym(m->syms, value);
            return;
        }
    }
    vec_push(m->arena, m->meta, (Meta){k, sym(m->syms, value)});
}

void
module_unset(Module *m, const char *key)
{
    size_t kept = 0;

    for (size_t i = 0; i < vec_len(m->meta); i++)
        if (strcmp(m->meta[i].key, key) != 0)
            m->meta[kept++] = m->meta[i];
    if (m->meta)
        VEC_HEAD(m->meta)->len = kept;
}

const char *
module_get(const Module *m, const char *key)
{
    for (size_t i = 0; i < vec_len(m->meta); i++)
        if (strcmp(m->meta[i].key, key) == 0)
            return m->meta[i].value;
    return NULL;
}

void
module_set_number(Module *m, const char *key, int64_t x)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, x);
    module_set(m, key, text);
}

int64_t
module_number(const Module *m, const char *key, int64_t without)
{
    const char *text = module_get(m, key);

    return text ? strtoll(text, NULL, 10) : without;
}

Graph *
graph_new(Module *m, const char *name)
{
    Graph *g = NEW(m->owner, Graph); /* its address lasts, see module_renew */

    g->module = m;
    g->name = sym(m->syms, name);
    g->by_name = map_new(m->arena);
    vec_push(m->arena, g->value, (Value){0});
    vec_push(m->arena, g->node, (Node){0});
    return g;
}

ValueId
graph_find(const Graph *g, Sym name)
{
    uint64_t id = 0;

    return map_get_ptr(g->by_name, name, &id) ? (ValueId)id : 0;
}

/* A store's name is taken in every graph, whether it is read there or not. */
static bool
taken(const Graph *g, Sym name)
{
    return graph_find(g, name) != 0 || module_store(g->module, name) != 0;
}

static Sym
free_name(Graph *g, const char *name)
{
    Syms *syms = g->module->syms;
    Sym base = sym(syms, *name ? name : "v"), s = base;
    uint64_t next = 2;

    if (!taken(g, s))
        return s;
    if (!g->suffix)
        g->suffix = map_new(g->module->arena);
    map_get_ptr(g->suffix, base, &next);
    do
        s = sym_format(syms, "%s.%llu", base, (unsigned long long)next++);
    while (taken(g, s));
    map_put_ptr(g->suffix, base, next);
    return s;
}

static ValueId
add_value(Graph *g, Value v)
{
    ValueId id = (ValueId)vec_len(g->value);

    map_put_ptr(g->by_name, v.name, id);
    vec_push(g->module->arena, g->value, v);
    graph_touch(g);
    return id;
}

ValueId
graph_value(Graph *g, ValueKind kind, const char *name, Type t)
{
    return add_value(
        g, (Value){.name = free_name(g, name), .type = t, .kind = kind});
}

ValueId
graph_input(Graph *g, const char *name, Type t)
{
    ValueId v = graph_value(g, V_INPUT, name, t);

    vec_push(g->module->arena, g->input, v);
    return v;
}

ValueId
graph_store(Graph *g, uint32_t store)
{
    const Store *s = &g->module->store[store];
    ValueId v = graph_find(g, s->name);

    if (v)
        return v;
    return add_value(g, (Value){.name = s->name,
                                .type = s->type,
                                .kind = V_STORE,
                                .store = store,
                                .place = s->place});
}

ValueId
graph_body_input(Graph *body, const Graph *outer, ValueId v)
{
    const Value *o = &outer->value[v];
    ValueId id = graph_find(body, o->name);

    if (id)
        return id;
    id = add_value(
        body, (Value){.name = o->name, .type = o->type, .kind = V_INPUT});
    vec_push(body->module->arena, body->input, id);
    return id;
}

NodeId
graph_node(Graph *g, Op op, char phase, int nin, const ValueId *in, int nout)
{
    Arena *a = g->module->arena;
    NodeId id = (NodeId)vec_len(g->node);
    Node n = {.op = op,
              .phase = phase,
              .nin = (uint16_t)nin,
              .nout = (uint16_t)nout,
              .in = NEWN(a, ValueId, nin ? nin : 1),
              .out = NEWN(a, ValueId, nout)};

    ASSERT(nin >= 0 && nin <= UINT16_MAX && nout > 0 && nout <= UINT16_MAX);
    if (nin)
        memcpy(n.in, in, (size_t)nin * sizeof *in);
    vec_push(a, g->node, n);
    vec_push(a, g->order, id);
    graph_touch(g);
    return id;
}

ValueId
graph_result(Graph *g, NodeId n, int i, const char *name, Type t)
{
    ValueId v = graph_value(g, V_TEMP, name, t);

    g->value[v].def = n;
    g->node[n].out[i] = v;
    return v;
}

NodeId
graph_node_like(Graph *g, const Node *like, char phase, const ValueId *in)
{
    Node x = *like; /* building moves nodes */
    NodeId id = graph_node(g, x.op, phase, x.nin, in, x.nout);
    Node *n = node_at(g, id);

    memcpy(n->attr, x.attr, sizeof n->attr);
    n->source = x.source;
    n->source_op = x.source_op;
    return id;
}

NodeId
graph_copy_node(Graph *g, const Graph *from, NodeId n, char phase,
                const ValueId *in)
{
    Node x = *node_at(from, n);
    NodeId copy = graph_node_like(g, &x, phase, in);

    node_at(g, copy)->when = g == from ? x.when : 0;
    for (int i = 0; i < x.nout; i++) {
        Value v = *value_at(from, x.out[i]);

        graph_result(g, copy, i, v.name, v.type);
    }
    return copy;
}

ValueId
graph_root(const Graph *g, ValueId v)
{
    while (g->value[v].over)
        v = g->value[v].over;
    return v;
}

bool
node_is_view(const Node *n)
{
    return op_info(n->op)->flags & OF_VIEW;
}

bool
graph_has_phase(const Graph *g, char phase)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == phase)
            return true;
    return false;
}

bool
graph_is_view(const Graph *g, ValueId v)
{
    NodeId def = g->value[v].def;

    return def && node_is_view(node_at(g, def));
}

ValueId
graph_shown(const Graph *g, ValueId v)
{
    while (graph_is_view(g, v))
        v = node_at(g, g->value[v].def)->in[0];
    return v;
}

Sym
module_arena(const Module *m)
{
    return vec_len(m->space) ? m->space[0].name : sym(m->syms, "dev");
}

Sym
graph_space(const Graph *g, ValueId v)
{
    const Value *root = value_at(g, graph_root(g, v));
    Sym at = NULL;

    if (root->kind == V_STORE)
        at = g->module->store[root->store].place.space;
    else if (root->def && node_at(g, root->def)->op == OP_transfer)
        at = node_at(g, root->def)->attr[0].s;
    return at ? at : module_arena(g->module);
}

void
graph_replace(Graph *g, ValueId from, ValueId to)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        Node *n = &g->node[g->order[k]];

        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == from)
                n->in[i] = to;
        if (n->when == from)
            n->when = to;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (g->output[i] == from)
            g->output[i] = to;
    graph_touch(g);
}

bool
graph_runs_again(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == 'r')
            return true;
    return false;
}

NodeId *
graph_take_order(Graph *g)
{
    NodeId *order = g->order;

    g->order = NULL;
    return order;
}

void
graph_updates_last(Graph *g)
{
    NodeId *order = NULL;

    for (int updates = 0; updates < 2; updates++)
        for (size_t k = 0; k < vec_len(g->order); k++)
            if ((g->node[g->order[k]].phase == 'u') == updates)
                vec_push(g->module->arena, order, g->order[k]);
    g->order = order;
    graph_touch(g);
}

void
graph_touch(Graph *g)
{
    g->facts = NULL;
}

static ValueId *
copy_ids(Arena *a, const ValueId *v)
{
    ValueId *copy = NULL;

    for (size_t i = 0; i < vec_len(v); i++)
        vec_push(a, copy, v[i]);
    return copy;
}

static Node
copy_node(const Graph *g, const Node *n)
{
    Arena *a = g->module->arena;
    const OpInfo *info = op_info(n->op);
    Node c = *n;

    c.in = NEWN(a, ValueId, n->nin ? n->nin : 1);
    c.out = NEWN(a, ValueId, n->nout);
    memcpy(c.in, n->in, n->nin * sizeof *c.in);
    memcpy(c.out, n->out, n->nout * sizeof *c.out);
    for (int i = 0; i < info->attrs; i++)
        if (info->attr[i].kind == 'l')
            c.attr[i].list = list_new(a, (int)vec_len(n->attr[i].list),
                                      n->attr[i].list);
    if (n->body)
        c.body = graph_clone(n->body, n->body->name);
    return c;
}

Graph *
graph_clone(Graph *g, const char *name)
{
    Arena *a = g->module->arena;
    Graph *c = graph_new(g->module, name);

    for (size_t v = 1; v < vec_len(g->value); v++) {
        map_put_ptr(c->by_name, g->value[v].name, v);
        vec_push(a, c->value, g->value[v]);
    }
    for (size_t n = 1; n < vec_len(g->node); n++) {
        vec_push(a, c->node, copy_node(g, &g->node[n]));
        if (c->node[n].body)
            c->node[n].body->outer = c;
    }
    c->order = copy_ids(a, g->order);
    c->input = copy_ids(a, g->input);
    c->output = copy_ids(a, g->output);
    c->outer = g->outer;
    return c;
}

Loc
graph_loc(const Graph *g, NodeId n)
{
    const Node *node = &g->node[n];

    return (Loc){.file = g->module->file,
                 .line = g->module->line,
                 .node = node->source ? node->source
                 : node->out[0]       ? g->value[node->out[0]].name
                                      : NULL,
                 .op = node->source_op ? node->source_op
                                       : op_info(node->op)->name};
}

ValueId
node_scratch(const Graph *g, const Node *n)
{
    const OpInfo *info = op_info(n->op);
    size_t own = n->body             ? vec_len(n->body->output)
                 : info->outputs < 0 ? (size_t)n->nout
                                     : (size_t)info->outputs;
    ValueId last = n->out[n->nout - 1];

    if (info->outputs < 0 && !n->body && n->nout > 1) {
        const Value *v = value_at(g, last);
        size_t length = strlen(v->name);

        return v->type.dtype == DT_U8 && length > 8 &&
                       strcmp(v->name + length - 8, ".scratch") == 0
                   ? last
                   : 0;
    }
    return n->nout > own ? last : 0;
}

int64_t
node_ahead(const Graph *g, NodeId n)
{
    const Node *view = node_at(g, n);

    if (view->op != OP_part)
        return 0;
    return node_int(view, "at") *
           dtype_bytes(value_at(g, view->in[0])->type.dtype);
}

bool
put_is_there(const Graph *g, const Node *n)
{
    const Value *x, *p;
    NodeId part;
    int64_t first;

    if (n->op != OP_put || value_at(g, n->out[0])->over != n->in[0])
        return false;
    x = value_at(g, n->in[0]);
    p = value_at(g, n->in[1]);
    if (n->when || node_at(g, p->def)->when)
        return false;
    part = value_at(g, p->over)->def;
    return p->over && part && node_at(g, part)->op == OP_part &&
           node_at(g, part)->in[0] == n->in[0] &&
           type_lies_together(&x->type, &p->type, node_list(n, "starts"),
                              &first) &&
           node_int(node_at(g, part), "at") == first;
}

static int
attr_index(const Node *n, const char *name)
{
    const OpInfo *info = op_info(n->op);

    for (int i = 0; i < info->attrs; i++)
        if (strcmp(info->attr[i].name, name) == 0)
            return i;
    internal_error(__FILE__, __LINE__, name);
}

const Attr *
node_attr(const Node *n, const char *name)
{
    return &n->attr[attr_index(n, name)];
}

Attr *
node_attr_set(Node *n, const char *name)
{
    return &n->attr[attr_index(n, name)];
}

int64_t
node_int(const Node *n, const char *name)
{
    return node_attr(n, name)->i;
}

const int64_t *
node_list(const Node *n, const char *name)
{
    return node_attr(n, name)->list;
}

const char *
node_text(const Node *n, const char *name)
{
    const char *s = node_attr(n, name)->s;

    return s ? s : "";
}

int64_t *
list_new(Arena *a, int n, const int64_t *x)
{
    int64_t *list = NULL;

    for (int i = 0; i < n; i++)
        vec_push(a, list, x[i]);
    return list;
}
