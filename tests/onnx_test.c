/* onnx_test: the exported files of the digits models, as both exporters write
   them: imported, printed, run, cut off and damaged. */
#include "tests/onnx_test_files.h"

#include "runtime/data.h"
#include "runtime/status.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(onnx, .init = enter_folder, .fini = leave_folder);

enum { IMAGES = 64, CLASSES = 10 };

typedef struct Exported {
    char path[64], data[64], logits[64];
    int bindings;
} Exported;

#define DIGITS    "examples/digits/"
#define REFERENCE "tests/reference/"
#define MLP       DIGITS "digits-test.npz", REFERENCE "mlp.logits.npy"
#define LENET     DIGITS "digits28-test.npz", REFERENCE "lenet.logits.npy"

static const Exported exported[] = {
    {DIGITS "mlp.legacy.onnx", MLP, 0},
    {DIGITS "mlp.legacy.dyn.onnx", MLP, 1},
    {DIGITS "mlp.dynamo.onnx", MLP, 0},
    {REFERENCE "mlp.dynamo.external.onnx", MLP, 0},
    {DIGITS "lenet.legacy.onnx", LENET, 0},
    {DIGITS "lenet.legacy.dyn.onnx", LENET, 1},
    {DIGITS "lenet.dynamo.onnx", LENET, 0},
    {REFERENCE "lenet.dynamo.external.onnx", LENET, 0},
};

enum { EXPORTED = sizeof exported / sizeof *exported };

/* The first rows of the first array of a data file. */
static Tensor
first_rows(Arena *a, const char *path, Type t)
{
    static RtData data;
    RtEntry none = {0};
    Tensor out = tensor_new(a, t);
    const RtArray *from = data.array;
    int64_t row = type_bytes(&t) / t.dim[0];

    cr_assert_eq(rt_data_open(&data, path, &none), RT_OK, "%s", path);
    for (int64_t i = 0; i < t.dim[0]; i++) {
        char *to = (char *)out.data + i * row;
        int64_t at = i * from->stride;

        if (from->held)
            memcpy(to, from->held + at, (size_t)row);
        else
            cr_assert_eq(pread(from->fd, to, (size_t)row, from->offset + at),
                         row);
    }
    rt_data_close(&data);
    return out;
}

/* Cells of the reference: f32[64,10] behind a header of 128 bytes. */
static Tensor
logits_of(Arena *a, const char *path)
{
    Type t;
    Tensor out;
    Bytes b = read_whole(a, path);

    cr_assert(type_make(DT_F32, 2, (int64_t[]){IMAGES, CLASSES}, &t));
    cr_assert_eq(b.size, 128 + (size_t)type_bytes(&t));
    out = tensor_new(a, t);
    memcpy(out.data, b.at + 128, (size_t)type_bytes(&t));
    return out;
}

ParameterizedTestParameters(onnx, exported_model_runs)
{
    static Exported all[EXPORTED];

    memcpy(all, exported, sizeof all);
    return cr_make_param_array(Exported, all, EXPORTED);
}

ParameterizedTest(Exported *e, onnx, exported_model_runs)
{
    DimBinding batch = {"batch", IMAGES};
    Arena *a = arena_new();
    Imported m = import_path(source_path(a, e->path), &batch, e->bindings);
    const Graph *g;
    Tensor in, *out, expected;
    double worst;

    cr_assert(m.module, "%s: %s", e->path, m.problems);
    g = module_entry(m.module, "forward");
    cr_assert_eq(vec_len(g->input), 1);
    cr_assert_eq(vec_len(g->output), 1);
    in = first_rows(a, source_path(a, e->data),
                    value_at(g, g->input[0])->type);
    expected = logits_of(a, source_path(a, e->logits));
    out = run_forward(&m, &in);
    cr_assert(out, "%s: %s", e->path, m.problems);
    cr_expect(close_to(out, &expected, 1e-5, &worst), "%s: worst error %g",
              e->path, worst);
    imported_free(&m);
    arena_free(a);
}

Test(onnx, dynamic_axis_needs_a_size)
{
    Arena *a = arena_new();
    Imported m =
        import_path(source_path(a, DIGITS "mlp.legacy.dyn.onnx"), NULL, 0);

    cr_assert(m.problems);
    cr_expect(strstr(m.problems, "--dim batch=64"), "%s", m.problems);
    imported_free(&m);
    arena_free(a);
}

/* Imports damaged bytes: any outcome but a crash is good. */
static void
survives(const void *bytes, size_t size)
{
    Imported m = import_bytes(bytes, size);

    cr_assert(m.module || m.problems);
    imported_free(&m);
}


Test(onnx, every_prefix_is_refused, .timeout = 300)
{
    Arena *a = arena_new();
    Bytes b = read_whole(a, source_path(a, DIGITS "mlp.legacy.onnx"));

    /* One by one in the graph; the tensors' data lies behind it. */
    for (size_t n = 0; n < b.size; n += n < 1500 ? 1 : 4099) {
        Imported m = import_bytes(b.at, n);

        cr_assert(m.problems, "the first %zu bytes are taken for a model", n);
        imported_free(&m);
    }
    arena_free(a);
}

/* The graph of a model whose data is elsewhere, bit by bit. */
Test(onnx, flipped_bits_do_not_crash, .timeout = 300)
{
    static const char name[] = "mlp.dynamo.external.onnx.data";
    Arena *a = arena_new();
    Bytes data = read_whole(a, source_path(a, REFERENCE
                                           "mlp.dynamo.external.onnx.data"));
    Bytes b = read_whole(a,
                         source_path(a, REFERENCE "mlp.dynamo.external.onnx"));

    write_whole(name, data.at, data.size);
    for (size_t bit = 0; bit < 8 * b.size; bit += 3) {
        b.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        survives(b.at, b.size);
        b.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    arena_free(a);
}
