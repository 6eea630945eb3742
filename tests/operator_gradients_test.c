/* operator_gradients_test: the single-operator models of
   tests/operators/gradients.txt in f64: the loss and its gradients against
   central differences, and against PyTorch's where the line holds them. */
#include "frontend/onnx/operators.h"
#include "tests/described.h"
#include "tests/probe.h"

#include <criterion/parameterized.h>

enum { PARTS = 16 };

static const char path[] = TEST_SOURCE_DIR "/tests/operators/gradients.txt";

/* Within 1e-9 of what is summed. */
static void
expect_equal(const Described *d, const char *what, double got, double want,
             double size)
{
    if (!(fabs(got - want) <= 1e-9 * (size > 1e-3 ? size : 1e-3)))
        cr_expect_fail("%s: %s is %.15g, PyTorch has %.15g", d->line, what,
                       got, want);
}

/* The sums that gradients.py makes of a gradient. */
static void
check_sums(const Described *d, const char *name, const Tensor *g,
           const double *want)
{
    double p = 0, q = 0, size = 0;

    for (int64_t i = 0; i < type_elements(&g->type); i++) {
        double x = tensor_get(g, i);

        p += x * cos(0.7 * (double)i);
        q += x * cos(1.3 * (double)i + 0.5);
        size += fabs(x);
    }
    expect_equal(d, name, p, want[0], size);
    expect_equal(d, name, q, want[1], size);
}

static void
check_pytorch(Arena *a, const Described *d, Probe *p)
{
    const Tensor *gradient = probe_gradients(a, p);

    expect_equal(d, "loss", loss_of(p), d->loss, 1 + fabs(d->loss));
    for (int i = 0; i < d->c.inputs; i++)
        if (p->param[i] && !isnan(d->dot[i][0]))
            check_sums(d, d->c.in[i].type.rank ? "gradient" : "derivative",
                       &gradient[p->param[i]], d->dot[i]);
}

static void
check_line(const char *line)
{
    Arena *a = arena_new();
    Described d = described(a, line);
    Probe p;

    if (make_probe(a, &d.c, &p)) {
        p.checked = d.has_results ? 5 : 24;
        cr_expect(isfinite(loss_of(&p)), "%s: loss %g", line, loss_of(&p));
        if (d.has_results)
            check_pytorch(a, &d, &p);
        if (!probe_differences(a, &p))
            cr_expect_fail("%s", line);
    } else {
        cr_expect_fail("%s: %s", line, p.problem ? p.problem : "no floats");
    }
    arena_free(a);
}

/* The lines of the file, comments aside. */
static char **
read_lines(Arena *a)
{
    size_t size;
    char *text = read_cases_file(a, path, &size), *rest = text, **list = NULL;

    for (char *line; (line = strtok_r(rest, "\n", &rest));)
        if (*line != '#')
            vec_push(a, list, line);
    return list;
}

static void
check_part(char **line, size_t part)
{
    Guard guard;

    if (!guarded(&guard)) {
        diag_print(&guard, stderr);
        cr_assert_fail("problems were raised");
    }
    for (size_t i = part; i < vec_len(line); i += PARTS)
        check_line(line[i]);
    guard_leave(&guard);
}

ParameterizedTestParameters(operator_gradients, equal_differences_and_pytorch)
{
    static size_t part[PARTS];

    for (size_t i = 0; i < PARTS; i++)
        part[i] = i;
    return cr_make_param_array(size_t, part, PARTS);
}

ParameterizedTest(size_t *part, operator_gradients,
                  equal_differences_and_pytorch, .timeout = 300)
{
    Arena *a = arena_new();

    check_part(read_lines(a), *part);
    arena_free(a);
}

/* Does an earlier line have this line's operator? */
static bool
seen_before(char **line, size_t i)
{
    size_t n = strcspn(line[i], " ") + 1;

    for (size_t k = 0; k < i; k++)
        if (strncmp(line[k], line[i], n) == 0)
            return true;
    return false;
}

Test(operator_gradients, are_many)
{
    Arena *a = arena_new();
    char **line = read_lines(a);
    int operators = 0;

    for (size_t i = 0; i < vec_len(line); i++)
        operators += !seen_before(line, i);
    cr_expect(vec_len(line) >= 1500, "%zu lines", vec_len(line));
    cr_expect(operators >= 110, "%d operators", operators);
    arena_free(a);
}

/* ---- the table of `snug ops` -------------------------------------------- */

/* A gradient flows through these; they need more than a line: other tests have
   them. */
static const char *const elsewhere[] = {
    "Adagrad", "Adam", "CausalConvWithState", "ConcatFromSequence",
    "DequantizeLinear", "DynamicQuantizeLinear", "FlexAttention",
    "If", "LinearAttention", "Loop", "MaxRoiPool", "Momentum", "Optional",
    "OptionalGetElement", "QLinearConv", "QLinearMatMul", "QuantizeLinear",
    "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty",
    "SequenceErase", "SequenceInsert", "SequenceMap", "SplitToSequence", NULL
};

static bool
is_elsewhere(const char *name)
{
    for (int i = 0; elsewhere[i]; i++)
        if (strcmp(elsewhere[i], name) == 0)
            return true;
    return false;
}

/* Is some number of some gradient of the line's model not 0? */
static bool
flows(const char *line)
{
    Arena *a = arena_new();
    Described d = described(a, line);
    bool any = false;
    Probe p;

    if (make_probe(a, &d.c, &p)) {
        Tensor *gradient = probe_gradients(a, &p);

        for (uint32_t s = 1; s < vec_len(p.m->store); s++)
            for (int64_t k = 0; k < type_elements(&gradient[s].type); k++)
                any |= tensor_get(&gradient[s], k) != 0;
    }
    arena_free(a);
    return any;
}

/* Lines of the operator, up to the first that a gradient flows through. */
static int
count_lines(char **line, const char *name, bool *flowing)
{
    size_t n = strlen(name);
    int found = 0;

    *flowing = false;
    for (size_t i = 0; i < vec_len(line) && !*flowing; i++)
        if (strncmp(line[i], name, n) == 0 && line[i][n] == ' ') {
            found++;
            *flowing = flows(line[i]);
        }
    return found;
}

Test(operator_gradients, flow_as_the_table_says, .timeout = 300)
{
    Arena *a = arena_new();
    char **line = read_lines(a);

    for (const OnnxOperator *o = onnx_operators(); o->name; o++) {
        bool flowing;
        int found = count_lines(line, o->name, &flowing);
        bool yes = o->gradient == GRADIENT_YES ||
                   o->gradient == GRADIENT_STRAIGHT;

        cr_expect_eq(found == 0 && yes, is_elsewhere(o->name),
                     "%s: gradient %s, %d lines", o->name,
                     gradient_word(o->gradient), found);
        cr_expect(!found || flowing == yes, "%s: gradient %s, but it %s",
                  o->name, gradient_word(o->gradient),
                  flowing ? "flows" : "does not flow");
    }
    arena_free(a);
}
