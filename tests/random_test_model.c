/* random_test_model: random models: their gradients against differences, and
   the graphs with the gradients compiled against the interpreter, the same
   bits. SNUG_MODELS=N takes N of them, SNUG_SEED=N another beginning. */
#include "tests/compiled.h"
#include "tests/loss.h"
#include "tests/random_test_graph.h"
#include "tests/setting.h"

enum { MODELS = 50, TOGETHER = 25, ELEMENTS = 6 };

/* What the differences said. */
typedef struct Differences {
    long checked, kinks;
} Differences;

typedef struct Probe {
    Module *m;
    Graph *gradient, *objective;
    Stores stores;
    Tensor *out;
} Probe;

static double
loss_of(Probe *p)
{
    return loss_with(p->objective, &p->stores, NULL);
}

/* Where the slopes of the two sides differ, there is a kink and no check. */
static void
check_element(Probe *p, const char *name, Tensor *w, int64_t i,
              double got, Differences *d)
{
    const double eps = 1e-6;
    double x = tensor_get(w, i), here = loss_of(p), up, down, want, slack;

    tensor_set(w, i, x + eps);
    up = loss_of(p);
    tensor_set(w, i, x - eps);
    down = loss_of(p);
    tensor_set(w, i, x);
    want = (up - down) / (2 * eps);
    slack = 1e-5 + 1e-3 * fabs(want);
    if (!isfinite(want) || fabs(up + down - 2 * here) > eps * slack) {
        d->kinks++;
        return;
    }
    d->checked++;
    cr_assert(fabs(got - want) <= slack, "%s: gradient[%lld] is %.9g, not %.9g",
              name, (long long)i, got, want);
}

static void
check_gradients(Probe *p, Differences *d)
{
    const Graph *g = p->gradient;

    for (size_t k = 1; k < vec_len(g->output); k++) {
        const char *name = value_at(g, g->output[k])->name;
        Sym of = sym_n(p->m->syms, name, strlen(name) - 2);
        Tensor *w = &p->stores.tensor[module_store(p->m, of)];
        int64_t n = type_elements(&w->type);

        for (int64_t i = 0; i < n; i += n / ELEMENTS + 1)
            check_element(p, name, w, i, tensor_get(&p->out[k], i), d);
    }
}

/* Parameters become inputs, which a compiled step takes. */
static void
read_as_inputs(Graph *g)
{
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].kind == V_STORE) {
            g->value[v].kind = V_INPUT;
            g->value[v].store = 0;
            vec_push(g->module->arena, g->input, v);
        }
}

/* The graph's lines under another name, without the parameters. */
static void
add_entry(Arena *a, Text *t, Module *m, int number)
{
    const char *text, *from;

    m->entry[0] = module_entry(m, "train");
    VEC_HEAD(m->entry)->len = 1;
    VEC_HEAD(m->store)->len = 1;
    read_as_inputs(m->entry[0]);
    text = print_module(a, m);
    from = strstr(text, "graph train {");
    text_add(t, "graph g%d {%s", number, from + strlen("graph train {"));
}

/* The gradient graph of model `seed`, checked, behind t. */
static void
add_model(Text *t, uint64_t seed, Differences *d)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    DType type = seed % 4 ? DT_F64 : DT_F32;
    Arena *a = arena_new();
    Probe p = {.m = parse_module(a, random_model(a, seed, type), "random")};

    raise_if_complained();
    p.gradient = module_entry(p.m, "train");
    p.objective = graph_clone(p.gradient, "objective");
    vec_push(p.m->arena, p.m->entry, p.objective);
    pipeline_run(p.m, "grad", &o);
    if (!eval_init_stores(a, p.m, &p.stores))
        raise_if_complained();
    p.out = NEWN(a, Tensor, vec_len(p.gradient->output));
    eval_graph(a, p.gradient, &p.stores, NULL, p.out);
    if (type == DT_F64)
        check_gradients(&p, d);
    add_entry(a, t, p.m, (int)(seed % TOGETHER));
    arena_free(a);
}

static void
check_together(uint64_t first, Differences *d)
{
    Arena *a = arena_new();
    Text t = text_new(a);
    static Guard guard;
    static uint64_t seed;
    Compiled c;

    if (!guarded(&guard)) {
        printf("model %llu\n%s\n", (unsigned long long)seed,
               random_model(a, seed, seed % 4 ? DT_F64 : DT_F32));
        compiled_problem(&guard);
    }
    text_add(&t, "snug 1 stage=train\nmodule \"random\"\n"
                 "graph train {\ninput %%x : f32[]\nf %%loss = copy %%x : "
                 "f32[]\noutput %%loss\n}\n");
    for (seed = first; seed < first + TOGETHER; seed++)
        add_model(&t, seed, d);
    guard_leave(&guard);
    c = compiled_new(text_str(&t), "cse,dce,fuse,inplace,workspace,"
                                   "schedule{states=2000},place{nodes=2000}",
                     "native");
    for (int k = 1; k < c.program->entries; k++)
        compiled_check(&c, k, first % 3);
    compiled_free(&c);
    arena_free(a);
}

Test(random, models, .timeout = 36000)
{
    int models = number_of("SNUG_MODELS", MODELS);
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 1) * TOGETHER * 1000003;
    Differences d = {0, 0};

    first -= first % TOGETHER;
    for (int k = 0; k < models; k += TOGETHER)
        check_together(first + (uint64_t)k, &d);
    cr_assert(d.checked > 2 * models, "%ld derivatives for %d models",
              d.checked, models);
    cr_assert(d.kinks * 4 < d.checked, "%ld kinks, %ld derivatives", d.kinks,
              d.checked);
    if (getenv("SNUG_MODELS"))
        printf("%d models: %ld derivatives, %ld kinks\n", models, d.checked,
               d.kinks);
}
