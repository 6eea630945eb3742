/* weights: the initial tensors as safetensors, in pieces of 1 MiB, into a
   temporary file that takes its name when it is whole and on the disk. */
#include "codegen/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/base/diag.h"
#include "ir/base/output.h"
#include "ir/eval.h"
#include "ir/origin.h"
#include "ir/philox.h"

enum { PIECE = 1 << 20 };

typedef struct Writer {
    Arena *arena;
    const Module *m;
    const char *path;
    int fd;
    char *piece;
} Writer;

static void
write_failed(const Writer *w)
{
    raise_at((Loc){.file = w->path}, "cannot be written: %s",
             strerror(errno));
}

static void
write_bytes(Writer *w, const void *from, size_t n)
{
    const char *s = from;

    while (n) {
        ssize_t put = write(w->fd, s, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            write_failed(w);
        s += put;
        n -= (size_t)put;
    }
}

/* What the program cannot make by itself, and every parameter. */
static bool
is_written(const Store *s)
{
    return s->kind == SK_PARAM || s->init.kind != INIT_FILL;
}

static void
add_json(Text *t, const char *s)
{
    text_add_n(t, "\"", 1);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            text_add(t, "\\%c", *s);
        else if ((unsigned char)*s < 32)
            text_add(t, "\\u%04x", (unsigned)*s);
        else
            text_add_n(t, s, 1);
    }
    text_add_n(t, "\"", 1);
}

static void
add_tensor(Text *t, const Store *s, int64_t *offset)
{
    add_json(t, s->name);
    text_add(t, ":{\"dtype\":\"%s\",\"shape\":[",
             dtype_safetensors(s->type.dtype));
    for (int i = 0; i < s->type.rank; i++)
        text_add(t, "%s%lld", i ? "," : "", (long long)s->type.dim[i]);
    text_add(t, "],\"data_offsets\":[%lld,", (long long)*offset);
    *offset += type_bytes(&s->type);
    text_add(t, "%lld]}", (long long)*offset);
}

static void
write_head(Writer *w)
{
    Text t = text_new(w->arena);
    int64_t offset = 0;
    unsigned char length[8];

    text_add(&t, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 1; i < vec_len(w->m->store); i++)
        if (is_written(&w->m->store[i])) {
            text_add_n(&t, ",", 1);
            add_tensor(&t, &w->m->store[i], &offset);
        }
    text_add_n(&t, "}", 1);
    while (t.len % 8)
        text_add_n(&t, " ", 1);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(t.len >> (8 * i));
    write_bytes(w, length, sizeof length);
    write_bytes(w, t.s, t.len);
}

static void
refuse(const Writer *w, const Store *s, const char *why)
{
    raise_at((Loc){.file = w->m->file, .node = s->name}, "%s: %s",
             s->init.path ? s->init.path : "initial values", why);
}

static void
copy_range(Writer *w, const Store *s, int fd)
{
    int64_t left = type_bytes(&s->type), at = s->init.offset;

    while (left > 0) {
        size_t want = left < PIECE ? (size_t)left : PIECE;
        ssize_t got = pread(fd, w->piece, want, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            refuse(w, s, got ? strerror(errno) : "too short for this tensor");
        write_bytes(w, w->piece, (size_t)got);
        at += got;
        left -= got;
    }
}

static void
close_file(void *p)
{
    close((int)(intptr_t)p);
}

static void
refuse_changed(const Writer *w, const Store *s, int fd)
{
    const char *fault = origin_fault(w->m, s->init.path, fd);

    if (fault)
        refuse(w, s, fault);
}

/* The file is looked at before and after: what changes meanwhile is noticed. */
static void
copy_file(Writer *w, const Store *s)
{
    Arena *a = arena_new();
    int fd = open(s->init.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        refuse(w, s, strerror(errno));
    arena_defer(a, close_file, (void *)(intptr_t)fd);
    refuse_changed(w, s, fd);
    copy_range(w, s, fd);
    refuse_changed(w, s, fd);
    arena_free(a);
}

static double
element(const Init *init, int64_t i)
{
    if (init->kind == INIT_LIST)
        return init->list[i];
    if (init->kind == INIT_RANDOM)
        return (2 * philox_uniform(init->seed, (uint64_t)i) - 1) * init->fill;
    return init->fill;
}

static void
make_elements(Writer *w, const Store *s)
{
    int64_t count = type_elements(&s->type);
    int64_t size = dtype_bytes(s->type.dtype), most = PIECE / size;
    Tensor part = {.type = {.dtype = s->type.dtype, .rank = 1},
                   .data = w->piece};

    if (s->init.kind == INIT_LIST && (int64_t)vec_len(s->init.list) != count)
        refuse(w, s, "the list does not have as many elements as the tensor");
    for (int64_t at = 0; at < count; at += most) {
        int64_t n = count - at < most ? count - at : most;

        part.type.dim[0] = n;
        for (int64_t i = 0; i < n; i++)
            tensor_set(&part, i, element(&s->init, at + i));
        write_bytes(w, w->piece, (size_t)(n * size));
    }
}

void
write_weights(const Module *m, const char *path)
{
    Writer w = {.arena = m->arena, .m = m, .path = path};
    Text made = text_new(m->arena);

    w.piece = NEWN(m->arena, char, PIECE);
    text_add(&made, "%s.%d.part", path, (int)getpid());
    output_temporary(m->arena, made.s);
    w.fd = open(made.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w.fd < 0)
        write_failed(&w);
    write_head(&w);
    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];

        if (is_written(s) && s->init.kind == INIT_FILE)
            copy_file(&w, s);
        else if (is_written(s))
            make_elements(&w, s);
    }
    if (fsync(w.fd) != 0 || close(w.fd) != 0 || rename(made.s, path) != 0)
        write_failed(&w);
}
