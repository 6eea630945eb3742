/* wire: a stack of open messages instead of recursion. What was looked at is
   kept; of the data of large initializers only the place is. The lengths of the
   messages around it are written again in as many bytes as they had. */
#include "frontend/onnx/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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

/* A length as it was read: where it stands in what is kept. */
typedef struct Length {
    size_t at, width;
    uint64_t value;
} Length;

typedef struct Open {
    Message message;
    size_t end;
    bool main; /* the graph of the model, or an initializer of it */
    Length length;
    uint64_t left; /* bytes of it that are not kept */
} Open;

enum { WINDOW = 1 << 16 };

typedef struct Scan {
    Arena *arena, *scratch;
    const char *file;
    int fd;
    size_t at, size;
    unsigned char window[WINDOW];
    size_t window_at, window_size;
    unsigned char *kept;
    size_t kept_size, kept_room;
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

/* ---- reading and keeping ---------------------------------------------- */

/* The window begins at the place that is looked at. */
static bool
move_window(Scan *s)
{
    ssize_t got;

    do
        got = pread(s->fd, s->window, WINDOW, (off_t)s->at);
    while (got < 0 && errno == EINTR);
    if (got <= 0) {
        complain((Loc){.file = s->file}, E(E0201) "cannot be read: %s",
                 got ? strerror(errno) : "it became shorter");
        return false;
    }
    s->window_at = s->at;
    s->window_size = (size_t)got;
    return true;
}

/* The bytes at the place that is looked at, at most *n; NULL: none. */
static const unsigned char *
look(Scan *s, size_t *n)
{
    size_t from;

    if ((s->at < s->window_at || s->at >= s->window_at + s->window_size) &&
        !move_window(s))
        return NULL;
    from = s->at - s->window_at;
    if (*n > s->window_size - from)
        *n = s->window_size - from;
    return s->window + from;
}

static void
keep(Scan *s, const unsigned char *from, size_t n)
{
    if (n > s->kept_room - s->kept_size) {
        size_t room = 2 * s->kept_room + n + WINDOW;
        unsigned char *more = NEWN(s->scratch, unsigned char, room);

        if (s->kept_size)
            memcpy(more, s->kept, s->kept_size);
        s->kept = more;
        s->kept_room = room;
    }
    memcpy(s->kept + s->kept_size, from, n);
    s->kept_size += n;
}

/* The next n bytes are kept; text must not hold a NUL. */
static bool
take(Scan *s, size_t n, bool text)
{
    while (n) {
        size_t some = n;
        const unsigned char *p = look(s, &some);

        if (!p)
            return false;
        if (text && memchr(p, 0, some))
            return fault(s, "a name holds a NUL byte");
        keep(s, p, some);
        s->at += some;
        n -= some;
    }
    return true;
}

static bool
read_varint(Scan *s, size_t end, uint64_t *x)
{
    *x = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        size_t one = 1;
        const unsigned char *p;
        unsigned char b;

        if (s->at >= end)
            return fault(s, "a number is cut off");
        p = look(s, &one);
        if (!p)
            return false;
        b = *p;
        keep(s, p, 1);
        s->at++;
        if (shift == 63 && b > 1)
            return fault(s, "a number has more than 64 bits");
        *x |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return true;
    }
    return fault(s, "a number is longer than 10 bytes");
}

/* Another value in the bytes of a length; it is never the larger one. */
static void
rewrite_length(Scan *s, const Length *l, uint64_t value)
{
    for (size_t i = 0; i < l->width; i++, value >>= 7)
        s->kept[l->at + i] =
            (unsigned char)((value & 127) | (i + 1 < l->width ? 128 : 0));
}

/* ---- messages --------------------------------------------------------- */

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
open_message(Scan *s, Message m, uint32_t number, const Length *l)
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
        vec_push(s->arena, s->out->initializer, (WireData){0, 0, false});
    s->stack[s->depth++] = (Open){m, s->at + (size_t)l->value,
                                  graph || initializer, *l, 0};
    return true;
}

/* Is it the data of an initializer of the main graph? */
static bool
is_data(const Scan *s, uint32_t number)
{
    const Open *o = &s->stack[s->depth - 1];

    return o->main && o->message == M_TENSOR && (number == 9 || number == 4);
}

/* Its place is noted; what is large is not kept. */
static bool
read_data(Scan *s, const Length *l)
{
    WireData *d = &vec_last(s->out->initializer);
    bool again = d->offset != 0, large = l->value > WIRE_DATA_MOST;

    if (again && (d->left || large))
        return fault(s, "a large tensor has its data in several pieces");
    *d = again ? (WireData){-1, 0, false}
               : (WireData){(int64_t)s->at, (int64_t)l->value, large};
    if (!large)
        return take(s, (size_t)l->value, false);
    rewrite_length(s, l, 0);
    s->stack[s->depth - 1].left += l->value;
    s->at += (size_t)l->value;
    return true;
}

static bool
read_bytes(Scan *s, const Field *f, uint32_t number, size_t end)
{
    Length l = {.at = s->kept_size};

    if (!read_varint(s, end, &l.value))
        return false;
    l.width = s->kept_size - l.at;
    if (l.value > end - s->at)
        return fault(s, "a length reaches past the end");
    if (f->content == C_MESSAGE)
        return open_message(s, f->inner, number, &l);
    if (f->content == C_STRING && l.value > WIRE_NAME_MOST)
        return fault(s, "a name is longer than 1 MiB");
    if (is_data(s, number))
        return read_data(s, &l);
    return take(s, (size_t)l.value, f->content == C_STRING);
}

/* Outer messages have become shorter by what the inner ones left. */
static void
close_message(Scan *s)
{
    Open *o = &s->stack[--s->depth];

    if (s->depth == 0 || !o->left)
        return;
    rewrite_length(s, &o->length, o->length.value - o->left);
    s->stack[s->depth - 1].left += o->left;
}

static bool
skip(Scan *s, size_t n, size_t end)
{
    if (n > end - s->at)
        return fault(s, "a number is cut off");
    return take(s, n, false);
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
wire_read(Arena *a, Arena *scratch, const char *file, int fd, size_t size,
          Wire *out)
{
    Scan *s = NEW(scratch, Scan);

    *out = (Wire){0};
    s->arena = a;
    s->scratch = scratch;
    s->file = file;
    s->fd = fd;
    s->size = size;
    s->out = out;
    s->depth = 1;
    s->stack[0] = (Open){.message = M_MODEL, .end = size};
    while (s->depth > 0) {
        if (s->at == s->stack[s->depth - 1].end)
            close_message(s);
        else if (!read_field(s))
            return false;
    }
    for (size_t i = 0; i < vec_len(out->initializer); i++)
        if (out->initializer[i].offset < 0)
            out->initializer[i].offset = 0;
    out->bytes = s->kept;
    out->size = s->kept_size;
    return has_essentials(s);
}
