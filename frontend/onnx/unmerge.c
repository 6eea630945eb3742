/* unmerge: the dynamo exporter's optimizer makes one initializer of all that
   hold equal numbers: a fresh batch normalization's scale and running variance,
   the biases of two norms. Training tells them apart. The call that a node came
   from names what it read, so each gets an initializer of its own again. */
#include <string.h>

#include "frontend/onnx/signature.h"

enum { ANY = -1 };

/* An input of a node stands for one of the tensors that its call names. */
typedef struct Spot {
    const char *op, *call;
    int input;  /* ANY: the one that the call does not name */
    int tensor, tensors;
} Spot;

static const Spot spots[] = {
    {"BatchNormalization", "batch_norm", 1, 0, 4},
    {"BatchNormalization", "batch_norm", 2, 1, 4},
    {"BatchNormalization", "batch_norm", 3, 2, 4},
    {"BatchNormalization", "batch_norm", 4, 3, 4},
    {"LayerNormalization", "layer_norm", 1, 0, 2},
    {"LayerNormalization", "layer_norm", 2, 1, 2},
    {"Gemm", "aten.linear.", 2, 1, 2},
    {"Add", "aten.linear.", ANY, 1, 2},
    {"Conv", "aten.conv", 2, 1, 2},
    {"ConvTranspose", "aten.conv", 2, 1, 2},
    {"Mul", "group_norm", ANY, 0, 2},
    {"Add", "group_norm", ANY, 1, 2},
};

enum { TENSORS_MOST = 4 };

typedef struct Redirected {
    char **input, *was;
} Redirected;

typedef struct Unmerge {
    Arena *a;
    Syms *syms;
    Onnx__GraphProto *graph;
    Wire *wire;
    Map *listed;      /* Sym -> 1: a parameter or buffer of the model */
    Map *placeholder; /* Sym as calls write it -> Sym of the tensor */
    Map *initializer; /* Sym -> number of it + 1 */
    Onnx__TensorProto **made; /* vector */
    Redirected *redirected;   /* vector */
    Onnx__TensorProto **own;  /* the graph's initializers as protobuf-c has */
    size_t owned;
} Unmerge;

static void
note_line(Unmerge *u, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n), *name;
    size_t size;
    Sym s;

    if (!colon ||
        (!signature_part(line, n, ": PARAMETER target='", &name, &size) &&
         !signature_part(line, n, ": BUFFER target='", &name, &size)))
        return;
    s = sym_n(u->syms, name, size);
    map_put_ptr(u->listed, s, 1);
    map_put_ptr(u->placeholder, sym_n(u->syms, line, (size_t)(colon - line)),
                (uintptr_t)s);
}

static void
note_list(Unmerge *u, const char *text)
{
    while (*text) {
        const char *end = strchrnul(text, '\n');

        note_line(u, text, (size_t)(end - text));
        text = *end ? end + 1 : end;
    }
    for (size_t i = 0; i < u->graph->n_initializer; i++)
        if (u->graph->initializer[i]->name)
            map_put_ptr(u->initializer,
                        sym(u->syms, u->graph->initializer[i]->name), i + 1);
}

/* The tensors that a call names, in its order; how many, at most one more than
   there is room for. */
static int
named_by(Unmerge *u, const char *call, Sym tensor[])
{
    int count = 0;

    while (count <= TENSORS_MOST && (call = strchr(call, '%'))) {
        size_t n = strspn(++call, "abcdefghijklmnopqrstuvwxyz_0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        uint64_t name;

        if (map_get_ptr(u->placeholder, sym_n(u->syms, call, n), &name))
            tensor[count++] = (Sym)(uintptr_t)name;
    }
    return count;
}

static bool
among(const Sym tensor[], int count, Sym name)
{
    for (int i = 0; i < count; i++)
        if (tensor[i] == name)
            return true;
    return false;
}

/* One more initializer of the same numbers. */
static void
copy_initializer(Unmerge *u, Sym name, size_t of)
{
    Onnx__TensorProto *t = NEW(u->a, Onnx__TensorProto);
    Text own = text_new(u->a);

    text_add(&own, "%s", name);
    *t = *u->graph->initializer[of];
    t->name = own.s;
    vec_push(u->a, u->made, t);
    vec_push(u->a, u->wire->initializer, u->wire->initializer[of]);
    map_put_ptr(u->initializer, name,
                u->graph->n_initializer + vec_len(u->made));
}

/* The input reads the tensor `want`, which was merged with another. */
static void
redirect(Unmerge *u, Onnx__NodeProto *node, size_t input, Sym want)
{
    Sym have = sym(u->syms, node->input[input]);
    uint64_t of, there;
    Text own = text_new(u->a);

    if (!map_get_ptr(u->initializer, have, &of) ||
        of > u->graph->n_initializer)
        return;
    if (!map_get_ptr(u->initializer, want, &there))
        copy_initializer(u, want, of - 1);
    text_add(&own, "%s", want);
    vec_push(u->a, u->redirected,
             (Redirected){&node->input[input], node->input[input]});
    node->input[input] = own.s;
}

static void
check_spot(Unmerge *u, const Spot *p, Onnx__NodeProto *node,
            const Sym tensor[])
{
    for (size_t i = 0; i < node->n_input; i++) {
        Sym have = sym(u->syms, node->input[i]);
        uint64_t listed;

        if (p->input == ANY ? among(tensor, p->tensors, have)
                            : p->input != (int)i)
            continue;
        if (have != tensor[p->tensor] &&
            map_get_ptr(u->listed, have, &listed))
            redirect(u, node, i, tensor[p->tensor]);
    }
}

static void
check_node(Unmerge *u, Onnx__NodeProto *node)
{
    const char *call = signature_call(node);
    Sym tensor[TENSORS_MOST + 1];
    int count = call && node->op_type ? named_by(u, call, tensor) : 0;

    for (size_t i = 0; count && i < sizeof spots / sizeof *spots; i++)
        if (spots[i].tensors == count &&
            strcmp(spots[i].op, node->op_type) == 0 &&
            strstr(call, spots[i].call))
            check_spot(u, &spots[i], node, tensor);
}

/* The copies go behind the file's own. */
static void
append_made(Unmerge *u)
{
    Onnx__GraphProto *g = u->graph;
    size_t n = g->n_initializer, more = vec_len(u->made);
    Onnx__TensorProto **all = NEWN(u->a, Onnx__TensorProto *, n + more + 1);

    for (size_t i = 0; i < n + more; i++)
        all[i] = i < n ? g->initializer[i] : u->made[i - n];
    g->initializer = all;
    g->n_initializer = n + more;
}

/* Before protobuf-c frees the model: it frees what it made only. */
static void
restore(void *unmerged)
{
    Unmerge *u = unmerged;

    u->graph->initializer = u->own;
    u->graph->n_initializer = u->owned;
    for (size_t i = vec_len(u->redirected); i > 0; i--)
        *u->redirected[i - 1].input = u->redirected[i - 1].was;
}

void
unmerge(Arena *a, Syms *syms, Onnx__ModelProto *model, Wire *wire)
{
    Onnx__GraphProto *g = model->graph;
    const char *list = g ? signature_list(g) : NULL;
    Unmerge *u = NEW(a, Unmerge);

    if (!list)
        return;
    *u = (Unmerge){.a = a, .syms = syms, .graph = g, .wire = wire,
                   .own = g->initializer, .owned = g->n_initializer};
    u->listed = map_new(a);
    u->placeholder = map_new(a);
    u->initializer = map_new(a);
    arena_defer(a, restore, u);
    note_list(u, list);
    for (size_t i = 0; i < g->n_node; i++)
        check_node(u, g->node[i]);
    append_made(u);
}
