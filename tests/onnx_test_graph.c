/* onnx_test_graph: unusual and yet good graphs: outputs that no node makes,
   shared and unused initializers, names that clash with ours, odd names. */
#include "tests/onnx_test_model.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(onnx_graph, .init = enter_folder, .fini = leave_folder);

static Imported
taken(const Model *m)
{
    Bytes b = packed(m);
    Imported got = import_bytes(b.at, b.size);

    cr_assert(got.module, "%s", got.problems);
    return got;
}

/* The number of stores of this kind. */
static int
stores(const Imported *m, StoreKind kind)
{
    int count = 0;

    for (size_t i = 1; i < vec_len(m->module->store); i++)
        count += m->module->store[i].kind == kind;
    return count;
}

static Tensor
run_once(Imported *m)
{
    const Graph *g = module_entry(m->module, "forward");
    Tensor *in = NEWN(m->arena, Tensor, vec_len(g->input) + 1), *out;

    for (size_t i = 0; i < vec_len(g->input); i++) {
        in[i] = tensor_new(m->arena, value_at(g, g->input[i])->type);
        for (int64_t k = 0; k < type_elements(&in[i].type); k++)
            tensor_set(&in[i], k, (double)k + 1);
    }
    out = run_forward(m, in);
    cr_assert(out, "%s", m->problems);
    return *out;
}

/* y is renamed to an existing value; that value comes out. */
static void
output_is(const char *name, int rank, const int64_t *dim, double first)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Imported got;
    Tensor out;

    ((float *)m.w->raw_data.data)[0] = 7;
    m.y = value_info(&m, name, rank, dim);
    m.graph->output[0] = m.y;
    got = taken(&m);
    out = run_once(&got);
    cr_expect_eq(tensor_get(&out, 0), first);
    imported_free(&got);
    arena_free(a);
}

Test(onnx_graph, outputs_that_no_node_makes)
{
    output_is("w", 2, (int64_t[]){3, 4}, 7);
    output_is("x", 2, (int64_t[]){2, 3}, 1);
}

Test(onnx_graph, output_beside_its_input)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Imported got;

    APPEND(&m, m.graph, output,
           value_info(&m, "x", 2, (int64_t[]){2, 3}));
    APPEND(&m, m.graph, output,
           value_info(&m, "h", 2, (int64_t[]){2, 4}));
    got = taken(&m);
    run_once(&got);
    imported_free(&got);
    arena_free(a);
}

Test(onnx_graph, unused_initializers_are_no_parameters)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Imported got;

    add_tensor(&m, "unused", 1, (int64_t[]){5});
    got = taken(&m);
    cr_expect_eq(stores(&got, SK_PARAM), 2);
    imported_free(&got);
    arena_free(a);
}

Test(onnx_graph, tied_weights_are_one_parameter)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *again = add_node(&m, "Gemm", "third", "z");
    Imported got;

    set_int(&m, again, "transB", 1);
    reads(&m, again, "y");
    reads(&m, again, "w");
    m.graph->output[0] = value_info(&m, "z", 2, (int64_t[]){2, 3});
    got = taken(&m);
    cr_expect_eq(stores(&got, SK_PARAM), 2);
    imported_free(&got);
    arena_free(a);
}

/* A number without axes is a setting where it bounds, and data elsewhere. */
Test(onnx_graph, a_number_clipped_by_a_number)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *clip = add_node(&m, "Clip", "clip", "z");
    Onnx__TensorProto *x = add_tensor(&m, "number", 0, NULL);
    Onnx__TensorProto *bound = add_tensor(&m, "least", 0, NULL);
    Imported got;
    Tensor out;

    ((float *)x->raw_data.data)[0] = -3;
    ((float *)bound->raw_data.data)[0] = -2;
    reads(&m, clip, "number");
    reads(&m, clip, "least");
    m.graph->output[0] = value_info(&m, "z", 0, NULL);
    got = taken(&m);
    out = run_once(&got);
    cr_expect_eq(tensor_get(&out, 0), -2);
    imported_free(&got);
    arena_free(a);
}

/* Node Constant -> t, read as Add(y, t). */
static void
add_constant(Model *m, int rank, const int64_t *dim)
{
    Onnx__NodeProto *n = add_node(m, "Constant", "four", "t"), *sum;
    Onnx__AttributeProto *p = add_attribute(m, n, "value", 4);

    p->t = add_tensor(m, "", rank, dim);
    m->graph->n_initializer--;
    sum = add_node(m, "Add", "third", "z");
    reads(m, sum, "y");
    reads(m, sum, "t");
    m->graph->output[0] = value_info(m, "z", 2, (int64_t[]){2, 4});
}

Test(onnx_graph, constant_nodes_are_not_trained)
{
    for (int rank = 0; rank < 2; rank++) {
        Arena *a = arena_new();
        Model m = good_model(a);
        Imported got;

        add_constant(&m, rank, (int64_t[]){4});
        got = taken(&m);
        cr_expect_eq(stores(&got, SK_PARAM), 2);
        run_once(&got);
        imported_free(&got);
        arena_free(a);
    }
}

Test(onnx_graph, model_without_a_parameter)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Imported got;

    m.graph->n_node = m.graph->n_initializer = 0;
    m.relu->input[0] = text_of(a, "x");
    APPEND(&m, m.graph, node, m.relu);
    m.graph->output[0] = value_info(&m, "y", 2, (int64_t[]){2, 3});
    got = taken(&m);
    cr_expect_eq(stores(&got, SK_PARAM), 0);
    run_once(&got);
    imported_free(&got);
    arena_free(a);
}

/* Our own intermediate values are called after their ops; a tensor of that
   name, read later, must be itself. */
Test(onnx_graph, initializer_with_a_name_of_ours)
{
    static const char *const names[] = {"contract", "add", "add.2", "relu",
                                        "map", "step", "h.2"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Arena *a = arena_new();
        Model m = good_model(a);
        Onnx__NodeProto *sum = add_node(&m, "Add", "third", "z");
        Onnx__TensorProto *t = add_tensor(&m, names[i], 1, (int64_t[]){1});
        Imported got;
        Tensor out;

        ((float *)t->raw_data.data)[0] = 42;
        reads(&m, sum, "y");
        reads(&m, sum, names[i]);
        m.graph->output[0] = value_info(&m, "z", 2, (int64_t[]){2, 4});
        got = taken(&m);
        out = run_once(&got);
        cr_expect_eq(tensor_get(&out, 0), 42, "%s", names[i]);
        imported_free(&got);
        arena_free(a);
    }
}

Test(onnx_graph, odd_names_survive_the_text)
{
    static const char *const names[] = {
        "a b", "a\"b", "a\\b", "onnx::MatMul_70", "/model/Add_1",
        "gr\xc3\xb6\xc3\x9f" "e", "line\nbreak", "\x1b[31mred", "\xff\xfe",
        "%x", "#", "}", "'", "1", ""};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Arena *a = arena_new();
        Model m = good_model(a);
        Imported got;

        m.gemm->name = m.relu->name = text_of(a, names[i]);
        if (*names[i])
            m.w->name = m.gemm->input[1] = text_of(a, names[i]);
        got = taken(&m); /* prints, parses and prints again */
        imported_free(&got);
        arena_free(a);
    }
}

Test(onnx_graph, inputs_of_other_batches_are_taken_as_they_are)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *sum = add_node(&m, "Add", "third", "z");
    Imported got;

    APPEND(&m, m.graph, input,
           value_info(&m, "other", 2, (int64_t[]){1, 4}));
    reads(&m, sum, "y");
    reads(&m, sum, "other");
    m.graph->output[0] = value_info(&m, "z", 2, (int64_t[]){2, 4});
    got = taken(&m);
    run_once(&got);
    imported_free(&got);
    arena_free(a);
}
