/* model: the file into protobuf-c's structures, tensors into ours. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/onnx/lower.h"
#include "ir/eval.h"

enum { FILE_MOST = INT32_MAX };

typedef struct TypeRow {
    const char *name;
    DType dtype;
} TypeRow;

/* By the number of TensorProto.DataType; those without a type of ours cannot
   be computed with. */
static const TypeRow types[] = {
    {"undefined", DT_NONE},
    {"float", DT_F32},
    {"uint8", DT_U8},
    {"int8", DT_I8},
    {"uint16", DT_U16},
    {"int16", DT_I16},
    {"int32", DT_I32},
    {"int64", DT_I64},
    {"string", DT_NONE},
    {"bool", DT_I1},
    {"float16", DT_F16},
    {"double", DT_F64},
    {"uint32", DT_U32},
    {"uint64", DT_U64},
    {"complex64", DT_NONE},
    {"complex128", DT_NONE},
    {"bfloat16", DT_BF16},
    {"float8e4m3fn", DT_F8E4M3},
    {"float8e4m3fnuz", DT_F8E4M3FNUZ},
    {"float8e5m2", DT_F8E5M2},
    {"float8e5m2fnuz", DT_F8E5M2FNUZ},
    {"uint4", DT_U4},
    {"int4", DT_I4},
    {"float4e2m1", DT_F4},
    {"float8e8m0", DT_F8E8M0},
    {"uint2", DT_U2},
    {"int2", DT_I2},
    {"float6e2m3", DT_NONE},
    {"float6e3m2", DT_NONE},
};

enum { TYPES = sizeof types / sizeof *types };

DType
onnx_dtype(int32_t elem_type)
{
    return elem_type >= 0 && elem_type < TYPES ? types[elem_type].dtype
                                               : DT_NONE;
}

const char *
onnx_type_name(int32_t elem_type)
{
    return elem_type >= 0 && elem_type < TYPES ? types[elem_type].name
                                               : "an unknown type";
}

static void
free_model(void *p)
{
    onnx__model_proto__free_unpacked(p, NULL);
}

/* The file for reading; -1 after a complaint. */
static int
open_model(const char *file, struct stat *st)
{
    Loc loc = {.file = file};
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, st) < 0)
        complain(loc, E(E0201) "cannot be read: %s", strerror(errno));
    else if (!S_ISREG(st->st_mode))
        complain(loc, E(E0203) "is not a regular file");
    else if (st->st_size == 0)
        complain(loc, E(E0301) "is empty, not an ONNX model");
    else if (st->st_size > FILE_MOST)
        complain(
            loc,
            E(E0301) "is larger than 2 GiB, the most that an ONNX file can "
                     "be\nhint: save its weights as external data");
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What was left in the file has its length again, but no content. */
static bool
note_left(const char *file, Onnx__TensorProto *t, WireData d)
{
    if (!d.left)
        return true;
    if (t->has_raw_data && !t->raw_data.len && !t->n_float_data) {
        t->raw_data.len = (size_t)d.length;
        return true;
    }
    if (!t->has_raw_data && !t->n_float_data && d.length % 4 == 0) {
        t->n_float_data = (size_t)d.length / 4;
        return true;
    }
    complain((Loc){.file = file},
             E(E0309) "tensor '%s' has its data in two places, or numbers that "
                      "are cut "
                      "off",
             t->name ? t->name : "");
    return false;
}

static Onnx__ModelProto *
unpack_model(Arena *a, const char *file, const Wire *wire)
{
    Onnx__ModelProto *m =
        onnx__model_proto__unpack(NULL, wire->size, wire->bytes);

    if (!m) {
        complain((Loc){.file = file},
                 E(E0301) "is not an ONNX model: protobuf refuses "
                          "its bytes");
        return NULL;
    }
    arena_defer(a, free_model, m);
    ASSERT(m->graph->n_initializer == vec_len(wire->initializer));
    for (size_t i = 0; i < m->graph->n_initializer; i++)
        if (!note_left(file, m->graph->initializer[i], wire->initializer[i]))
            return NULL;
    return m;
}

Onnx__ModelProto *
read_model(Arena *a, const char *file, Wire *wire, struct stat *st)
{
    Arena *scratch = arena_new();
    int fd = open_model(file, st);
    Onnx__ModelProto *m = NULL;

    if (fd >= 0 &&
        wire_read(a, scratch, file, fd, (size_t)st->st_size, wire))
        m = unpack_model(a, file, wire);
    if (fd >= 0)
        close(fd);
    arena_free(scratch);
    return m;
}

bool
tensor_type(const Onnx__TensorProto *t, Loc loc, Type *out)
{
    int64_t dim[MAXRANK];

    if (t->n_dims > MAXRANK) {
        complain(loc, "tensor '%s' has %zu axes; at most %d are supported",
                 t->name ? t->name : "", t->n_dims, MAXRANK);
        return false;
    }
    for (size_t i = 0; i < t->n_dims; i++)
        dim[i] = t->dims[i];
    if (t->segment) {
        complain(loc, "tensor '%s' is a segment, which is not supported",
                 t->name ? t->name : "");
        return false;
    }
    if (onnx_dtype(t->data_type) == DT_NONE) {
        complain(loc, "tensor '%s' has element type %s (%d), which is not "
                      "supported",
                 t->name ? t->name : "", onnx_type_name(t->data_type),
                 t->data_type);
        return false;
    }
    if (!type_make(onnx_dtype(t->data_type), (int)t->n_dims, dim, out)) {
        complain(loc, "tensor '%s' has a negative dimension, or too many "
                      "elements",
                 t->name ? t->name : "");
        return false;
    }
    return true;
}

/* How many elements the typed fields hold, summed. */
static size_t
typed_count(const Onnx__TensorProto *t)
{
    return t->n_float_data + t->n_double_data + t->n_int32_data +
           t->n_int64_data + t->n_uint64_data;
}

/* How many the field of the tensor's own element type holds. */
static size_t
own_count(const Onnx__TensorProto *t, DType d)
{
    return d == DT_F32                    ? t->n_float_data
           : d == DT_F64                  ? t->n_double_data
           : d == DT_I64                  ? t->n_int64_data
           : d == DT_U32 || d == DT_U64   ? t->n_uint64_data
                                          : t->n_int32_data;
}

bool
is_packed(DType d)
{
    return dtype_bits(d) < 8;
}

/* What the file holds: bytes with several elements in each, or elements. */
static int64_t
units(const Type *t)
{
    int64_t each = is_packed(t->dtype) ? 8 / dtype_bits(t->dtype) : 1;
    int64_t n = type_elements(t);

    return n / each + (n % each != 0);
}

static bool
data_fits(const Onnx__TensorProto *t, const Type *type, Loc loc)
{
    int64_t want = units(type);
    int64_t bytes = is_packed(type->dtype) ? want : type_bytes(type);
    size_t typed = typed_count(t);

    if (typed != own_count(t, type->dtype) || t->n_string_data) {
        complain(loc, E(E0309) "tensor '%s' of %s has data of another type",
                 t->name ? t->name : "", dtype_name(type->dtype));
        return false;
    }

    if (t->has_raw_data && typed) {
        complain(loc, E(E0309) "tensor '%s' has raw data and typed data",
                 t->name ? t->name : "");
        return false;
    }
    if (t->has_raw_data && (int64_t)t->raw_data.len != bytes) {
        complain(
            loc,
            E(E0309) "tensor '%s' holds %zu bytes; its shape says %" PRId64,
            t->name ? t->name : "", t->raw_data.len, bytes);
        return false;
    }
    if (!t->has_raw_data && (int64_t)typed != want) {
        complain(
            loc,
            E(E0309) "tensor '%s' holds %zu elements; its shape says %" PRId64,
            t->name ? t->name : "", typed, want);
        return false;
    }
    return true;
}

/* Entry i of the typed fields into element i; int32_data holds the bits of what
   has no field of its own. */
static void
take_typed(const Onnx__TensorProto *t, size_t i, Tensor *x)
{
    DType d = x->type.dtype;
    int64_t at = (int64_t)i;
    uint16_t bits;

    if (d == DT_F32 || d == DT_F64)
        tensor_set(x, at, d == DT_F32 ? (double)t->float_data[i]
                                      : t->double_data[i]);
    else if (d == DT_I64)
        tensor_set_integer(x, at, t->int64_data[i]);
    else if (d == DT_U32 || d == DT_U64)
        tensor_set_integer(x, at, (int64_t)t->uint64_data[i]);
    else if (!dtype_float(d))
        tensor_set_integer(x, at, t->int32_data[i]);
    else {
        bits = (uint16_t)t->int32_data[i];
        memcpy((char *)x->data + at * dtype_bytes(d), &bits,
               (size_t)dtype_bytes(d));
    }
}

/* Element i of several in a byte, the first of them lowest. */
static void
take_packed(const Onnx__TensorProto *t, int64_t i, Tensor *x)
{
    int bits = dtype_bits(x->type.dtype), each = 8 / bits;
    unsigned byte = t->has_raw_data ? t->raw_data.data[i / each]
                                    : (unsigned)t->int32_data[i / each];
    unsigned code = byte >> (i % each * bits) & ((1u << bits) - 1);

    if (dtype_float(x->type.dtype))
        ((uint8_t *)x->data)[i] = (uint8_t)code;
    else
        tensor_set_integer(x, i, code);
}

Tensor *
tensor_content(Arena *a, const Onnx__TensorProto *t, Loc loc)
{
    Tensor *x = NEW(a, Tensor);

    if (!tensor_type(t, loc, &x->type))
        return NULL;
    if (t->n_external_data || t->data_location) {
        complain(loc, "tensor '%s' must have its data inline here",
                 t->name ? t->name : "");
        return NULL;
    }
    if (!data_fits(t, &x->type, loc))
        return NULL;
    x->data = NEWN(a, char, type_bytes(&x->type) + 1);
    if (is_packed(x->type.dtype))
        for (int64_t i = 0; i < type_elements(&x->type); i++)
            take_packed(t, i, x);
    else if (t->has_raw_data && t->raw_data.len)
        memcpy(x->data, t->raw_data.data, t->raw_data.len);
    for (size_t i = 0; !is_packed(x->type.dtype) && !t->has_raw_data &&
                       i < typed_count(t);
         i++)
        take_typed(t, i, x);
    return x;
}
