/* runtime_test_files: helpers. */
#include "tests/runtime_test_files.h"

#include "runtime/options.h"
#include "runtime/train.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

void
put(Bytes *b, const void *from, int64_t count)
{
    static char room[(size_t)64 << 20];
    static int64_t used;
    bool last = b->at && b->at + b->count + 1 == room + used;
    char *at = last ? b->at : room + used;
    cr_assert(at + b->count + count + 1 <= room + sizeof room);
    if (!last && b->count)
        memcpy(at, b->at, (size_t)b->count);
    if (count)
        memcpy(at + b->count, from, (size_t)count);
    *b = (Bytes){at, b->count + count};
    used = at + b->count + 1 - room;
}

void
put_text(Bytes *b, const char *text)
{
    put(b, text, (int64_t)strlen(text));
}

void
put_number(Bytes *b, uint64_t value, int bytes)
{
    for (int k = 0; k < bytes; k++) {
        char byte = (char)(k < 8 ? value >> 8 * k : 0);
        put(b, &byte, 1);
    }
}

void
enter_folder(void)
{
    strcpy(folder, "/tmp/snug-test-XXXXXX");
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void
remove_files(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char name[600];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_files(name);
        else
            unlink(name);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

void
leave_folder(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_files(folder);
}

void
write_file(const char *path, const void *from, int64_t count)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f, "%s", path);
    if (count)
        cr_assert_eq(fwrite(from, 1, (size_t)count, f), (size_t)count);
    fclose(f);
}

Bytes
read_whole(const char *path)
{
    Bytes b = {0};
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    cr_assert(f, "%s", path);
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, f));)
        put(&b, chunk, (int64_t)got);
    fclose(f);
    return b;
}

bool
file_exists(const char *path)
{
    return !access(path, F_OK);
}

bool
same_files(const char *a, const char *b)
{
    Bytes x = read_whole(a), y = read_whole(b);
    return x.count == y.count && !memcmp(x.at, y.at, (size_t)x.count);
}

Bytes
npy_bytes(const char *dictionary, const void *from, int64_t count)
{
    Bytes b = {0};
    put(&b, "\x93NUMPY\1\0", 8);
    put_number(&b, strlen(dictionary) + 1, 2);
    put_text(&b, dictionary);
    put_text(&b, "\n");
    put(&b, from, count);
    return b;
}

Bytes
safetensors_bytes(const char *header, int64_t count)
{
    Bytes b = {0};
    put_number(&b, strlen(header), 8);
    put_text(&b, header);
    for (int64_t k = 0; k < count; k++)
        put(&b, "", 1);
    return b;
}

static void
put_member(Bytes *b, const char *name, Bytes content)
{
    put_text(b, "PK\3\4");
    put_number(b, 20, 2);
    put_number(b, 0, 2 + 2 + 4 + 4);
    put_number(b, (uint64_t)content.count, 4);
    put_number(b, (uint64_t)content.count, 4);
    put_number(b, strlen(name), 2);
    put_number(b, 0, 2);
    put_text(b, name);
    put(b, content.at, content.count);
}

static void
put_entry(Bytes *b, const char *name, int64_t count, int64_t offset)
{
    put_text(b, "PK\1\2");
    put_number(b, 20, 2);
    put_number(b, 20, 2);
    put_number(b, 0, 2 + 2 + 4 + 4);
    put_number(b, (uint64_t)count, 4);
    put_number(b, (uint64_t)count, 4);
    put_number(b, strlen(name), 2);
    put_number(b, 0, 2 + 2 + 2 + 2);
    put_number(b, 0, 4);
    put_number(b, (uint64_t)offset, 4);
    put_text(b, name);
}

Bytes
zip_bytes(const char *first, Bytes a, const char *second, Bytes b)
{
    Bytes z = {0};
    put_member(&z, first, a);
    int64_t middle = z.count;
    put_member(&z, second, b);
    int64_t directory = z.count;
    put_entry(&z, first, a.count, 0);
    put_entry(&z, second, b.count, middle);
    uint64_t length = (uint64_t)(z.count - directory);
    put_text(&z, "PK\5\6");
    put_number(&z, 0, 4);
    put_number(&z, 2, 2);
    put_number(&z, 2, 2);
    put_number(&z, length, 4);
    put_number(&z, (uint64_t)directory, 4);
    put_number(&z, 0, 2);
    return z;
}

void
write_rows(int rows)
{
    float *x = calloc((size_t)rows, 5 * sizeof *x);
    int64_t *y = calloc((size_t)rows, sizeof *y);
    char text[200];
    Bytes csv = {0};
    for (int k = 0; k < rows; k++) {
        y[k] = k * 7 % 3;
        for (int f = 0; f < 5; f++) {
            x[k * 5 + f] = sinf((float)(k * 5 + f)) + (y[k] == f ? 2.0f : 0);
            snprintf(text, sizeof text, "%.9g,", (double)x[k * 5 + f]);
            put_text(&csv, text);
        }
        snprintf(text, sizeof text, "%d\n", (int)y[k]);
        put_text(&csv, text);
    }
    write_file("table.csv", csv.at, csv.count);
    snprintf(text, sizeof text,
             "{'descr': '<f4', 'fortran_order': False, "
             "'shape': (%d, 5), }",
             rows);
    Bytes a = npy_bytes(text, x, rows * 20);
    snprintf(text, sizeof text,
             "{'descr': '<i8', 'fortran_order': False, "
             "'shape': (%d,), }",
             rows);
    Bytes b = npy_bytes(text, y, rows * 8);
    write_file("x.npy", a.at, a.count);
    write_file("y.npy", b.at, b.count);
    Bytes z = zip_bytes("x.npy", a, "labels.npy", b);
    write_file("both.npz", z.at, z.count);
    snprintf(text, sizeof text,
             "{\"x\":{\"dtype\":\"F32\",\"shape\":[%d,5],"
             "\"data_offsets\":[0,%d]},\"labels\":{\"dtype\":\"I64\",\"shape\":"
             "[%d],\"data_offsets\":[%d,%d]}}",
             rows, rows * 20, rows, rows * 20, rows * 28);
    Bytes s = safetensors_bytes(text, 0);
    put(&s, x, rows * 20);
    put(&s, y, rows * 8);
    write_file("both.safetensors", s.at, s.count);
    free(x);
    free(y);
}

int
run(const RtProgram *p, const char *line)
{
    char text[2000], *word[64], *rest = text;
    char name[] = "train";
    int count = 0;
    RtOptions o;
    snprintf(text, sizeof text, "%s", line);
    word[count++] = name;
    for (char *w; (w = strtok_r(rest, " ", &rest)) && count < 64;)
        word[count++] = w;
    RT_TRY(rt_options_read(&o, count, word));
    return rt_train(p, &o);
}

void
refused(const RtProgram *p, const char *line, int status, const char *words,
        const char *name)
{
    int got = run(p, line);
    cr_expect_eq(got, status, "%s: status %d, not %d (%s)", name, got, status,
                 rt_message());
    cr_expect(strstr(rt_message(), words), "%s: '%s' is not in: %s", name,
              words, rt_message());
}
