/* operators_test: single-operator models of tests/operators (made by
   tests/reference/operators.py) through the frontend: interpreted results
   against the expected ones, compiled results against the interpreter's, and
   gradients against central differences in f64. SNUG_OPERATORS=1 prints counts
   by operator. */
#include "tests/cases.h"

#ifndef CASES /* a test of other cases has set them */
#define CASES          "operators"
#define COMPILED_LEAST 400
static const char *const also_refused[] = {NULL};
#endif
#ifndef STRAIGHT_THROUGH /* operators whose gradient is of what they round */
#define STRAIGHT_THROUGH NULL
#endif

enum { CHECKED_ELEMENTS = 40 };

static const char cases[] = TEST_SOURCE_DIR "/tests/" CASES "/cases.bin";

/* Inputs without elements are refused, but where only their type is read, and
   what the test names. */
static bool
is_refused(const Case *c)
{
    bool empty = false;

    for (int i = 0; i < c->inputs; i++)
        empty |= type_elements(&c->in[i].type) == 0 &&
                 strcmp(c->op, "CastLike") != 0;
    for (int i = 0; also_refused[i]; i++)
        empty |= strcmp(also_refused[i], c->name) == 0;
    return empty;
}

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

    if (is_refused(c))
        cr_expect(problem && (strstr(problem, "at least 1 is needed") ||
                              strstr(problem, "supported")),
                  "%s should be refused: %s", c->name,
                  problem ? problem : "it is taken");
    else
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
    return type_elements(&c->out[0].type) > 0 && !is_refused(c);
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

/* A case made ready: its graph in f64, floating inputs as parameters. */
typedef struct Probe {
    const Case *c;
    Module *m;
    Graph *objective, *gradient; /* the loss; the loss and its gradients */
    Stores stores;
    Tensor in[TENSORS_MOST]; /* of the inputs that are left */
} Probe;

static void
widen(Module *m, Graph *g)
{
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].type.dtype == DT_F32)
            g->value[v].type.dtype = DT_F64;
    for (uint32_t s = 1; s < vec_len(m->store); s++)
        if (m->store[s].type.dtype == DT_F32)
            m->store[s].type.dtype = DT_F64;
    graph_touch(g);
}

/* param[i]: the store that case input i has become, or 0. */
static void
inputs_to_params(Probe *p, Graph *g, uint32_t *param)
{
    ValueId *kept = NULL;

    for (size_t i = 0; i < vec_len(g->input); i++) {
        Value *v = value_at(g, g->input[i]);

        param[i] = 0;
        if (!dtype_float(v->type.dtype)) {
            p->in[vec_len(kept)] = p->c->in[i];
            vec_push(p->m->arena, kept, g->input[i]);
            continue;
        }
        param[i] = module_add_store(
            p->m, (Store){.name = v->name, .type = v->type, .kind = SK_PARAM});
        v->kind = V_STORE;
        v->store = param[i];
    }
    g->input = kept;
}

/* The model's own `loss` takes another name. */
static void
free_loss_name(Graph *g)
{
    Syms *s = g->module->syms;
    ValueId taken = graph_find(g, sym(s, "loss"));

    if (!taken)
        return;
    map_put_ptr(g->by_name, sym(s, "loss"), 0);
    map_put_ptr(g->by_name, sym(s, "loss.of.model"), taken);
    g->value[taken].name = sym(s, "loss.of.model");
}

/* loss = the sum of cos(1 + i) * y[i] over all floating outputs; false where
   there is none. */
static bool
add_loss(Graph *g)
{
    Builder b = {.g = g, .phase = 'f'};
    ValueId loss = 0;

    for (size_t i = 0; i < vec_len(g->output); i++) {
        Type t = value_at(g, g->output[i])->type;
        int64_t n = type_elements(&t), first = 0;
        ValueId y, index;

        if (!dtype_float(t.dtype) || n == 0)
            continue;
        y = build_view(&b, g->output[i], 1, &n, NULL);
        index = build_iota(&b, value_at(g, y)->type, 0, NULL);
        y = build_formula(&b, "a*cos(1+b)", 2, (ValueId[]){y, index}, DT_F64,
                          NULL);
        y = build_reduce(&b, "sum", y, 1, &first, NULL);
        y = build_view(&b, y, 0, NULL, NULL);
        loss = loss ? build_map2(&b, OP_add, loss, y, NULL) : y;
    }
    if (!loss)
        return false;
    g->output = NULL;
    vec_push(g->module->arena, g->output,
             build_map1(&b, OP_copy, loss, "loss"));
    return true;
}

/* The case's numbers, moved off kinks and ties by 0.02 to 0.05. */
static void
fill_params(Probe *p, const uint32_t *param)
{
    for (int i = 0; i < p->c->inputs; i++)
        for (int64_t k = 0; param[i] && k < type_elements(&p->c->in[i].type);
             k++) {
            double off = 0.02 + 0.03 * fmod((double)(k + 3 * i) * 0.618034, 1);

            tensor_set(&p->stores.tensor[param[i]], k,
                       tensor_get(&p->c->in[i], k) + off);
        }
}

/* Steps have no differences: narrow floats, and operators whose gradient is
   that of what they round. */
static bool
has_steps(const Case *c, const Graph *g)
{
    const char *const straight_through[] = {STRAIGHT_THROUGH, NULL};
    bool steps = false;

    for (ValueId v = 1; v < vec_len(g->value); v++) {
        DType d = g->value[v].type.dtype;

        steps |= dtype_float(d) && dtype_computed(d) != d;
    }
    for (int i = 0; straight_through[i]; i++)
        steps |= strcmp(straight_through[i], c->op) == 0;
    return steps;
}

/* False where there is nothing to differentiate. */
static bool
make_probe(Arena *a, const Case *c, Probe *p)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    uint32_t param[TENSORS_MOST];
    const char *problem;
    bool any = false;
    Graph *g;

    *p = (Probe){.c = c, .m = import_case(a, c, &problem)};
    if (!p->m)
        return false;
    g = module_entry(p->m, "forward");
    if (has_steps(c, g))
        return false;
    widen(p->m, g);
    inputs_to_params(p, g, param);
    for (int i = 0; i < c->inputs; i++)
        any |= param[i] != 0;
    free_loss_name(g);
    if (!any || !add_loss(g))
        return false;
    g->name = sym(p->m->syms, "train");
    p->objective = graph_clone(g, "objective");
    p->gradient = g;
    vec_push(p->m->arena, p->m->entry, p->objective);
    pipeline_run(p->m, "grad", &o);
    p->stores = first_stores(a, p->m);
    fill_params(p, param);
    return vec_len(g->output) > 1;
}

static double
loss_of(Probe *p)
{
    Arena *a = arena_new();
    Tensor out;
    double loss;

    eval_graph(a, p->objective, &p->stores, p->in, &out);
    loss = tensor_get(&out, 0);
    arena_free(a);
    return loss;
}

/* Central differences of some elements against the gradient. */
static bool
check_param(Probe *p, Tensor *w, const Tensor *gradient)
{
    const double eps = 1e-6;
    int64_t n = type_elements(&w->type);
    int64_t stride = n / CHECKED_ELEMENTS + 1;

    for (int64_t i = 0; i < n; i += stride) {
        double x = tensor_get(w, i), up, down, want;
        double got = tensor_get(gradient, i);

        tensor_set(w, i, x + eps);
        up = loss_of(p);
        tensor_set(w, i, x - eps);
        down = loss_of(p);
        tensor_set(w, i, x);
        want = (up - down) / (2 * eps);
        if (isnan(want)) /* outside the domain */
            continue;
        if (!(fabs(got - want) <= 1e-5 + 1e-3 * fabs(want))) {
            cr_expect_fail("%s: gradient[%lld] is %.9g, not %.9g", p->c->name,
                           (long long)i, got, want);
            return false;
        }
    }
    return true;
}

/* 1 where the case has a gradient and it is right. */
static int
check_gradients(const Case *c)
{
    Arena *a = arena_new();
    bool good = false;
    Tensor *out;
    Probe p;

    if (make_probe(a, c, &p)) {
        good = true;
        out = NEWN(a, Tensor, vec_len(p.gradient->output));
        eval_graph(a, p.gradient, &p.stores, p.in, out);
        for (size_t i = 1; i < vec_len(p.gradient->output); i++) {
            const char *name = p.gradient->value[p.gradient->output[i]].name;
            Sym of = sym_n(p.m->syms, name, strlen(name) - 2);

            good &= check_param(&p, &p.stores.tensor[module_store(p.m, of)],
                                &out[i]);
        }
    }
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
