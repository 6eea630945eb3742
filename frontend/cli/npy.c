/* npy: the header is a Python dict literal: exactly what numpy writes is
   accepted. The zip holds stored members only. */
#include "frontend/cli/npy.h"

#include "ir/base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Code {
    const char *text; /* numpy's descr */
    DType dtype;
} Code;

static const Code codes[] = {
    {"<f8", DT_F64}, {"<f4", DT_F32}, {"<f2", DT_F16}, {"<i8", DT_I64},
    {"<i4", DT_I32}, {"<i2", DT_I16}, {"|i1", DT_I8},  {"<u8", DT_U64},
    {"<u4", DT_U32}, {"<u2", DT_U16}, {"|u1", DT_U8},  {"|b1", DT_I1},
};

enum { CODES = sizeof codes / sizeof *codes, HEAD_MOST = 4096 };

static void
close_descriptor(void *p)
{
    close((int)(intptr_t)p);
}

static void
read_exactly(int fd, const char *path, void *to, size_t n, int64_t offset)
{
    char *p = to;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, offset);

        if (got <= 0)
            raise_at((Loc){.file = path}, "ends too early: is it whole?");
        p += got;
        n -= (size_t)got;
        offset += got;
    }
}

static DType
parse_descr(const char *path, const char *head)
{
    const char *p = strstr(head, "'descr': '");

    for (int i = 0; p && i < CODES; i++)
        if (strncmp(p + 10, codes[i].text, 3) == 0 && p[13] == '\'')
            return codes[i].dtype;
    raise_at((Loc){.file = path}, "its element type is none of f8 f4 f2 i8 i4 "
                                  "i2 i1 u8 u4 u2 u1 b1, little-endian");
}

static Type
parse_head(const char *path, const char *head)
{
    const char *p = strstr(head, "'shape': (");
    int64_t dim[MAXRANK];
    int rank = 0;
    DType d = parse_descr(path, head);
    Type t;

    if (!strstr(head, "'fortran_order': False"))
        raise_at((Loc){.file = path}, "is in Fortran order; save it with "
                                      "numpy.ascontiguousarray");
    if (!p)
        raise_at((Loc){.file = path}, "has no shape in its header");
    for (p += 10; *p >= '0' && *p <= '9';) {
        char *end;

        if (rank == MAXRANK)
            raise_at((Loc){.file = path}, "has more than %d axes", MAXRANK);
        errno = 0;
        dim[rank++] = strtoll(p, &end, 10);
        if (errno)
            raise_at((Loc){.file = path}, "has a dimension out of range");
        p = end + strspn(end, ", ");
    }
    if (*p != ')' || !type_make(d, rank, dim, &t))
        raise_at((Loc){.file = path}, "has a shape that cannot be read");
    return t;
}

static int64_t
read_head(int fd, const char *path, char *head)
{
    unsigned char fixed[12];
    size_t skip = 10, n;

    read_exactly(fd, path, fixed, sizeof fixed, 0);
    if (memcmp(fixed, "\x93NUMPY", 6) != 0 || fixed[6] < 1 || fixed[6] > 3)
        raise_at((Loc){.file = path}, "is not an .npy file");
    n = fixed[8] | (size_t)fixed[9] << 8;
    if (fixed[6] > 1) {
        n |= (size_t)fixed[10] << 16 | (size_t)fixed[11] << 24;
        skip = 12;
    }
    if (n >= HEAD_MOST)
        raise_at((Loc){.file = path},
                 "has a header of %zu bytes, more than "
                 "any array needs",
                 n);
    read_exactly(fd, path, head, n, (int64_t)skip);
    head[n] = 0;
    return (int64_t)(skip + n);
}

Tensor
npy_read(Arena *a, const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char head[HEAD_MOST];
    struct stat st;
    int64_t data;
    Tensor t;

    if (fd < 0 || fstat(fd, &st) < 0)
        raise_at((Loc){.file = path}, E(E0201) "cannot be read: %s",
                 strerror(errno));
    arena_defer(a, close_descriptor, (void *)(intptr_t)fd);
    if (!S_ISREG(st.st_mode))
        raise_at((Loc){.file = path}, E(E0203) "is not a regular file");
    data = read_head(fd, path, head);
    t.type = parse_head(path, head);
    if (type_bytes(&t.type) != st.st_size - data)
        raise_at((Loc){.file = path},
                 "holds %lld bytes of data; its shape says %lld",
                 (long long)(st.st_size - data),
                 (long long)type_bytes(&t.type));
    t.data = NEWN(a, char, type_bytes(&t.type) + 1);
    read_exactly(fd, path, t.data, (size_t)type_bytes(&t.type), data);
    return t;
}

static const char *
descr(DType d)
{
    for (int i = 0; i < CODES; i++)
        if (codes[i].dtype == d)
            return codes[i].text;
    raise_at(NOWHERE, "an output of type %s cannot be written as npy",
             dtype_name(d));
}

static const char *
make_head(Arena *a, const Type *t, size_t *length)
{
    Text dict = text_new(a), head = text_new(a);
    size_t total;

    text_add(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (",
             descr(t->dtype));
    for (int i = 0; i < t->rank; i++)
        text_add(&dict, "%lld,%s", (long long)t->dim[i],
                 i + 1 < t->rank ? " " : "");
    text_add(&dict, "), }");
    total = (10 + dict.len + 1 + 63) / 64 * 64;
    text_add_n(&head, "\x93NUMPY\x01\x00", 8);
    text_add_n(&head,
               (char[]){(char)((total - 10) & 255), (char)((total - 10) >> 8)},
               2);
    text_add(&head, "%s%*s\n", dict.s, (int)(total - 11 - dict.len), "");
    *length = head.len;
    return head.s;
}

static uint32_t
crc32_more(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *b = p;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static void
put(Text *t, uint64_t x, int bytes)
{
    char b[8];

    for (int i = 0; i < bytes; i++)
        b[i] = (char)(x >> 8 * i);
    text_add_n(t, b, (size_t)bytes);
}

typedef struct Member {
    uint32_t crc, size, offset;
    const char *name;
} Member;

/* The part that local and central headers share. */
static void
put_entry(Text *t, const Member *m)
{
    put(t, 20, 2);
    put(t, 0, 2);          /* flags */
    put(t, 0, 2);          /* stored */
    put(t, 0x00210000, 4); /* 1980-01-01 */
    put(t, m->crc, 4);
    put(t, m->size, 4);
    put(t, m->size, 4);
    put(t, strlen(m->name), 2);
    put(t, 0, 2);
}

static void
add_member(Arena *a, FILE *f, Member *m, const Tensor *x)
{
    size_t head_bytes, bytes = (size_t)type_bytes(&x->type);
    const char *head = make_head(a, &x->type, &head_bytes);
    Text t = text_new(a);

    if (bytes > UINT32_MAX / 2)
        raise_at(NOWHERE, "output %s is too large for an .npz", m->name);
    m->crc = crc32_more(crc32_more(0, head, head_bytes), x->data, bytes);
    m->size = (uint32_t)(head_bytes + bytes);
    m->offset = (uint32_t)ftell(f);
    put(&t, 0x04034b50, 4);
    put_entry(&t, m);
    text_add(&t, "%s", m->name);
    fwrite(t.s, 1, t.len, f);
    fwrite(head, 1, head_bytes, f);
    fwrite(x->data, 1, bytes, f);
}

static void
add_directory(Arena *a, FILE *f, const Member *m, int count)
{
    Text t = text_new(a);
    uint32_t start = (uint32_t)ftell(f);

    for (int i = 0; i < count; i++) {
        put(&t, 0x02014b50, 4);
        put(&t, 20, 2);
        put_entry(&t, &m[i]);
        put(&t, 0, 6);
        put(&t, 0, 4);
        put(&t, m[i].offset, 4);
        text_add(&t, "%s", m[i].name);
    }
    put(&t, 0x06054b50, 4);
    put(&t, 0, 4);
    put(&t, (uint64_t)count, 2);
    put(&t, (uint64_t)count, 2);
    put(&t, t.len - 12, 4);
    put(&t, start, 4);
    put(&t, 0, 2);
    fwrite(t.s, 1, t.len, f);
}

static void
write_members(Arena *a, FILE *f, int count, const char *const *name,
              const Tensor *tensor)
{
    Member *m = NEWN(a, Member, count + 1);

    for (int i = 0; i < count; i++) {
        Text n = text_new(a);

        text_add(&n, "%s.npy", name[i]);
        m[i].name = n.s;
        add_member(a, f, &m[i], &tensor[i]);
    }
    add_directory(a, f, m, count);
}

void
npz_write(Arena *a, const char *path, int count, const char *const *name,
          const Tensor *tensor)
{
    size_t n = strlen(path), length;
    bool alone = n > 4 && strcmp(path + n - 4, ".npy") == 0 && count == 1;
    Text temporary = text_new(a);
    FILE *f;
    bool bad;

    path = output_file(a, path);
    text_add(&temporary, "%s.tmp-%d", path, (int)getpid());
    output_temporary(a, temporary.s);
    f = fopen(temporary.s, "wb");
    if (!f)
        raise_at((Loc){.file = path}, E(E0202) "cannot be written: %s",
                 strerror(errno));
    if (alone) {
        const char *head = make_head(a, &tensor[0].type, &length);

        fwrite(head, 1, length, f);
        fwrite(tensor[0].data, 1, (size_t)type_bytes(&tensor[0].type), f);
    } else {
        write_members(a, f, count, name, tensor);
    }
    bad = ferror(f) != 0;
    bad = fclose(f) != 0 || bad;
    if (bad || rename(temporary.s, path) != 0)
        raise_at((Loc){.file = path}, E(E0202) "cannot be written: %s",
                 strerror(errno));
}
