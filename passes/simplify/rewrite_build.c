/* rewrite_build: the replacement of a match as nodes at the end of the order.
   What does not fit here (types, shapes) is no fault: the rule does not apply.
 */
#include "passes/simplify/rewrite.h"

#include <math.h>
#include <string.h>

typedef struct Making {
    const RewriteMatch *m;
    Builder b;
    NodeId *made; /* by node of the replacement */
    const RewriteNode *node;
} Making;

/* The value of a term; 0: it stands for nothing in this match. */
static ValueId
term_value(const Making *x, uint32_t t)
{
    const RewriteTerm *term = &x->m->rule->term[t];
    ValueId v;

    if (t < x->m->rule->terms)
        return x->m->subject[t].inner ? 0 : x->m->subject[t].value;
    if (term->kind == RT_EITHER) {
        v = term_value(x, term->arg[0]);
        return v ? v : term_value(x, term->arg[1]);
    }
    if (!x->made[term->node])
        return 0;
    return node_at(x->b.g, x->made[term->node])->out[term->result];
}

static bool
set_attr(const Making *x, Node *n, const RewriteAttr *a)
{
    RewriteResult v = rewrite_value(x->m, a->value);
    Attr *attr = &n->attr[a->attr];

    if (v.kind == RK_NONE)
        return false;
    switch (op_info(n->op)->attr[a->attr].kind) {
    case 'b':
    case 'i':
        attr->i = (int64_t)v.number;
        return fabs(v.number) <= 0x1p53 && v.number == (double)attr->i;
    case 'f': attr->f = v.number; return true;
    case 's':
        attr->s = sym(x->b.g->module->syms, v.text ? v.text : "");
        return true;
    default:
        attr->list = list_new(x->b.g->module->arena, (int)vec_len(v.list),
                              v.list);
        return true;
    }
}

/* The text of a formula with its variables as numbers. */
static const char *
formula_text(const Making *x, const char *text)
{
    const RewriteRule *rule = x->m->rule;
    Arena *a = x->m->scratch;
    Text out = text_new(a);

    while (*text) {
        size_t n = strcspn(text, "$"), length = 0;
        const RewriteVariable *v = rule->variable;
        size_t i = 0;

        text_add_n(&out, text, n);
        text += n;
        if (!*text)
            break;
        text++;
        length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        while (i < vec_len(v) && (strlen(v[i].name) != length ||
                                  strncmp(v[i].name, text, length) != 0))
            i++;
        ASSERT(i < vec_len(v)); /* the parser has seen to it */
        if (x->m->variable[i].kind != RK_NUMBER)
            return NULL;
        text_add(&out, "(");
        text_add_double(&out, x->m->variable[i].number);
        text_add(&out, ")");
        text += length;
    }
    return text_str(&out);
}

static bool
set_formula(const Making *x, Node *n)
{
    const Module *mod = x->b.g->module;
    const char *text = formula_text(x, x->node->formula);
    Formula *f = text ? formula_parse(mod->arena, mod->syms, text, NULL,
                                      n->nin, NOWHERE)
                      : NULL;

    if (!f || vec_len(f->result) != 1)
        return false;
    node_attr_set(n, "formula")->formula = f;
    return true;
}

static bool
set_attrs(const Making *x, NodeId id)
{
    Node *n = node_at(x->b.g, id);

    for (size_t i = 0; i < vec_len(x->node->attr); i++)
        if (!set_attr(x, n, &x->node->attr[i]))
            return false;
    return n->op != OP_map || set_formula(x, n);
}

/* A product's split follows from its shape, as wherever one is made. */
static void
set_split(const Making *x, NodeId id)
{
    Graph *g = x->b.g;
    Node *n = node_at(g, id);
    Builder b = x->b;
    ValueId y;

    if (n->op != OP_contract)
        return;
    y = build_contract(&b, node_text(n, "labels"), n->in[0], n->in[1], NULL);
    node_attr_set(node_at(g, id), "split")->i =
        node_int(node_at(g, value_at(g, y)->def), "split");
    (void)vec_pop(g->order);
}

/* The type that is written behind a node; false if it is none. */
static bool
written_type(const Making *x, const Node *n, Type *out)
{
    int64_t dim[MAXRANK];
    DType d = x->node->dtype;

    if (d == DT_NONE && n->nin)
        d = value_at(x->b.g, n->in[0])->type.dtype;
    for (size_t i = 0; i < vec_len(x->node->dim); i++) {
        RewriteResult v = rewrite_value(x->m, x->node->dim[i]);

        if (v.kind == RK_NONE || !(v.number >= 0 && v.number <= 0x1p53) ||
            v.number != floor(v.number))
            return false;
        dim[i] = (int64_t)v.number;
    }
    return d != DT_NONE &&
           type_make(d, (int)vec_len(x->node->dim), dim, out);
}

/* The inferred shape with the element type of another value. */
static bool
like_type(const Making *x, NodeId id, Type *out)
{
    ValueId v = term_value(x, x->node->like);
    Type t;

    if (!v || node_at(x->b.g, id)->nout != 1 ||
        !infer_node(x->b.g, id, NULL, &t))
        return false;
    *out = t;
    out->dtype = value_at(x->b.g, v)->type.dtype;
    return true;
}

/* What is given for the results of a node: the types of the root's for the
   last node, or as written. False if what is written is no type; *given is
   NULL where nothing is said. */
static bool
given_types(const Making *x, NodeId id, bool last, Type **given)
{
    const Node *root = node_at(x->b.g, x->m->root), *n = node_at(x->b.g, id);

    if (last && root->nout == n->nout)
        for (int i = 0; i < n->nout; i++)
            (*given)[i] = value_at(x->b.g, root->out[i])->type;
    else if (x->node->like)
        return like_type(x, id, &(*given)[0]);
    else if (!x->node->typed)
        *given = NULL;
    else if (!written_type(x, n, &(*given)[0]))
        return false;
    return true;
}

/* The last node may have more results than the root, of the same types. */
static bool
set_types(const Making *x, NodeId id, bool last)
{
    Graph *g = x->b.g;
    const Node *root = node_at(g, x->m->root);
    const Node *n = node_at(g, id);
    Type *given = NEWN(x->m->scratch, Type, n->nout);
    Type *type = NEWN(x->m->scratch, Type, n->nout);

    if ((last && n->nout < root->nout) || !given_types(x, id, last, &given) ||
        !infer_node(g, id, given, type))
        return false;
    for (int i = 0; last && i < root->nout; i++)
        if (!type_equal(&type[i], &value_at(g, root->out[i])->type))
            return false;
    for (int i = 0; i < n->nout; i++)
        graph_result(g, id, i, op_info(n->op)->name, type[i]);
    return true;
}

/* The operands that stand for something; false if one of a fixed number does
   not. */
static bool
take_operands(const Making *x, ValueId **in)
{
    const OpInfo *info = op_info(x->node->op);
    bool loose = info->inputs < 0 && !(info->flags & OF_MAP);
    Arena *a = x->m->scratch;

    for (size_t k = 0; k < vec_len(x->node->in); k++) {
        ValueId v = term_value(x, x->node->in[k]);

        if (v)
            vec_push(a, *in, v);
        else if (!loose)
            return false;
    }
    for (size_t k = 0;
         x->node->rest >= 0 && k < vec_len(x->m->rest[x->node->rest]); k++)
        vec_push(a, *in, x->m->rest[x->node->rest][k]);
    return true;
}

/* A node whose operands stand for nothing is left out; the last one may not. */
static bool
make_node(Making *x, size_t i)
{
    bool last = i + 1 == vec_len(x->m->rule->made);
    ValueId *in = NULL;
    NodeId id;

    x->node = &x->m->rule->made[i];
    if (!take_operands(x, &in))
        return !last;
    id = graph_node(x->b.g, x->node->op, x->b.phase, (int)vec_len(in), in,
                    x->node->results);
    x->made[i] = id;
    node_at(x->b.g, id)->source = x->b.source;
    node_at(x->b.g, id)->source_op = x->b.source_op;
    if (!set_attrs(x, id))
        return false;
    set_split(x, id);
    return set_types(x, id, last);
}

static bool
make_nodes(Making *x)
{
    for (size_t i = 0; i < vec_len(x->m->rule->made); i++)
        if (!make_node(x, i) || complaints())
            return false;
    return true;
}

/* Complaints of the types say that the rule does not fit here. */
static bool
fits(Making *x)
{
    volatile bool made = false;
    Guard guard;

    if (guarded(&guard)) {
        made = make_nodes(x);
        guard_leave(&guard);
    } else {
        diag_free(&guard);
        ASSERT(guard.status != ST_INTERNAL);
    }
    return made;
}

NodeId
rewrite_build(const RewriteMatch *m)
{
    Graph *g = m->known->g;
    const Node *root = node_at(g, m->root);
    size_t nodes = vec_len(m->rule->made), before = vec_len(g->order);
    Making x = {.m = m,
                .b = {g, root->phase, root->source, root->source_op},
                .made = NEWN(m->scratch, NodeId, nodes)};

    if (fits(&x))
        return x.made[nodes - 1];
    VEC_HEAD(g->order)->len = before;
    return 0;
}
