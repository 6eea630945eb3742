/* export_body: the bodies of nodes as they are exported: what training changes
   moves to the model's own graph, which alone has holes. */
#include "frontend/onnx/lower.h"

typedef struct Bodies {
    Arena *a;
    const Module *m;
    const char *file;
    Onnx__TensorProto **moved; /* vector: to the model's own graph */
    Map *there;                /* Sym: tensors of that graph by now */
} Bodies;

static Onnx__GraphProto *export_body(Bodies *b, const Onnx__GraphProto *g,
                                     Sym path);

/* The node with its bodies as they are exported; itself where it has none.
   Paths are made as import makes them. */
static Onnx__NodeProto *
export_node(Bodies *b, Onnx__NodeProto *n, Sym path)
{
    const char *name = n->name && *n->name ? n->name
                       : n->n_output       ? n->output[0]
                                           : "";
    Onnx__NodeProto *c = NEW(b->a, Onnx__NodeProto);
    bool any = false;

    *c = *n;
    c->attribute = NEWN(b->a, Onnx__AttributeProto *, n->n_attribute + 1);
    path = path ? sym_format(b->m->syms, "%s/%s", path, name)
                : sym(b->m->syms, name);
    for (size_t i = 0; i < n->n_attribute; i++) {
        c->attribute[i] = n->attribute[i];
        if (!n->attribute[i]->g)
            continue;
        any = true;
        c->attribute[i] = NEW(b->a, Onnx__AttributeProto);
        *c->attribute[i] = *n->attribute[i];
        c->attribute[i]->g = export_body(b, n->attribute[i]->g, path);
    }
    return any ? c : n;
}

/* A node that gives a tensor of the model's own graph its name in a body. */
static Onnx__NodeProto *
identity(Bodies *b, char *from, char *to)
{
    static char op[] = "Identity";
    Onnx__NodeProto *n = NEW(b->a, Onnx__NodeProto);

    onnx__node_proto__init(n);
    n->op_type = op;
    n->n_input = n->n_output = 1;
    n->input = NEWN(b->a, char *, 1);
    n->output = NEWN(b->a, char *, 1);
    n->input[0] = from;
    n->output[0] = to;
    return n;
}

/* What training changes, and what stands outside of the file, moves from a body
   to the model's own graph, under the name of its store; NULL: t stays. */
static Onnx__NodeProto *
move_tensor(Bodies *b, const Onnx__TensorProto *t, Sym path)
{
    Sym name = sym_format(b->m->syms, "%s/%s", path, t->name);
    uint32_t store = module_store(b->m, name);
    Onnx__TensorProto *c;
    Text own = text_new(b->a);
    uint64_t there;

    if (!t->n_external_data &&
        (!store || b->m->store[store].kind == SK_CONST))
        return NULL;
    if (map_get_ptr(b->there, name, &there)) {
        warn_at((Loc){.file = b->file}, "two tensors are called '%s': the "
                                        "second is not exported as trained",
                name);
        return NULL;
    }
    map_put_ptr(b->there, name, 1);
    text_add(&own, "%s", name);
    c = NEW(b->a, Onnx__TensorProto);
    *c = *t;
    c->name = own.s;
    vec_push(b->a, b->moved, c);
    return identity(b, own.s, t->name);
}

static Onnx__GraphProto *
export_body(Bodies *b, const Onnx__GraphProto *g, Sym path)
{
    Onnx__GraphProto *c = NEW(b->a, Onnx__GraphProto);
    Onnx__NodeProto **node = NULL;

    *c = *g;
    c->n_initializer = 0;
    c->initializer =
        NEWN(b->a, Onnx__TensorProto *, g->n_initializer + 1);
    for (size_t i = 0; i < g->n_initializer; i++) {
        Onnx__NodeProto *n = move_tensor(b, g->initializer[i], path);

        if (n)
            vec_push(b->a, node, n);
        else
            c->initializer[c->n_initializer++] = g->initializer[i];
    }
    for (size_t i = 0; i < g->n_node; i++)
        vec_push(b->a, node, export_node(b, g->node[i], path));
    c->node = node;
    c->n_node = vec_len(node);
    return c;
}

/* Bodies in functions see nothing of the model's own graph. */
static void
warn_of_functions(Bodies *b, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *f = model->functions[i];

        for (size_t k = 0; k < f->n_node; k++)
            for (size_t j = 0; j < f->node[k]->n_attribute; j++)
                if (f->node[k]->attribute[j]->g &&
                    f->node[k]->attribute[j]->g->n_initializer)
                    warn_at((Loc){.file = b->file},
                            "tensors in bodies of the function '%s' are "
                            "exported as they were",
                            f->name);
    }
}

void
export_bodies(Arena *a, const Module *m, const char *file,
              const Onnx__ModelProto *model, Onnx__GraphProto *out,
              Onnx__TensorProto ***moved)
{
    Bodies b = {.a = a, .m = m, .file = file, .there = map_new(a)};
    const Onnx__GraphProto *g = model->graph;

    warn_of_functions(&b, model);
    *out = *g;
    for (size_t i = 0; i < g->n_initializer; i++)
        map_put_ptr(b.there, sym(m->syms, g->initializer[i]->name), 1);
    out->node = NEWN(a, Onnx__NodeProto *, g->n_node + 1);
    for (size_t i = 0; i < g->n_node; i++)
        out->node[i] = export_node(&b, g->node[i], NULL);
    *moved = b.moved;
}
