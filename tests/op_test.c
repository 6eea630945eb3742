/* op_test: walks op.def; no row needs a line here. A MAP row's gradient is
   held against central differences in f64, its text against its parse, its f32
   value against its f64 value. Structured ops run in a graph, from one table of
   configurations. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/base/vec.h"
#include "ir/eval.h"
#include "ir/expr_rows.h"
#include "ir/text.h"

enum { POINTS = 40, MOST_INPUTS = 3 };

static const double step = 1e-6, relative = 1e-3, absolute = 1e-5;

static const DType all_f64[MOST_INPUTS + 2] = {DT_F64, DT_F64, DT_F64, DT_F64,
                                               DT_F64};

/* -- MAP rows ------------------------------------------------------------- */

static double
value(Arena *a, const Formula *typed, const double *x)
{
    Scalar in[MOST_INPUTS + 2], out;

    for (size_t i = 0; i < vec_len(typed->input); i++)
        in[i].f64 = x[i];
    formula_eval(typed, in, &out, NEWN(a, Scalar, vec_len(typed->node)));
    return out.f64;
}

/* Result r of f, in f64. */
static Formula *
one_result(Arena *a, const Formula *f, size_t r)
{
    Formula one = *f;

    one.result = NULL;
    vec_push(a, one.result, f->result[r]);
    return formula_typed(a, &one, all_f64, all_f64, NOWHERE);
}

/* In (0.2, 1.7), no two equal, none near a multiple of a half; every other
   point has signs. */
static void
point(int k, int n, double *x)
{
    for (int i = 0; i < n; i++) {
        double t = fmod((k * 7 + i * 3 + 1) * 0.6180339887498949, 1);

        x[i] = 0.2 + 1.5 * t;
        if (fabs(2 * x[i] - rint(2 * x[i])) < 0.02)
            x[i] += 0.03;
        if (k % 2 && (k / 2 + i) % 2)
            x[i] = -x[i];
    }
}

static double
difference(Arena *a, const Formula *typed, const double *x, int i)
{
    double y[MOST_INPUTS], low, high;

    memcpy(y, x, sizeof y);
    y[i] = x[i] + step;
    high = value(a, typed, y);
    y[i] = x[i] - step;
    low = value(a, typed, y);
    return (high - low) / (2 * step);
}

static bool
close_to(double got, double want)
{
    return fabs(got - want) <= absolute + relative * fabs(want);
}

/* The gradient of input i at x by the row, g = 1. */
static double
row_gradient(Arena *a, Op op, int i, const double *x)
{
    int n = op_info(op)->inputs;
    double all[MOST_INPUTS + 2];

    memcpy(all, x, (size_t)n * sizeof *x);
    all[n] = value(a, one_result(a, op_formula(op), 0), x);
    all[n + 1] = 1;
    return value(a, one_result(a, op_gradients(op), (size_t)i), all);
}

static double
chain_gradient(Arena *a, Syms *s, Op op, int i, const double *x)
{
    int n = op_info(op)->inputs;
    Formula *d = formula_gradient(a, s, op_formula(op), i);
    double all[MOST_INPUTS + 1];

    if (!d)
        return 0;
    memcpy(all, x, (size_t)n * sizeof *x);
    all[n] = 1;
    return value(a, one_result(a, d, 0), all);
}

static void
check_point(Op op, Syms *s, const double *x)
{
    Arena *a = arena_new();
    const OpInfo *o = op_info(op);
    const Formula *f = one_result(a, op_formula(op), 0);
    bool detached = op == OP_detach; /* by its very meaning */

    for (int i = 0; i < o->inputs && isfinite(value(a, f, x)); i++) {
        double want = detached ? 0 : difference(a, f, x, i);
        double got = row_gradient(a, op, i, x);
        double chain = chain_gradient(a, s, op, i, x);

        if (!isfinite(want))
            continue;
        cr_expect(close_to(got, want), "%s: gradient %d at %g is %g, not %g",
                  o->name, i, x[0], got, want);
        cr_expect(detached || close_to(chain, want),
                  "%s: chain rule %d at %g is %g, not %g", o->name, i, x[0],
                  chain, want);
    }
    arena_free(a);
}

Test(op, gradients_of_rows)
{
    Arena *a = arena_new();
    Syms *s = syms_new(a);

    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        for (int k = 0; op_info(op)->value && k < POINTS; k++) {
            double x[MOST_INPUTS] = {0};

            point(k, op_info(op)->inputs, x);
            check_point(op, s, x);
        }
    arena_free(a);
}

static void
check_text(Arena *a, Syms *s, const char *name, const Formula *f)
{
    const char *once = formula_print(a, f);
    const Formula *again = formula_parse(a, s, once, NULL,
                                         (int)vec_len(f->input), NOWHERE);

    cr_assert(again, "%s: %s", name, once);
    cr_expect_str_eq(formula_print(a, again), once);
}

Test(op, text_of_rows)
{
    Arena *a = arena_new();
    Syms *s = syms_new(a);

    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        if (op_info(op)->value) {
            check_text(a, s, op_info(op)->name, op_formula(op));
            check_text(a, s, op_info(op)->name, op_gradients(op));
        }
    for (int i = 0; i < math_count(); i++) {
        check_text(a, s, math_row(i)->name, math_formula(i, DT_F32));
        check_text(a, s, math_row(i)->name, math_formula(i, DT_F64));
        check_text(a, s, math_row(i)->name, math_gradients(i));
    }
    arena_free(a);
}

static double
value32(Arena *a, const Formula *f, const double *x)
{
    static const DType f32[MOST_INPUTS] = {DT_F32, DT_F32, DT_F32};
    const Formula *typed = formula_typed(a, f, f32, f32, NOWHERE);
    Scalar in[MOST_INPUTS], out;

    for (size_t i = 0; i < vec_len(f->input); i++)
        in[i].f32 = (float)x[i];
    formula_eval(typed, in, &out, NEWN(a, Scalar, vec_len(typed->node)));
    return (double)out.f32;
}

Test(op, f32_is_near_f64)
{
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++)
        for (int k = 0; op_info(op)->value && k < POINTS; k++) {
            Arena *a = arena_new();
            double x[MOST_INPUTS] = {0}, wide, narrow;

            point(k, op_info(op)->inputs, x);
            for (int i = 0; i < MOST_INPUTS; i++)
                x[i] = (double)(float)x[i];
            wide = value(a, one_result(a, op_formula(op), 0), x);
            narrow = value32(a, op_formula(op), x);
            cr_expect((isnan(wide) && isnan(narrow)) ||
                          fabs(wide - narrow) <= 2e-6 * (1 + fabs(wide)),
                      "%s at %g is %g in f32, %g in f64", op_info(op)->name,
                      x[0], narrow, wide);
            arena_free(a);
        }
}

/* -- structured ops ------------------------------------------------------- */

/* One node on parameters %a, %b, ... and indices %i, one of them twice: the
   gradient of sum(y * weights). */
typedef struct Case {
    const char *params; /* types, space separated */
    const char *node;   /* "op operands attributes : type" */
} Case;

static const Case cases[] = {
    {"[3,4] [4,5]", "contract %a, %b labels=\"mk,kn->mn\" split=1 : f64[3,5]"},
    {"[4,3] [5,4]", "contract %a, %b labels=\"km,nk->mn\" split=1 : f64[3,5]"},
    {"[2,3,4] [2,4,5]",
     "contract %a, %b labels=\"bmk,bkn->bmn\" split=1 : f64[2,3,5]"},
    {"[2,3,2] [4,2,3]",
     "contract %a, %b labels=\"mkl,nlk->mn\" split=1 : f64[2,4]"},
    {"[2,5] [5]", "contract %a, %b labels=\"mk,k->m\" split=2 : f64[2]"},
    {"[2,3,5,5] [4,3,3,3]",
     "conv %a, %b strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1 "
     ": f64[2,4,5,5]"},
    {"[1,4,6,7] [4,2,3,2]",
     "conv %a, %b strides=[2,1] pads=[1,0,0,1] dilations=[1,2] groups=2 "
     ": f64[1,4,3,6]"},
    {"[2,2,5,5]",
     "window %a op=\"max\" kernel=[2,2] strides=[1,2] pads=[0,1,0,0] "
     "dilations=[1,1] count_pad=0 : f64[2,2,4,3]"},
    {"[1,2,5,4]",
     "window %a op=\"mean\" kernel=[3,2] strides=[2,1] pads=[1,1,1,0] "
     "dilations=[1,1] count_pad=0 : f64[1,2,3,4]"},
    {"[1,2,5,4]",
     "window %a op=\"mean\" kernel=[3,2] strides=[2,1] pads=[1,1,1,0] "
     "dilations=[1,1] count_pad=1 : f64[1,2,3,4]"},
    {"[3,4,2]", "reduce %a op=\"sum\" axes=[1] : f64[3,1,2]"},
    {"[3,4,2]", "reduce %a op=\"sum\" axes=[0,2] : f64[1,4,1]"},
    {"[3,4]", "reduce %a op=\"max\" axes=[1] : f64[3,1]"},
    {"[3,4]", "reduce %a op=\"min\" axes=[0] : f64[1,4]"},
    {"[2,3,4]", "transpose %a perm=[2,0,1] : f64[4,2,3]"},
    {"[3,4]", "view %a : f64[2,6]"},
    {"[5,8]", "part %a at=16 : f64[4,2]"},
    {"[3,1]", "broadcast %a : f64[2,3,4]"},
    {"[5,6]", "slice %a starts=[1,2] steps=[1,1] : f64[3,2]"},
    {"[5,6]", "slice %a starts=[0,1] steps=[2,2] : f64[3,2]"},
    {"[2,3]", "pad %a starts=[1,0] value=0.5 : f64[4,5]"},
    {"[4,5] [2,3]", "put %a, %b starts=[1,2] : f64[4,5]"},
    {"[2,3] [2,1] [2,2]", "concat %a, %b, %c axis=1 : f64[2,6]"},
    {"[3,1] [4]", "mul %a, %b : f64[3,4]"},
    {"[4,3]", "gather %a, %i axis=0 : f64[3,3]"},
    {"[2,5]", "gather %a, %i axis=1 : f64[2,3]"},
    {"[3,4]", "scatter %a, %i op=\"add\" axis=0 : f64[5,4]"},
    {"[3,4]", "scatter %a, %i op=\"mul\" axis=0 : f64[2,4]"},
    {"[4,3]", "scatter %a, %i op=\"max\" axis=1 : f64[4,2]"},
    {"[3]", "scatter %a, %i op=\"min\" axis=0 : f64[2]"},
    {"[3,4]", "sort %a axis=1 count=3 descending=1 : f64[3,3], i64[3,3]"},
    {"[3,4]", "sort %a axis=0 count=2 descending=0 : f64[2,4], i64[2,4]"},
    {"[3] [2,3] []", "map %a, %b, %c \"tanh(a*b)+c*a\" : f64[2,3]"},
};

static Module *
case_module(Arena *a, const Case *c, int *params)
{
    Text t = text_new(a);
    const char *s = c->params;

    text_add(&t, "snug 1 stage=model\nconst %%i : i64[3] = [1, 0, 1]\n");
    for (*params = 0; *s; ++*params) {
        size_t n = strcspn(s, " ");

        text_add(&t, "param %%%c : f64%.*s = random %d 0.9\n", 'a' + *params,
                 (int)n, s, *params + 1);
        s += n + (s[n] == ' ');
    }
    text_add(&t, "graph forward {\nf %%y%s = %s\noutput %%y\n}\n",
             strstr(c->node, ", i64[") ? ", %n" : "", c->node);
    return parse_module(a, text_str(&t), "case");
}

/* sum of y[i] * cos(i): every element has a weight of its own. */
static double
weight(int64_t i)
{
    return cos((double)i);
}

static double
objective(Arena *a, const Graph *g, Stores *s)
{
    Tensor y;
    double sum = 0;

    eval_graph(a, g, s, NULL, &y);
    for (int64_t i = 0; i < type_elements(&y.type); i++)
        sum += weight(i) * tensor_get(&y, i);
    return sum;
}

/* Appends the gradient's nodes: outputs become the gradients of the stores. */
static Graph *
gradient_graph(Module *m, Graph *g, int params)
{
    Graph *d = graph_clone(g, "gradient");
    NodeId n = d->order[0];
    ValueId dx[MOST_INPUTS] = {0}, dy[2] = {0};
    bool want[MOST_INPUTS] = {true, true, true};
    Builder b = {.g = d, .phase = 'b'};

    dy[0] = graph_input(d, "dy", value_at(d, node_at(d, n)->out[0])->type);
    op_rules(node_at(d, n)->op)->grad(&b, n, dy, want, dx);
    d->output = NULL;
    for (int i = 0; i < params; i++) {
        cr_assert(dx[i]);
        vec_push(m->arena, d->output, dx[i]);
    }
    return d;
}

static void
check_case(const Case *c)
{
    Arena *a = arena_new();
    int params;
    Module *m = case_module(a, c, &params);
    Graph *g, *d;
    Stores s;
    Tensor dy, dx[MOST_INPUTS];

    cr_assert(m, "%s", c->node);
    g = module_entry(m, "forward");
    d = gradient_graph(m, g, params);
    cr_assert(eval_init_stores(a, m, &s));
    dy = tensor_new(a, value_at(d, d->input[0])->type);
    for (int64_t i = 0; i < type_elements(&dy.type); i++)
        tensor_set(&dy, i, weight(i));
    eval_graph(a, d, &s, &dy, dx);
    for (int p = 0; p < params; p++) {
        Tensor *x = &s.tensor[module_store(
            m, sym(m->syms, (char[]){(char)('a' + p), 0}))];

        cr_assert(type_equal(&x->type, &dx[p].type));
        for (int64_t i = 0; i < type_elements(&x->type); i++) {
            double at = tensor_get(x, i), high, low, want;

            tensor_set(x, i, at + step);
            high = objective(a, g, &s);
            tensor_set(x, i, at - step);
            low = objective(a, g, &s);
            tensor_set(x, i, at);
            want = (high - low) / (2 * step);
            cr_expect(close_to(tensor_get(&dx[p], i), want),
                      "%s: gradient of %%%c[%d] is %g, not %g", c->node,
                      'a' + p, (int)i, tensor_get(&dx[p], i), want);
        }
    }
    arena_free(a);
}

Test(op, gradients_of_structured_ops)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&cases[i]);
}

/* Every structured op that has a gradient stands in the table of cases. */
Test(op, cases_cover_the_table)
{
    static const char *const without[] = {
        "iota", "group", "conv_grad_input", "conv_grad_weight",
        "window_grad_max", "window_grad_mean", "attention",
        "attention_grad", /* attention_test */
        "transfer", "wait", /* transfer_test */
    };

    for (Op op = OP_NONE + 1; op < OP_COUNT; op++) {
        const char *name = op_info(op)->name;
        bool found = op_info(op)->value;

        for (size_t i = 0; i < sizeof without / sizeof *without; i++)
            found |= strcmp(without[i], name) == 0;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            found |= strncmp(cases[i].node, name, strlen(name)) == 0;
        cr_expect(found, "%s has no case", name);
    }
}
