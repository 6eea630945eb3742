/* probe: the gradient of a case's outputs, summed with weights, for its
   floating inputs and parameters, in f64; and against central differences. */
#ifndef SNUG_TESTS_PROBE_H
#define SNUG_TESTS_PROBE_H

#include "tests/cases.h"
#include "tests/loss.h"

/* A case made ready: its graph in f64, floating inputs as parameters. */
typedef struct Probe {
    const Case *c;
    Module *m;
    Graph *objective, *gradient; /* the loss; the loss and its gradients */
    Stores stores;
    uint32_t param[TENSORS_MOST]; /* the store that input i is, or 0 */
    Tensor in[TENSORS_MOST];      /* of the inputs that are left */
    const char *problem;          /* why m is NULL */
    int64_t checked; /* elements of a parameter that are tried one by one */
} Probe;

static inline void
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

static inline void
inputs_to_params(Probe *p, Graph *g)
{
    ValueId *kept = NULL;

    for (size_t i = 0; i < vec_len(g->input); i++) {
        Value *v = value_at(g, g->input[i]);

        if (!dtype_float(v->type.dtype)) {
            p->in[vec_len(kept)] = p->c->in[i];
            vec_push(p->m->arena, kept, g->input[i]);
            continue;
        }
        v->store = p->param[i] = module_add_store(
            p->m, (Store){.name = v->name, .type = v->type, .kind = SK_PARAM});
        v->kind = V_STORE;
    }
    g->input = kept;
}

/* The model's own `loss` takes another name. */
static inline void
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
static inline bool
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

/* The stores that inputs have become hold the case's numbers. */
static inline void
fill_params(Probe *p)
{
    for (int i = 0; i < p->c->inputs; i++) {
        int64_t n = p->param[i] ? type_elements(&p->c->in[i].type) : 0;

        for (int64_t k = 0; k < n; k++)
            tensor_set(&p->stores.tensor[p->param[i]], k,
                       tensor_get(&p->c->in[i], k));
    }
}

/* Narrow floats have steps, which have no differences. */
static inline bool
has_steps(const Graph *g)
{
    bool steps = false;

    for (ValueId v = 1; v < vec_len(g->value); v++) {
        DType d = g->value[v].type.dtype;

        steps |= dtype_float(d) && dtype_computed(d) != d;
    }
    return steps;
}

/* False where there is nothing to differentiate. */
static inline bool
make_probe(Arena *a, const Case *c, Probe *p)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};
    bool any = false;
    Graph *g;

    *p = (Probe){.c = c, .checked = 40};
    p->m = import_case(a, c, &p->problem);
    if (!p->m)
        return false;
    g = module_entry(p->m, "forward");
    if (has_steps(g)) {
        unlink(p->m->file);
        return false;
    }
    widen(p->m, g);
    inputs_to_params(p, g);
    for (int i = 0; i < c->inputs; i++)
        any |= p->param[i] != 0;
    free_loss_name(g);
    if (!any || !add_loss(g)) {
        unlink(p->m->file);
        return false;
    }
    g->name = sym(p->m->syms, "train");
    p->objective = graph_clone(g, "objective");
    p->gradient = g;
    vec_push(p->m->arena, p->m->entry, p->objective);
    pipeline_run(p->m, "grad", &o);
    p->stores = first_stores(a, p->m);
    fill_params(p);
    return true;
}

static inline double
loss_of(Probe *p)
{
    return loss_with(p->objective, &p->stores, p->in);
}

/* The central difference of element i of w, or, i < 0, along a direction that
   all elements have part in. */
static inline double
difference_of(Probe *p, Tensor *w, int64_t i)
{
    const double eps = 1e-6;
    int64_t n = type_elements(&w->type);
    double side[2], *x = NEWN(p->m->arena, double, n);

    for (int64_t k = 0; k < n; k++)
        x[k] = tensor_get(w, k);
    for (int s = 0; s < 2; s++) {
        for (int64_t k = i < 0 ? 0 : i; k < (i < 0 ? n : i + 1); k++) {
            double d = i < 0 ? cos(1.7 * (double)k) : 1;

            tensor_set(w, k, s ? x[k] - eps * d : x[k] + eps * d);
        }
        side[s] = loss_of(p);
    }
    for (int64_t k = 0; k < n; k++)
        tensor_set(w, k, x[k]);
    return (side[0] - side[1]) / (2 * eps);
}

/* The gradient along difference_of's direction. */
static inline double
along_direction(const Tensor *gradient)
{
    double sum = 0;

    for (int64_t k = 0; k < type_elements(&gradient->type); k++)
        sum += tensor_get(gradient, k) * cos(1.7 * (double)k);
    return sum;
}

/* Central differences of some elements, and of all together, against the
   gradient. */
static inline bool
check_param(Probe *p, Tensor *w, const Tensor *gradient)
{
    int64_t n = type_elements(&w->type);
    int64_t stride = n / p->checked + 1;

    for (int64_t i = -1; i < n; i += i < 0 ? 1 : stride) {
        double want = difference_of(p, w, i);
        double got = i < 0 ? along_direction(gradient)
                           : tensor_get(gradient, i);

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

static inline bool
has_gradient(const Probe *p)
{
    return vec_len(p->gradient->output) > 1;
}

/* The gradient of every store; zeros where it is identically zero. */
static inline Tensor *
probe_gradients(Arena *a, Probe *p)
{
    const Graph *g = p->gradient;
    Tensor *out = NEWN(a, Tensor, vec_len(g->output));
    Tensor *gradient = NEWN(a, Tensor, vec_len(p->m->store));

    eval_graph(a, g, &p->stores, p->in, out);
    for (uint32_t s = 1; s < vec_len(p->m->store); s++)
        gradient[s] = tensor_new(a, p->m->store[s].type);
    for (size_t i = 1; i < vec_len(g->output); i++) {
        const char *name = value_at(g, g->output[i])->name; /* NAME.g */
        Sym of = sym_n(p->m->syms, name, strlen(name) - 2);

        gradient[module_store(p->m, of)] = out[i];
    }
    return gradient;
}

/* Are all gradients those of central differences? */
static inline bool
probe_differences(Arena *a, Probe *p)
{
    Tensor *gradient = probe_gradients(a, p);
    bool good = true;

    for (uint32_t s = 1; s < vec_len(p->m->store); s++)
        if (p->m->store[s].kind == SK_PARAM)
            good &= check_param(p, &p->stores.tensor[s], &gradient[s]);
    return good;
}

#endif
