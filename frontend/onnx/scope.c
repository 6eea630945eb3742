/* scope: what names stand for in the model's graph, in the bodies of nodes and
   in functions. Bodies are lowered in place, as often as they run. */
#include <string.h>

#include "frontend/onnx/lower.h"

enum {
    DEPTH_MOST = 64,       /* bodies and functions in one another */
    INLINED_MOST = 100000  /* nodes of bodies and functions, each time */
};

static Known *
find_name(const Scope *s, Sym name)
{
    uint64_t p = 0;

    for (; s; s = s->body ? s->outer : NULL)
        if (map_get_ptr(s->known, name, &p))
            return (Known *)(uintptr_t)p;
    return NULL;
}

static Known *
new_known(Import *I, Sym name)
{
    Known *k = NEW(I->a, Known);

    k->name = name;
    k->path = I->scope->path;
    return k;
}

static Known *
make_name(Import *I, Sym name)
{
    Known *k = new_known(I, name);

    map_put_ptr(I->scope->known, name, (uintptr_t)k);
    return k;
}

Known *
know(Import *I, const char *name)
{
    Sym s = sym(I->m->syms, name);
    Known *k = find_name(I->scope, s);

    return k ? k : make_name(I, s);
}

Known *
know_here(Import *I, const char *name)
{
    Sym s = sym(I->m->syms, name);
    uint64_t p = 0;

    if (map_get_ptr(I->scope->known, s, &p))
        return (Known *)(uintptr_t)p;
    return make_name(I, s);
}

bool
is_known(const Known *k)
{
    return k->value || k->proto || k->constant || k->sequence || k->none ||
           k->absent;
}

Known *
known_of_value(Import *I, ValueId v)
{
    Known *k = new_known(I, value_at(I->g, v)->name);

    k->value = v;
    k->loose = true;
    return k;
}

Known *
known_of_constant(Import *I, Tensor t)
{
    Known *k = new_known(I, sym(I->m->syms, "constant"));

    k->constant = NEW(I->a, Tensor);
    *k->constant = t;
    return k;
}

/* ---- scopes ----------------------------------------------------------- */

Scope *
scope_new(Import *I)
{
    Scope *s;

    if (I->scope->depth == DEPTH_MOST) {
        lower_fault(I, "is inside of %d bodies and functions, the most that "
                       "are read",
                    DEPTH_MOST);
        return NULL;
    }
    s = NEW(I->a, Scope);
    *s = *I->scope;
    s->outer = I->scope;
    s->known = map_new(I->a);
    s->output = NULL;
    s->path = I->b.source ? I->b.source : sym(I->m->syms, "body");
    s->depth++;
    return s;
}

Scope *
body_scope(Import *I, const Onnx__GraphProto *g)
{
    Scope *s = scope_new(I), *outer = I->scope;

    if (!s)
        return NULL;
    s->body = true;
    s->node = g->node;
    s->nodes = g->n_node;
    for (size_t i = 0; i < g->n_output; i++)
        vec_push(I->a, s->output, g->output[i]->name ? g->output[i]->name
                                                     : "");
    I->scope = s;
    take_initializers(I, g, NULL);
    I->scope = outer;
    return s;
}

void
scope_bind(Import *I, Scope *s, const char *name, Known *k)
{
    if (name && *name)
        map_put_ptr(s->known, sym(I->m->syms, name), (uintptr_t)k);
}

/* False after a complaint. */
static bool
scope_run(Import *I, Scope *s)
{
    Import was = *I;
    int before = complaints();

    I->inlined += (int64_t)s->nodes + 1;
    if (I->inlined > INLINED_MOST)
        raise_at(lower_loc(I), "the bodies of nodes and functions come to more "
                               "than %d nodes, the most that are read\nhint: "
                               "export fewer steps of its loops",
                 INLINED_MOST);
    I->scope = s;
    I->opset = s->opset;
    lower_nodes(I);
    I->scope = was.scope;
    I->opset = was.opset;
    I->node = was.node;
    I->row = was.row;
    I->used = was.used;
    I->b.source = was.b.source;
    I->b.source_op = was.b.source_op;
    return complaints() == before;
}

bool
scope_results(Import *I, Scope *s, Known **out)
{
    if (!s || !scope_run(I, s))
        return false;
    for (size_t i = 0; i < vec_len(s->output); i++) {
        out[i] = find_name(s, sym(I->m->syms, s->output[i]));
        if (out[i] && is_known(out[i]))
            continue;
        lower_fault(I, "output '%s' of its body is made by no node",
                    s->output[i]);
        return false;
    }
    return true;
}

/* ---- whether an output is read ---------------------------------------- */

static bool
nodes_read(Onnx__NodeProto *const *node, size_t n, const char *name);

static bool
graph_reads(const Onnx__GraphProto *g, const char *name)
{
    if (nodes_read(g->node, g->n_node, name))
        return true;
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->name && strcmp(g->output[i]->name, name) == 0)
            return true;
    return false;
}

/* Bodies in attributes included; the scan of the file bounds their depth. */
static bool
nodes_read(Onnx__NodeProto *const *node, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < node[i]->n_input; k++)
            if (strcmp(node[i]->input[k], name) == 0)
                return true;
        for (size_t k = 0; k < node[i]->n_attribute; k++)
            if (node[i]->attribute[k]->g &&
                graph_reads(node[i]->attribute[k]->g, name))
                return true;
    }
    return false;
}

bool
reads_output(const Import *I, int output)
{
    const Scope *s = I->scope;
    const char *name = wants_output(I, output) ? I->node->output[output] : "";

    if (!*name)
        return false;
    for (size_t i = 0; i < vec_len(s->output); i++)
        if (strcmp(s->output[i], name) == 0)
            return true;
    return nodes_read(s->node, s->nodes, name);
}
