/* data_npy: NumPy's array file: a magic, a header that is a Python dictionary
   of three fields, the elements. */
#include "runtime/data.h"
#include "runtime/element.h"
#include "runtime/file.h"
#include "runtime/status.h"

#include <string.h>
#include <unistd.h>

#define HEADER_MOST 4096

typedef struct Reader {
    const char *path, *at, *end;
    RtArray *array;
} Reader;

static int
bad(const Reader *r, const char *what)
{
    return rt_fail(RT_ERROR_DATA, "%s: not a usable npy array: %s", r->path,
                   what);
}

static void
skip_space(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n'))
        r->at++;
}

static bool
take(Reader *r, const char *word)
{
    size_t length = strlen(word);
    skip_space(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length))
        return false;
    r->at += length;
    return true;
}

static int
read_descr(Reader *r)
{
    if (take(r, "["))
        return bad(r, "records are not read, only plain arrays");
    if (!take(r, "'"))
        return bad(r, "no element type");
    const char *close = memchr(r->at, '\'', (size_t)(r->end - r->at));
    if (!close)
        return bad(r, "no end of the element type");
    int length = (int)(close - r->at);
    r->array->type = rt_element_by_npy(r->at, length);
    if (r->array->type == RT_NONE && *r->at == '>')
        return bad(r, "big-endian elements; save them with "
                      ".astype(a.dtype.newbyteorder('<'))");
    if (r->array->type == RT_NONE && length && strchr("|O", *r->at) &&
        memchr(r->at, 'O', (size_t)length))
        return bad(r, "pickled objects; save numbers");
    if (r->array->type == RT_NONE)
        return rt_fail(RT_ERROR_DATA,
                       "%s: not a usable npy array: element "
                       "type '%.*s' is not known",
                       r->path, length < 20 ? length : 20, r->at);
    r->at = close + 1;
    return RT_OK;
}

static int
read_shape(Reader *r)
{
    RtArray *a = r->array;
    if (!take(r, "("))
        return bad(r, "no shape");
    while (!take(r, ")")) {
        int64_t value = 0;
        const char *start = r->at;
        for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, *r->at - '0', &value))
                return bad(r, "a dimension is too large");
        if (r->at == start)
            return bad(r, "a dimension that is not a number");
        if (a->rank == 8)
            return bad(r, "more than 8 dimensions");
        a->dim[a->rank++] = value;
        if (!take(r, ",") && (skip_space(r), r->at < r->end && *r->at != ')'))
            return bad(r, "no end of the shape");
    }
    return RT_OK;
}

static int
read_field(Reader *r, int *seen, bool *fortran)
{
    int field;
    if (take(r, "'descr':")) {
        field = 1;
        RT_TRY(read_descr(r));
    } else if (take(r, "'fortran_order':")) {
        field = 2;
        *fortran = take(r, "True");
        if (!*fortran && !take(r, "False"))
            return bad(r, "fortran_order is neither True nor False");
    } else if (take(r, "'shape':")) {
        field = 4;
        RT_TRY(read_shape(r));
    } else {
        return bad(r, "a header that NumPy would not write");
    }
    if (*seen & field)
        return bad(r, "a field of the header stands twice");
    *seen |= field;
    return RT_OK;
}

static int
read_header(Reader *r)
{
    int seen = 0;
    bool fortran = false;
    if (!take(r, "{"))
        return bad(r, "no header");
    while (!take(r, "}")) {
        RT_TRY(read_field(r, &seen, &fortran));
        if (!take(r, ",") && (skip_space(r), r->at < r->end && *r->at != '}'))
            return bad(r, "a header that NumPy would not write");
    }
    if (seen != 7)
        return bad(r, "descr, fortran_order or shape is missing");
    if (fortran && r->array->rank > 1)
        return bad(r, "Fortran order; save np.ascontiguousarray(a)");
    if (r->array->rank < 1)
        return bad(r, "a single number; the first dimension must be the rows");
    return RT_OK;
}

static int
check_size(Reader *r, int64_t there)
{
    RtArray *a = r->array;
    int64_t needed =
        rt_element_total(a->dim, a->rank, rt_element_bytes(a->type));
    a->stride =
        rt_element_total(a->dim + 1, a->rank - 1, rt_element_bytes(a->type));
    if (needed < 0 || a->stride < 0)
        return bad(r, "a shape that no file can hold");
    if (needed > there)
        return rt_fail(RT_ERROR_DATA,
                       "%s: cut short: %lld bytes of elements, "
                       "its shape needs %lld",
                       r->path, (long long)there, (long long)needed);
    return RT_OK;
}

int
rt_npy_header(RtArray *a, int fd, const char *path, int64_t offset,
              int64_t bytes)
{
    unsigned char head[12];
    char text[HEADER_MOST];
    Reader r = {path, text, text, a};
    if (bytes < 12)
        return bad(&r, "too short");
    RT_TRY(rt_file_read(fd, path, head, 12, offset));
    if (memcmp(head, "\x93NUMPY", 6) || head[6] < 1 || head[6] > 3 || head[7])
        return bad(&r, "no magic number of version 1, 2 or 3");
    int64_t start = head[6] == 1 ? 10 : 12;
    int64_t length = head[8] | head[9] << 8;
    if (head[6] > 1)
        length |= (int64_t)head[10] << 16 | (int64_t)head[11] << 24;
    if (length > HEADER_MOST || start + length > bytes)
        return bad(&r, "a header longer than the file or than 4096 bytes");
    RT_TRY(rt_file_read(fd, path, text, length, offset + start));
    r.end = text + length;
    RT_TRY(read_header(&r));
    a->fd = fd;
    a->offset = offset + start + length;
    return check_size(&r, bytes - start - length);
}

int
rt_data_npy(RtData *d, const char *path, const char *name)
{
    RtArray *a;
    int fd;
    int64_t bytes;
    RT_TRY(rt_file_open(path, &fd, &bytes));
    int status = rt_data_add(d, &a, path, fd);
    if (status) {
        close(fd);
        return status;
    }
    a->name = name;
    return rt_npy_header(a, fd, path, 0, bytes);
}
