/* wire: a stack of open messages instead of recursion; each byte is looked at
   once, contents of strings excepted. */
#include "frontend/onnx/wire.h"

#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/vec.h"

typedef enum Message {
    M_NONE,
    M_MODEL,
    M_OPSET,
    M_PAIR,
    M_TRAINING,
    M_GRAPH,
    M_NODE,
    M_ATTRIBUTE,
    M_TENSOR,
    M_SPARSE,
    M_SEGMENT,
    M_VALUE,
    M_TYPE,
    M_TYPED,
    M_INNER,
    M_SHAPE,
    M_DIM,
    M_FUNCTION,
    MESSAGES
} Message;

typedef enum Content { C_NUMBER, C_MESSAGE, C_STRING, C_BYTES } Content;

typedef struct Field {
    unsigned char content, inner;
} Field;

enum { FIELDS = 32 };

static const Field fields[MESSAGES][FIELDS] = {
#define WIRE(message, number, content, inner)                                  \
    [M_##message][number] = {C_##content, M_##inner},
#include "frontend/onnx/wire.def"
#undef WIRE
};

typedef struct Open {
    Message message;
    size_t end;
    bool main; /* the graph of the model, or an initializer of it */
} Open;

typedef struct Scan {
    Arena *arena;
    const char *file;
    const unsigned char *bytes;
    size_t at, size;
    Open stack[WIRE_NESTING_MOST];
    int depth;
    int64_t nodes, messages;
    int graphs, opsets, versions;
    Wire *out;
} Scan;

static bool
fault(Scan *s, const char *what)
{
    complain((Loc){.file = s->file},
             "is not an ONNX model: at byte %zu %s\nhint: was it downloaded "
             "or written whole?",
             s->at, what);
    return false;
}

static bool
read_varint(Scan *s, size_t end, uint64_t *x)
{
    *x = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        unsigned char b;

        if (s->at >= end)
            return fault(s, "a number is cut off");
        b = s->bytes[s->at++];
        if (shift == 63 && b > 1)
            return fault(s, "a number has more than 64 bits");
        *x |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return true;
    }
    return fault(s, "a number is longer than 10 bytes");
}

static bool
count_message(Scan *s, Message m)
{
    s->messages++;
    s->nodes += m == M_NODE;
    if (s->nodes > WIRE_NODES_MOST)
        return fault(s, "there are more than 1,000,000 nodes");
    if (s->messages > WIRE_MESSAGES_MOST)
        return fault(s, "there are more than 4,000,000 messages");
    return true;
}

static bool
open_message(Scan *s, Message m, uint32_t number, size_t end)
{
    const Open *outer = &s->stack[s->depth - 1];
    bool graph = outer->message == M_MODEL && m == M_GRAPH;
    bool initializer = outer->main && outer->message == M_GRAPH && number == 5;

    if (s->depth == WIRE_NESTING_MOST)
        return fault(s, "messages are nested more than 100 deep");
    if (!count_message(s, m))
        return false;
    s->graphs += graph;
    s->opsets += outer->message == M_MODEL && m == M_OPSET;
    if (s->graphs > 1)
        return fault(s, "a second graph begins");
    if (initializer)
        vec_push(s->arena, s->out->initializer, (WireData){0, 0});
    s->stack[s->depth++] = (Open){m, end, graph || initializer};
    return true;
}

/* raw_data or packed float_data of an initializer of the main graph. */
static void
note_data(Scan *s, uint32_t number, size_t length)
{
    const Open *o = &s->stack[s->depth - 1];
    WireData *d;

    if (!o->main || o->message != M_TENSOR || (number != 9 && number != 4))
        return;
    d = &vec_last(s->out->initializer);
    if (d->offset) /* a second piece: not in one place */
        *d = (WireData){-1, 0};
    else
        *d = (WireData){(int64_t)s->at, (int64_t)length};
}

static bool
read_bytes(Scan *s, const Field *f, uint32_t number, size_t end)
{
    uint64_t length;

    if (!read_varint(s, end, &length))
        return false;
    if (length > end - s->at)
        return fault(s, "a length reaches past the end");
    if (f->content == C_MESSAGE)
        return open_message(s, f->inner, number, s->at + (size_t)length);
    if (f->content == C_STRING && length > WIRE_NAME_MOST)
        return fault(s, "a name is longer than 1 MiB");
    if (f->content == C_STRING && memchr(s->bytes + s->at, 0, (size_t)length))
        return fault(s, "a name holds a NUL byte");
    note_data(s, number, (size_t)length);
    s->at += (size_t)length;
    return true;
}

static bool
skip(Scan *s, size_t n, size_t end)
{
    if (n > end - s->at)
        return fault(s, "a number is cut off");
    s->at += n;
    return true;
}

static bool
read_field(Scan *s)
{
    static const Field other = {C_NUMBER, M_NONE};
    const Open *o = &s->stack[s->depth - 1];
    const Field *f = &other;
    uint64_t tag, value;
    uint32_t number;

    if (!read_varint(s, o->end, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return fault(s, "a field has an impossible number");
    number = (uint32_t)(tag >> 3);
    if (number < FIELDS)
        f = &fields[o->message][number];
    if (f->content != C_NUMBER && (tag & 7) != 2)
        return fault(s, "a number stands where text or a message belongs");
    s->versions += o->message == M_MODEL && number == 1;
    switch (tag & 7) {
    case 0: return read_varint(s, o->end, &value);
    case 1: return skip(s, 8, o->end);
    case 2: return read_bytes(s, f, number, o->end);
    case 5: return skip(s, 4, o->end);
    default: return fault(s, "a field has an unknown encoding");
    }
}

static bool
has_essentials(Scan *s)
{
    if (s->graphs == 0)
        return fault(s, "it ends without a graph");
    if (s->versions == 0)
        return fault(s, "it ends without an ir_version");
    if (s->opsets == 0)
        return fault(s, "it ends without an opset_import");
    return true;
}

bool
wire_scan(Arena *a, const char *file, const unsigned char *bytes, size_t size,
          Wire *out)
{
    Scan *s = NEW(a, Scan);

    *s = (Scan){.arena = a, .file = file, .bytes = bytes, .size = size,
                .out = out, .depth = 1};
    out->initializer = NULL;
    s->stack[0] = (Open){M_MODEL, size, false};
    if (size == 0)
        return fault(s, "it is empty");
    while (s->depth > 0) {
        if (s->at == s->stack[s->depth - 1].end)
            s->depth--;
        else if (!read_field(s))
            return false;
    }
    for (size_t i = 0; i < vec_len(out->initializer); i++)
        if (out->initializer[i].offset < 0)
            out->initializer[i].offset = 0;
    return has_essentials(s);
}
