/* onnx_test_hostile: models that are wrong in one way each, made of a good one
   in protobuf-c's structures or byte by byte; each is refused with one clear
   message, and nothing is read outside of the model's folder. */
#include "tests/onnx_test_model.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

TestSuite(onnx_hostile, .init = enter_folder, .fini = leave_folder);

/* The one node's operator becomes `op` on x (reshaped to rank 4). */
static Onnx__NodeProto *
only(Model *m, const char *op)
{
    m->graph->n_node = 0;
    m->graph->n_input = 0;
    m->x = value_info(m, "x", 4, (int64_t[]){1, 3, 8, 8});
    APPEND(m, m->graph, input, m->x);
    m->gemm = add_node(m, op, "only", "y");
    reads(m, m->gemm, "x");
    return m->gemm;
}

/* A Conv with a weight of f32[2,3,3,3]. */
static Onnx__NodeProto *
only_conv(Model *m)
{
    Onnx__NodeProto *n = only(m, "Conv");

    add_tensor(m, "k", 4, (int64_t[]){2, 3, 3, 3});
    reads(m, n, "k");
    return n;
}

/* Integers as a second input. */
static void
reads_integers(Model *m, Onnx__NodeProto *n, const char *name, int count,
               const int64_t *x)
{
    Onnx__TensorProto *t = add_tensor(m, name, 1, (int64_t[]){count});

    t->data_type = 7;
    t->raw_data.len = 8 * (size_t)count;
    t->raw_data.data = memcpy(NEWN(m->a, int64_t, count + 1), x,
                              8 * (size_t)count);
    reads(m, n, name);
}

#include "tests/onnx/hostile.inc"

/* By index: a test is a process with addresses of its own. */
ParameterizedTestParameters(onnx_hostile, is_refused)
{
    enum { COUNT = sizeof hostile / sizeof *hostile };
    static int index[COUNT];

    for (int i = 0; i < COUNT; i++)
        index[i] = i;
    return cr_make_param_array(int, index, COUNT, NULL);
}

ParameterizedTest(int *index, onnx_hostile, is_refused)
{
    const Hostile *h = &hostile[*index];
    Arena *a = arena_new();
    Model m = good_model(a);
    Imported got;
    Bytes b;

    h->spoil(&m);
    b = packed(&m);
    got = import_bytes(b.at, b.size);
    cr_expect(got.problems, "%s: is taken", h->words);
    if (got.problems) {
        cr_expect(strstr(got.problems, h->words), "'%s' is not said in: %s",
                  h->words, got.problems);
        cr_expect(!strchr(got.problems, '\033'));
    }
    imported_free(&got);
    arena_free(a);
}

Test(onnx_hostile, good_model_is_taken)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Bytes b = packed(&m);
    Imported got = import_bytes(b.at, b.size);

    cr_assert(got.module, "%s", got.problems);
    imported_free(&got);
    arena_free(a);
}
