/* rule_emit: terms into nodes. Element-wise terms stay unwritten until a sum,
   a product, a broadcast or a result needs them; results and what later
   levels read (unless it is cheap) are made together, one `map` of several
   results for each level and shape. Scalars of the step are computed in f64 and
   leave as the weight's type. A result takes the bytes of its store unless the
   old content is read afterwards; then a copy does. */
#include "passes/tools/name.h"
#include "passes/train/rule.h"

#include <string.h>

enum { CHEAP = 3 }; /* operations that are done again rather than stored */

/* A new content: of the weight (state -1) or of a state. */
typedef struct Target {
    int state;
    Term *term;
    Type type;
    ValueId old, value;
    Sym name; /* of the new content */
} Target;

typedef struct Update {
    RuleEmit *e;
    RuleResult *r;
    Terms *terms;
    Builder b;
    bool viewed;      /* the rule sees the weight in another shape */
    Target *target;   /* vector */
    ValueId *state;   /* old contents; 0: not a store yet */
    size_t first;     /* position of the first node of this parameter */
    const char *name; /* of the parameter */
} Update;

/* A node being written: its operands and the text of its formula. */
typedef struct Unit {
    Update *u;
    ValueId *in; /* vector */
    Text lets;
    int names;
    bool plain;   /* in the weight's own shape, not the view's */
    bool scalar;  /* computed in f64 */
    Map *written; /* Term -> text of its name */
} Unit;

/* -- what is live, what is stored ------------------------------------------ */

static void
mark_live(Term *x)
{
    if (x->live)
        return;
    x->live = true;
    for (int i = 0; i < x->args; i++)
        mark_live(x->arg[i]);
}

/* The states that the weight depends on, directly or by other states. */
static void
mark_results(RuleResult *r)
{
    bool grew = true;

    mark_live(r->weight);
    while (grew) {
        grew = false;
        for (size_t i = 0; i < vec_len(r->terms.all); i++) {
            Term *x = r->terms.all[i], *new;

            if (!x->live || x->kind != TM_VALUE || x->source != TS_STATE)
                continue;
            new = r->state[(int)x->number];
            if (new && !new->live) {
                mark_live(new);
                grew = true;
            }
        }
    }
}

static bool
same_type(const Term *x, const Term *y)
{
    return type_equal(&x->type, &y->type);
}

/* What another level, shape or kind of node reads has to be there. */
static void
mark_operand(const Term *x, Term *arg)
{
    if (arg->kind == TM_MAP && (x->kind != TM_MAP || !same_type(x, arg)))
        arg->stored = true;
}

/* Operations of x on top of stored terms; more than CHEAP count as one more. */
static int
cost_of(const Term *x)
{
    int cost = 1;

    if (x->kind != TM_MAP || x->stored)
        return 0;
    for (int i = 0; i < x->args && cost <= CHEAP; i++)
        cost += cost_of(x->arg[i]);
    return cost;
}

/* What is read by a later level is computed again if that is cheap, else it is
   made with the results of its own level. */
static void
mark_crossing(const Term *x, Term *arg)
{
    if (x->kind == TM_MAP && arg->level < x->level && cost_of(arg) > CHEAP)
        arg->stored = arg->together = true;
}

static void
mark_levels(Terms *t)
{
    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        for (int k = 0; k < x->args && x->live; k++) {
            if (x->arg[k]->level > x->level)
                x->level = x->arg[k]->level;
            mark_operand(x, x->arg[k]);
        }
        if (x->live && x->args && x->kind != TM_MAP)
            x->level++;
    }
    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        for (int k = 0; k < x->args && x->live; k++)
            mark_crossing(x, x->arg[k]);
    }
}

/* -- values of the step ---------------------------------------------------- */

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
step_value(RuleEmit *e)
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

static ValueId
state_value(Update *u, int i)
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
static ValueId
plain_value(Update *u, const Term *x)
{
    return x->source == TS_GRADIENT ? u->r->param.gradient
                                    : graph_store(u->e->g, u->r->param.store);
}

/* The weight or its gradient as the rule sees it. */
static ValueId
viewed_value(Update *u, const Term *x)
{
    const RuleParam *p = &u->r->param;
    ValueId v = plain_value(u, x);
    int64_t dim[2] = {p->view.dim[1], p->view.dim[0]};

    if (!u->viewed)
        return v;
    if (!p->transposed)
        return build_view(&u->b, v, p->view.rank, p->view.dim, "rule.view");
    if (p->plain.rank != 2)
        v = build_view(&u->b, v, 2, dim, "rule.view");
    return build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
}

static ValueId
leaf_value(Update *u, Term *x)
{
    switch (x->source) {
    case TS_STEP: return step_value(u->e);
    case TS_STEPS: return scalar_input(u->e, &u->e->steps, "steps");
    case TS_LR: return scalar_input(u->e, &u->e->lr, "lr");
    case TS_STATE: return state_value(u, (int)x->number);
    default: break;
    }
    if (!x->value)
        x->value = viewed_value(u, x);
    return x->value;
}

/* -- from the view back to the weight's own shape ---------------------------
 */

/* The shape in which a matrix of the view meets the weight itself, false if it
   does not. */
static bool
plain_shape(const RuleParam *p, const Type *t, int64_t *dim)
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

/* Value v of type t, made in the view, as an operand in the weight's shape. */
static ValueId
to_plain(Update *u, ValueId v)
{
    const RuleParam *p = &u->r->param;
    Type t = u->e->g->value[v].type;
    int64_t dim[MAXRANK];

    if (t.rank == 0)
        return v;
    ASSERT(plain_shape(p, &t, dim));
    if (p->transposed && t.rank == 2 && t.dim[0] > 1 && t.dim[1] > 1)
        v = build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
    type_make(t.dtype, p->plain.rank, dim, &t);
    return type_equal(&t, &u->e->g->value[v].type)
               ? v
               : build_view(&u->b, v, p->plain.rank, dim, "rule.view");
}

/* -- formulas ---------------------------------------------------------------
 */

static const char *
operand_letter(Unit *n, ValueId v)
{
    size_t i = 0;

    while (i < vec_len(n->in) && n->in[i] != v)
        i++;
    if (i == vec_len(n->in))
        vec_push(n->u->e->scratch, n->in, v);
    return formula_letter(n->u->e->scratch, (int)i);
}

static void
set_formula(Node *node, const void *from, Builder *b)
{
    Module *m = b->g->module;
    Formula *f =
        formula_parse(m->arena, m->syms, from, NULL, node->nin, NOWHERE);

    ASSERT(f); /* the text is ours */
    node_attr_set(node, "formula")->formula = f;
}

/* Scalars of the step are equal for all parameters: made once. */
static ValueId
shared_scalar(Unit *n, const char *formula, Type type)
{
    RuleEmit *e = n->u->e;
    Text key = text_new(e->scratch);
    uint64_t known = 0;
    NodeId node;
    Sym s;

    text_add(&key, "%d %s", (int)type.dtype, formula);
    for (size_t i = 0; i < vec_len(n->in); i++)
        text_add(&key, " %u", n->in[i]);
    s = sym(e->g->module->syms, text_str(&key));
    if (map_get_ptr(e->scalar, s, &known))
        return (ValueId)known;
    node = build_node(&n->u->b, OP_map, (int)vec_len(n->in), n->in, 1, &type,
                      set_formula, formula, "rule.s");
    map_put_ptr(e->scalar, s, e->g->node[node].out[0]);
    return e->g->node[node].out[0];
}

static bool
is_scalar(const Term *x)
{
    return x->type.dtype == DT_F64 && x->type.rank == 0;
}

/* t, T or lr where it meets tensors: converted to the weight's type. */
static ValueId
converted(Update *u, Term *x)
{
    Unit n = {.u = u, .scalar = true};

    operand_letter(&n, leaf_value(u, x));
    return shared_scalar(&n, "a", type_scalar(u->terms->dtype));
}

static const char *
value_letter(Unit *n, Term *x)
{
    bool tensor = x->kind == TM_VALUE &&
                  (x->source == TS_WEIGHT || x->source == TS_GRADIENT);
    bool of_step = x->kind == TM_VALUE && x->source >= TS_STEP;

    if (n->plain && tensor)
        return operand_letter(n, plain_value(n->u, x));
    if (of_step && !n->scalar)
        return operand_letter(n, converted(n->u, x));
    if (n->plain)
        return operand_letter(
            n, to_plain(n->u, x->value ? x->value : leaf_value(n->u, x)));
    return operand_letter(n, x->value ? x->value : leaf_value(n->u, x));
}

static bool
is_inline(const Term *x)
{
    return x->kind == TM_MAP && !x->value;
}

/* Is x written out in the unit? A scalar in f64 is, though it has a value: that
   one is converted. */
static bool
is_written(const Unit *n, const Term *x)
{
    return is_inline(x) || (n->scalar && x->kind == TM_MAP && is_scalar(x));
}

static void
count_uses(const Unit *n, Term *x, int by)
{
    x->uses += by;
    if (!is_written(n, x) || x->uses != (by > 0 ? 1 : 0))
        return;
    for (int i = 0; i < x->args; i++)
        count_uses(n, x->arg[i], by);
}

static const char *
number_text(Arena *a, double x)
{
    Text t = text_new(a);

    text_add(&t, x < 0 ? "(" : "");
    text_add_double(&t, x);
    text_add(&t, x < 0 ? ")" : "");
    return text_str(&t);
}

/* The text of x in the unit; what is used twice is named first. */
static const char *
write_term(Unit *n, Term *x)
{
    Arena *a = n->u->e->scratch;
    const char *arg[3] = {0};
    uint64_t known = 0;
    Text t = text_new(a), name = text_new(a);

    if (x->kind == TM_NUMBER)
        return number_text(a, x->number);
    if (!is_written(n, x))
        return value_letter(n, x);
    if (map_get_ptr(n->written, x, &known))
        return (const char *)(uintptr_t)known;
    for (int i = 0; i < x->args; i++)
        arg[i] = write_term(n, x->arg[i]);
    term_add_text(&t, x->text, x->args, arg);
    if (x->uses < 2)
        return text_str(&t);
    text_add(&name, "t%d", ++n->names);
    text_add(&n->lets, "%s = %s; ", text_str(&name), text_str(&t));
    map_put_ptr(n->written, x, (uint64_t)(uintptr_t)text_str(&name));
    return text_str(&name);
}

static const char *
write_unit(Unit *n, int count, Term *const *x)
{
    Text results = text_new(n->u->e->scratch);
    Text all = text_new(n->u->e->scratch);

    n->written = map_new(n->u->e->scratch);
    n->lets = text_new(n->u->e->scratch);
    for (int i = 0; i < count; i++)
        count_uses(n, x[i], 1);
    for (int i = 0; i < count; i++)
        text_add(&results, "%s%s", i ? "; " : "", write_term(n, x[i]));
    for (int i = 0; i < count; i++)
        count_uses(n, x[i], -1);
    text_add(&all, "%s%s", text_str(&n->lets), text_str(&results));
    return text_str(&all);
}

/* -- nodes ------------------------------------------------------------------
 */

static DType
stored_type(const Update *u)
{
    return u->terms->dtype;
}

/* One `map` node that makes all of x, in the view's shape or the weight's. */
static void
make(Update *u, int count, Term **x, bool plain)
{
    Unit n = {.u = u, .plain = plain, .scalar = is_scalar(x[0])};
    const char *formula = write_unit(&n, count, x);
    Type type = plain ? u->r->param.plain : x[0]->type;
    Type *types = NEWN(u->e->scratch, Type, count);
    NodeId node;

    type.dtype = stored_type(u);
    for (int i = 0; i < count; i++)
        types[i] = type;
    if (n.scalar && count == 1 && !x[0]->together) {
        x[0]->value = shared_scalar(&n, formula, type);
        return;
    }
    node = build_node(&u->b, OP_map, (int)vec_len(n.in), n.in, count, types,
                      set_formula, formula,
                      sym_format(u->terms->syms, "%s.rule", u->name));
    for (int i = 0; i < count; i++)
        x[i]->value = u->e->g->node[node].out[i];
}

static ValueId
make_sum(Update *u, const Term *x, ValueId v)
{
    int64_t axes[MAXRANK];
    int n = 0;

    for (int i = 0; i < MAXRANK; i++)
        if (x->axes >> i & 1)
            axes[n++] = i;
    return build_reduce(&u->b, "sum", v, n, axes, "rule.sum");
}

/* The value of x; a number gets a node. */
static ValueId
value_of(Update *u, Term *x)
{
    if (!x->value && (x->kind == TM_NUMBER || is_inline(x)))
        make(u, 1, &x, false);
    return x->value ? x->value : leaf_value(u, x);
}

static ValueId
make_iota(Update *u, const Term *x)
{
    Type t = x->type;
    ValueId v;

    t.dtype = DT_I64;
    v = build_iota(&u->b, t, 0, "rule.index");
    return build_formula(&u->b, "a", 1, &v, stored_type(u), "rule.index");
}

static void
make_other(Update *u, Term *x)
{
    ValueId v = x->args ? value_of(u, x->arg[0]) : 0;

    switch (x->kind) {
    case TM_REDUCE: x->value = make_sum(u, x, v); break;
    case TM_PRODUCT:
        x->value = build_contract(&u->b, "mk,kn->mn", v, value_of(u, x->arg[1]),
                                  "rule.product");
        break;
    case TM_TRANSPOSE:
        x->value = build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
        break;
    case TM_RESHAPE:
        x->value = build_view(&u->b, v, x->type.rank, x->type.dim, "rule.view");
        break;
    case TM_IOTA: x->value = make_iota(u, x); break;
    default: UNREACHABLE();
    }
}

/* Does x read one of the terms that are about to be made together? */
static bool
reads_together(const Term *x, const Term *like)
{
    if (!is_inline(x) || x->level != like->level)
        return false;
    for (int i = 0; i < x->args; i++) {
        const Term *arg = x->arg[i];

        if ((arg->together && is_inline(arg) && same_type(arg, like)) ||
            reads_together(arg, like))
            return true;
    }
    return false;
}

static bool
is_pending(const Term *x, const Term *like)
{
    return x->live && x->stored && is_inline(x) && x->level == like->level &&
           same_type(x, like);
}

/* Makes the pending terms of like's level and type: what stands alone and
   reads nothing of the others, the others in one node, the rest. */
static void
make_group(Update *u, const Term *like)
{
    Terms *t = u->terms;
    Term **together = NULL;

    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        if (is_pending(x, like) && !x->together && !reads_together(x, like))
            make(u, 1, &x, false);
    }
    for (size_t i = 0; i < vec_len(t->all); i++)
        if (is_pending(t->all[i], like) && t->all[i]->together)
            vec_push(u->e->scratch, together, t->all[i]);
    if (together)
        make(u, (int)vec_len(together), together, false);
    for (size_t i = 0; i < vec_len(t->all); i++)
        if (is_pending(t->all[i], like))
            make(u, 1, &t->all[i], false);
}

/* The pending term of the level with the fewest elements, the first of them:
   larger ones may read it. */
static Term *
next_group(const Terms *t, int level)
{
    Term *best = NULL;

    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        if (x->level == level && is_pending(x, x) &&
            (!best || type_elements(&x->type) < type_elements(&best->type) ||
             (x->type.dtype == DT_F64 && best->type.dtype != DT_F64 &&
              type_elements(&x->type) == type_elements(&best->type))))
            best = x;
    }
    return best;
}

static void
make_level(Update *u, int level)
{
    Terms *t = u->terms;
    Term *like;

    for (size_t i = 0; i < vec_len(t->all); i++) {
        Term *x = t->all[i];

        if (x->live && x->level == level && x->kind != TM_MAP &&
            x->kind != TM_VALUE && x->kind != TM_NUMBER)
            make_other(u, x);
    }
    while ((like = next_group(t, level)))
        make_group(u, like);
}

/* -- results ----------------------------------------------------------------
 */

static void
add_target(Update *u, int state, Term *x)
{
    Syms *syms = u->terms->syms;
    const RuleResult *r = u->r;
    Target t = {.state = state, .term = x};

    t.type = state < 0 ? r->param.plain : r->state_type[state];
    t.name = state < 0 ? sym_format(syms, "%s'", u->name)
                       : sym_format(syms, "%s.%s'", u->name,
                                    r->rule->state[state].name);
    vec_push(u->e->scratch, u->target, t);
}

/* A state lives if something live reads it. */
static void
collect_targets(Update *u)
{
    const RuleResult *r = u->r;

    for (size_t i = 0; i < vec_len(r->terms.all); i++) {
        const Term *x = r->terms.all[i];
        int s = (int)x->number;

        if (x->live && x->kind == TM_VALUE && x->source == TS_STATE &&
            r->state[s])
            add_target(u, s, r->state[s]);
    }
    add_target(u, -1, r->weight);
    for (size_t i = 0; i < vec_len(u->target); i++) {
        Term *x = u->target[i].term;
        bool weight = u->target[i].state < 0;

        if (x->kind == TM_MAP && !(weight && u->viewed))
            x->stored = x->together = true;
    }
}

/* Can the unit of x be written in the weight's own shape? */
static bool
fits_plain(Update *u, Term *x)
{
    Unit n = {.u = u, .plain = true};
    int64_t dim[MAXRANK];
    bool fits = true;

    count_uses(&n, x, 1);
    for (size_t i = 0; i < vec_len(u->terms->all); i++) {
        const Term *y = u->terms->all[i];

        if (y->uses && !is_inline(y) && y->type.rank)
            fits &= plain_shape(&u->r->param, &y->type, dim);
    }
    count_uses(&n, x, -1);
    return fits;
}

/* The weight of a viewed rule is made in its own shape where it can be, so
   that it takes the bytes of the old one. */
static ValueId
make_weight(Update *u, Term *x)
{
    if (is_inline(x)) {
        bool plain = fits_plain(u, x);

        make(u, 1, &x, plain);
        if (plain)
            return x->value;
    }
    return to_plain(u, value_of(u, x));
}

static void
make_target(Update *u, Target *t)
{
    t->old = t->state < 0 ? graph_store(u->e->g, u->r->param.store)
                          : state_value(u, t->state);
    if (t->state < 0 && u->viewed)
        t->value = make_weight(u, t->term);
    else
        t->value = value_of(u, t->term);
}

static bool
reads(const Node *n, ValueId v)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v)
            return true;
    return false;
}

/* The last position from `from` on that reads v or a view of it. */
static size_t
last_read(const Graph *g, ValueId v, size_t from)
{
    size_t last = from;

    for (size_t k = from; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];
        size_t deeper;

        if (!reads(n, v))
            continue;
        deeper = n->op == OP_view ? last_read(g, n->out[0], k) : k;
        last = deeper > last ? deeper : last;
    }
    return last;
}

/* May value v take the bytes of `old`: made by a node that reads them, and
   none reads them afterwards? */
static bool
may_take(const Update *u, ValueId v, ValueId old)
{
    const Graph *g = u->e->g;
    const Value *value = &g->value[v];
    size_t k = u->first;

    if (!value->def || value->over || !reads(&g->node[value->def], old) ||
        g->node[value->def].op != OP_map ||
        !type_equal(&value->type, &g->value[old].type))
        return false;
    while (k < vec_len(g->order) && g->order[k] != value->def)
        k++;
    return k < vec_len(g->order) && last_read(g, old, u->first) <= k;
}

static void
finish_target(Update *u, Target *t)
{
    Graph *g = u->e->g;

    if (!may_take(u, t->value, t->old)) {
        ValueId in[] = {t->value, t->old};
        NodeId n = build_node(&u->b, OP_map, 2, in, 1, &t->type, set_formula,
                              "a", t->name);

        t->value = g->node[n].out[0];
    }
    g->value[t->value].over = t->old;
    rename_value(g, t->value, t->name);
}

void
rule_emit(RuleEmit *e, RuleResult *r)
{
    Update u = {.e = e,
                .r = r,
                .terms = &r->terms,
                .b = {.g = e->g, .phase = 'u'},
                .viewed = !type_equal(&r->param.view, &r->param.plain) ||
                          r->param.transposed,
                .state = NEWN(e->scratch, ValueId, vec_len(r->rule->state) + 1),
                .first = vec_len(e->g->order),
                .name = e->g->module->store[r->param.store].name};
    int levels = 0;

    mark_results(r);
    collect_targets(&u);
    mark_levels(u.terms);
    for (size_t i = 0; i < vec_len(u.terms->all); i++)
        if (u.terms->all[i]->live && u.terms->all[i]->level > levels)
            levels = u.terms->all[i]->level;
    for (int level = 0; level <= levels; level++)
        make_level(&u, level);
    for (size_t i = 0; i < vec_len(u.target); i++)
        make_target(&u, &u.target[i]);
    for (size_t i = 0; i < vec_len(u.target); i++)
        finish_target(&u, &u.target[i]);
}
