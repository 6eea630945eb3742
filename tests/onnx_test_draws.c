/* onnx_test_draws: operators that draw numbers: what they draw has the moments
   it should have, is the same every time outside of training, and differs from
   node to node and from step to step in training. */
#include "tests/onnx_test_model.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(onnx_draws, .init = enter_folder, .fini = leave_folder);

enum { DRAWN = 20000 };

static void
set_float(Model *m, Onnx__NodeProto *n, const char *name, double x)
{
    Onnx__AttributeProto *p = add_attribute(m, n, name, 1);

    p->has_f = 1;
    p->f = (float)x;
}

/* A model whose only node is `op`, of the shape [200, 100] where it has none
   from its input x. */
static Onnx__NodeProto *
only_draws(Model *m, const char *op, bool like)
{
    Onnx__NodeProto *n;

    m->model->opset_import[0]->version = 22;
    m->graph->n_node = m->graph->n_input = m->graph->n_output = 0;
    m->graph->n_initializer = 0;
    n = add_node(m, op, "draw", "y");
    if (like) {
        APPEND(m, m->graph, input,
               value_info(m, "x", 2, (int64_t[]){200, 100}));
        reads(m, n, "x");
    } else
        set_ints(m, n, "shape", 2, (int64_t[]){200, 100});
    m->y = value_info(m, "y", 2, (int64_t[]){200, 100});
    APPEND(m, m->graph, output, m->y);
    return n;
}

static Tensor
filled(Arena *a, int rank, const int64_t *dim, double x)
{
    Tensor t;
    Type type;

    cr_assert(type_make(DT_F32, rank, dim, &type));
    t = tensor_new(a, type);
    for (int64_t i = 0; i < type_elements(&type); i++)
        tensor_set(&t, i, x);
    return t;
}

/* The mean of x^power. */
static double
moment(const Tensor *t, double about, int power)
{
    double sum = 0;

    for (int64_t i = 0; i < type_elements(&t->type); i++)
        sum += pow(tensor_get(t, i) - about, power);
    return sum / (double)type_elements(&t->type);
}

static void
check_moments(Model *m, double x, double mean, double variance, double fourth)
{
    Bytes b = packed(m);
    Imported got = import_bytes(b.at, b.size);
    Tensor in = filled(m->a, 2, (int64_t[]){200, 100}, x), *out, *again;

    cr_assert(got.module, "%s", got.problems);
    out = run_forward(&got, &in);
    again = run_forward(&got, &in);
    cr_assert(out && again);
    cr_expect_eq(type_elements(&out->type), DRAWN);
    cr_expect(fabs(moment(out, 0, 1) - mean) < 0.03, "mean %g",
              moment(out, 0, 1));
    cr_expect(fabs(moment(out, mean, 2) - variance) < 0.03 * (1 + variance),
              "variance %g", moment(out, mean, 2));
    cr_expect(fabs(moment(out, mean, 4) - fourth) < 0.06 * (1 + fourth),
              "fourth moment %g", moment(out, mean, 4));
    cr_expect_arr_eq(out->data, again->data, (size_t)type_bytes(&out->type));
    imported_free(&got);
}

Test(onnx_draws, normal)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *n = only_draws(&m, "RandomNormal", false);

    set_float(&m, n, "mean", -1);
    set_float(&m, n, "scale", 1.5);
    check_moments(&m, 0, -1, 2.25, 3 * 2.25 * 2.25);
    arena_free(a);
}

Test(onnx_draws, normal_like)
{
    Arena *a = arena_new();
    Model m = good_model(a);

    only_draws(&m, "RandomNormalLike", true);
    check_moments(&m, 0, 0, 1, 3);
    arena_free(a);
}

Test(onnx_draws, uniform)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *n = only_draws(&m, "RandomUniform", false);

    set_float(&m, n, "low", -1);
    set_float(&m, n, "high", 2);
    check_moments(&m, 0, 0.5, 0.75, 81.0 / 80);
    arena_free(a);
}

Test(onnx_draws, uniform_like)
{
    Arena *a = arena_new();
    Model m = good_model(a);

    only_draws(&m, "RandomUniformLike", true);
    check_moments(&m, 0, 0.5, 1.0 / 12, 1.0 / 80);
    arena_free(a);
}

Test(onnx_draws, bernoulli)
{
    Arena *a = arena_new();
    Model m = good_model(a);

    only_draws(&m, "Bernoulli", true);
    check_moments(&m, 0.25, 0.25, 0.1875, 0.25 * 0.75 * 0.4375);
    arena_free(a);
}

/* Log-probabilities of four classes: 0, 1/2, 1/8, 3/8. */
Test(onnx_draws, multinomial)
{
    static const double part[] = {0, 0.5, 0.125, 0.375};
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *n = only_draws(&m, "Multinomial", true);
    Tensor in = filled(a, 2, (int64_t[]){2, 4}, 0), *out;
    double count[4] = {0};
    Imported got;
    Bytes b;

    m.graph->input[0] = value_info(&m, "x", 2, (int64_t[]){2, 4});
    m.graph->output[0] = value_info(&m, "y", 2, (int64_t[]){2, 10000});
    m.graph->output[0]->type->tensor_type->elem_type = 6;
    set_int(&m, n, "sample_size", 10000);
    for (int i = 0; i < 8; i++)
        tensor_set(&in, i, part[i % 4] > 0 ? log(part[i % 4]) + i / 4 : -200);
    b = packed(&m);
    got = import_bytes(b.at, b.size);
    cr_assert(got.module, "%s", got.problems);
    out = run_forward(&got, &in);
    cr_assert(out, "%s", got.problems);
    for (int64_t i = 0; i < type_elements(&out->type); i++)
        count[tensor_get_integer(out, i) & 3]++;
    for (int i = 0; i < 4; i++)
        cr_expect(fabs(count[i] / 20000 - part[i]) < 0.02, "class %d: %g", i,
                  count[i]);
    imported_free(&got);
    arena_free(a);
}

/* The draws of two nodes in training, at two steps. */
Test(onnx_draws, differ)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *n = only_draws(&m, "RandomUniform", false);
    Tensor seed = tensor_new(a, type_scalar(DT_I64)), out[2], later[2];
    Imported got;
    Stores s;
    Bytes b;
    Graph *g;

    n = add_node(&m, "RandomUniform", "draw again", "z");
    set_ints(&m, n, "shape", 2, (int64_t[]){200, 100});
    APPEND(&m, m.graph, output, value_info(&m, "z", 2,
                                           (int64_t[]){200, 100}));
    b = packed(&m);
    got = import_bytes(b.at, b.size);
    cr_assert(got.module, "%s", got.problems);
    g = module_entry(got.module, "forward_train");
    cr_assert(g);
    cr_assert(eval_init_stores(a, got.module, &s));
    eval_graph(a, g, &s, &seed, out);
    eval_graph(a, g, &s, &seed, later);
    cr_expect(memcmp(out[0].data, out[1].data, 4000) != 0);
    cr_expect(memcmp(out[0].data, later[0].data, 4000) != 0);
    cr_expect(fabs(moment(&later[1], 0, 1) - 0.5) < 0.02);
    imported_free(&got);
    arena_free(a);
}

/* A mask that the model reads says what dropout keeps. */
Test(onnx_draws, dropout_mask)
{
    Arena *a = arena_new();
    Model m = good_model(a);
    Onnx__NodeProto *n = only_draws(&m, "Dropout", true);
    Tensor in[2] = {filled(a, 2, (int64_t[]){200, 100}, 3)}, out[2];
    int64_t kept = 0;
    Imported got;
    Stores s;
    Bytes b;

    APPEND(&m, n, output, text_of(a, "mask"));
    APPEND(&m, m.graph, output, value_info(&m, "mask", 2,
                                           (int64_t[]){200, 100}));
    m.graph->output[1]->type->tensor_type->elem_type = 9;
    b = packed(&m);
    got = import_bytes(b.at, b.size);
    cr_assert(got.module, "%s", got.problems);
    in[1] = tensor_new(a, type_scalar(DT_I64));
    cr_assert(eval_init_stores(a, got.module, &s));
    eval_graph(a, module_entry(got.module, "forward_train"), &s, in, out);
    for (int64_t i = 0; i < DRAWN; i++) {
        bool keeps = tensor_get(&out[1], i) != 0;

        kept += keeps;
        cr_assert_float_eq(tensor_get(&out[0], i), keeps ? 6 : 0, 1e-6);
    }
    cr_expect(llabs((long long)kept - DRAWN / 2) < 300, "%lld",
              (long long)kept);
    imported_free(&got);
    arena_free(a);
}
