/* rule_test: ten steps of optimizer rules, through the interpreter, against
   their formulas written out in C. */
#include "ir/eval.h"
#include "ir/text.h"
#include "passes/pipeline.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define PROBE     TEST_BINARY_DIR "/rule_test.probe.rule"
#define TEMPORARY TEST_BINARY_DIR "/rule_test.other.rule"

enum { STEPS = 10, MOST = 512 };

/* One weight and what its optimizer keeps, in double. */
typedef struct Plain {
    int rows, cols, rank; /* rank 1: rows x 1 */
    double w[MOST], a[MOST], b[MOST];
    double lr;
    int t;
} Plain;

typedef void Reference(Plain *p, const double *g);

static int
size_of(const Plain *p)
{
    return p->rows * p->cols;
}

static double
rms(const double *x, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / n);
}

static void
sgd(Plain *p, const double *g)
{
    for (int i = 0; i < size_of(p); i++) {
        double d = g[i] + 0.01 * p->w[i];

        p->a[i] = 0.9 * p->a[i] + d;
        p->w[i] -= p->lr * (d + 0.9 * p->a[i]);
    }
}

static double
adam(Plain *p, double g, int i)
{
    p->a[i] = 0.9 * p->a[i] + 0.1 * g;
    p->b[i] = 0.999 * p->b[i] + (1 - 0.999) * g * g;
    return p->a[i] / (1 - pow(0.9, p->t)) /
           (sqrt(p->b[i] / (1 - pow(0.999, p->t))) + 1e-8);
}

static void
adamw(Plain *p, const double *g)
{
    for (int i = 0; i < size_of(p); i++) {
        p->w[i] *= 1 - p->lr * 0.01;
        p->w[i] -= p->lr * adam(p, g[i], i);
    }
}

static void
lion(Plain *p, const double *g)
{
    for (int i = 0; i < size_of(p); i++) {
        double c = 0.9 * p->a[i] + 0.1 * g[i];

        p->w[i] *= 1 - p->lr * 0.1;
        p->w[i] -= p->lr * ((c > 0) - (c < 0));
        p->a[i] = 0.99 * p->a[i] + 0.01 * g[i];
    }
}

static void
lamb(Plain *p, const double *g)
{
    double u[MOST], ratio;
    int n = size_of(p);

    for (int i = 0; i < n; i++)
        u[i] = adam(p, g[i], i) + 0.1 * p->w[i];
    ratio = rms(p->w, n) / rms(u, n);
    for (int i = 0; i < n; i++)
        p->w[i] -= p->lr * ratio * u[i];
}

static void
adagrad(Plain *p, const double *g)
{
    for (int i = 0; i < size_of(p); i++) {
        p->a[i] += g[i] * g[i];
        p->w[i] -= p->lr * g[i] / (sqrt(p->a[i]) + 1e-10);
    }
}

/* a: rows (or all), b: columns. u: the scaled gradient. */
static void
factored(Plain *p, const double *g, double z, double *u)
{
    double all = 0;

    for (int r = 0; r < p->rows; r++) {
        double sum = 0;

        for (int c = 0; c < p->cols; c++)
            sum += pow(g[r * p->cols + c], 2) + 1e-30;
        p->a[r] = z * p->a[r] + (1 - z) * sum / p->cols;
        all += p->a[r] / p->rows;
    }
    for (int c = 0; c < p->cols; c++) {
        double sum = 0;

        for (int r = 0; r < p->rows; r++)
            sum += pow(g[r * p->cols + c], 2) + 1e-30;
        p->b[c] = z * p->b[c] + (1 - z) * sum / p->rows;
    }
    for (int r = 0; r < p->rows; r++)
        for (int c = 0; c < p->cols; c++)
            u[r * p->cols + c] =
                g[r * p->cols + c] / sqrt(p->a[r] / all * p->b[c]);
}

static void
adafactor(Plain *p, const double *g)
{
    double u[MOST], z = 1 - pow(p->t, -0.8), clip, a;
    int n = size_of(p);

    if (p->rank > 1)
        factored(p, g, z, u);
    for (int i = 0; i < n && p->rank == 1; i++) {
        p->a[i] = z * p->a[i] + (1 - z) * (g[i] * g[i] + 1e-30);
        u[i] = g[i] / sqrt(p->a[i]);
    }
    clip = fmax(1, rms(u, n));
    a = p->lr > 0 ? p->lr : fmin(1e-2, 1 / sqrt(p->t));
    a *= fmax(1e-3, rms(p->w, n));
    for (int i = 0; i < n; i++)
        p->w[i] -= a * u[i] / clip;
}

/* The same as probe_text: blocks, a scalar state, products, shapes. */
static void
probe(Plain *p, const double *g)
{
    double *m = p->a, *column = p->b, *count = &p->b[MOST - 1];
    int n = p->rows, c = p->cols;

    if (p->t == 1)
        for (int r = 0; r < n; r++)
            column[r] = 2;
    for (int r = 0; r < n && (p->t - 1) % 3 == 0; r++) {
        double sum = 0;

        for (int k = 0; k < c; k++)
            sum += g[r * c + k];
        column[r] = 0.5 * column[r] + sum / c;
    }
    for (int i = 0; i < n * c; i++)
        m[i] = p->t % 2 == 0 ? m[i] + g[i] : 0.5 * m[i];
    *count += (p->t % 2 == 0) + 10 * (p->t == 1);
    for (int r = 0; r < n; r++) {
        double q = 0;

        for (int s = 0; s < n; s++)
            for (int k = 0; k < c; k++)
                q += g[r * c + k] * g[s * c + k] * column[s];
        for (int k = 0; k < c; k++)
            p->w[r * c + k] -=
                p->lr * (m[r * c + k] + q * 0.001 + *count * 0.01 * column[r]) +
                0.001 * p->t / STEPS * k;
    }
}

static const char probe_text[] =
    "def split(x, c) -> a, b   # two results, and c of the caller changes\n"
    "  a = x*0.5\n"
    "  b = x - a\n"
    "  c = c + 10\n"
    "end\n"
    "rule probe\n"
    "  view rows\n"
    "  hyper lr=0.1, K=3\n"
    "  const most = 2*rows // 1\n"
    "  when rank < 2 or most < 2: use lomo\n"
    "  state m : [rows, cols], c : scalar, P : [rows,1] = 2\n"
    "  state unused : [most] if K > 5\n"
    "  every K: P = 0.5*P + rowmean(g)\n"
    "  if t % 2 == 0\n"
    "    m = m + g; c = c + 1\n"
    "  else\n"
    "    m = 0.5*m\n"
    "  end\n"
    "  once\n"
    "    x, y = split(g, c)\n"
    "    z = x + y\n"
    "  end\n"
    "  q = (g @ g') @ P + 0*sum(unused)\n"
    "  k = reshape(iota(cols), 1, cols)\n"
    "  w = w - lr*(m + q*1e-3 + c*0.01*P) - 0.001*(t/T)*k\n"
    "end\n";

typedef struct Case {
    const char *rule; /* with options */
    double lr;
    Reference *reference;
} Case;

static const Case cases[] = {
    {"rule=sgd,set=mu=0.9;wd=0.01;nesterov=1", 0.1, sgd},
    {"rule=adamw", 1e-2, adamw},
    {"rule=lion,set=wd=0.1", 1e-2, lion},
    {"rule=lamb,set=wd=0.1;eps=1e-8", 1e-2, lamb},
    {"rule=adagrad", 0.1, adagrad},
    {"rule=adafactor", 0, adafactor},
    {"rule=adafactor", 1e-2, adafactor},
};

static const char *const shapes[] = {"[24,16]", "[16,24]", "[7]", "[6,2,3,4]"};
static const Plain plains[] = {{.rows = 24, .cols = 16, .rank = 2},
                               {.rows = 16, .cols = 24, .rank = 2},
                               {.rows = 7, .cols = 1, .rank = 1},
                               {.rows = 6, .cols = 24, .rank = 4}};

/* A step graph whose gradient is an input. */
static Module *
module_of(Arena *a, const Case *c, const char *dtype, const char *shape)
{
    Text t = text_new(a);
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    Text passes = text_new(a);
    Module *m;

    text_add(&t,
             "snug 1 stage=model\nmodule \"m\"\nparam %%w : %s%s = random 7 "
             "1\ngraph train {\ninput %%w.g : %s%s\nf %%loss = map \"0\" : "
             "f32[]\noutput %%loss\noutput %%w.g\n}\n",
             dtype, shape, dtype, shape);
    m = parse_module(a, text_str(&t), "rule_test");
    raise_if_complained();
    text_add(&passes, "optimizer{%s}", c->rule);
    pipeline_run(m, text_str(&passes), &o);
    return m;
}

static void
fill_inputs(Arena *a, const Graph *g, const Case *c, const double *gradient,
            Tensor *in)
{
    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *v = &g->value[g->input[i]];

        in[i] = tensor_new(a, v->type);
        for (int64_t k = 0; k < type_elements(&v->type); k++)
            tensor_set(&in[i], k,
                       strcmp(v->name, "w.g") == 0  ? gradient[k]
                       : strcmp(v->name, "lr") == 0 ? c->lr
                                                    : STEPS);
    }
}

static void
check(const Case *c, const char *dtype, const char *shape, Plain p,
      double tolerance)
{
    Arena *a = arena_new();
    Module *m = module_of(a, c, dtype, shape);
    Graph *g = module_entry(m, "train");
    uint32_t w = module_store(m, sym(m->syms, "w"));
    Tensor in[4], out[2];
    Stores s;
    int n = size_of(&p);

    cr_assert(eval_init_stores(a, m, &s));
    p.lr = c->lr;
    for (int i = 0; i < n; i++)
        p.w[i] = tensor_get(&s.tensor[w], i);
    for (p.t = 1; p.t <= STEPS; p.t++) {
        double gradient[MOST];

        for (int i = 0; i < n; i++)
            gradient[i] =
                (double)(float)(sin(i * 1.7 + p.t * 0.9) * (1 + i % 3));
        fill_inputs(a, g, c, gradient, in);
        eval_graph(a, g, &s, in, out);
        c->reference(&p, gradient);
        for (int i = 0; i < n; i++) {
            double x = tensor_get(&s.tensor[w], i);

            cr_assert(fabs(x - p.w[i]) <= tolerance * (1 + fabs(p.w[i])),
                      "%s %s%s: step %d, element %d: %.17g, expected %.17g",
                      c->rule, dtype, shape, p.t, i, x, p.w[i]);
        }
    }
    arena_free(a);
}

static void
check_all(const char *dtype, double tolerance)
{
    Guard guard;

    if (guarded(&guard)) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
                check(&cases[i], dtype, shapes[k], plains[k], tolerance);
        guard_leave(&guard);
        return;
    }
    diag_print(&guard, stderr);
    cr_assert_fail("problems were raised");
}

static void
write_rule(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    cr_assert(f);
    cr_assert(fputs(text, f) >= 0);
    cr_assert_eq(fclose(f), 0);
}

Test(rule, blocks_products_and_shapes)
{
    static const Case c = {"rule=" PROBE, 0.1, probe};
    Guard guard;

    write_rule(PROBE, probe_text);
    if (guarded(&guard)) {
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            if (plains[k].rank == 1)
                continue;
            check(&c, "f64", shapes[k], plains[k], 1e-12);
            check(&c, "f32", shapes[k], plains[k], 1e-5);
        }
        guard_leave(&guard);
    } else {
        diag_print(&guard, stderr);
        cr_assert_fail("problems were raised");
    }
    remove(PROBE);
}

Test(rule, trajectories_in_f64)
{
    check_all("f64", 1e-12);
}

Test(rule, trajectories_in_f32)
{
    check_all("f32", 2e-6);
}

/* The problem that a rule text raises. */
static void
expect_fault(const char *text, const char *part)
{
    Guard guard;
    Arena *a = arena_new();
    Case c = {"rule=" TEMPORARY, 0, NULL};
    char *problem;

    write_rule(TEMPORARY, text);
    if (guarded(&guard)) {
        module_of(a, &c, "f32", "[4,3]");
        guard_leave(&guard);
        cr_assert_fail("no problem with: %s", text);
    }
    problem = diag_text(&guard);
    cr_assert(strstr(problem, part), "expected '%s' in: %s", part, problem);
    free(problem);
    diag_free(&guard);
    remove(TEMPORARY);
    arena_free(a);
}

Test(rule, faults_name_line_and_column)
{
    expect_fault("rule r\n  w = w - lr*q\nend\n",
                 ".rule:2: column 14: unknown name 'q'");
    expect_fault("rule r\n  w = w - (g\nend\n", "expected ')'");
    expect_fault("rule r\n  state m : like w\n  w = w - g\nend\n",
                 ".rule:2: column 9: state 'm' is never read");
    expect_fault("rule r\n  u = g\nend\n", "does not assign w");
    expect_fault("rule r\n  w = topsvd(g, 2)\nend\n",
                 "'topsvd' is not available yet");
    expect_fault("rule r\n  w = w + g'\nend\n",
                 "column 9: '+': the shapes [4,3] and [3,4] do not go");
    expect_fault("rule r\n  state m : like w as q8(64)\n  w = m\nend\n",
                 "codecs of states are not available yet");
    expect_fault("rule r\n  w = sqr(g)\nend\n", "did you mean 'sqrt'?");
    expect_fault("rule r\n  w = rowsum(g)\nend\n",
                 "'w' is [4,3], but what it becomes is [4,1]");
    expect_fault("rule r\n  w = w $ g\nend\n", "'$' is not part of");
    expect_fault("rule r\n  hyper a\n  w = g\nend\n", "expected '='");
    expect_fault("def f(x) -> y\n  y = f(x)\nend\nrule r\n  w = f(g)\nend\n",
                 "calls itself");
    expect_fault("", "holds no rule");
}
