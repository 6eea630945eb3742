/* probe: the gradient of a case's outputs, summed with weights, for its
   floating inputs and parameters, in f64; and against central differences. */
#ifndef SNUG_TESTS_PROBE_H
#define SNUG_TESTS_PROBE_H

#include "tests/cases.h"

enum { CHECKED_ELEMENTS = 40 };

/* A case made ready: its graph in f64, floating inputs as parameters. */
typedef struct Probe {
    const Case *c;
    Module *m;
    Graph *objective, *gradient; /* the loss; the loss and its gradients */
    Stores stores;
    Tensor in[TENSORS_MOST]; /* of the inputs that are left */
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

/* param[i]: the store that case input i has become, or 0. */
static inline void
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
fill_params(Probe *p, const uint32_t *param)
{
    for (int i = 0; i < p->c->inputs; i++)
        for (int64_t k = 0; param[i] && k < type_elements(&p->c->in[i].type);
             k++)
            tensor_set(&p->stores.tensor[param[i]], k,
                       tensor_get(&p->c->in[i], k));
}

/* False where there is nothing to differentiate. */
static inline bool
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
    pipeline_run(p->m, "grad", &o);
    p->stores = first_stores(a, p->m);
    fill_params(p, param);
    return vec_len(g->output) > 1;
}

static inline double
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
static inline bool
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

/* The gradients, in the order of gradient->output; [0] is the loss. */
static inline Tensor *
probe_gradients(Arena *a, Probe *p)
{
    Tensor *out = NEWN(a, Tensor, vec_len(p->gradient->output));

    eval_graph(a, p->gradient, &p->stores, p->in, out);
    return out;
}

/* The store whose gradient output i is. */
static inline uint32_t
probe_store(const Probe *p, size_t i)
{
    const char *name = p->gradient->value[p->gradient->output[i]].name;

    return module_store(p->m, sym_n(p->m->syms, name, strlen(name) - 2));
}

/* Are all gradients those of central differences? */
static inline bool
probe_differences(Arena *a, Probe *p)
{
    Tensor *out = probe_gradients(a, p);
    bool good = true;

    for (size_t i = 1; i < vec_len(p->gradient->output); i++)
        good &= check_param(p, &p->stores.tensor[probe_store(p, i)], &out[i]);
    return good;
}

#endif
