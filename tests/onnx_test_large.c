/* onnx_test_large: initializers whose data stays in the file: in every form
   they are what the file says, what does not fit is refused, and files that
   change after the model was read are noticed. */
#include "tests/onnx_test_model.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(onnx_large, .init = enter_folder, .fini = leave_folder);

enum { COUNT = 1600 }; /* more than stays in memory, of every type */

static double
number(int64_t i)
{
    return (double)(i * 7 % 23) - 11;
}

/* y = op(w, w), w of COUNT elements of an ONNX type; its data is not set. */
static Model
large_model(Arena *a, const char *op, int type)
{
    Model m = good_model(a);

    m.graph->n_node = m.graph->n_initializer = m.graph->n_input = 0;
    m.w = add_tensor(&m, "w", 2, (int64_t[]){40, 40});
    m.w->data_type = type;
    m.w->has_raw_data = 0;
    m.w->raw_data.len = 0;
    m.gemm = add_node(&m, op, "only", "y");
    reads(&m, m.gemm, "w");
    reads(&m, m.gemm, "w");
    m.y->type = NULL;
    return m;
}

static void
set_raw(Model *m, int size)
{
    uint8_t *at = NEWN(m->a, uint8_t, COUNT * size);

    for (int64_t i = 0; i < COUNT; i++) {
        float f = (float)number(i);
        double d = number(i);
        int64_t n = (int64_t)number(i);

        memcpy(at + i * size,
               size == 4                 ? (const void *)&f
               : m->w->data_type == 11 ? (const void *)&d
                                         : (const void *)&n,
               (size_t)size);
    }
    m->w->has_raw_data = 1;
    m->w->raw_data.len = (size_t)(COUNT * size);
    m->w->raw_data.data = at;
}

static void
set_floats(Model *m, size_t n)
{
    m->w->n_float_data = n;
    m->w->float_data = NEWN(m->a, float, n + 1);
    for (size_t i = 0; i < n; i++)
        m->w->float_data[i] = (float)number((int64_t)i);
}

static Imported
import_model(const Model *m)
{
    Bytes b = packed(m);

    return import_bytes(b.at, b.size);
}

/* The result is twice the numbers. */
static void
expect_doubled(const Model *m)
{
    Imported got = import_model(m);
    Tensor *out;

    cr_assert(got.module, "%s", got.problems);
    out = run_forward(&got, NULL);
    cr_assert(out, "%s", got.problems);
    cr_assert_eq(type_elements(&out->type), COUNT);
    for (int64_t i = 0; i < COUNT; i++)
        cr_assert_eq(tensor_get(out, i), 2 * number(i), "%lld", (long long)i);
    imported_free(&got);
}

static void
expect_refused(const Model *m, const char *words)
{
    Imported got = import_model(m);

    cr_expect(got.problems, "%s: is taken", words);
    if (got.problems)
        cr_expect(strstr(got.problems, words), "'%s' is not said in: %s",
                  words, got.problems);
    imported_free(&got);
}

Test(onnx_large, every_form_is_read)
{
    Arena *a = arena_new();
    Model raw = large_model(a, "Add", 1), typed = large_model(a, "Add", 1);
    Model wide = large_model(a, "Add", 11), whole = large_model(a, "Add", 7);

    set_raw(&raw, 4);
    expect_doubled(&raw);
    set_floats(&typed, COUNT);
    expect_doubled(&typed);
    set_raw(&wide, 8);
    expect_doubled(&wide);
    set_raw(&whole, 8); /* integers are constants: folded at import */
    expect_doubled(&whole);
    arena_free(a);
}

Test(onnx_large, what_does_not_fit_is_refused)
{
    Arena *a = arena_new();
    Model m = large_model(a, "Add", 1);

    set_raw(&m, 4);
    m.w->raw_data.len -= 4;
    expect_refused(&m, "holds 6396 bytes; its shape says 6400");
    m.w->raw_data.len = 6400;
    m.w->dims[0] = 41;
    expect_refused(&m, "holds 6400 bytes; its shape says 6560");
    m = large_model(a, "Add", 1);
    set_floats(&m, COUNT - 1);
    expect_refused(&m, "holds 1599 elements; its shape says 1600");
    m = large_model(a, "Add", 11);
    set_floats(&m, COUNT);
    expect_refused(&m, "has data of another type");
    m = large_model(a, "Add", 7);
    set_floats(&m, 2 * COUNT);
    expect_refused(&m, "has data of another type");
    arena_free(a);
}

Test(onnx_large, data_in_two_places_is_refused)
{
    Arena *a = arena_new();
    Model m = large_model(a, "Add", 1);

    set_raw(&m, 4);
    set_floats(&m, COUNT);
    expect_refused(&m, "in several pieces");
    set_floats(&m, 1);
    expect_refused(&m, "in several pieces");
    m.w->raw_data.len = 4;
    set_floats(&m, COUNT);
    expect_refused(&m, "in several pieces");
    m.w->n_float_data = 0;
    set_raw(&m, 4);
    m.w->has_data_location = 1;
    m.w->data_location = 1;
    expect_refused(&m, "data in two places");
    arena_free(a);
}

/* Imported; then the file is another one: its bytes are not taken. */
static void
expect_noticed(const char *path, void (*change)(const char *path))
{
    Imported got = import_path("model.onnx", NULL, 0);

    cr_assert(got.module, "%s", got.problems);
    change(path);
    cr_expect(!run_forward(&got, NULL));
    cr_expect(got.problems &&
                  strstr(got.problems, "has changed since the model was read"),
              "%s", got.problems);
    imported_free(&got);
}

static void
touch(const char *path)
{
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
lengthen(const char *path)
{
    FILE *f = fopen(path, "ab");

    cr_assert(f);
    fputc(0, f);
    fclose(f);
}

static void
replace(const char *path)
{
    Arena *a = arena_new();
    Bytes b = read_whole(a, path);

    write_whole("other", b.at, b.size);
    cr_assert_eq(rename("other", path), 0);
    arena_free(a);
}

static void
link_elsewhere(const char *path)
{
    cr_assert_eq(rename(path, "moved"), 0);
    replace("moved");
    cr_assert_eq(symlink("moved", path), 0);
}

static void (*const changes[])(const char *) = {touch, lengthen, replace,
                                                link_elsewhere};

Test(onnx_large, a_model_that_changes_is_noticed)
{
    Arena *a = arena_new();
    Model m = large_model(a, "Add", 1);
    Bytes b;

    set_raw(&m, 4);
    b = packed(&m);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unlink("model.onnx");
        write_whole("model.onnx", b.at, b.size);
        expect_noticed("model.onnx", changes[i]);
    }
    arena_free(a);
}

static void
add_entry(Model *m, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e =
        MAKE(m, Onnx__StringStringEntryProto,
             ONNX__STRING_STRING_ENTRY_PROTO__INIT);

    e->key = text_of(m->a, key);
    e->value = text_of(m->a, value);
    APPEND(m, m->w, external_data, e);
}

/* The data of m moves into a file of its own. */
static void
make_external(Model *m, const char *path)
{
    write_whole(path, m->w->raw_data.data, m->w->raw_data.len);
    m->w->has_raw_data = 0;
    m->w->raw_data.len = 0;
    m->w->has_data_location = 1;
    m->w->data_location = 1;
    add_entry(m, "location", path);
}

Test(onnx_large, external_data_that_changes_is_noticed)
{
    Arena *a = arena_new();
    Model m = large_model(a, "Add", 1);
    Bytes b, data;

    set_raw(&m, 4);
    make_external(&m, "data");
    b = packed(&m);
    data = read_whole(a, "data");
    write_whole("model.onnx", b.at, b.size);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unlink("data");
        write_whole("data", data.at, data.size);
        expect_noticed("data", changes[i]);
    }
    arena_free(a);
}

Test(onnx_large, external_integers_are_constants)
{
    Arena *a = arena_new();
    Model m = large_model(a, "Add", 7);
    Imported got;

    set_raw(&m, 8);
    make_external(&m, "data");
    expect_doubled(&m);
    got = import_model(&m);
    cr_assert(got.module, "%s", got.problems);
    for (size_t i = 1; i < vec_len(got.module->store); i++)
        cr_expect(got.module->store[i].init.kind == INIT_LIST);
    imported_free(&got);
    arena_free(a);
}
