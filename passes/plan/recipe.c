/* recipe: the members of a group that a value needs, as a node of their own. */
#include "passes/plan/recipe.h"

#include "ir/guard.h"
#include "ir/infer.h"

/* The part of a group's body that makes one of its results. */
typedef struct Part {
    const Graph *g;
    const Node *group;
    ValueId value;   /* outside */
    ValueId wanted;  /* its name inside */
    bool near;       /* the other results are given */
    bool *needed;    /* of the body's values */
    bool *given;     /* those that are results given */
    NodeId *member;  /* vector, last first */
} Part;

static ValueId
outside(const Part *p, ValueId v)
{
    for (int i = 0; i < p->group->nin; i++)
        if (p->group->body->input[i] == v)
            return p->group->in[i];
    for (size_t i = 0; i < vec_len(p->group->body->output); i++)
        if (p->group->body->output[i] == v)
            return p->group->out[i];
    return 0;
}

static bool
makes_needed(const Part *p, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (p->needed[n->out[i]] && !p->given[n->out[i]])
            return true;
    return false;
}

static Part
part_of(Arena *scratch, const Graph *g, ValueId value, bool near)
{
    Part p = {.g = g, .value = value, .near = near};
    const Graph *body;

    p.group = node_at(g, value_at(g, value)->def);
    body = p.group->body;
    p.needed = NEWN(scratch, bool, vec_len(body->value));
    p.given = NEWN(scratch, bool, vec_len(body->value));
    for (size_t i = 0; i < vec_len(body->output); i++) {
        if (p.group->out[i] == value)
            p.wanted = body->output[i];
        else
            p.given[body->output[i]] = near;
    }
    p.given[p.wanted] = false;
    p.needed[p.wanted] = true;
    for (size_t k = vec_len(body->order); k-- > 0;) {
        const Node *n = node_at(body, body->order[k]);

        if (!makes_needed(&p, n))
            continue;
        vec_push(scratch, p.member, body->order[k]);
        for (int i = 0; i < n->nin; i++)
            p.needed[n->in[i]] = true;
    }
    return p;
}

/* Maps over one space, or led by a product or a reduction: what the kernel
   generators take. */
static bool
is_kernel(const Part *p)
{
    const Graph *body = p->group->body;
    const Type *first = NULL;
    bool led = false, same = true;

    for (size_t i = 0; i < vec_len(p->member); i++) {
        const Node *n = node_at(body, p->member[i]);
        const Type *t = &value_at(body, n->out[0])->type;

        led |= n->op == OP_reduce || op_info(n->op)->kernel == KK_contract;
        first = first ? first : t;
        same &= type_same_shape(first, t);
    }
    return led || same;
}

bool
recipe_is_part(Arena *scratch, const Graph *g, ValueId value)
{
    const Node *n = node_at(g, value_at(g, value)->def);
    Part p;

    if (!n->body || vec_len(n->body->output) < 2)
        return false;
    p = part_of(scratch, g, value, true);
    for (size_t v = 1; v < vec_len(n->body->value); v++)
        if (p.given[v] && p.needed[v])
            return is_kernel(&p);
    return false;
}

static ValueId
look_up(const ValueId *now, ValueId v)
{
    return now[v] ? now[v] : v;
}

/* A node like n, not in the order, its results not made yet. */
static NodeId
node_again(Graph *g, const Node *n, const ValueId *in, ValueId when)
{
    NodeId id = graph_node_like(g, n, 'r', in);

    (void)vec_pop(g->order);
    node_at(g, id)->when = when;
    return id;
}

static ValueId
again(Graph *g, NodeId id, int i, ValueId v)
{
    Value x = *value_at(g, v);

    return graph_result(g, id, i,
                        sym_format(g->module->syms, "%s.again", x.name),
                        x.type);
}

static NodeId
whole_again(Arena *scratch, Graph *g, const Node *like, const ValueId *now)
{
    Node n = *like;
    ValueId *in = NEWN(scratch, ValueId, n.nin + 1);
    NodeId id;

    for (int i = 0; i < n.nin; i++)
        in[i] = look_up(now, n.in[i]);
    id = node_again(g, &n, in, n.when);
    for (int i = 0; i < n.nout; i++)
        (void)again(g, id, i, n.out[i]);
    return id;
}

/* The only member, as a node of the graph. */
static NodeId
member_again(Arena *scratch, Graph *g, const Part *p, const ValueId *now)
{
    Node n = *node_at(p->group->body, p->member[0]);
    ValueId *in = NEWN(scratch, ValueId, n.nin + 1);
    NodeId id;

    for (int i = 0; i < n.nin; i++)
        in[i] = look_up(now, outside(p, n.in[i]));
    id = node_again(g, &n, in, p->group->when);
    (void)again(g, id, 0, p->value);
    return id;
}

/* Is the part one member, which the group's guard may stop by itself? */
static bool
is_member(const Part *p)
{
    const Node *n = node_at(p->group->body, p->member[0]);

    if (vec_len(p->member) > 1 || n->nout > 1)
        return false;
    return !p->group->when ||
           (op_info(n->op)->kernel != KK_none &&
            !goes_on_from(p->group->body, n, 0));
}

static bool
is_border(const Part *p, ValueId v)
{
    return p->needed[v] &&
           (p->given[v] || value_at(p->group->body, v)->kind == V_INPUT);
}

/* Members behind the last are copied into `to`, whose values are in at[]. */
static void
copy_members(Graph *to, const Part *p, ValueId *at, Sym result)
{
    const Graph *body = p->group->body;

    for (size_t k = vec_len(p->member); k-- > 0;) {
        Node n = *node_at(body, p->member[k]);
        NodeId id = graph_node_like(to, &n, n.phase, n.in);

        for (int i = 0; i < n.nin; i++)
            node_at(to, id)->in[i] = at[n.in[i]];
        for (int i = 0; i < n.nout; i++) {
            const Value *v = value_at(body, n.out[i]);
            Sym name = n.out[i] == p->wanted ? result
                       : v->name == result   ? sym(to->module->syms, "part")
                                             : v->name;

            at[n.out[i]] = graph_result(to, id, i, name, v->type);
        }
    }
}

static NodeId
group_again(Arena *scratch, Graph *g, const Part *p, const ValueId *now)
{
    const Graph *from = p->group->body;
    Graph *body = graph_new(g->module, "");
    ValueId *at = NEWN(scratch, ValueId, vec_len(from->value)), *in = NULL;
    Node like = *p->group;
    ValueId result;
    NodeId id;

    body->outer = g;
    for (ValueId v = 1; v < vec_len(from->value); v++) {
        ValueId outer = is_border(p, v) ? look_up(now, outside(p, v)) : 0;

        if (!outer)
            continue;
        if (!graph_find(body, value_at(g, outer)->name))
            vec_push(scratch, in, outer);
        at[v] = graph_body_input(body, g, outer);
    }
    id = graph_node(g, OP_group, 'r', (int)vec_len(in), in, 1);
    (void)vec_pop(g->order);
    result = again(g, id, 0, p->value);
    copy_members(body, p, at, value_at(g, result)->name);
    vec_push(g->module->arena, body->output, at[p->wanted]);
    node_at(g, id)->body = body;
    node_at(g, id)->source = like.source;
    node_at(g, id)->source_op = like.source_op;
    node_at(g, id)->when = like.when;
    return id;
}

NodeId
recipe_node(Arena *scratch, Graph *g, ValueId value, bool part,
            const ValueId *now)
{
    const Node *n = node_at(g, value_at(g, value)->def);
    Node like = *n;
    Part p;

    if (!like.body)
        return whole_again(scratch, g, &like, now);
    p = part_of(scratch, g, value, part);
    p.group = &like;
    if (is_member(&p))
        return member_again(scratch, g, &p, now);
    return group_again(scratch, g, &p, now);
}

ValueId
recipe_result(const Graph *g, NodeId made, ValueId value)
{
    const Node *n = node_at(g, made);
    const Node *first = node_at(g, value_at(g, value)->def);

    if (n->nout == 1)
        return n->out[0];
    for (int i = 0; i < first->nout; i++)
        if (first->out[i] == value)
            return n->out[i];
    UNREACHABLE();
}
