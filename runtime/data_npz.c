/* data_npz: a zip archive of npy files, as numpy.savez and savez_compressed
   write it, zip64 included. Stored members are read where they lie; deflated
   ones are unpacked once into a file without a name. */
#include <string.h>
#include <unistd.h>
#ifdef RT_ZLIB
#include <zlib.h>
#endif

#include "runtime/data.h"
#include "runtime/file.h"
#include "runtime/status.h"

#define END_BYTES      22
#define END_SEARCH     (END_BYTES + 65535)
#define LOCATOR_BYTES  20
#define END64_BYTES    56
#define ENTRY_BYTES    46
#define LOCAL_BYTES    30
#define CHUNK          (16 << 10)
#define DIRECTORY_MOST ((int64_t)16 << 20)

typedef struct Archive {
    RtData *data;
    const char *path;
    int fd;
    int64_t bytes;
    int64_t directory, directory_bytes, members;
    RtRegion scratch;
    bool used; /* an array reads from fd */
} Archive;

typedef struct Member {
    const unsigned char *name;
    int name_bytes, method, flags;
    int64_t packed, size, local;
    uint32_t check;
} Member;

static int64_t
number(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int k = bytes - 1; k >= 0; k--)
        value = value << 8 | at[k];
    return value > INT64_MAX ? -1 : (int64_t)value;
}

static int
bad(const Archive *a, const char *what)
{
    return rt_fail(RT_ERROR_DATA, "%s: not a usable npz archive: %s", a->path,
                   what);
}

static int
bad_member(const Archive *a, const Member *m, const char *what)
{
    return rt_fail(RT_ERROR_DATA, "%s: member '%.*s': %s", a->path,
                   m->name_bytes < 100 ? m->name_bytes : 100,
                   (const char *)m->name, what);
}

static int
read_end64(Archive *a, int64_t end)
{
    unsigned char locator[LOCATOR_BYTES], end64[END64_BYTES];
    if (end < LOCATOR_BYTES)
        return bad(a, "its directory is not there");
    RT_TRY(rt_file_read(a->fd, a->path, locator, LOCATOR_BYTES,
                        end - LOCATOR_BYTES));
    if (memcmp(locator, "PK\6\7", 4))
        return bad(a, "its directory is not there");
    int64_t at = number(locator + 8, 8);
    if (at < 0 || at > a->bytes - END64_BYTES)
        return bad(a, "its directory lies outside of the file");
    RT_TRY(rt_file_read(a->fd, a->path, end64, END64_BYTES, at));
    if (memcmp(end64, "PK\6\6", 4))
        return bad(a, "its directory is not there");
    a->members = number(end64 + 32, 8);
    a->directory_bytes = number(end64 + 40, 8);
    a->directory = number(end64 + 48, 8);
    return RT_OK;
}

/* The record at the end, which a comment may follow. */
static int
find_directory(Archive *a)
{
    unsigned char *tail;
    int64_t most = a->bytes < END_SEARCH ? a->bytes : END_SEARCH;
    int64_t start = a->bytes - most, k = most - END_BYTES;
    RT_TRY(rt_region_take(&a->scratch, most, &tail));
    RT_TRY(rt_file_read(a->fd, a->path, tail, most, start));
    while (k >= 0 && (memcmp(tail + k, "PK\5\6", 4) ||
                      k + END_BYTES + number(tail + k + 20, 2) > most))
        k--;
    if (k < 0)
        return bad(a, "no zip directory at its end (cut short?)");
    a->members = number(tail + k + 10, 2);
    a->directory_bytes = number(tail + k + 12, 4);
    a->directory = number(tail + k + 16, 4);
    if (a->members == 0xffff || a->directory == 0xffffffff ||
        a->directory_bytes == 0xffffffff)
        RT_TRY(read_end64(a, start + k));
    if (a->directory < 0 || a->directory_bytes < 0 ||
        a->directory_bytes > DIRECTORY_MOST ||
        a->directory > a->bytes - a->directory_bytes)
        return bad(a, "its directory lies outside of the file");
    return RT_OK;
}

/* Sizes of 2^32 - 1 stand in the zip64 extra field instead. */
static int
read_extra(const Archive *a, Member *m, const unsigned char *at, int bytes)
{
    while (bytes >= 4) {
        int id = (int)number(at, 2), length = (int)number(at + 2, 2);
        if (length > bytes - 4)
            return bad_member(a, m, "a broken extra field");
        const unsigned char *value = at + 4, *end = value + length;
        int64_t *const wide[] = {&m->size, &m->packed, &m->local};
        for (int k = 0; id == 1 && k < 3; k++) {
            if (*wide[k] != 0xffffffff)
                continue;
            if (end - value < 8)
                return bad_member(a, m, "a broken zip64 field");
            *wide[k] = number(value, 8);
            value += 8;
        }
        at += 4 + length;
        bytes -= 4 + length;
    }
    return RT_OK;
}

/* Where the member's bytes begin. */
static int
find_content(const Archive *a, const Member *m, int64_t *start)
{
    unsigned char local[LOCAL_BYTES];
    if (m->local < 0 || m->packed < 0 || m->size < 0 ||
        m->local > a->bytes - LOCAL_BYTES)
        return bad_member(a, m, "lies outside of the file");
    RT_TRY(rt_file_read(a->fd, a->path, local, LOCAL_BYTES, m->local));
    if (memcmp(local, "PK\3\4", 4))
        return bad_member(a, m, "no header where the directory says");
    *start =
        m->local + LOCAL_BYTES + number(local + 26, 2) + number(local + 28, 2);
    if (*start > a->bytes || m->packed > a->bytes - *start)
        return bad_member(a, m, "lies outside of the file");
    return RT_OK;
}

#ifdef RT_ZLIB
typedef struct Inflater {
    const Archive *archive;
    const Member *member;
    z_stream stream;
    unsigned char *in, *out;
    int64_t at, left, done;
    uint32_t check;
    int fd;
} Inflater;

static int
write_some(Inflater *f)
{
    int64_t bytes = CHUNK - (int64_t)f->stream.avail_out;
    f->done += bytes;
    if (f->done > f->member->size)
        return bad_member(f->archive, f->member,
                          "unpacks to more than the directory says");
    f->check = (uint32_t)crc32(f->check, f->out, (uInt)bytes);
    return rt_file_write(f->fd, f->archive->path, f->out, bytes);
}

static int
no_memory(void)
{
    return rt_fail(RT_ERROR_MEMORY, "out of memory while unpacking");
}

static int
inflate_all(Inflater *f)
{
    int state = Z_OK;
    while (state != Z_STREAM_END) {
        if (!f->stream.avail_in && f->left) {
            int64_t bytes = f->left < CHUNK ? f->left : CHUNK;
            RT_TRY(rt_file_read(f->archive->fd, f->archive->path, f->in, bytes,
                                f->at));
            f->at += bytes;
            f->left -= bytes;
            f->stream.next_in = f->in;
            f->stream.avail_in = (uInt)bytes;
        }
        f->stream.next_out = f->out;
        f->stream.avail_out = CHUNK;
        state = inflate(&f->stream, Z_NO_FLUSH);
        if (state == Z_MEM_ERROR)
            return no_memory();
        if (state != Z_OK && state != Z_STREAM_END)
            return bad_member(f->archive, f->member,
                              "its compressed bytes are damaged");
        RT_TRY(write_some(f));
    }
    if (f->done != f->member->size || f->check != f->member->check)
        return bad_member(f->archive, f->member,
                          "its checksum or its size is wrong");
    return RT_OK;
}

static int
unpack(Archive *a, const Member *m, int64_t start, int *fd)
{
    Inflater f = {.archive = a, .member = m, .at = start, .left = m->packed};
    /* deflate cannot shrink by more than a factor of about 1032. */
    if (m->size / 1100 > m->packed + 1)
        return bad_member(a, m, "a size that its bytes cannot unpack to");
    RT_TRY(rt_region_take(&a->scratch, CHUNK, &f.in));
    RT_TRY(rt_region_take(&a->scratch, CHUNK, &f.out));
    RT_TRY(rt_file_temporary(&f.fd, m->size));
    int status;
    if (inflateInit2(&f.stream, -MAX_WBITS) != Z_OK) {
        status = no_memory();
    } else {
        status = inflate_all(&f);
        inflateEnd(&f.stream);
    }
    if (status)
        close(f.fd);
    *fd = f.fd;
    return status;
}
#else
static int
unpack(Archive *a, const Member *m, int64_t start, int *fd)
{
    (void)start, (void)fd;
    return bad_member(a, m,
                      "compressed, and this program was built without "
                      "zlib; save with numpy.savez");
}
#endif

static int
add_member(Archive *a, const Member *m)
{
    RtData *d = a->data;
    RtArray *array;
    int64_t start = 0;
    int fd = a->fd, name_bytes = m->name_bytes - 4;
    if (name_bytes < 1 || memcmp(m->name + name_bytes, ".npy", 4))
        return RT_OK;
    if (m->flags & 1)
        return bad_member(a, m, "encrypted");
    RT_TRY(find_content(a, m, &start));
    if (m->method == 8) {
        RT_TRY(unpack(a, m, start, &fd));
        start = 0;
    } else if (m->method || m->packed != m->size) {
        return bad_member(a, m, "neither stored nor deflated");
    }
    int status = rt_data_add(d, &array, a->path, fd);
    if (status) {
        if (fd != a->fd)
            close(fd);
        return status;
    }
    a->used |= fd == a->fd;
    array->name = rt_region_text(&d->region, (const char *)m->name, name_bytes);
    if (!array->name)
        return RT_ERROR_MEMORY;
    for (RtArray *other = d->array; other < array; other++)
        if (!strcmp(other->name, array->name))
            return bad_member(a, m, "stands twice");
    return rt_npy_header(array, fd, a->path, start, m->size);
}

static int
read_members(Archive *a)
{
    unsigned char *at;
    RT_TRY(rt_region_take(&a->scratch, a->directory_bytes, &at));
    RT_TRY(rt_file_read(a->fd, a->path, at, a->directory_bytes, a->directory));
    int64_t left = a->directory_bytes;
    for (int64_t k = 0; k < a->members; k++) {
        if (left < ENTRY_BYTES || memcmp(at, "PK\1\2", 4))
            return bad(a, "its directory is damaged");
        int extra = (int)number(at + 30, 2);
        Member m = {.name = at + ENTRY_BYTES,
                    .name_bytes = (int)number(at + 28, 2),
                    .flags = (int)number(at + 8, 2),
                    .method = (int)number(at + 10, 2),
                    .check = (uint32_t)number(at + 16, 4),
                    .packed = number(at + 20, 4),
                    .size = number(at + 24, 4),
                    .local = number(at + 42, 4)};
        int64_t whole = ENTRY_BYTES + m.name_bytes + extra + number(at + 32, 2);
        if (whole > left)
            return bad(a, "its directory is damaged");
        RT_TRY(read_extra(a, &m, m.name + m.name_bytes, extra));
        RT_TRY(add_member(a, &m));
        at += whole;
        left -= whole;
    }
    return RT_OK;
}

static int
read_archive(Archive *a)
{
    if (a->bytes < END_BYTES)
        return bad(a, "too short");
    RT_TRY(find_directory(a));
    return read_members(a);
}

int
rt_data_npz(RtData *d, const char *path)
{
    Archive a = {.data = d, .path = path};
    RT_TRY(rt_file_open(path, &a.fd, &a.bytes));
    int status = read_archive(&a);
    if (!a.used)
        close(a.fd);
    rt_region_drop(&a.scratch);
    return status;
}
