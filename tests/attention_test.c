/* attention_test: attention and its gradient: against the plain formula, by
   central differences, rows without keys, and what is refused. */
#include "tests/attention_test.h"

#include <math.h>

/* ---- the plain formula -------------------------------------------------- */

/* Element [b,h,i,j] of a tensor that broadcasts to the scores. */
static double
bias_at(const Tensor *t, const int64_t *at)
{
    int64_t index = 0;

    for (int i = 0; i < t->type.rank; i++) {
        int64_t dim = t->type.dim[i];

        index = index * dim + (dim == 1 ? 0 : at[4 - t->type.rank + i]);
    }
    return tensor_get(t, index);
}

static double
score(const Form *f, const Tensor *in, int64_t b, int64_t h, int64_t i,
      int64_t j)
{
    int64_t group = h / (f->heads / f->groups);
    int64_t qi = ((b * f->heads + h) * f->queries + i) * f->depth;
    int64_t kj = ((b * f->groups + group) * f->keys + j) * f->depth;
    double s = 0;

    for (int64_t d = 0; d < f->depth; d++)
        s += tensor_get(&in[0], qi + d) * tensor_get(&in[1], kj + d);
    s *= f->scale;
    if (f->bias)
        s += bias_at(&in[3], (int64_t[]){b, h, i, j});
    return f->causal && j > i + f->keys - f->queries ? -HUGE_VAL : s;
}

/* y[b,h,i,:] and the logarithm of the row's sum. */
static double
plain_row(const Form *f, const Tensor *in, int64_t b, int64_t h, int64_t i,
          double *y)
{
    int64_t group = h / (f->heads / f->groups);
    double top = -HUGE_VAL, sum = 0;

    memset(y, 0, (size_t)f->width * sizeof *y);
    for (int64_t j = 0; j < f->keys; j++)
        top = fmax(top, score(f, in, b, h, i, j));
    if (top == -HUGE_VAL)
        return top;
    for (int64_t j = 0; j < f->keys; j++) {
        double p = exp(score(f, in, b, h, i, j) - top);
        int64_t vj = ((b * f->groups + group) * f->keys + j) * f->width;

        sum += p;
        for (int64_t e = 0; e < f->width; e++)
            y[e] += p * tensor_get(&in[2], vj + e);
    }
    for (int64_t e = 0; e < f->width; e++)
        y[e] /= sum;
    return top + log(sum);
}

static void
expect_near(double got, double want, double most, const char *what)
{
    cr_assert((isinf(want) && got == want) ||
                  fabs(got - want) <= most * (1 + fabs(want)),
              "%s: %.17g, not %.17g", what, got, want);
}

static void
check_plain(const Form *f, double most)
{
    char text[2048];
    Small s;
    double *y;

    form_text(f, false, text, sizeof text);
    s = small_run("%s", text);
    y = NEWN(s.arena, double, f->width + 1);
    for (int64_t row = 0; row < f->batch * f->heads * f->queries; row++) {
        double log =
            plain_row(f, s.in, row / f->queries / f->heads,
                      row / f->queries % f->heads, row % f->queries, y);

        expect_near(tensor_get(&s.out[1], row), log, most, text);
        for (int64_t e = 0; e < f->width; e++)
            expect_near(tensor_get(&s.out[0], row * f->width + e), y[e], most,
                        text);
    }
    small_free(&s);
}

Test(attention, is_the_plain_formula)
{
    for (size_t i = 0; i < form_count; i++) {
        Form f = forms[i];

        f.dtype = "f64";
        check_plain(&f, 1e-13);
        f.dtype = "f32";
        check_plain(&f, 2e-6);
    }
}

/* ---- gradients ---------------------------------------------------------- */

static double
weight(int64_t i)
{
    return cos((double)i);
}

static double
objective(const Small *s)
{
    double sum = 0;

    eval_graph(s->arena, s->graph, NULL, s->in, s->out);
    for (int64_t i = 0; i < type_elements(&s->out[0].type); i++)
        sum += weight(i) * tensor_get(&s->out[0], i);
    return sum;
}

/* The gradient of operand p at element i by central differences. */
static double
difference(const Small *s, int p, int64_t i)
{
    double x = tensor_get(&s->in[p], i), high, low;

    tensor_set(&s->in[p], i, x + 1e-6);
    high = objective(s);
    tensor_set(&s->in[p], i, x - 1e-6);
    low = objective(s);
    tensor_set(&s->in[p], i, x);
    return (high - low) / 2e-6;
}

/* Outputs become the gradients of q, k and v; its last input is g. */
static Graph *
gradient_graph(const Small *s)
{
    Graph *d = graph_clone(s->graph, "gradient");
    NodeId n = d->order[0];
    ValueId dy[2] = {
        graph_input(d, "g", value_at(d, node_at(d, n)->out[0])->type), 0};
    ValueId dx[4] = {0};
    bool want[4] = {true, true, true, false};
    Builder b = {.g = d, .phase = 'b'};

    op_rules(OP_attention)->grad(&b, n, dy, want, dx);
    d->output = NULL;
    for (int i = 0; i < 3; i++)
        vec_push(s->arena, d->output, dx[i]);
    return d;
}

static void
check_gradient(const Form *f)
{
    char text[2048];
    Small s;
    Graph *d;
    Tensor *in, dx[3];
    size_t inputs;

    form_text(f, false, text, sizeof text);
    s = small_run("%s", text);
    d = gradient_graph(&s);
    inputs = vec_len(s.graph->input);
    in = NEWN(s.arena, Tensor, inputs + 1);
    memcpy(in, s.in, inputs * sizeof *in);
    in[inputs] = tensor_new(s.arena, s.out[0].type);
    for (int64_t i = 0; i < type_elements(&s.out[0].type); i++)
        tensor_set(&in[inputs], i, weight(i));
    eval_graph(s.arena, d, NULL, in, dx);
    for (int p = 0; p < 3; p++)
        for (int64_t i = 0; i < type_elements(&dx[p].type);
             i += 1 + type_elements(&dx[p].type) / 50)
            expect_near(tensor_get(&dx[p], i), difference(&s, p, i), 1e-7,
                        text);
    small_free(&s);
}

Test(attention, gradients_are_differences)
{
    for (size_t i = 0; i < form_count; i++) {
        Form f = forms[i];

        f.dtype = "f64";
        check_gradient(&f);
    }
}

/* ---- PyTorch ------------------------------------------------------------- */

static const Form torch_forms[] = {
    {"f64", 1, 2, 2, 4, 4, 3, 3, 0.5, 1, NULL},
    {"f64", 1, 2, 1, 3, 5, 4, 2, 0.5, 0, NULL},
    {"f64", 2, 4, 2, 2, 3, 2, 2, 0.5, 0, "[2,3]"},
};

static const double torch_results[] = {
#include "tests/attention_test_torch.inc"
};

/* Which operand of tests/reference/attention.py an input is. */
static int
operand_number(const char *name)
{
    static const char letters[] = "qkvgb";

    return (int)(strchr(letters, *name) - letters);
}

Test(attention, is_pytorchs)
{
    const double *want = torch_results;

    for (size_t k = 0; k < sizeof torch_forms / sizeof *torch_forms; k++) {
        char text[4096];
        Small s;

        form_text(&torch_forms[k], true, text, sizeof text);
        s = small_run("%s", text);
        for (size_t p = 0; p < vec_len(s.graph->input); p++) {
            Sym name = value_at(s.graph, s.graph->input[p])->name;

            for (int64_t i = 0; i < type_elements(&s.in[p].type); i++)
                tensor_set(&s.in[p], i,
                           sin(0.7 * (double)i + operand_number(name)));
        }
        eval_graph(s.arena, s.graph, NULL, s.in, s.out);
        for (int r = 0; r < 5; r++)
            for (int64_t i = 0; r != 1 && i < type_elements(&s.out[r].type);
                 i++)
                expect_near(tensor_get(&s.out[r], i), *want++, 1e-13, text);
        small_free(&s);
    }
    cr_assert_eq(want - torch_results,
                 sizeof torch_results / sizeof *torch_results);
}

/* ---- rows without keys -------------------------------------------------- */

/* Queries before the first key, and rows that the bias masks: zeros, -inf,
   and no gradient. */
Test(attention, rows_without_keys)
{
    Form f = {"f64", 1, 1, 1, 5, 3, 2, 2, 0.5, 1, ""};
    char text[2048];
    Small s;

    form_text(&f, true, text, sizeof text);
    s = small_run("%s", text);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(tensor_get(&s.out[1], i), -HUGE_VAL);
        for (int e = 0; e < 2; e++) {
            cr_assert_eq(tensor_get(&s.out[0], 2 * i + e), 0);
            cr_assert_eq(tensor_get(&s.out[2], 2 * i + e), 0);
        }
    }
    for (int64_t i = 0; i < 6; i++)
        cr_assert(isfinite(tensor_get(&s.out[3], i)) &&
                  isfinite(tensor_get(&s.out[4], i)));
    small_free(&s);
}

Test(attention, bias_masks_a_row)
{
    Small s = small_run(
        "input %%q : f32[1,1,2,3]\ninput %%k : f32[1,1,70,3]\n"
        "input %%v : f32[1,1,70,2]\ninput %%g : f32[1,1,2,2]\n"
        "f %%i = iota axis=0 : f32[2,70]\n"
        "f %%b = map %%i \"where(a==1,-inf,0)\" : f32[2,70]\n"
        "f %%y, %%s = attention %%q, %%k, %%v, %%b scale=1 causal=0 : "
        "f32[1,1,2,2], f32[1,1,2]\n"
        "b %%dq, %%dk, %%dv = attention_grad %%q, %%k, %%v, %%y, %%s, %%g, "
        "%%b scale=1 causal=0 : f32[1,1,2,3], f32[1,1,70,3], f32[1,1,70,2]\n"
        "output %%y\noutput %%s\noutput %%dq\noutput %%dk\n");

    cr_assert_neq(tensor_get(&s.out[0], 0), 0);
    cr_assert_eq(tensor_get(&s.out[0], 2), 0);
    cr_assert_eq(tensor_get(&s.out[1], 1), -HUGE_VAL);
    cr_assert_neq(tensor_get(&s.out[2], 0), 0);
    cr_assert_eq(tensor_get(&s.out[2], 3), 0);
    for (int64_t i = 0; i < 210; i++)
        cr_assert(isfinite(tensor_get(&s.out[3], i)));
    small_free(&s);
}

/* ---- what is refused ---------------------------------------------------- */

#define OF(q, k, v, attributes)                                       \
    "input %q : " q "\ninput %k : " k "\ninput %v : " v "\n"          \
    "f %y, %s = attention %q, %k, %v " attributes " : f32[], f32[]\n" \
    "output %y\n"

Test(attention, refuses)
{
    small_refused("q is f32[2,4]", OF("f32[2,4]", "f32[1,1,2,4]",
                                      "f32[1,1,2,4]", "scale=1 causal=0"));
    small_refused("k is f64", OF("f32[1,1,2,4]", "f64[1,1,2,4]", "f32[1,1,2,4]",
                                 "scale=1 causal=0"));
    small_refused("works on f32", OF("i64[1,1,2,4]", "i64[1,1,2,4]",
                                     "i64[1,1,2,4]", "scale=1 causal=0"));
    small_refused("do not go together", OF("f32[1,1,2,4]", "f32[1,1,2,5]",
                                           "f32[1,1,2,4]", "scale=1 causal=0"));
    small_refused("do not go together", OF("f32[1,1,2,4]", "f32[1,1,2,4]",
                                           "f32[1,1,3,4]", "scale=1 causal=0"));
    small_refused("cannot share", OF("f32[1,3,2,4]", "f32[1,2,2,4]",
                                     "f32[1,2,2,4]", "scale=1 causal=0"));
    small_refused("cannot share", OF("f32[1,3,2,4]", "f32[1,0,2,4]",
                                     "f32[1,0,2,4]", "scale=1 causal=0"));
    small_refused("causal is 0 or 1", OF("f32[1,1,2,4]", "f32[1,1,2,4]",
                                         "f32[1,1,2,4]", "scale=1 causal=2"));
    small_refused("not finite", OF("f32[1,1,2,4]", "f32[1,1,2,4]",
                                   "f32[1,1,2,4]", "scale=inf causal=0"));
    small_refused("too large", OF("f32[1,1,1000000000000,0]", "f32[1,1,0,0]",
                                  "f32[1,1,0,1000000000]", "scale=1 causal=0"));
}

Test(attention, refuses_other_biases)
{
    small_refused(
        "does not broadcast",
        "input %q : f32[1,1,2,4]\ninput %b : f32[2,3]\n"
        "f %y, %s = attention %q, %q, %q, %b scale=1 causal=0 : f32[], f32[]\n"
        "output %y\n");
    small_refused(
        "at most one bias",
        "input %q : f32[1,1,2,4]\ninput %b : f32[2,2]\n"
        "f %y, %s = attention %q, %q, %q, %b, %b scale=1 causal=0 : f32[], "
        "f32[]\noutput %y\n");
    small_refused(
        "stats is f32[1,1,3]",
        "input %q : f32[1,1,2,4]\ninput %s : f32[1,1,3]\n"
        "b %a, %b, %c = attention_grad %q, %q, %q, %q, %s, %q scale=1 "
        "causal=0 : f32[], f32[], f32[]\noutput %a\n");
}

/* What grad says of a bias that wants a gradient, and of one for stats. */
Test(attention, no_gradient_of_bias_and_stats)
{
    Form f = forms[1];
    char text[2048];
    Small s;

    f.dtype = "f64";
    form_text(&f, false, text, sizeof text);
    s = small_run("%s", text);
    for (int which = 0; which < 2; which++) {
        Graph *d = graph_clone(s.graph, "gradient");
        NodeId n = d->order[0];
        ValueId dy[2] = {node_at(d, n)->out[0],
                         which ? node_at(d, n)->out[1] : 0};
        ValueId dx[4];
        bool want[4] = {true, true, true, true};
        Builder b = {.g = d, .phase = 'b'};
        static Guard guard;

        if (guarded(&guard)) {
            char *problems;

            op_rules(OP_attention)->grad(&b, n, dy, want, dx);
            problems = diag_text(&guard);
            cr_assert(strstr(problems, which ? "stats has no gradient"
                                             : "the bias has no gradient"));
            free(problems);
            guard_leave(&guard);
        }
    }
    small_free(&s);
}
