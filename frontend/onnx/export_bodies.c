/* export_bodies: see the header. */
#include "frontend/onnx/export_bodies.h"

/* The tensor with its data inline. */
static Onnx__TensorProto *
inline_tensor(Bodies *e, Onnx__TensorProto *t)
{
    Onnx__TensorProto *c = NEW(e->a, Onnx__TensorProto);
    WireData nowhere = {0};
    const char *path;
    int64_t offset;
    Type type;

    if (!t->n_external_data)
        return t;
    if (!tensor_type(t, (Loc){.file = e->file}, &type) ||
        !tensor_place(e->a, e->m, e->file, t, nowhere, &path, &offset))
        raise_if_complained();
    *c = *t;
    c->n_external_data = 0;
    c->has_data_location = 0;
    c->has_raw_data = 1;
    c->raw_data.len = (size_t)type_bytes(&type);
    c->raw_data.data = NEWN(e->a, uint8_t, c->raw_data.len + 1);
    if (!read_range(e->m, path, offset, c->raw_data.data,
                    type_bytes(&type)))
        raise_if_complained();
    return c;
}

static Onnx__GraphProto *export_body(Bodies *e, const Onnx__GraphProto *g,
                                     Sym path);

/* The node with its bodies as they are exported; itself where it has none.
   Paths are made as import makes them. */
static Onnx__NodeProto *
export_node(Bodies *e, Onnx__NodeProto *n, Sym path)
{
    const char *name = n->name && *n->name ? n->name
                       : n->n_output       ? n->output[0]
                                           : "";
    Onnx__NodeProto *c = NEW(e->a, Onnx__NodeProto);
    bool any = false;

    *c = *n;
    c->attribute = NEWN(e->a, Onnx__AttributeProto *, n->n_attribute + 1);
    path = path ? sym_format(e->m->syms, "%s/%s", path, name)
                : sym(e->m->syms, name);
    for (size_t i = 0; i < n->n_attribute; i++) {
        c->attribute[i] = n->attribute[i];
        if (!n->attribute[i]->g)
            continue;
        any = true;
        c->attribute[i] = NEW(e->a, Onnx__AttributeProto);
        *c->attribute[i] = *n->attribute[i];
        c->attribute[i]->g = export_body(e, n->attribute[i]->g, path);
    }
    return any ? c : n;
}

/* A node that gives a tensor of the model's own graph its name in a body. */
static Onnx__NodeProto *
identity(Bodies *e, char *from, char *to)
{
    static char op[] = "Identity";
    Onnx__NodeProto *n = NEW(e->a, Onnx__NodeProto);

    onnx__node_proto__init(n);
    n->op_type = op;
    n->n_input = n->n_output = 1;
    n->input = NEWN(e->a, char *, 1);
    n->output = NEWN(e->a, char *, 1);
    n->input[0] = from;
    n->output[0] = to;
    return n;
}

/* What training changes moves from a body to the model's own graph, under the
   name of its store; NULL: t stays. */
static Onnx__NodeProto *
move_tensor(Bodies *e, const Onnx__TensorProto *t, Sym path)
{
    Sym name = sym_format(e->m->syms, "%s/%s", path, t->name);
    uint32_t store = module_store(e->m, name);
    Onnx__TensorProto *c;
    Text own = text_new(e->a);
    uint64_t there;

    if (!store || e->m->store[store].kind == SK_CONST)
        return NULL;
    if (map_get_ptr(e->names, name, &there)) {
        warn_at((Loc){.file = e->file}, "two tensors are called '%s': the "
                                        "second is not exported as trained",
                name);
        return NULL;
    }
    map_put_ptr(e->names, name, 1);
    text_add(&own, "%s", name);
    c = NEW(e->a, Onnx__TensorProto);
    *c = *t;
    c->name = own.s;
    vec_push(e->a, e->moved, c);
    return identity(e, own.s, t->name);
}

static Onnx__GraphProto *
export_body(Bodies *e, const Onnx__GraphProto *g, Sym path)
{
    Onnx__GraphProto *c = NEW(e->a, Onnx__GraphProto);
    Onnx__NodeProto **node = NULL;

    *c = *g;
    c->n_initializer = 0;
    c->initializer =
        NEWN(e->a, Onnx__TensorProto *, g->n_initializer + 1);
    for (size_t i = 0; i < g->n_initializer; i++) {
        Onnx__NodeProto *n = move_tensor(e, g->initializer[i], path);

        if (n)
            vec_push(e->a, node, n);
        else
            c->initializer[c->n_initializer++] =
                inline_tensor(e, g->initializer[i]);
    }
    for (size_t i = 0; i < g->n_node; i++)
        vec_push(e->a, node, export_node(e, g->node[i], path));
    c->node = node;
    c->n_node = vec_len(node);
    return c;
}

Bodies
bodies_of(Arena *a, Module *m, const char *file, const Onnx__GraphProto *graph)
{
    Bodies e = {.a = a, .m = m, .file = file, .names = map_new(a)};

    for (size_t i = 0; i < graph->n_initializer; i++)
        map_put_ptr(e.names, sym(m->syms, graph->initializer[i]->name), 1);
    e.node = NEWN(a, Onnx__NodeProto *, graph->n_node + 1);
    for (size_t i = 0; i < graph->n_node; i++)
        e.node[i] = export_node(&e, graph->node[i], NULL);
    return e;
}

void
bodies_warn_of_functions(const char *file, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *f = model->functions[i];

        for (size_t k = 0; k < f->n_node; k++)
            for (size_t j = 0; j < f->node[k]->n_attribute; j++)
                if (f->node[k]->attribute[j]->g &&
                    f->node[k]->attribute[j]->g->n_initializer)
                    warn_at((Loc){.file = file},
                            "tensors in bodies of the function '%s' are "
                            "exported as they were",
                            f->name);
    }
}
