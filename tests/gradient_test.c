/* gradient_test: gradients of whole small models against central finite
   differences in f64, through the passes loss and grad and the interpreter. */
#include "ir/eval.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "tests/loss.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

typedef struct Model {
    const char *name, *loss, *text;
} Model;

static const Model models[] = {
    {"mlp", "cross-entropy",
     "param %w1 : f64[5,6] = random 1 0.7\n"
     "param %b1 : f64[6] = random 2 0.7\n"
     "param %w2 : f64[4,6] = random 3 0.7\n"
     "graph forward {\n"
     "input %x : f64[3,5]\n"
     "f %h = contract %x, %w1 labels=\"mk,kn->mn\" split=1 : f64[3,6]\n"
     "f %hb = add %h, %b1 : f64[3,6]\n"
     "f %a = tanh %hb : f64[3,6]\n"
     "f %y = contract %a, %w2 labels=\"mk,nk->mn\" split=1 : f64[3,4]\n"
     "output %y\n}\n"},
    {"shared weight, residual, gelu", "mse",
     "param %w : f64[5,5] = random 4 0.7\n"
     "param %s : f64[] = 0.5\n"
     "graph forward {\n"
     "input %x : f64[3,5]\n"
     "f %h = contract %x, %w labels=\"mk,kn->mn\" split=1 : f64[3,5]\n"
     "f %a = gelu %h : f64[3,5]\n"
     "f %b = add %a, %x : f64[3,5]\n"
     "f %c = contract %b, %w labels=\"mk,nk->mn\" split=1 : f64[3,5]\n"
     "f %d = mul %c, %s : f64[3,5]\n"
     "f %y = map %d, %b \"a*sigmoid(b)+a\" : f64[3,5]\n"
     "output %y\n}\n"},
    {"convolution, mean pooling", "cross-entropy",
     "param %k : f64[3,2,3,3] = random 5 0.5\n"
     "param %b : f64[3,1,1] = random 6 0.5\n"
     "param %w : f64[12,4] = random 7 0.5\n"
     "graph forward {\n"
     "input %x : f64[2,2,5,5]\n"
     "f %c = conv %x, %k strides=[1,1] pads=[0,1,1,0] dilations=[1,1] "
     "groups=1 : f64[2,3,4,4]\n"
     "f %cb = add %c, %b : f64[2,3,4,4]\n"
     "f %a = tanh %cb : f64[2,3,4,4]\n"
     "f %p = window %a op=\"mean\" kernel=[2,2] strides=[2,2] pads=[0,0,0,0] "
     "dilations=[1,1] count_pad=0 : f64[2,3,2,2]\n"
     "f %v = view %p : f64[2,12]\n"
     "f %y = contract %v, %w labels=\"mk,kn->mn\" split=1 : f64[2,4]\n"
     "output %y\n}\n"},
    {"strided convolution, max pooling, relu", "bce",
     "param %k : f64[2,1,2,2] = random 8 0.8\n"
     "param %w : f64[8,1] = random 9 0.8\n"
     "graph forward {\n"
     "input %x : f64[2,1,6,6]\n"
     "f %c = conv %x, %k strides=[1,1] pads=[0,0,0,0] dilations=[1,1] "
     "groups=1 : f64[2,2,5,5]\n"
     "f %p = window %c op=\"max\" kernel=[3,3] strides=[2,2] pads=[0,0,0,0] "
     "dilations=[1,1] count_pad=0 : f64[2,2,2,2]\n"
     "f %r = softplus %p : f64[2,2,2,2]\n"
     "f %v = view %r : f64[2,8]\n"
     "f %y = contract %v, %w labels=\"mk,kn->mn\" split=1 : f64[2,1]\n"
     "output %y\n}\n"},
    {"softmax spelled out, transpose", "mse",
     "param %w : f64[4,4] = random 10 0.9\n"
     "graph forward {\n"
     "input %x : f64[3,4]\n"
     "f %t = transpose %w perm=[1,0] : f64[4,4]\n"
     "f %h = contract %x, %t labels=\"mk,kn->mn\" split=1 : f64[3,4]\n"
     "f %m = reduce %h op=\"max\" axes=[1] : f64[3,1]\n"
     "f %z = sub %h, %m : f64[3,4]\n"
     "f %e = exp %z : f64[3,4]\n"
     "f %s = reduce %e op=\"sum\" axes=[1] : f64[3,1]\n"
     "f %y = div %e, %s : f64[3,4]\n"
     "output %y\n}\n"},
    {"embedding, columns gathered and scattered", "cross-entropy",
     "param %e : f64[5,4] = random 11 0.9\n"
     "const %k : i32[3] = [-1,0,-1]\n"
     "graph forward {\n"
     "input %i : i64[3,2]\n"
     "f %x = gather %e, %i axis=0 : f64[3,2,4]\n"
     "f %t = tanh %x : f64[3,2,4]\n"
     "f %c = gather %t, %k axis=2 : f64[3,2,3]\n"
     "f %s = scatter %c, %k op=\"add\" axis=2 : f64[3,2,4]\n"
     "f %q = map %s, %t \"a*a+b\" : f64[3,2,4]\n"
     "f %r = reduce %q op=\"sum\" axes=[1] : f64[3,1,4]\n"
     "f %y = view %r : f64[3,4]\n"
     "output %y\n}\n"},
};

static void
fill_inputs(Arena *a, const Graph *g, Tensor *in)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = &g->value[g->input[i]];
        bool classes = v->type.dtype == DT_I64;

        in[i] = tensor_new(a, v->type);
        for (int64_t k = 0; k < type_elements(&v->type); k++)
            tensor_set(&in[i], k,
                       classes ? (double)((k * 2 + 1) % 4)
                       : strcmp(v->name, "labels") == 0
                           ? (double)(k % 2)
                           : sin((double)k * 1.3 + 0.4));
    }
}

static void
check_gradient(const Model *model, const Graph *g, Stores *s, uint32_t store,
               const Tensor *in, const Tensor *gradient)
{
    Tensor *w = &s->tensor[store];
    const double eps = 1e-6;

    for (int64_t i = 0; i < type_elements(&w->type); i++) {
        double x = tensor_get(w, i), up, down, expected, found;

        tensor_set(w, i, x + eps);
        up = loss_with(g, s, in);
        tensor_set(w, i, x - eps);
        down = loss_with(g, s, in);
        tensor_set(w, i, x);
        expected = (up - down) / (2 * eps);
        found = tensor_get(gradient, i);
        cr_assert(fabs(found - expected) <= 1e-7 + 1e-5 * fabs(expected),
                  "%s: %s[%lld]: %.12g, expected %.12g", model->name,
                  g->module->store[store].name, (long long)i, found, expected);
    }
}

static void
check_model(const Model *model)
{
    Arena *a = arena_new();
    Text t = text_new(a), passes = text_new(a);
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    Tensor in[3], *out;
    Module *m;
    Graph *g;
    Stores s;

    text_add(&t, "snug 1 stage=model\nmodule \"m\"\n%s", model->text);
    text_add(&passes, "fold,cse,dce,loss{kind=%s},grad,cse,dce", model->loss);
    m = parse_module(a, text_str(&t), "gradient_test");
    raise_if_complained();
    pipeline_run(m, text_str(&passes), &o);
    g = module_entry(m, "train");
    cr_assert(eval_init_stores(a, m, &s));
    fill_inputs(a, g, in);
    out = NEWN(a, Tensor, vec_len(g->output));
    eval_graph(a, g, &s, in, out);
    for (size_t i = 1; i < vec_len(g->output); i++) {
        const char *name = g->value[g->output[i]].name;

        check_gradient(model, g, &s,
                       module_store(m, sym_n(m->syms, name, strlen(name) - 2)),
                       in, &out[i]);
    }
    arena_free(a);
}

Test(gradient, equals_finite_differences)
{
    Guard guard;

    if (guarded(&guard)) {
        for (size_t i = 0; i < sizeof models / sizeof *models; i++)
            check_model(&models[i]);
        guard_leave(&guard);
        return;
    }
    diag_print(&guard, stderr);
    cr_assert_fail("problems were raised");
}
