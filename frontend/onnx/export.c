/* export: the imported model packed again with the parameters' data as inline
   raw bytes of the right length; the scan of the packed bytes tells where they
   stand, and there it is cut. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "frontend/onnx/lower.h"

/* Fills `to` with the bytes of an external tensor. */
static void
read_external(const char *path, int64_t offset, void *to, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *p = to;

    while (fd >= 0 && n > 0) {
        ssize_t got = pread(fd, p, n, offset);

        if (got <= 0)
            break;
        p += got;
        n -= (size_t)got;
        offset += got;
    }
    if (fd >= 0)
        close(fd);
    if (n > 0)
        raise_at((Loc){.file = path}, "cannot be read: %s", strerror(errno));
}

/* The tensor with its data as raw bytes; what training changes is zeros and
   becomes a hole. What is inline already and never changes stays as it is. */
static Onnx__TensorProto *
inline_tensor(Arena *a, const Module *m, const char *file,
              const Onnx__TensorProto *t)
{
    Onnx__TensorProto *c = NEW(a, Onnx__TensorProto);
    uint32_t store = module_store(m, sym(m->syms, t->name));
    bool hole = store && m->store[store].kind != SK_CONST;
    WireData nowhere = {0, 0};
    const char *path;
    int64_t offset;
    Type type;

    *c = *t;
    if (!hole && !t->n_external_data)
        return c;
    if (!tensor_type(t, (Loc){.file = file}, &type) ||
        !tensor_place(a, file, t, nowhere, &path, &offset))
        raise_if_complained();
    c->n_float_data = c->n_double_data = c->n_external_data = 0;
    c->has_data_location = 0;
    c->has_raw_data = 1;
    c->raw_data.len = (size_t)type_bytes(&type);
    c->raw_data.data = NEWN(a, uint8_t, c->raw_data.len + 1);
    if (!hole)
        read_external(path, offset, c->raw_data.data, c->raw_data.len);
    return c;
}

/* ---- bodies of nodes -------------------------------------------------- */

typedef struct Export {
    Arena *a;
    const Module *m;
    const char *file;
    Onnx__TensorProto **initializer; /* vector: of the model's own graph */
    Map *moved; /* Sym: what is there by now */
} Export;

static Onnx__GraphProto *export_body(Export *e, const Onnx__GraphProto *g,
                                     Sym path);

/* The node with its bodies as they are exported; itself where it has none.
   Paths are made as import makes them. */
static Onnx__NodeProto *
export_node(Export *e, Onnx__NodeProto *n, Sym path)
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
identity(Export *e, char *from, char *to)
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
move_tensor(Export *e, const Onnx__TensorProto *t, Sym path)
{
    Sym name = sym_format(e->m->syms, "%s/%s", path, t->name);
    uint32_t store = module_store(e->m, name);
    Onnx__TensorProto *c;
    Text own = text_new(e->a);
    uint64_t there;

    if (!store || e->m->store[store].kind == SK_CONST)
        return NULL;
    if (map_get_ptr(e->moved, name, &there)) {
        warn_at((Loc){.file = e->file}, "two tensors are called '%s': the "
                                        "second is not exported as trained",
                name);
        return NULL;
    }
    map_put_ptr(e->moved, name, 1);
    text_add(&own, "%s", name);
    c = NEW(e->a, Onnx__TensorProto);
    *c = *t;
    c->name = own.s;
    vec_push(e->a, e->initializer, inline_tensor(e->a, e->m, e->file, c));
    return identity(e, own.s, t->name);
}

static Onnx__GraphProto *
export_body(Export *e, const Onnx__GraphProto *g, Sym path)
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
                inline_tensor(e->a, e->m, e->file, g->initializer[i]);
    }
    for (size_t i = 0; i < g->n_node; i++)
        vec_push(e->a, node, export_node(e, g->node[i], path));
    c->node = node;
    c->n_node = vec_len(node);
    return c;
}

/* ---- the model -------------------------------------------------------- */

static uint8_t *
pack_inline(Export *e, const Onnx__ModelProto *model, size_t *size)
{
    Onnx__ModelProto copy = *model;
    Onnx__GraphProto graph = *model->graph;
    uint8_t *bytes;

    for (size_t i = 0; i < graph.n_initializer; i++) {
        const Onnx__TensorProto *t = model->graph->initializer[i];

        vec_push(e->a, e->initializer,
                 inline_tensor(e->a, e->m, e->file, t));
        map_put_ptr(e->moved, sym(e->m->syms, t->name), 1);
    }
    graph.node = NEWN(e->a, Onnx__NodeProto *, graph.n_node + 1);
    for (size_t i = 0; i < graph.n_node; i++)
        graph.node[i] = export_node(e, model->graph->node[i], NULL);
    graph.initializer = e->initializer;
    graph.n_initializer = vec_len(e->initializer);
    copy.graph = &graph;
    *size = onnx__model_proto__get_packed_size(&copy);
    bytes = NEWN(e->a, uint8_t, *size + 1);
    onnx__model_proto__pack(&copy, bytes);
    return bytes;
}

/* Bodies in functions see nothing of the model's own graph. */
static void
warn_of_functions(Export *e, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *f = model->functions[i];

        for (size_t k = 0; k < f->n_node; k++)
            for (size_t j = 0; j < f->node[k]->n_attribute; j++)
                if (f->node[k]->attribute[j]->g &&
                    f->node[k]->attribute[j]->g->n_initializer)
                    warn_at((Loc){.file = e->file},
                            "tensors in bodies of the function '%s' are "
                            "exported as they were",
                            f->name);
    }
}

Piece *
export_pieces(Arena *a, const Module *m, const char *path, int *count)
{
    Wire wire, packed;
    const Onnx__ModelProto *model = read_model(a, path, &wire);
    Export e = {.a = a, .m = m, .file = path, .moved = map_new(a)};
    Piece *piece = NULL;
    uint8_t *bytes;
    size_t size;
    int64_t at = 0;

    raise_if_complained();
    warn_of_functions(&e, model);
    bytes = pack_inline(&e, model, &size);
    if (!wire_scan(a, path, bytes, size, &packed))
        raise_if_complained();
    for (size_t i = 0; i < vec_len(packed.initializer); i++) {
        const char *name = e.initializer[i]->name;
        uint32_t store = module_store(m, sym(m->syms, name));
        WireData d = packed.initializer[i];

        if (!store || m->store[store].kind == SK_CONST)
            continue;
        vec_push(a, piece, (Piece){bytes + at, d.offset - at, 0});
        vec_push(a, piece, (Piece){NULL, d.length, store});
        at = d.offset + d.length;
    }
    vec_push(a, piece, (Piece){bytes + at, (int64_t)size - at, 0});
    *count = (int)vec_len(piece);
    return piece;
}
