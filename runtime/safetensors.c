/* safetensors: a recursive descent of fixed depth over the header; two walks,
   one that counts and one that fills. */
#include "runtime/safetensors.h"

#include "runtime/element.h"
#include "runtime/file.h"
#include "runtime/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_MOST ((int64_t)64 << 20)
#define RANK_MOST   8

typedef struct Reader {
    RtSafetensors *s;
    const char *at, *end;
    int count, notes;
    int64_t tensors_most, notes_most;
} Reader;

static int
bad(const Reader *r, const char *what)
{
    int64_t place = r->at - (r->end - (r->s->header_bytes - 8)) + 8;
    return rt_fail(RT_ERROR_FILE,
                   "%s: not a safetensors file: %s (byte %lld "
                   "of the header)",
                   r->s->path, what, (long long)place);
}

static void
skip_space(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' ||
                              *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Takes `c` if it is next. */
static int
take(Reader *r, char c)
{
    skip_space(r);
    if (r->at >= r->end || *r->at != c)
        return 0;
    r->at++;
    return 1;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
read_hex(Reader *r, unsigned *code)
{
    *code = 0;
    for (int k = 0; k < 4; k++) {
        int digit = r->at < r->end ? hex_digit(*r->at++) : -1;
        if (digit < 0)
            return bad(r, "bad \\u in a string");
        *code = *code * 16 + (unsigned)digit;
    }
    return RT_OK;
}

static char *
put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

/* The escape behind a backslash. Never longer than what it is written as. */
static int
read_escape(Reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at++ : 0;
    const char *plain = c ? strchr(from, c) : NULL;
    if (plain) {
        *(*to)++ = into[plain - from];
        return RT_OK;
    }
    unsigned code, low;
    if (c != 'u')
        return bad(r, "bad escape in a string");
    RT_TRY(read_hex(r, &code));
    if (code >= 0xd800 && code < 0xdc00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return bad(r, "half a surrogate pair");
        r->at += 2;
        RT_TRY(read_hex(r, &low));
        code = 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
    }
    if (!code)
        return bad(r, "a NUL in a string");
    *to = put_utf8(*to, code);
    return RT_OK;
}

/* A string, undone in place (the header is ours) only on the second walk. */
static int
read_string(Reader *r, char *into, int64_t *length)
{
    char escaped[8], *to = into;
    *length = 0;
    if (!take(r, '"'))
        return bad(r, "a string was expected");
    for (;;) {
        if (r->at >= r->end || (unsigned char)*r->at < 0x20)
            return bad(r, "a string without an end");
        char c = *r->at++;
        if (c == '"')
            break;
        char *start = into ? to : escaped, *place = start;
        if (c == '\\')
            RT_TRY(read_escape(r, &place));
        else
            *place++ = c;
        *length += place - start;
        if (into)
            to = place;
    }
    if (into)
        *to = 0;
    return RT_OK;
}

/* A string in the region; NULL region: only walked over. */
static int
keep_string(Reader *r, const char **kept)
{
    const char *start = r->at;
    char *copy;
    int64_t length;
    RT_TRY(read_string(r, NULL, &length));
    RT_TRY(rt_region_take(&r->s->region, length + 1, &copy));
    r->at = start;
    RT_TRY(read_string(r, copy, &length));
    *kept = copy;
    return RT_OK;
}

static int
read_number(Reader *r, int64_t *value)
{
    int64_t v = 0;
    skip_space(r);
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, *r->at - '0', &v))
            return bad(r, "a number is too large");
        r->at++;
    }
    if (r->at == start)
        return bad(r, "a whole number >= 0 was expected");
    *value = v;
    return RT_OK;
}

static int
read_list(Reader *r, int64_t *value, int most, int *count)
{
    *count = 0;
    if (!take(r, '['))
        return bad(r, "'[' was expected");
    if (take(r, ']'))
        return RT_OK;
    do {
        if (*count == most)
            return bad(r, "a list is too long (rank at most 8)");
        RT_TRY(read_number(r, &value[(*count)++]));
    } while (take(r, ','));
    return take(r, ']') ? RT_OK : bad(r, "']' was expected");
}

static int
check_stored(Reader *r, RtStored *t, const int64_t range[2])
{
    int64_t data = r->s->file_bytes - r->s->header_bytes;
    int64_t needed =
        rt_element_total(t->dim, t->rank, rt_element_bytes(t->type));
    if (needed < 0)
        return bad(r, "a shape is too large");
    if (range[0] > range[1] || range[1] > data)
        return rt_fail(RT_ERROR_FILE,
                       "%s: tensor '%s': its bytes %lld to %lld "
                       "are not in the file (%lld bytes of data)",
                       r->s->path, t->name, (long long)range[0],
                       (long long)range[1], (long long)data);
    if (range[1] - range[0] != needed)
        return rt_fail(RT_ERROR_FILE,
                       "%s: tensor '%s': %lld bytes, but its "
                       "shape needs %lld",
                       r->s->path, t->name, (long long)(range[1] - range[0]),
                       (long long)needed);
    t->offset = r->s->header_bytes + range[0];
    t->bytes = needed;
    return RT_OK;
}

/* One of the three fields of a tensor; `seen` is a set of them. */
static int
read_field(Reader *r, RtStored *t, int64_t range[2], int *seen)
{
    const char *key, *type;
    int count = 0, field;
    RT_TRY(keep_string(r, &key));
    if (!take(r, ':'))
        return bad(r, "':' was expected");
    if (!strcmp(key, "dtype")) {
        field = 1;
        RT_TRY(keep_string(r, &type));
        t->type = rt_element_by_name(type, (int64_t)strlen(type));
        if (!t->type)
            return rt_fail(RT_ERROR_FILE,
                           "%s: tensor '%s': element type '%s' "
                           "is not known",
                           r->s->path, t->name, type);
    } else if (!strcmp(key, "shape")) {
        field = 2;
        RT_TRY(read_list(r, t->dim, RANK_MOST, &t->rank));
    } else if (!strcmp(key, "data_offsets")) {
        field = 4;
        RT_TRY(read_list(r, range, 2, &count));
        if (count != 2)
            return bad(r, "data_offsets needs two numbers");
    } else {
        return bad(r, "a field that is not dtype, shape or data_offsets");
    }
    if (*seen & field)
        return bad(r, "a field stands twice");
    *seen |= field;
    return RT_OK;
}

static int
read_stored(Reader *r, const char *name)
{
    if (r->count >= r->tensors_most)
        return bad(r, "a tensor lacks dtype, shape or data_offsets");
    RtStored *t = &r->s->stored[r->count];
    int64_t range[2] = {0, 0};
    int seen = 0;
    *t = (RtStored){.name = name};
    if (!take(r, '{'))
        return bad(r, "'{' was expected");
    do
        RT_TRY(read_field(r, t, range, &seen));
    while (take(r, ','));
    if (!take(r, '}'))
        return bad(r, "'}' was expected");
    if (seen != 7)
        return bad(r, "a tensor lacks dtype, shape or data_offsets");
    RT_TRY(check_stored(r, t, range));
    r->count++;
    return RT_OK;
}

static int
read_notes(Reader *r)
{
    if (!take(r, '{'))
        return bad(r, "'{' was expected");
    if (take(r, '}'))
        return RT_OK;
    do {
        if (r->notes >= r->notes_most)
            return bad(r, "':' was expected");
        RtNote *n = &r->s->note[r->notes++];
        RT_TRY(keep_string(r, &n->key));
        if (!take(r, ':'))
            return bad(r, "':' was expected");
        RT_TRY(keep_string(r, &n->value));
    } while (take(r, ','));
    return take(r, '}') ? RT_OK : bad(r, "'}' was expected");
}

static int
read_header(Reader *r)
{
    int metadata = 0;
    if (!take(r, '{'))
        return bad(r, "'{' was expected");
    if (!take(r, '}')) {
        do {
            const char *name;
            RT_TRY(keep_string(r, &name));
            if (!take(r, ':'))
                return bad(r, "':' was expected");
            if (strcmp(name, "__metadata__"))
                RT_TRY(read_stored(r, name));
            else if (metadata++)
                return bad(r, "__metadata__ stands twice");
            else
                RT_TRY(read_notes(r));
        } while (take(r, ','));
        if (!take(r, '}'))
            return bad(r, "'}' was expected");
    }
    skip_space(r);
    return r->at == r->end ? RT_OK : bad(r, "bytes behind the header's end");
}

static int
by_offset(const void *a, const void *b)
{
    const RtStored *x = *(RtStored *const *)a, *y = *(RtStored *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const RtStored *)a)->name, ((const RtStored *)b)->name);
}

/* Sorts by name, refuses duplicates; the ranges must tile the file. */
static int
check_layout(RtSafetensors *s)
{
    RtStored **order;
    int64_t end = s->header_bytes;
    RT_TRY(
        rt_region_take(&s->region, s->count * (int64_t)sizeof *order, &order));
    qsort(s->stored, (size_t)s->count, sizeof *s->stored, by_name);
    for (int k = 0; k < s->count; k++) {
        order[k] = &s->stored[k];
        if (k && !strcmp(s->stored[k].name, s->stored[k - 1].name))
            return rt_fail(RT_ERROR_FILE, "%s: tensor '%s' stands twice",
                           s->path, s->stored[k].name);
    }
    qsort(order, (size_t)s->count, sizeof *order, by_offset);
    for (int k = 0; k < s->count; k++) {
        if (order[k]->offset != end)
            return rt_fail(RT_ERROR_FILE,
                           "%s: tensor '%s' overlaps another or "
                           "leaves a hole",
                           s->path, order[k]->name);
        end += order[k]->bytes;
    }
    if (end != s->file_bytes)
        return rt_fail(RT_ERROR_FILE, "%s: %lld bytes too many at its end",
                       s->path, (long long)(s->file_bytes - end));
    return RT_OK;
}

/* Every tensor needs two '[' and 40 characters, every note a ':' and 5. */
static void
count_most(const char *text, int64_t length, int64_t *tensors, int64_t *notes)
{
    int64_t lists = 0, colons = 0;
    for (int64_t k = 0; k < length; k++) {
        lists += text[k] == '[';
        colons += text[k] == ':';
    }
    *tensors = (lists / 2 < length / 40 ? lists / 2 : length / 40) + 1;
    *notes = (colons < length / 5 ? colons : length / 5) + 1;
}

static int
read_all(RtSafetensors *s)
{
    unsigned char word[8];
    uint64_t length = 0;
    char *text;
    if (s->file_bytes < 8)
        return rt_fail(RT_ERROR_FILE, "%s: not a safetensors file: %lld bytes",
                       s->path, (long long)s->file_bytes);
    RT_TRY(rt_file_read(s->fd, s->path, word, 8, 0));
    for (int k = 7; k >= 0; k--)
        length = length << 8 | word[k];
    if (length > (uint64_t)HEADER_MOST || (int64_t)length > s->file_bytes - 8)
        return rt_fail(RT_ERROR_FILE,
                       "%s: not a safetensors file: a header of "
                       "%llu bytes in a file of %lld",
                       s->path, (unsigned long long)length,
                       (long long)s->file_bytes);
    s->header_bytes = (int64_t)length + 8;
    RT_TRY(rt_region_take(&s->region, (int64_t)length, &text));
    RT_TRY(rt_file_read(s->fd, s->path, text, (int64_t)length, 8));
    int64_t tensors, notes;
    count_most(text, (int64_t)length, &tensors, &notes);
    RT_TRY(rt_region_take(&s->region, tensors * (int64_t)sizeof(RtStored),
                          &s->stored));
    RT_TRY(
        rt_region_take(&s->region, notes * (int64_t)sizeof(RtNote), &s->note));
    Reader r = {s, text, text + length, 0, 0, tensors, notes};
    RT_TRY(read_header(&r));
    s->count = r.count;
    s->notes = r.notes;
    return check_layout(s);
}

int
rt_safetensors_open(RtSafetensors *s, const char *path)
{
    *s = (RtSafetensors){.path = path, .fd = -1};
    RT_TRY(rt_file_open(path, &s->fd, &s->file_bytes));
    int status = read_all(s);
    if (status)
        rt_safetensors_close(s);
    return status;
}

void
rt_safetensors_close(RtSafetensors *s)
{
    if (s->fd >= 0)
        close(s->fd);
    rt_region_drop(&s->region);
    s->fd = -1;
}

const RtStored *
rt_safetensors_find(const RtSafetensors *s, const char *name)
{
    RtStored key = {.name = name};
    return s->count ? bsearch(&key, s->stored, (size_t)s->count,
                              sizeof *s->stored, by_name)
                    : NULL;
}

const char *
rt_safetensors_note(const RtSafetensors *s, const char *key)
{
    for (int k = 0; k < s->notes; k++)
        if (!strcmp(s->note[k].key, key))
            return s->note[k].value;
    return NULL;
}
