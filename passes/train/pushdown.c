/* pushdown: a gradient that a rule reads only as its product with a matrix that
   does not depend on the step's data is never made: dy' x @ R becomes
   dy' (x @ R), and of x only x @ R is kept for the backward pass. R is made
   once more in front of that, in the forward pass; the update makes its own. */
#include "passes/pass.h"
#include "passes/tools/name.h"

#include <string.h>

typedef struct Found {
    NodeId product, gradient; /* G @ R, and what makes G */
    int operand;              /* of the gradient's product: x */
    ValueId matrix;           /* R */
} Found;

typedef struct Pushing {
    Arena *scratch;
    Graph *g;
    int *reads;     /* value -> how often it is read */
    ValueId *clone; /* value -> the same in the forward pass */
    Found *found;   /* vector */
    bool *gone;     /* node -> it is no longer run */
} Pushing;

/* ---- what can be pushed down --------------------------------------------- */

static void
count_reads(Pushing *p)
{
    const Graph *g = p->g;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            p->reads[n->in[i]]++;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        p->reads[g->output[i]]++;
}

/* Does v hang on nothing but inputs of the step and what is counted? */
static bool
is_free(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);
    const Node *n;

    if (x->kind != V_TEMP)
        return x->type.rank == 0;
    n = node_at(g, x->def);
    if (n->phase != 'u' || n->op == OP_contract || n->body || n->nout != 1)
        return false;
    for (int i = 0; i < n->nin; i++)
        if (!is_free(g, n->in[i]))
            return false;
    return true;
}

/* The operand of the product that makes a matrix whose second axis alone is
   from there; -1: there is none. */
static int
operand_of_columns(const Node *n)
{
    const char *s = node_text(n, "labels"), *comma = strchr(s, ',');
    const char *out = strstr(s, "->") + 2;

    if (strlen(out) != 2 || n->nin != 2)
        return -1;
    if (memchr(s, out[1], (size_t)(comma - s)))
        return strchr(comma, out[1]) < out - 2 ? -1 : 0;
    return 1;
}

static bool
find(Pushing *p, NodeId id, Found *f)
{
    const Graph *g = p->g;
    const Node *n = node_at(g, id), *made;
    const Value *x;

    if (n->op != OP_contract || n->phase != 'u' || n->nin != 2 ||
        strcmp(node_text(n, "labels"), "mk,kn->mn") != 0)
        return false;
    x = value_at(g, n->in[0]);
    if (x->kind != V_TEMP || p->reads[n->in[0]] != 1)
        return false;
    made = node_at(g, x->def);
    if (made->op != OP_contract || made->phase != 'b')
        return false;
    *f = (Found){id, x->def, operand_of_columns(made), n->in[1]};
    return f->operand >= 0 && is_free(g, f->matrix);
}

/* ---- the nodes instead --------------------------------------------------- */

/* v once more, in the forward pass. */
static ValueId
cloned(Pushing *p, ValueId v)
{
    Graph *g = p->g;
    Value x = *value_at(g, v);
    Node n;
    NodeId id;
    ValueId *in;

    if (x.kind != V_TEMP)
        return v;
    if (p->clone[v])
        return p->clone[v];
    n = *node_at(g, x.def);
    in = NEWN(g->module->arena, ValueId, n.nin + 1);
    for (int i = 0; i < n.nin; i++)
        in[i] = cloned(p, n.in[i]);
    id = graph_node(g, n.op, 'f', n.nin, in, 1);
    memcpy(node_at(g, id)->attr, n.attr, sizeof n.attr);
    p->clone[v] = graph_result(g, id, 0, "pushed", x.type);
    return p->clone[v];
}

/* The labels with `to` for `from`. */
static const char *
relabelled(Pushing *p, const char *labels, char from, char to)
{
    Text t = text_new(p->scratch);

    for (; *labels; labels++)
        text_add_n(&t, *labels == from ? &to : labels, 1);
    return text_str(&t);
}

/* x @ R over the innermost label that the gradient's columns have. */
static ValueId
projected(Pushing *p, const Found *f, char column, char narrow)
{
    Graph *g = p->g;
    const Node *n = node_at(g, f->gradient);
    const char *s = node_text(n, "labels"), *comma = strchr(s, ',');
    ValueId x = n->in[f->operand];
    const Value *v = value_at(g, x);
    bool kept = v->kind != V_TEMP || node_at(g, v->def)->phase == 'f';
    Builder b = builder_like(g, kept ? 'f' : 'b', n);
    Text from = text_new(p->scratch), t = text_new(p->scratch);

    if (f->operand)
        text_add_n(&from, comma + 1, (size_t)(strstr(s, "->") - comma - 1));
    else
        text_add_n(&from, s, (size_t)(comma - s));
    text_add(&t, "%s,%c%c->%s", text_str(&from), column, narrow,
             relabelled(p, text_str(&from), column, narrow));
    return build_contract(&b, text_str(&t), x, cloned(p, f->matrix),
                          "pushed.kept");
}

static void
push(Pushing *p, const Found *f)
{
    Graph *g = p->g;
    Node n = *node_at(g, f->gradient);
    const char *s = node_text(&n, "labels");
    char column = strstr(s, "->")[3], narrow = free_label(s);
    Builder b = builder_like(g, 'b', &n);
    ValueId in[2] = {n.in[0], n.in[1]}, y;

    in[f->operand] = projected(p, f, column, narrow);
    y = build_contract(&b, relabelled(p, s, column, narrow), in[0], in[1],
                       "pushed.g");
    graph_replace(g, node_at(g, f->product)->out[0], y);
    p->gone[f->product] = p->gone[f->gradient] = true;
}

/* ---- the order anew ------------------------------------------------------ */

/* Are the operands of node id there? */
static bool
is_ready(const Graph *g, const bool *done, NodeId id)
{
    const Node *n = node_at(g, id);

    for (int i = 0; i < n->nin; i++) {
        const Value *x = value_at(g, n->in[i]);

        if (x->kind == V_TEMP && !done[x->def])
            return false;
    }
    return true;
}

static void
put_new(Pushing *p, const NodeId *new, bool *done)
{
    Graph *g = p->g;

    for (size_t i = 0; i < vec_len(new); i++)
        if (!done[new[i]] && is_ready(g, done, new[i])) {
            vec_push(g->module->arena, g->order, new[i]);
            done[new[i]] = true;
        }
}

/* New nodes stand behind their last operands. */
static void
put_in_order(Pushing *p, size_t olds)
{
    Graph *g = p->g;
    NodeId *old = NULL, *new = NULL;
    bool *done = NEWN(p->scratch, bool, vec_len(g->node));

    for (size_t k = 0; k < vec_len(g->order); k++)
        if (k < olds)
            vec_push(p->scratch, old, g->order[k]);
        else
            vec_push(p->scratch, new, g->order[k]);
    VEC_HEAD(g->order)->len = 0;
    put_new(p, new, done);
    for (size_t k = 0; k < vec_len(old); k++) {
        if (p->gone[old[k]])
            continue;
        vec_push(g->module->arena, g->order, old[k]);
        done[old[k]] = true;
        put_new(p, new, done);
    }
    graph_touch(g);
}

void
pass_pushdown(PassRun *run)
{
    Graph *g = module_entry(run->m, "train");
    Pushing p = {.scratch = run->scratch, .g = g};
    size_t olds;

    if (!g)
        return;
    olds = vec_len(g->order);
    p.reads = NEWN(run->scratch, int, vec_len(g->value));
    p.clone = NEWN(run->scratch, ValueId, vec_len(g->value));
    p.gone = NEWN(run->scratch, bool, vec_len(g->node));
    count_reads(&p);
    for (size_t k = 0; k < olds; k++) {
        Found f;

        if (find(&p, g->order[k], &f))
            vec_push(run->scratch, p.found, f);
    }
    for (size_t i = 0; i < vec_len(p.found); i++)
        push(&p, &p.found[i]);
    if (p.found)
        put_in_order(&p, olds);
}
