/* export: the imported model packed again with the parameters' data as inline
   raw bytes. Where they stand there are holes: the zeros of a model are never
   made. Initializers come last in the graph, each packed on its own. */
#include <string.h>

#include "frontend/onnx/export_bodies.h"
#include "frontend/onnx/signature.h"
#include "ir/origin.h"

enum {
    MESSAGE = 2, /* wire type of what has a length */
    MODEL_GRAPH = 7,
    GRAPH_INITIALIZER = 5,
    TENSOR_RAW = 9,
    LITERAL_MOST = 1 << 28, /* bytes of constants that a program carries */
    EXPORT_MOST = INT32_MAX
};

/* A length in protobuf's form; how many bytes. */
static size_t
put_varint(uint8_t *to, uint64_t x)
{
    size_t n = 0;

    for (; x > 127; x >>= 7)
        to[n++] = (uint8_t)(x | 128);
    to[n++] = (uint8_t)x;
    return n;
}

/* A tag and a length. */
static size_t
put_head(uint8_t *to, int field, uint64_t length)
{
    size_t n = put_varint(to, (uint64_t)field << 3 | MESSAGE);

    return n + put_varint(to + n, length);
}

enum { HEAD_MOST = 20 };

typedef struct Export {
    Arena *a;
    Module *m;
    const char *file;
    Piece *piece; /* vector */
    int64_t literal;
} Export;

/* Text before a hole or another text. */
static void
add_literal(Export *e, const void *bytes, size_t n)
{
    if (n)
        vec_push(e->a, e->piece, (Piece){bytes, (int64_t)n, 0});
    e->literal += (int64_t)n;
}

static int64_t
pieces_size(const Piece *piece)
{
    int64_t size = 0;

    for (size_t i = 0; i < vec_len(piece); i++)
        size += piece[i].length;
    return size;
}

static void
add_head(Export *e, int field, int64_t length)
{
    uint8_t *head = NEWN(e->a, uint8_t, HEAD_MOST);

    add_literal(e, head, put_head(head, field, (uint64_t)length));
}

/* The store that the initializer has become and training changes, or 0. */
static uint32_t
hole_of(const Export *e, const Onnx__TensorProto *t)
{
    uint32_t store = module_store(e->m, sym(e->m->syms, t->name));

    return store && e->m->store[store].kind != SK_CONST ? store : 0;
}

static uint8_t *
packed_tensor(Arena *a, const Onnx__TensorProto *t, size_t *size)
{
    uint8_t *bytes;

    *size = onnx__tensor_proto__get_packed_size(t);
    bytes = NEWN(a, uint8_t, *size + 1);
    onnx__tensor_proto__pack(t, bytes);
    return bytes;
}

/* The data of a constant that is not inline in what was unpacked. */
static void *
constant_bytes(Export *e, const Onnx__TensorProto *t, WireData data,
               size_t *size)
{
    const char *path = e->file;
    int64_t offset = data.offset, length = data.length;
    void *bytes;
    Type type;

    if (t->n_external_data) {
        if (!tensor_type(t, (Loc){.file = e->file}, &type) ||
            !tensor_place(e->a, e->m, e->file, t, data, &path, &offset))
            raise_if_complained();
        length = type_bytes(&type);
    }
    *size = (size_t)length;
    if (e->literal + length > LITERAL_MOST)
        return NULL;
    bytes = NEWN(e->a, char, length + 1);
    if (!read_range(e->m, path, offset, bytes, length))
        raise_if_complained();
    return bytes;
}

/* The tensor, its data as raw bytes, a hole where training changes it; false:
   too much would have to be carried. */
static bool
add_tensor(Export *e, const Onnx__TensorProto *t, WireData data)
{
    uint32_t hole = hole_of(e, t);
    Onnx__TensorProto bare = *t;
    size_t size, raw = 0;
    void *bytes = NULL, *packed;
    uint8_t head[HEAD_MOST];

    if (hole || data.left || t->n_external_data) {
        bare.n_float_data = bare.n_double_data = bare.n_external_data = 0;
        bare.has_data_location = bare.has_raw_data = 0;
        if (hole)
            raw = (size_t)type_bytes(&e->m->store[hole].type);
        else
            bytes = constant_bytes(e, t, data, &raw);
        if (!hole && !bytes)
            return false;
    }
    packed = packed_tensor(e->a, &bare, &size);
    add_head(e, GRAPH_INITIALIZER,
             (int64_t)(size + raw) +
                 (raw ? (int64_t)put_head(head, TENSOR_RAW, raw) : 0));
    add_literal(e, packed, size);
    if (raw)
        add_head(e, TENSOR_RAW, (int64_t)raw);
    if (bytes)
        add_literal(e, bytes, raw);
    else if (raw)
        vec_push(e->a, e->piece, (Piece){NULL, (int64_t)raw, hole});
    return e->literal <= LITERAL_MOST;
}

/* The graph's own pieces; false: there is too much. */
static bool
add_graph(Export *e, const Onnx__GraphProto *graph, const Wire *wire)
{
    Bodies bodies = bodies_of(e->a, e->m, e->file, graph);
    Onnx__GraphProto bare = *graph;
    WireData inline_data = {0};
    uint8_t *bytes;
    size_t size;

    bare.n_initializer = 0;
    bare.node = bodies.node;
    size = onnx__graph_proto__get_packed_size(&bare);
    bytes = NEWN(e->a, uint8_t, size + 1);
    onnx__graph_proto__pack(&bare, bytes);
    add_literal(e, bytes, size);
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (!add_tensor(e, graph->initializer[i], wire->initializer[i]))
            return false;
    for (size_t i = 0; i < vec_len(bodies.moved); i++)
        if (!add_tensor(e, bodies.moved[i], inline_data))
            return false;
    return true;
}

Piece *
export_pieces(Arena *a, Module *m, const char *path, int *count)
{
    struct stat st;
    Wire wire;
    Onnx__ModelProto *model = read_model(a, path, &wire, &st), bare;
    Export inner = {.a = a, .m = m, .file = path}, all = inner;
    uint8_t *bytes;
    size_t size;

    *count = 0;
    raise_if_complained();
    if (!origin_note(m, path, &st))
        raise_at((Loc){.file = path}, "has changed since the model was read");
    unmerge(a, m->syms, model, &wire);
    bodies_warn_of_functions(path, model);
    bare = *model;
    bare.graph = NULL;
    size = onnx__model_proto__get_packed_size(&bare);
    bytes = NEWN(a, uint8_t, size + 1);
    onnx__model_proto__pack(&bare, bytes);
    add_literal(&all, bytes, size);
    if (!add_graph(&inner, model->graph, &wire))
        return NULL;
    add_head(&all, MODEL_GRAPH, pieces_size(inner.piece));
    for (size_t i = 0; i < vec_len(inner.piece); i++)
        vec_push(a, all.piece, inner.piece[i]);
    if (pieces_size(all.piece) > EXPORT_MOST)
        return NULL;
    *count = (int)vec_len(all.piece);
    return all.piece;
}
