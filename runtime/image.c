/* image: the header is text of fixed length; blanks fill the room of notes. */
#define XXH_INLINE_ALL
#include "runtime/image.h"

#include "runtime/digest.h"
#include "runtime/element.h"
#include "runtime/status.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define NOTES_BYTES 4096
#define HEAD        "{\"__metadata__\":{\"digest\":\""
#define HEAD_END    "\","

_Static_assert(sizeof(XXH3_state_t) <= sizeof(RtDigest), "room for the state");

void
rt_digest_begin(RtDigest *d)
{
    XXH3_128bits_reset((XXH3_state_t *)(void *)d);
}

void
rt_digest_add(RtDigest *d, const void *from, int64_t bytes)
{
    XXH3_128bits_update((XXH3_state_t *)(void *)d, from, (size_t)bytes);
}

void
rt_digest_end(const RtDigest *d, char digits[RT_DIGEST_DIGITS + 1])
{
    XXH128_hash_t h =
        XXH3_128bits_digest((const XXH3_state_t *)(const void *)d);
    snprintf(digits, RT_DIGEST_DIGITS + 1, "%016llx%016llx",
             (unsigned long long)h.high64, (unsigned long long)h.low64);
}

int64_t
rt_digest_place(void)
{
    return 8 + (int64_t)strlen(HEAD);
}

void
rt_json_text(char *to, size_t most, const char *text)
{
    size_t used = 0;
    for (; *text && used + 7 < most; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            used += (size_t)snprintf(to + used, most - used, "\\%c", c);
        else if (c < 0x20)
            used += (size_t)snprintf(to + used, most - used, "\\u%04x", c);
        else
            to[used++] = (char)c;
    }
    to[used] = 0;
}

static bool
is_part(const RtImage *i, const RtTensor *t)
{
    bool weights = i->kinds >> RT_CONST & 1; /* not a checkpoint */
    if (t->kind == RT_CONST && t->init != RT_INIT_FILE)
        return false;
    if (weights && t->kind == RT_STATE && !rt_is_statistic(t))
        return false;
    return i->kinds >> t->kind & 1;
}

/* Text that is only counted while `to` is NULL. */
typedef struct Text {
    char *to;
    int64_t used;
} Text;

static void
put(Text *t, const char *from, int64_t bytes)
{
    if (t->to)
        memcpy(t->to + t->used, from, (size_t)bytes);
    t->used += bytes;
}

static void
put_name(Text *t, const char *name)
{
    char piece[16];
    put(t, ",\"", 2);
    for (; *name; name++) {
        char one[2] = {*name, 0};
        rt_json_text(piece, sizeof piece, one);
        put(t, piece, (int64_t)strlen(piece));
    }
    put(t, "\":{", 3);
}

static void
put_tensor(Text *t, const RtTensor *tensor, int64_t offset)
{
    char piece[80];
    put_name(t, tensor->name);
    int n = snprintf(piece, sizeof piece, "\"dtype\":\"%s\",\"shape\":[",
                     rt_element_name(tensor->type));
    put(t, piece, n);
    for (int k = 0; k < tensor->rank; k++) {
        n = snprintf(piece, sizeof piece, "%s%lld", k ? "," : "",
                     (long long)tensor->dim[k]);
        put(t, piece, n);
    }
    n = snprintf(piece, sizeof piece, "],\"data_offsets\":[%lld,%lld]}",
                 (long long)offset, (long long)(offset + tensor->bytes));
    put(t, piece, n);
}

/* The whole header; returns the bytes of data behind it. */
static int64_t
put_header(const RtImage *i, Text *t)
{
    static const char zeros[] = "00000000000000000000000000000000";
    static const char blank[8] = "        ";
    int64_t offset = 0;
    put(t, "01234567", 8);
    put(t, HEAD, (int64_t)strlen(HEAD));
    put(t, zeros, RT_DIGEST_DIGITS);
    put(t, HEAD_END, (int64_t)strlen(HEAD_END));
    for (int k = 0; k < NOTES_BYTES; k++)
        put(t, " ", 1);
    put(t, "}", 1);
    for (int k = 0; k < i->program->tensors; k++) {
        const RtTensor *tensor = &i->program->tensor[k];
        if (!is_part(i, tensor))
            continue;
        put_tensor(t, tensor, offset);
        offset += tensor->bytes;
    }
    put(t, "}", 1);
    put(t, blank, (8 - t->used % 8) % 8);
    return offset;
}

int
rt_image_make(RtImage *i, RtRegion *r, const RtProgram *p, unsigned kinds)
{
    *i = (RtImage){.program = p, .kinds = kinds};
    Text t = {NULL, 0};
    int64_t data = put_header(i, &t);
    RT_TRY(rt_region_take(r, t.used, &i->header));
    i->header_bytes = t.used;
    i->file_bytes = t.used + data;
    t = (Text){i->header, 0};
    put_header(i, &t);
    i->notes =
        i->header + rt_digest_place() + RT_DIGEST_DIGITS + strlen(HEAD_END);
    i->notes_bytes = NOTES_BYTES;
    for (int k = 0; k < 8; k++)
        i->header[k] = (char)((uint64_t)(t.used - 8) >> 8 * k);
    return RT_OK;
}

static int
digest_piece(void *to, const char *from, int64_t bytes)
{
    rt_digest_add(to, from, bytes);
    return RT_OK;
}

static int
digest_image(const RtImage *i, const RtModel *m)
{
    RtDigest d;
    char digits[RT_DIGEST_DIGITS + 1], *place = i->header + rt_digest_place();
    memset(place, '0', RT_DIGEST_DIGITS);
    rt_digest_begin(&d);
    rt_digest_add(&d, i->header, i->header_bytes);
    for (int k = 0; k < i->program->tensors; k++) {
        const RtTensor *t = &i->program->tensor[k];
        if (is_part(i, t))
            RT_TRY(rt_tensor_pass(m, t, digest_piece, &d));
    }
    rt_digest_end(&d, digits);
    memcpy(place, digits, RT_DIGEST_DIGITS);
    return RT_OK;
}

static int
write_piece(void *to, const char *from, int64_t bytes)
{
    return rt_output_write(to, from, bytes);
}

static int
write_parts(const RtImage *i, const RtModel *m, RtOutput *o)
{
    RT_TRY(rt_output_write(o, i->header, i->header_bytes));
    for (int k = 0; k < i->program->tensors; k++) {
        const RtTensor *t = &i->program->tensor[k];
        if (is_part(i, t))
            RT_TRY(rt_tensor_pass(m, t, write_piece, o));
    }
    return RT_OK;
}

int
rt_image_write(const RtImage *i, const RtModel *m, RtOutput *o,
               const char *path, const char *notes)
{
    size_t length = strlen(notes);
    if ((int64_t)length > i->notes_bytes)
        return rt_fail(RT_ERROR_PROGRAM, "%s: the notes are too long", path);
    memset(i->notes, ' ', (size_t)i->notes_bytes);
    memcpy(i->notes, notes, length);
    RT_TRY(digest_image(i, m));
    RT_TRY(rt_output_open(o, path, i->file_bytes));
    int status = write_parts(i, m, o);
    if (status) {
        rt_output_drop(o);
        return status;
    }
    return rt_output_commit(o);
}
