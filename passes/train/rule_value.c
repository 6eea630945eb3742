/* rule_value: the weight, its gradient, states and scalars as values. */
#include "passes/tools/name.h"
#include "passes/train/rule_emit.h"

/* -- values of the step ------------------------------------------------- */

static uint32_t
add_state(Graph *g, Sym name, Type type, double fill)
{
    Module *m = g->module;
    Store s = {.name = name,
               .type = type,
               .kind = SK_STATE,
               .init = {.kind = INIT_FILL, .fill = fill}};

    if (module_store(m, name))
        raise_at(model_loc(m),
                 "the model's tensor '%s' has a name that the "
                 "optimizer needs\nrename it in the export",
                 name);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        make_name_free(m->entry[i], name);
    return module_add_store(m, s);
}

/* t: the count of steps, this one included. */
static ValueId
rule_step_value(RuleEmit *e)
{
    Graph *g = e->g;
    Builder b = {.g = g, .phase = 'u'};
    ValueId old;

    if (e->t)
        return e->t;
    old = graph_store(
        g, add_state(g, sym(g->module->syms, "step"), type_scalar(DT_F64), 0));
    e->t = build_formula(&b, "a+1", 1, &old, DT_F64, "step'");
    g->value[e->t].over = old;
    return e->t;
}

static ValueId
scalar_input(RuleEmit *e, ValueId *v, const char *name)
{
    if (!*v) {
        make_name_free(e->g, name);
        *v = graph_input(e->g, name, type_scalar(DT_F64));
    }
    return *v;
}

ValueId
rule_state_value(Update *u, int i)
{
    const RuleResult *r = u->r;
    Sym name =
        sym_format(u->terms->syms, "%s.%s", u->name, r->rule->state[i].name);

    if (!u->state[i])
        u->state[i] =
            graph_store(u->e->g, add_state(u->e->g, name, r->state_type[i],
                                           r->state_init[i]));
    return u->state[i];
}

/* The weight or its gradient, in its own shape. */
ValueId
rule_plain_value(Update *u, const Term *x)
{
    return x->source == TS_GRADIENT ? u->r->param.gradient
                                    : graph_store(u->e->g, u->r->param.store);
}

/* The weight or its gradient as the rule sees it. */
static ValueId
viewed_value(Update *u, const Term *x)
{
    const RuleParam *p = &u->r->param;
    ValueId v = rule_plain_value(u, x);
    int64_t dim[2] = {p->view.dim[1], p->view.dim[0]};

    if (!u->viewed)
        return v;
    if (!p->transposed)
        return build_view(&u->b, v, p->view.rank, p->view.dim, "rule.view");
    if (p->plain.rank != 2)
        v = build_view(&u->b, v, 2, dim, "rule.view");
    return build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
}

ValueId
rule_leaf_value(Update *u, Term *x)
{
    switch (x->source) {
    case TS_STEP: return rule_step_value(u->e);
    case TS_STEPS: return scalar_input(u->e, &u->e->steps, "steps");
    case TS_LR: return scalar_input(u->e, &u->e->lr, "lr");
    case TS_STATE: return rule_state_value(u, (int)x->number);
    default: break;
    }
    if (!x->value)
        x->value = viewed_value(u, x);
    return x->value;
}

/* -- from the view back to the weight's own shape ----------------------- */

bool
rule_plain_shape(const RuleParam *p, const Type *t, int64_t *dim)
{
    const Type *w = &p->plain;
    bool ones = type_elements(t) == 1;
    bool matrix = t->rank == 2 && p->view.rank == 2 && w->rank >= 2 &&
                  p->view.dim[p->transposed] == w->dim[0];
    int64_t first = matrix ? t->dim[p->transposed] : 0;
    int64_t rest = matrix ? t->dim[!p->transposed] : 0;

    for (int i = 0; i < w->rank; i++)
        dim[i] = ones ? 1 : w->dim[i];
    if (ones || type_elements(t) == type_elements(w))
        return true;
    if (!matrix)
        return false;
    dim[0] = first;
    for (int i = 1; i < w->rank; i++)
        dim[i] = rest == 1 ? 1 : w->dim[i];
    return true;
}

ValueId
rule_to_plain(Update *u, ValueId v)
{
    const RuleParam *p = &u->r->param;
    Type t = u->e->g->value[v].type;
    int64_t dim[MAXRANK];

    if (t.rank == 0)
        return v;
    ASSERT(rule_plain_shape(p, &t, dim));
    if (p->transposed && t.rank == 2 && t.dim[0] > 1 && t.dim[1] > 1)
        v = build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
    type_make(t.dtype, p->plain.rank, dim, &t);
    return type_equal(&t, &u->e->g->value[v].type)
               ? v
               : build_view(&u->b, v, p->plain.rank, dim, "rule.view");
}
