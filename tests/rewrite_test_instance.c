/* rewrite_test_instance: shapes are planned from the root down, nodes are built
   from the leaves up; what does not fit fails and another seed is tried. */
#include "tests/rewrite_test_draw.h"

#include "ir/expr_rows.h"

#include <stdlib.h>
#include <string.h>

/* -- conditions ---------------------------------------------------------- */

/* Does a condition call this function with the term first? */
static bool
asks(const Maker *k, const char *function, uint32_t t)
{
    const char *args;
    RewriteKind kind;
    int f = rewrite_function(function, &args, &kind);

    for (size_t i = 0; i < vec_len(k->rule->condition); i++) {
        const RewriteExpr *e = k->rule->condition[i].value;

        if (e && e->form == RF_CALL && e->function == f &&
            e->arg[0]->form == RF_VALUE && e->arg[0]->term == t)
            return true;
    }
    return false;
}

static RewriteResult *
variable(Maker *k, int i)
{
    return &k->match.variable[i];
}

/* Shapes that conditions give to terms. */
static void
take_conditions(Maker *k)
{
    for (size_t i = 0; i < vec_len(k->rule->condition); i++) {
        const RewriteCondition *c = &k->rule->condition[i];
        Shape *s = &k->hint[c->term];

        if (c->test != RC_TYPE || !c->shaped)
            continue;
        s->rank = (int)vec_len(c->dim);
        for (int d = 0; d < s->rank; d++) {
            const RewriteExpr *e = c->dim[d];

            if (e->form == RF_VARIABLE &&
                variable(k, e->variable)->kind == RK_NONE)
                *variable(k, e->variable) =
                    (RewriteResult){.kind = RK_NUMBER,
                                    .number =
                                        (double)variable_size(k, e->variable)};
            s->dim[d] = (int64_t)rewrite_value(&k->match, e).number;
        }
    }
}

/* -- attributes ---------------------------------------------------------- */

static RewriteResult
random_perm(Maker *k, int rank)
{
    RewriteResult r = {.kind = RK_LIST};

    for (int i = 0; i < rank; i++)
        vec_push(k->x->arena, r.list, i);
    for (int i = rank - 1; i > 0; i--) {
        int j = (int)draw(k, i + 1);
        int64_t t = r.list[i];

        r.list[i] = r.list[j];
        r.list[j] = t;
    }
    return r;
}

static RewriteResult
random_labels(Maker *k)
{
    static const char *const labels[] = {"mk,kn->mn", "mk,nk->mn", "km,kn->mn",
                                         "Amk,kn->Amn", "mk,Akn->Amn"};

    return (RewriteResult){
        .kind = RK_TEXT,
        .text = sym(k->x->module->syms, labels[draw(k, 5)])};
}

/* An attribute's value: as written, or a new variable's. */
static RewriteResult
attr_value(Maker *k, Op op, const RewriteAttr *a, int rank)
{
    const AttrSpec *spec = &op_info(op)->attr[a->attr];
    RewriteResult *v = a->value->form == RF_VARIABLE
                           ? variable(k, a->value->variable)
                           : NULL;

    if (v && v->kind == RK_NONE) {
        if (spec->kind == 'l')
            *v = random_perm(k, rank);
        else if (spec->kind == 's')
            *v = random_labels(k);
        else
            *v = (RewriteResult){
                .kind = RK_NUMBER,
                .number = spec->kind == 'i' || spec->kind == 'b'
                              ? (double)draw(k, 2)
                              : draw_number(k)};
    }
    return rewrite_value(&k->match, a->value);
}

static const RewriteAttr *
attr_named(const RewriteNode *p, const char *name)
{
    for (size_t i = 0; i < vec_len(p->attr); i++)
        if (strcmp(op_info(p->op)->attr[p->attr[i].attr].name, name) == 0)
            return &p->attr[i];
    return NULL;
}

/* -- planning shapes ----------------------------------------------------- */

static void plan(Maker *k, uint32_t t, Shape s);

static void
plan_contract(Maker *k, const RewriteNode *p)
{
    const char *labels = attr_value(k, p->op, attr_named(p, "labels"), 0).text;
    size_t comma = strcspn(labels, ",");

    plan(k, p->in[0], labelled(k, labels, comma));
    plan(k, p->in[1],
         labelled(k, labels + comma + 1, strcspn(labels + comma + 1, "-")));
}

static void
plan_attention(Maker *k, const RewriteNode *p)
{
    static const char *const labels[] = {"BHSD", "BHTD", "BHTE", "BHST"};

    if (label_size(k, 'T') < label_size(k, 'S'))
        k->size['T'] = k->size['S'];
    for (size_t i = 0; i < vec_len(p->in) && i < 4; i++)
        plan(k, p->in[i], labelled(k, labels[i], 4));
}

static void
plan_transpose(Maker *k, const RewriteNode *p, Shape s)
{
    const RewriteAttr *a = attr_named(p, "perm");
    RewriteResult perm = attr_value(k, p->op, a, s.rank);
    Shape in = s;

    for (int i = 0; i < s.rank && (int)vec_len(perm.list) == s.rank; i++)
        in.dim[perm.list[i]] = s.dim[i];
    plan(k, p->in[0], in);
}

static void
plan_node(Maker *k, const RewriteNode *p, Shape s)
{
    switch (p->op) {
    case OP_contract: plan_contract(k, p); break;
    case OP_attention: plan_attention(k, p); break;
    case OP_transpose: plan_transpose(k, p, s); break;
    case OP_view: plan(k, p->in[0], regroup(k, s)); break;
    case OP_broadcast: plan(k, p->in[0], lessen(k, s)); break;
    default:
        for (size_t i = 0; i < vec_len(p->in); i++)
            plan(k, p->in[i], s);
    }
}

static void
plan(Maker *k, uint32_t t, Shape s)
{
    const RewriteTerm *term = &k->rule->term[t];
    bool known = k->hint[t].rank >= 0;

    if (known)
        s = k->hint[t];
    k->hint[t] = s;
    if (known && term->kind != RT_VALUE && k->x->arm[t])
        return; /* planned already */
    switch (term->kind) {
    case RT_EITHER:
        k->x->arm[t] = 1 + (int)draw(k, 2);
        plan(k, term->arg[k->x->arm[t] - 1], s);
        break;
    case RT_SCALAR:
        k->x->arm[t] = 1;
        for (int i = 0; i < term->args; i++)
            plan(k, term->arg[i],
                 (i || term->op == EX_WHERE) && !draw(k, 3) ? lessen(k, s)
                                                            : s);
        break;
    case RT_RESULT:
        k->x->arm[t] = 1;
        plan_node(k, &k->rule->node[term->node], s);
        break;
    default: break;
    }
}

/* -- building ------------------------------------------------------------ */

static ValueId make(Maker *k, uint32_t t);

static Type
type_of_shape(const Maker *k, Shape s)
{
    Type t;

    ASSERT(type_make(k->dtype, s.rank < 0 ? 0 : s.rank, s.dim, &t));
    return t;
}

static ValueId
make_store(Maker *k, StoreKind kind, Type type)
{
    Module *m = k->x->module;
    Store s = {.type = type, .kind = kind, .init.kind = INIT_LIST};

    s.name = sym_format(m->syms, "x%d", (int)vec_len(m->store));
    for (int64_t i = 0; i < type_elements(&type); i++) {
        double x = draw_number(k);

        vec_push(m->arena, s.init.list, k->positive ? x : x - 1);
    }
    return graph_store(k->b.g, module_add_store(m, s));
}

/* Scores right of the diagonal are taken out. */
static ValueId
make_mask(Maker *k, Shape s)
{
    Type row = {.dtype = DT_I64, .rank = s.rank}, column = row;
    int64_t shift = s.dim[s.rank - 1] - s.dim[s.rank - 2];
    char formula[80];
    ValueId in[2];

    for (int i = 0; i < s.rank; i++)
        row.dim[i] = column.dim[i] = 1;
    row.dim[s.rank - 2] = s.dim[s.rank - 2];
    column.dim[s.rank - 1] = s.dim[s.rank - 1];
    in[0] = build_iota(&k->b, row, s.rank - 2, NULL);
    in[1] = build_iota(&k->b, column, s.rank - 1, NULL);
    snprintf(formula, sizeof formula, "where(b<=a+%d,0,-inf)", (int)shift);
    return build_formula(&k->b, formula, 2, in, k->dtype, NULL);
}

static bool
is_number_term(const RewriteTerm *t)
{
    return t->kind == RT_NUMBER || t->kind == RT_VARIABLE;
}

/* What chooses in a `where`; *low: its second operand is a number. */
static bool
is_chooser(const Maker *k, uint32_t t, bool *low)
{
    for (uint32_t i = 1; i < k->rule->terms; i++) {
        const RewriteTerm *x = &k->rule->term[i];

        if (x->kind != RT_SCALAR || x->op != EX_WHERE || x->arg[0] != t)
            continue;
        *low = is_number_term(&k->rule->term[x->arg[1]]);
        return true;
    }
    return false;
}

/* 0 or 1 at random, but the first of each row is kept, not filled. */
static ValueId
make_chooser(Maker *k, Type type, bool low)
{
    Module *m = k->x->module;
    Store s = {.type = type, .kind = SK_CONST, .init.kind = INIT_LIST};
    int64_t row = type.rank ? type.dim[type.rank - 1] : 1;

    s.name = sym_format(m->syms, "x%d", (int)vec_len(m->store));
    s.type.dtype = DT_I1;
    for (int64_t i = 0; i < type_elements(&type); i++)
        vec_push(m->arena, s.init.list,
                 i % row ? (double)draw(k, 2) : low ? 0 : 1);
    return graph_store(k->b.g, module_add_store(m, s));
}

static ValueId
make_leaf(Maker *k, uint32_t t)
{
    Shape s = k->hint[t];
    bool low;

    if (is_chooser(k, t, &low))
        return make_chooser(k, type_of_shape(k, s), low);

    if (asks(k, "causal", t))
        return make_mask(k, s);
    return make_store(k, asks(k, "untrained", t) ? SK_CONST : SK_PARAM,
                      type_of_shape(k, s));
}

/* A number that the condition `$x <= bound` allows, if there is one. */
static double
allowed_number(Maker *k, int i)
{
    for (size_t c = 0; c < vec_len(k->rule->condition); c++) {
        const RewriteExpr *e = k->rule->condition[c].value;

        if (e && e->form == RF_OPERATOR && strcmp(e->sign, "<=") == 0 &&
            e->arg[0]->form == RF_VARIABLE && e->arg[0]->variable == i)
            return 2 * rewrite_value(&k->match, e->arg[1]).number;
    }
    return draw_number(k);
}

static double
number_of(Maker *k, const RewriteTerm *t)
{
    RewriteResult *v;

    if (t->kind == RT_NUMBER)
        return t->number;
    v = variable(k, t->variable);
    if (v->kind == RK_NONE)
        *v = (RewriteResult){.kind = RK_NUMBER,
                             .number = allowed_number(k, t->variable)};
    return v->number;
}

static ValueId
make_number(Maker *k, double x)
{
    Module *m = k->x->module;
    Store s = {.type = {k->dtype, 1, {1}}, .init = {.fill = x}};

    if (draw(k, 2))
        return build_number(&k->b, x, k->dtype, NULL);
    s.kind = SK_CONST;
    s.name = sym_format(m->syms, "x%d", (int)vec_len(m->store));
    return graph_store(k->b.g, module_add_store(m, s));
}

typedef struct ScalarNode {
    Formula *formula;
} ScalarNode;

static void
set_scalar(Node *n, const void *from, Builder *b)
{
    (void)b;
    node_attr_set(n, "formula")->formula = ((const ScalarNode *)from)->formula;
}

/* One `map` a primitive; numbers stand in it or are operands. */
static ValueId
make_scalar(Maker *k, const RewriteTerm *t)
{
    Arena *a = k->x->module->arena;
    Formula *f = formula_new(a);
    ValueId *in = NULL;
    uint32_t arg[3] = {0};
    ScalarNode node = {f};
    NodeId n;

    for (int i = 0; i < t->args; i++) {
        const RewriteTerm *x = &k->rule->term[t->arg[i]];

        if (is_number_term(x) && draw(k, 2)) {
            arg[i] = formula_number(a, f, number_of(k, x));
            continue;
        }
        arg[i] = formula_input(
            a, f,
            sym(k->x->module->syms, formula_letter(a, (int)vec_len(in))));
        vec_push(a, in, make(k, t->arg[i]));
    }
    vec_push(a, f->result,
             t->op == EX_MATH
                 ? formula_math(a, f, (int)t->number, arg[0], arg[1])
                 : formula_node(a, f, t->op, arg[0], arg[1], arg[2]));
    n = build_node(&k->b, OP_map, (int)vec_len(in), in, 1, NULL, set_scalar,
                   &node, NULL);
    return node_at(k->b.g, n)->out[0];
}

static void
set_pattern(Maker *k, NodeId id, const RewriteNode *p)
{
    Node *n = node_at(k->b.g, id);
    int rank = n->nin ? value_at(k->b.g, n->in[0])->type.rank : 0;

    for (size_t i = 0; i < vec_len(p->attr); i++) {
        RewriteResult v = attr_value(k, p->op, &p->attr[i], rank);
        Attr *a = &n->attr[p->attr[i].attr];

        switch (op_info(p->op)->attr[p->attr[i].attr].kind) {
        case 'b':
        case 'i': a->i = (int64_t)v.number; break;
        case 'f': a->f = v.number; break;
        case 's': a->s = v.text; break;
        default:
            a->list = list_new(k->x->module->arena, (int)vec_len(v.list),
                               v.list);
            for (size_t d = 0; d < vec_len(a->list); d++)
                a->list[d] += a->list[d] < 0 ? rank : 0;
        }
    }
    if (p->op == OP_contract)
        node_attr_set(n, "split")->i = 1;
}

static ValueId *
make_operands(Maker *k, const RewriteNode *p)
{
    ValueId *in = NULL;

    for (size_t i = 0; i < vec_len(p->in); i++)
        vec_push(k->x->arena, in, make(k, p->in[i]));
    if (p->rest >= 0 && p->op == OP_attention && draw(k, 2))
        vec_push(k->x->arena, in,
                 make_store(k, SK_CONST,
                            type_of_shape(k, labelled(k, "BHST", 4))));
    return in;
}

static void
make_node(Maker *k, const RewriteNode *p, Shape s, ValueId *out)
{
    ValueId *in = make_operands(k, p);
    NodeId id = graph_node(k->b.g, p->op, 'f', (int)vec_len(in), in,
                           p->results);
    Type *type = NEWN(k->x->arena, Type, p->results), given;

    set_pattern(k, id, p);
    given = type_of_shape(k, s);
    if (!infer_node(k->b.g, id, &given, type))
        raise_at(NOWHERE, "does not fit");
    for (int i = 0; i < p->results; i++)
        out[i] = graph_result(k->b.g, id, i, op_info(p->op)->name, type[i]);
}

static ValueId
make_result(Maker *k, uint32_t t)
{
    const RewriteTerm *term = &k->rule->term[t];
    const RewriteNode *p = &k->rule->node[term->node];
    ValueId **made = &k->made[term->node];

    if (!*made) {
        *made = NEWN(k->x->arena, ValueId, p->results);
        make_node(k, p, k->hint[t], *made);
    }
    return (*made)[term->result];
}

static ValueId
make(Maker *k, uint32_t t)
{
    const RewriteTerm *term = &k->rule->term[t];

    if (k->value[t])
        return k->value[t];
    switch (term->kind) {
    case RT_VALUE: k->value[t] = make_leaf(k, t); break;
    case RT_NUMBER:
    case RT_VARIABLE: k->value[t] = make_number(k, number_of(k, term)); break;
    case RT_SCALAR: k->value[t] = make_scalar(k, term); break;
    case RT_RESULT: k->value[t] = make_result(k, t); break;
    case RT_EITHER:
        k->value[t] = make(k, term->arg[k->x->arm[t] == 2]);
        break;
    }
    return k->value[t];
}

static void
make_graph(Maker *k)
{
    ValueId y;

    take_conditions(k);
    plan(k, k->rule->root, draw_shape(k));
    y = make(k, k->rule->root);
    y = build_map1(&k->b, OP_copy, y, NULL);
    vec_push(k->x->module->arena, k->x->graph->output, y);
    raise_if_complained();
}

Instance
instance_make(const RewriteRule *rule, uint64_t seed, DType dtype)
{
    static Instance x; /* survives the jump */
    static Guard guard;
    size_t terms = vec_len(rule->term);
    Maker k = {.x = &x, .rule = rule, .dtype = dtype, .seed = seed};

    x = (Instance){.arena = arena_new()};
    x.module = module_new(x.arena, "instance");
    x.graph = module_add_entry(x.module, "train");
    x.arm = NEWN(x.arena, int, terms);
    k.b = (Builder){.g = x.graph, .phase = 'f'};
    k.hint = NEWN(x.arena, Shape, terms);
    k.value = NEWN(x.arena, ValueId, terms);
    k.made = NEWN(x.arena, ValueId *, vec_len(rule->node) + 1);
    k.match = (RewriteMatch){.scratch = x.arena, .rule = rule};
    k.match.variable =
        NEWN(x.arena, RewriteResult, vec_len(rule->variable) + 1);
    k.match.subject = NEWN(x.arena, RewriteSubject, terms);
    k.positive = draw(&k, 2);
    for (size_t i = 0; i < terms; i++)
        k.hint[i].rank = -1;
    if (guarded(&guard)) {
        make_graph(&k);
        guard_leave(&guard);
    } else {
        x.problem = diag_text(&guard);
        diag_free(&guard);
    }
    return x;
}

void
instance_free(Instance *x)
{
    free(x->problem);
    arena_free(x->arena);
}
