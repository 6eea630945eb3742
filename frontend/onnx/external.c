/* external: weights beside the model. A location stays inside the model's
   folder: it is opened part by part without following links, and must be a
   regular file with one name that holds the bytes asked for. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/onnx/lower.h"
#include "ir/origin.h"

typedef struct External {
    const char *location;
    int64_t offset, length; /* length -1: not given */
} External;

static bool
parse_number(const char *text, int64_t *x)
{
    char *end;

    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    *x = strtoll(text, &end, 10);
    return errno == 0 && *end == 0;
}

static bool
read_entries(const Onnx__TensorProto *t, Loc loc, External *e)
{
    *e = (External){.length = -1};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = t->external_data[i]->key;
        const char *value = t->external_data[i]->value;
        bool good = key && value;

        if (good && strcmp(key, "location") == 0) {
            good = !e->location;
            e->location = value;
        } else if (good && strcmp(key, "offset") == 0) {
            good = parse_number(value, &e->offset);
        } else if (good && strcmp(key, "length") == 0) {
            good = parse_number(value, &e->length);
        } else if (good) {
            good = strcmp(key, "checksum") == 0;
        }
        if (!good) {
            complain(loc, "tensor '%s': its external data entry %s = %s is "
                          "not valid",
                     t->name, key ? key : "", value ? value : "");
            return false;
        }
    }
    if (!e->location || !*e->location)
        complain(loc, "tensor '%s': its external data has no location",
                 t->name);
    return e->location && *e->location;
}

/* Opens `location` below the folder `at`, one part after the other. */
static int
open_below(int at, const char *location)
{
    char part[256];

    for (const char *p = location;;) {
        size_t n = strcspn(p, "/");
        bool last = p[n] == 0;
        int fd;

        if (n == 0 || n >= sizeof part || (n == 1 && *p == '.') ||
            (n == 2 && p[0] == '.' && p[1] == '.')) {
            close(at);
            errno = EINVAL;
            return -1;
        }
        memcpy(part, p, n);
        part[n] = 0;
        fd = openat(at, part,
                    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
                        (last ? 0 : O_DIRECTORY));
        close(at);
        if (fd < 0 || last)
            return fd;
        at = fd;
        p += n + 1;
    }
}

static const char *
folder_of(Arena *a, const char *file)
{
    const char *slash = strrchr(file, '/');
    Text t = text_new(a);

    if (!slash)
        return "";
    text_add_n(&t, file, (size_t)(slash - file) + 1);
    return t.s;
}

/* The file at a location that passes every check; false after a complaint. */
static bool
checked_file(Arena *a, const char *file, const char *location, Loc loc,
             const char *name, struct stat *st)
{
    const char *folder = folder_of(a, file);
    int at = open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = at < 0 ? -1 : open_below(at, location);
    bool good;

    if (fd < 0) {
        complain(loc, "tensor '%s': external data '%s' cannot be opened below "
                      "the model's folder: %s\nhint: it must be a regular "
                      "file there, without links or `..`",
                 name, location, strerror(errno));
        return false;
    }
    good = fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1;
    if (!good)
        complain(loc, "tensor '%s': external data '%s' is not a regular file "
                      "with a single name",
                 name, location);
    close(fd);
    return good;
}

static bool
external_place(Arena *a, Module *m, const char *file,
               const Onnx__TensorProto *t, const Type *type,
               const char **path, int64_t *offset)
{
    Loc loc = {.file = file};
    External e;
    Text full = text_new(a);
    struct stat st;
    int64_t size, bytes = type_bytes(type);

    if (t->data_location != 1 || t->has_raw_data || t->n_float_data ||
        t->n_int32_data || t->n_int64_data || t->n_double_data ||
        t->n_uint64_data) {
        complain(loc, "tensor '%s' has its data in two places, or a location "
                      "without saying that it is external",
                 t->name);
        return false;
    }
    if (!read_entries(t, loc, &e))
        return false;
    if (!checked_file(a, file, e.location, loc, t->name, &st))
        return false;
    size = st.st_size;
    if ((e.length >= 0 && e.length != bytes) || e.offset > size ||
        bytes > size - e.offset) {
        complain(loc, "tensor '%s' wants %" PRId64 " bytes at %" PRId64
                      " of '%s', which has %" PRId64,
                 t->name, bytes, e.offset, e.location, size);
        return false;
    }
    text_add(&full, "%s%s", folder_of(a, file), e.location);
    if (!origin_note(m, full.s, &st)) {
        complain(loc, "external data '%s' changes while the model is read",
                 e.location);
        return false;
    }
    *path = full.s;
    *offset = e.offset;
    return true;
}

bool
tensor_place(Arena *a, Module *m, const char *file, const Onnx__TensorProto *t,
             WireData data, const char **path, int64_t *offset)
{
    Loc loc = {.file = file};
    Type type;

    *path = NULL;
    *offset = 0;
    if (!tensor_type(t, loc, &type))
        return false;
    if ((t->data_location || t->n_external_data) && is_packed(type.dtype)) {
        complain(loc, "tensor '%s' of %s has external data, which is read only "
                      "for elements of whole bytes\nhint: save this tensor "
                      "inline",
                 t->name ? t->name : "", onnx_type_name(t->data_type));
        return false;
    }
    if (t->data_location || t->n_external_data)
        return external_place(a, m, file, t, &type, path, offset);
    if (data.offset > 0 && !is_packed(type.dtype) &&
        data.length == type_bytes(&type) &&
        (t->has_raw_data || type.dtype == DT_F32)) {
        *path = file;
        *offset = data.offset;
    }
    return true;
}
