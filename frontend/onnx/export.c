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

static uint8_t *
pack_inline(Arena *a, const Module *m, const char *file,
            const Onnx__ModelProto *model, size_t *size)
{
    Onnx__ModelProto copy = *model;
    Onnx__GraphProto graph = *model->graph;
    uint8_t *bytes;

    graph.initializer =
        NEWN(a, Onnx__TensorProto *, graph.n_initializer + 1);
    for (size_t i = 0; i < graph.n_initializer; i++)
        graph.initializer[i] =
            inline_tensor(a, m, file, model->graph->initializer[i]);
    copy.graph = &graph;
    *size = onnx__model_proto__get_packed_size(&copy);
    bytes = NEWN(a, uint8_t, *size + 1);
    onnx__model_proto__pack(&copy, bytes);
    return bytes;
}

Piece *
export_pieces(Arena *a, const Module *m, const char *path, int *count)
{
    Wire wire, packed;
    const Onnx__ModelProto *model = read_model(a, path, &wire);
    Piece *piece = NULL;
    uint8_t *bytes;
    size_t size;
    int64_t at = 0;

    raise_if_complained();
    bytes = pack_inline(a, m, path, model, &size);
    if (!wire_scan(a, path, bytes, size, &packed))
        raise_if_complained();
    for (size_t i = 0; i < vec_len(packed.initializer); i++) {
        const char *name = model->graph->initializer[i]->name;
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
