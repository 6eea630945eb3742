/* onnx_test_external: where external data may be and where it may not, bytes
   that are no model, and paths that are no file. */
#include "tests/onnx_test_files.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(onnx_external, .init = enter_folder, .fini = leave_folder);

static void
refused_path(const char *path, const char *words)
{
    Imported m = import_path(path, NULL, 0);

    cr_expect(m.problems, "%s: is taken", words);
    if (m.problems)
        cr_expect(strstr(m.problems, words), "'%s' is not said in: %s", words,
                  m.problems);
    imported_free(&m);
}

static void
refused_bytes(const void *bytes, size_t size, const char *words)
{
    write_whole("model.onnx", bytes, size);
    refused_path("model.onnx", words);
}

/* A message inside of a message: its tag, its length, its bytes. */
static void
put_message(Text *t, int field, const Text *inner)
{
    char head[6] = {(char)(field << 3 | 2), (char)(inner->len & 127),
                    (char)(inner->len >> 7)};
    bool two = inner->len > 127;

    head[1] = (char)(head[1] | (two ? 128 : 0));
    text_add_n(t, head, two ? 3 : 2);
    text_add_n(t, inner->s, inner->len);
}

static void
put_text(Text *t, int field, const char *s, size_t n)
{
    Text inner = text_new(t->arena);

    text_add_n(&inner, s, n);
    put_message(t, field, &inner);
}

static void
put_pair(Text *t, const char *key, const char *value, size_t n)
{
    Text pair = text_new(t->arena);

    put_text(&pair, 1, key, strlen(key));
    put_text(&pair, 2, value, n);
    put_message(t, 13, &pair);
}

/* f32[2] called w with this location and offset, NULL: none. */
static Text
external_tensor(Arena *a, const char *location, size_t length,
                const char *offset)
{
    Text t = text_new(a);

    text_add_n(&t, "\x08\x02\x10\x01", 4); /* dims 2, float */
    put_text(&t, 8, "w", 1);
    put_pair(&t, "location", location, length);
    if (offset)
        put_pair(&t, "offset", offset, strlen(offset));
    text_add_n(&t, "\x70\x01", 2); /* data_location external */
    return t;
}

/* y = Relu(w): ir_version 8, opset 17. */
static Text
model_of(Arena *a, const Text *tensor)
{
    Text m = text_new(a), graph = text_new(a), node = text_new(a);
    Text value = text_new(a), opset = text_new(a);

    put_text(&node, 1, "w", 1);
    put_text(&node, 2, "y", 1);
    put_text(&node, 4, "Relu", 4);
    put_text(&value, 1, "y", 1);
    put_message(&graph, 1, &node);
    put_message(&graph, 5, tensor);
    put_message(&graph, 12, &value);
    text_add_n(&opset, "\x10\x11", 2);
    text_add_n(&m, "\x08\x08", 2);
    put_message(&m, 7, &graph);
    put_message(&m, 8, &opset);
    return m;
}

static void
refused_place(const char *location, const char *offset, const char *words)
{
    Arena *a = arena_new();
    Text t = external_tensor(a, location, strlen(location), offset);
    Text m = model_of(a, &t);

    refused_bytes(m.s, m.len, words);
    arena_free(a);
}

Test(onnx_external, good_places_are_taken)
{
    static const char *const good[][2] = {
        {"data", NULL}, {"data", "0"}, {"data", "8"}, {"sub/data", NULL}};

    write_whole("data", "0123456789abcdef", 16);
    cr_assert_eq(mkdir("sub", 0700), 0);
    write_whole("sub/data", "01234567", 8);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Arena *a = arena_new();
        Text t = external_tensor(a, good[i][0], strlen(good[i][0]),
                                 good[i][1]);
        Text m = model_of(a, &t);
        Imported got = import_bytes(m.s, m.len);

        cr_expect(got.module, "%s: %s", good[i][0], got.problems);
        imported_free(&got);
        arena_free(a);
    }
}

Test(onnx_external, places_outside_are_refused)
{
    static const char *const bad[] = {
        "../data",     "sub/../data", "./data",  "sub/../../data", "..",
        "sub/..",      ".",           "/data",   "//data",         "sub//data",
        "/etc/passwd", "data/",       "missing", "sub",            "data/x",
        "../../../../../../../../etc/passwd"};

    write_whole("data", "0123456789abcdef", 16);
    cr_assert_eq(mkdir("sub", 0700), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused_place(bad[i], NULL, "external data '");
    refused_place("", NULL, "no location");
}

Test(onnx_external, links_and_devices_are_refused)
{
    write_whole("data", "0123456789abcdef", 16);
    cr_assert_eq(mkdir("sub", 0700), 0);
    write_whole("sub/data", "01234567", 8);
    cr_assert_eq(symlink("data", "linked"), 0);
    cr_assert_eq(symlink("sub", "folder"), 0);
    cr_assert_eq(symlink("/dev/zero", "device"), 0);
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    cr_assert_eq(link("sub/data", "hard"), 0);
    refused_place("linked", NULL, "cannot be opened below");
    refused_place("folder/data", NULL, "cannot be opened below");
    refused_place("device", NULL, "cannot be opened below");
    refused_place("hard", NULL, "not a regular file with a single name");
    refused_place("sub/data", NULL, "not a regular file with a single name");
    refused_place("pipe", NULL, "not a regular file");
}

Test(onnx_external, offsets_are_numbers_inside)
{
    static const char *const bad[] = {
        "9",  "16", "17", "-1", "-9223372036854775808", "9223372036854775807",
        "18446744073709551608", "123456789012345678901234567890",
        "text", "", " 8", "8 ", "0x8", "+8", "8.0", "1e1"};

    write_whole("data", "0123456789abcdef", 16);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused_place("data", bad[i], i < 3 || i == 5 ? "wants 8 bytes at"
                                                      : "is not valid");
}

Test(onnx_external, other_entries_are_refused)
{
    Arena *a = arena_new();
    Text t = external_tensor(a, "data", 4, NULL), m;

    write_whole("data", "0123456789abcdef", 16);
    put_pair(&t, "location", "data", 4);
    m = model_of(a, &t);
    refused_bytes(m.s, m.len, "is not valid");
    t = external_tensor(a, "data", 4, NULL);
    put_pair(&t, "length", "9", 1);
    m = model_of(a, &t);
    refused_bytes(m.s, m.len, "wants 8 bytes");
    t = external_tensor(a, "data", 4, NULL);
    put_pair(&t, "__class__", "x", 1);
    m = model_of(a, &t);
    refused_bytes(m.s, m.len, "is not valid");
    t = external_tensor(a, "data\0/etc", 9, NULL);
    m = model_of(a, &t);
    refused_bytes(m.s, m.len, "NUL");
    t = external_tensor(a, "data", 4, NULL);
    put_text(&t, 9, "01234567", 8);
    m = model_of(a, &t);
    refused_bytes(m.s, m.len, "in two places");
    arena_free(a);
}

/* ---- bytes and paths -------------------------------------------------- */

#define BYTES(s) s, sizeof s - 1

Test(onnx_external, other_bytes_are_no_model)
{
    static const struct Noise {
        const char *bytes;
        size_t size;
        const char *words;
    } noise[] = {
        {BYTES(""), "is empty"},
        {BYTES("\0\0\0\0\0\0\0\0"), "impossible number"},
        {BYTES("\x89PNG\r\n\x1a\n0000"), "is not an ONNX model"},
        {BYTES("{\"model\": 1}"), "is not an ONNX model"},
        {BYTES("snug 1 stage=model\n"), "is not an ONNX model"},
        {BYTES("\x3a\x7f\x0a"), "reaches past the end"},
        {BYTES("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "past the end"},
        {BYTES("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "past the end"},
        {BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "more than 64 bits"},
        {BYTES("\x08\x80\x80"), "cut off"},
        {BYTES("\x0f\x01"), "unknown encoding"},
        {BYTES("\x0b\x0b\x0b\x0b"), "unknown encoding"},
        {BYTES("\x02\x01"), "impossible number"},
        {BYTES("\x38\x01"), "a number stands where"},
        {BYTES("\x08\x08\x3a\x00\x3a\x00"), "second graph"},
        {BYTES("\x08\x08\x42\x00"), "without a graph"},
        {BYTES("\x3a\x00\x42\x00"), "without an ir_version"},
        {BYTES("\x08\x08\x3a\x00"), "without an opset_import"},
        {BYTES("\x08\x08\x3a\x04\x12\x02\x61\x00"), "NUL"},
    };

    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        refused_bytes(noise[i].bytes, noise[i].size, noise[i].words);
}

/* A graph in an attribute of a node, and again: protobuf-c would recurse. */
Test(onnx_external, deep_nesting_is_refused)
{
    Arena *a = arena_new();
    Text inner = text_new(a), m = text_new(a);

    text_add_n(&inner, "", 0);
    for (int i = 0; i < 60; i++) {
        Text node = text_new(a), graph = text_new(a), attribute = text_new(a);

        put_message(&attribute, 6, &inner);
        put_message(&node, 5, &attribute);
        put_message(&graph, 1, &node);
        inner = graph;
    }
    text_add_n(&m, "\x08\x08", 2);
    put_message(&m, 7, &inner);
    refused_bytes(m.s, m.len, "nested more than 100 deep");
    arena_free(a);
}

Test(onnx_external, paths_that_are_no_file)
{
    refused_path("absent.onnx", "No such file");
    cr_assert_eq(mkdir("folder.onnx", 0700), 0);
    refused_path("folder.onnx", "not a regular file");
    cr_assert_eq(mkfifo("pipe.onnx", 0600), 0);
    refused_path("pipe.onnx", "not a regular file");
}
