/* operators_test: single-operator models of tests/operators (made by
   tests/reference/operators.py) through the frontend: interpreted results
   against the expected ones, compiled results against the interpreter's, and
   gradients against central differences in f64. SNUG_OPERATORS=1 prints counts
   by operator. */
#include "tests/probe.h"

#ifndef CASES /* a test of other cases has set them */
#define CASES          "operators"
#define COMPILED_LEAST 400
#endif
#ifndef STRAIGHT_THROUGH /* operators whose gradient is of what they round */
#define STRAIGHT_THROUGH NULL
#endif

static const char cases[] = TEST_SOURCE_DIR "/tests/" CASES "/cases.bin";

/* ---- counts by operator ----------------------------------------------- */

static void
count_operators(const Case *list, const int *count, const char *what)
{
    int sum = 0;

    for (size_t i = 0; i < vec_len(list); i++) {
        int all = 0, good = 0;
        bool first = true;

        sum += count[i];
        for (size_t k = 0; k < vec_len(list); k++) {
            bool same = strcmp(list[i].op, list[k].op) == 0;

            first = first && !(same && k < i);
            all += same;
            good += same ? count[k] : 0;
        }
        if (first && getenv("SNUG_OPERATORS"))
            printf("%-8s %-26s %d of %d cases\n", what, list[i].op, good, all);
    }
    if (getenv("SNUG_OPERATORS"))
        printf("%s: %d in all\n", what, sum);
}

/* ---- results ---------------------------------------------------------- */

/* The reference rounds to 16 bits after every operation, we at the end. */
static bool
near(DType d, double got, double want)
{
    double relative = d == DT_BF16 ? 0x1p-6 : d == DT_F16 ? 0x1p-9 : 2e-5;

    return (isnan(got) && isnan(want)) || got == want ||
           fabs(got - want) <= 1e-6 + relative * fabs(want);
}

static void
check_output(const Case *c, int i, const Tensor *got)
{
    const Tensor *want = &c->out[i];
    Arena *a = arena_new();

    cr_expect(type_equal(&got->type, &want->type),
              "%s: output %d is %s, not "
              "%s",
              c->name, i, type_text(a, &got->type), type_text(a, &want->type));
    for (int64_t k = 0;
         type_equal(&got->type, &want->type) && k < type_elements(&want->type);
         k++)
        if (!near(want->type.dtype, tensor_get(got, k), tensor_get(want, k))) {
            cr_expect_fail("%s: output %d[%lld] is %.9g, not %.9g", c->name, i,
                           (long long)k, tensor_get(got, k),
                           tensor_get(want, k));
            break;
        }
    arena_free(a);
}

static int
check_case(const Case *c)
{
    Arena *a = arena_new();
    const char *problem;
    Module *m = import_case(a, c, &problem);

    cr_expect(m, "%s", problem);
    if (m) {
        Graph *g = module_entry(m, "forward");
        Stores s = first_stores(a, m);
        Tensor out[TENSORS_MOST];

        cr_assert_eq(vec_len(g->input), (size_t)c->inputs, "%s", c->name);
        eval_graph(a, g, &s, c->in, out);
        for (int i = 0; i < c->outputs; i++)
            check_output(c, i, &out[i]);
    }
    arena_free(a);
    return m != NULL;
}

Test(operators, equal_the_expected)
{
    Arena *a = arena_new();
    Case *list = read_cases(a, cases);
    int *good = NEWN(a, int, vec_len(list));

    for (size_t i = 0; i < vec_len(list); i++)
        good[i] = check_case(&list[i]);
    count_operators(list, good, "result");
    arena_free(a);
}

/* ---- compiled --------------------------------------------------------- */

/* A case with nothing in its result is left to the interpreter. */
static bool
chosen(const Case *c)
{
    return type_elements(&c->out[0].type) > 0;
}

static int
compile_some(Arena *a, const Case *list, size_t *next)
{
    Tensor *in[COMPILED_TOGETHER];
    Text text = compiled_text(a);
    int n = 0;

    for (; *next < vec_len(list) && n < COMPILED_TOGETHER; ++*next)
        if (chosen(&list[*next])) {
            in[n] = NEWN(a, Tensor, 2 * TENSORS_MOST);
            n += add_compiled(a, &list[*next], n, &text, in[n]);
        }
    if (n)
        check_compiled(&text, n, in);
    return n;
}

Test(operators, compiled_equal_interpreted, .timeout = 600)
{
    Arena *a = arena_new();
    Case *list = read_cases(a, cases);
    size_t next = 0;
    int n = 0;

    while (next < vec_len(list))
        n += compile_some(a, list, &next);
    if (getenv("SNUG_OPERATORS"))
        printf("compiled: %d\n", n);
    cr_expect(n > COMPILED_LEAST);
    arena_free(a);
}

/* ---- gradients -------------------------------------------------------- */

/* The case's numbers, moved off kinks and ties by 0.02 to 0.05. */
static Case
moved(Arena *a, const Case *c)
{
    Case made = *c;

    for (int i = 0; i < c->inputs; i++) {
        Tensor *t = &made.in[i];

        if (!dtype_float(t->type.dtype))
            continue;
        *t = tensor_new(a, t->type);
        for (int64_t k = 0; k < type_elements(&t->type); k++) {
            double off = 0.02 + 0.03 * fmod((double)(k + 3 * i) * 0.618034, 1);

            tensor_set(t, k, tensor_get(&c->in[i], k) + off);
        }
    }
    return made;
}

/* A rounding operator has no differences. */
static bool
is_straight_through(const Case *c)
{
    const char *const straight_through[] = {STRAIGHT_THROUGH, NULL};

    for (int i = 0; straight_through[i]; i++)
        if (strcmp(straight_through[i], c->op) == 0)
            return true;
    return false;
}

/* 1 where the case has a gradient and it is right. */
static int
check_gradients(const Case *c)
{
    Arena *a = arena_new();
    Case off_kinks = moved(a, c);
    Probe p;
    bool good = !is_straight_through(c) && make_probe(a, &off_kinks, &p) &&
                has_gradient(&p) && probe_differences(a, &p);

    arena_free(a);
    return good;
}

static void
check_all_gradients(const Case *list, int *good)
{
    Guard guard;

    if (!guarded(&guard)) {
        diag_print(&guard, stderr);
        cr_assert_fail("problems were raised");
    }
    for (size_t i = 0; i < vec_len(list); i++)
        good[i] = check_gradients(&list[i]);
    guard_leave(&guard);
}

Test(operators, gradients_equal_differences, .timeout = 600)
{
    Arena *a = arena_new();
    Case *list = read_cases(a, cases);
    int *good = NEWN(a, int, vec_len(list));

    check_all_gradients(list, good);
    count_operators(list, good, "gradient");
    arena_free(a);
}
