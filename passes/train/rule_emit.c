/* rule_emit: terms into nodes. Element-wise terms stay unwritten until a sum,
   a product, a broadcast or a result needs them; results and what later
   levels read (unless it is cheap) are made together, one `map` of several
   results for each level and shape. Scalars of the step are computed in f64 and
   leave as the weight's type. A result takes the bytes of its store unless the
   old content is read afterwards; then a copy does. */
#include "passes/train/rule_emit.h"

#include "passes/tools/draw.h"
#include "passes/tools/name.h"

/* -- nodes -------------------------------------------------------------- */

static DType
stored_type(const Update *u)
{
    return u->terms->dtype;
}

/* One `map` node that makes all of x, in the view's shape or the weight's. */
static void
make(Update *u, int count, Term **x, bool plain)
{
    Unit n = {.u = u, .plain = plain, .scalar = rule_is_scalar(x[0])};
    const char *formula = rule_write_unit(&n, count, x);
    Type type = plain ? u->r->param.plain : x[0]->type;
    Type *types = NEWN(u->e->scratch, Type, count);
    NodeId node;

    type.dtype = stored_type(u);
    for (int i = 0; i < count; i++)
        types[i] = type;
    if (n.scalar && count == 1 && !x[0]->together) {
        x[0]->value = rule_shared_scalar(&n, formula, type);
        return;
    }
    node = build_node(&u->b, OP_map, (int)vec_len(n.in), n.in, count, types,
                      rule_set_formula, formula,
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
    if (!x->value && (x->kind == TM_NUMBER || rule_is_inline(x)))
        make(u, 1, &x, false);
    return x->value ? x->value : rule_leaf_value(u, x);
}

/* A transposed factor is read as it is, under swapped labels; its own node is
   left to dce. */
static ValueId
make_product(Update *u, Term *x, Term *y)
{
    bool turn_x = x->kind == TM_TRANSPOSE, turn_y = y->kind == TM_TRANSPOSE;
    const char *labels = turn_x && turn_y ? "km,nk->mn"
                         : turn_x         ? "km,kn->mn"
                         : turn_y         ? "mk,nk->mn"
                                          : "mk,kn->mn";

    return build_contract(&u->b, labels, value_of(u, turn_x ? x->arg[0] : x),
                          value_of(u, turn_y ? y->arg[0] : y), "rule.product");
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

/* By Box and Muller of two uniform numbers, of the run's seed, the key and the
   parameter. */
static ValueId
make_random(Update *u, const Term *x, ValueId key)
{
    Type flat = {.dtype = DT_I64, .rank = 1, .dim = {type_elements(&x->type)}};
    ValueId in[3] = {build_iota(&u->b, flat, 0, "rule.index"), key};
    Text t = text_new(u->e->scratch);

    if (!u->e->seed)
        u->e->seed = draw_seed(u->e->g);
    in[0] = build_view(&u->b, in[0], 2, x->type.dim, "rule.index");
    in[2] = u->e->seed;
    text_add(&t,
             "k = i64(b); s = c+%u; p = 1-uniform(2*a,k,s); "
             "q = uniform(2*a+1,k,s); sqrt(-2*log(p))*cos(6.283185307179586*q)",
             u->r->param.store * 7001 + 17);
    return build_formula(&u->b, text_str(&t), 3, in, stored_type(u),
                         "rule.random");
}

static void
make_other(Update *u, Term *x)
{
    ValueId v = x->args ? value_of(u, x->arg[0]) : 0;

    switch (x->kind) {
    case TM_REDUCE: x->value = make_sum(u, x, v); break;
    case TM_PRODUCT: x->value = make_product(u, x->arg[0], x->arg[1]); break;
    case TM_TRANSPOSE:
        x->value = build_transpose(&u->b, v, (int64_t[]){1, 0}, "rule.turn");
        break;
    case TM_RESHAPE:
        x->value = build_view(&u->b, v, x->type.rank, x->type.dim, "rule.view");
        break;
    case TM_IOTA: x->value = make_iota(u, x); break;
    case TM_RANDOM: x->value = make_random(u, x, v); break;
    default: UNREACHABLE();
    }
}

/* Does x read one of the terms that are about to be made together? */
static bool
reads_together(const Term *x, const Term *like)
{
    if (!rule_is_inline(x) || x->level != like->level)
        return false;
    for (int i = 0; i < x->args; i++) {
        const Term *arg = x->arg[i];

        if ((arg->together && rule_is_inline(arg) &&
             rule_same_type(arg, like)) ||
            reads_together(arg, like))
            return true;
    }
    return false;
}

static bool
is_pending(const Term *x, const Term *like)
{
    return x->live && x->stored && rule_is_inline(x) &&
           x->level == like->level && rule_same_type(x, like);
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

/* -- results ------------------------------------------------------------ */

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
        int s;

        if (!x->live || x->kind != TM_VALUE || x->source != TS_STATE)
            continue;
        s = (int)x->number;
        if (r->state[s])
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

    rule_count_uses(&n, x, 1);
    for (size_t i = 0; i < vec_len(u->terms->all); i++) {
        const Term *y = u->terms->all[i];

        if (y->uses && !rule_is_inline(y) && y->type.rank)
            fits &= rule_plain_shape(&u->r->param, &y->type, dim);
    }
    rule_count_uses(&n, x, -1);
    return fits;
}

/* The weight of a viewed rule is made in its own shape where it can be, so
   that it takes the bytes of the old one. */
static ValueId
make_weight(Update *u, Term *x)
{
    if (rule_is_inline(x)) {
        bool plain = fits_plain(u, x);

        make(u, 1, &x, plain);
        if (plain)
            return x->value;
    }
    return rule_to_plain(u, value_of(u, x));
}

static void
make_target(Update *u, Target *t)
{
    t->old = t->state < 0 ? graph_store(u->e->g, u->r->param.store)
                          : rule_state_value(u, t->state);
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
        NodeId n = build_node(&u->b, OP_map, 2, in, 1, &t->type,
                              rule_set_formula, "a", t->name);

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

    rule_mark_results(r);
    collect_targets(&u);
    rule_mark_levels(u.terms);
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
