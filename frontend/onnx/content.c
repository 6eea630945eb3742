/* content: the data of an initializer in memory, wherever it stands; asked for
   what is small or can be nothing but a constant. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "frontend/onnx/lower.h"
#include "ir/eval.h"
#include "ir/origin.h"

/* NULL: all is there; else what is wrong. */
static const char *
read_all(int fd, int64_t offset, void *to, size_t n)
{
    char *p = to;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? strerror(errno) : "ends too early";
        p += got;
        n -= (size_t)got;
        offset += got;
    }
    return NULL;
}

bool
read_range(const Module *m, const char *path, int64_t offset, void *to,
           int64_t n)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    Sym name = sym(m->syms, path);
    const char *fault =
        fd < 0 ? strerror(errno) : origin_fault(m, name, fd);

    if (!fault)
        fault = read_all(fd, offset, to, (size_t)n);
    if (!fault)
        fault = origin_fault(m, name, fd);
    if (fault)
        complain((Loc){.file = path}, "%s", fault);
    if (fd >= 0)
        close(fd);
    return !fault;
}

/* The data that the scan left in the file. More of it than the tensor has room
   for is never read: then tensor_content complains. */
static Tensor *
left_content(Arena *a, Module *m, const char *file,
             const Onnx__TensorProto *t, WireData data, const Type *type)
{
    Loc loc = {.file = file};
    Onnx__TensorProto whole = *t;
    void *bytes;

    if (data.length > type_bytes(type))
        return tensor_content(a, t, loc);
    bytes = NEWN(a, char, data.length);
    if (!read_range(m, file, data.offset, bytes, data.length))
        return NULL;
    if (t->has_raw_data)
        whole.raw_data.data = bytes;
    else
        whole.float_data = bytes;
    return tensor_content(a, &whole, loc);
}

Tensor *
initializer_content(Arena *a, Module *m, const char *file,
                    const Onnx__TensorProto *t, WireData data)
{
    Loc loc = {.file = file};
    const char *path;
    int64_t offset;
    Tensor *x;
    Type type;

    if (!tensor_type(t, loc, &type) ||
        !tensor_place(a, m, file, t, data, &path, &offset))
        return NULL;
    if (!path && data.left)
        return left_content(a, m, file, t, data, &type);
    if (!path)
        return tensor_content(a, t, loc);
    x = NEW(a, Tensor);
    *x = tensor_new(a, type);
    return read_range(m, path, offset, x->data, type_bytes(&type)) ? x : NULL;
}
