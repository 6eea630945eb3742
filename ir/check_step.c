/* check_step: a plan's entry as if nothing ran again. */
#include "ir/check_step.h"
#include "ir/check_over.h"

#include <string.h>

static const int64_t bytes_most = INT64_C(1) << 60; /* for sums */

static void
push_once(Arena *a, ValueId **list, ValueId v)
{
    for (size_t i = 0; i < vec_len(*list); i++)
        if ((*list)[i] == v)
            return;
    vec_push(a, *list, v);
}

/* What a value of phase r stands for: its name without .again. */
static ValueId
stands_for(const Step *s, ValueId v)
{
    static const char mark[] = ".again";
    const Graph *g = s->g;
    const char *name = value_at(g, v)->name, *end = name;
    ValueId first;

    for (const char *at = name; (at = strstr(at, mark)); at++)
        end = at;
    first = graph_find(g, sym_n(g->module->syms, name, (size_t)(end - name)));
    if (first && type_equal(&value_at(g, first)->type, &value_at(g, v)->type))
        return first;
    return 0;
}

/* The value of the step that v is, views and versions seen through; 0: there
   is none. */
static ValueId
first_version(const Step *s, ValueId v)
{
    const Graph *g = s->g;

    for (size_t k = 0; v && k <= vec_len(g->value); k++) {
        NodeId def = value_at(g, v)->def;

        if (graph_is_view(g, v))
            v = node_at(g, def)->in[0];
        else if (def && node_at(g, def)->phase == 'r')
            v = stands_for(s, v);
        else
            return v;
    }
    return 0;
}

static void
find_items(Step *s)
{
    const Graph *g = s->g;
    size_t count = vec_len(g->value);

    s->item = NEWN(s->arena, ValueId, count);
    s->maker = NEWN(s->arena, NodeId, count);
    s->written = NEWN(s->arena, bool, vec_len(g->module->store) + 1);
    for (ValueId v = 1; v < count; v++) {
        ValueId first = first_version(s, v);
        const Value *root = value_at(g, graph_root(g, first));

        s->maker[v] = value_at(g, first)->def;
        s->item[v] = root->kind == V_STORE || !first ? 0 : first;
        if (root->kind == V_STORE && value_at(g, first)->over)
            s->written[root->store] = true;
    }
}

static void
find_readers(Step *s)
{
    const Graph *g = s->g;

    s->after = NEWN(s->arena, NodeId *, vec_len(g->node));
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->phase == 'r' || node_is_view(n))
            continue;
        vec_push(s->arena, s->node, g->order[k]);
        for (int i = 0; i < n->nin; i++) {
            push_once(s->arena, &s->after[s->maker[n->in[i]]], g->order[k]);
            if (!first_version(s, n->in[i]))
                s->fault = "a value of phase r stands for none";
        }
    }
}

Step
step_of(Arena *a, const Graph *g, int64_t align)
{
    Step s = {.arena = a, .g = g, .align = align};

    find_items(&s);
    find_readers(&s);
    return s;
}

static int64_t
rounded(const Step *s, ValueId v)
{
    int64_t bytes = type_bytes(&value_at(s->g, v)->type);

    if (bytes > bytes_most - s->align)
        return bytes_most;
    return bytes % s->align ? bytes + (s->align - bytes % s->align) : bytes;
}

static int64_t
plus(int64_t a, int64_t b)
{
    return a < bytes_most - b ? a + b : bytes_most;
}

int64_t
step_bytes(const Step *s, ValueId item)
{
    return rounded(s, item);
}

bool *
step_before(const Step *s, NodeId n)
{
    bool *before = NEWN(s->arena, bool, vec_len(s->g->node));
    NodeId *open = NULL;

    vec_push(s->arena, open, n);
    while (vec_len(open)) {
        const Node *x = node_at(s->g, vec_pop(open));

        for (int i = 0; i < x->nin; i++) {
            NodeId maker = s->maker[x->in[i]];

            if (!maker || before[maker])
                continue;
            before[maker] = true;
            vec_push(s->arena, open, maker);
        }
    }
    return before;
}

bool *
step_behind(const Step *s, NodeId n)
{
    bool *behind = NEWN(s->arena, bool, vec_len(s->g->node));
    NodeId *open = NULL;

    vec_push(s->arena, open, n);
    while (vec_len(open)) {
        NodeId x = vec_pop(open);

        for (size_t i = 0; i < vec_len(s->after[x]); i++) {
            NodeId reader = s->after[x][i];

            if (behind[reader])
                continue;
            behind[reader] = true;
            vec_push(s->arena, open, reader);
        }
    }
    return behind;
}

bool
step_is_output(const Step *s, ValueId item)
{
    for (size_t i = 0; i < vec_len(s->g->output); i++)
        if (s->item[s->g->output[i]] == item)
            return true;
    return false;
}

/* Operands of their own bytes, each once. */
static ValueId *
operands(const Step *s, const Node *n)
{
    ValueId *in = NULL;

    for (int i = 0; i < n->nin; i++)
        if (s->item[n->in[i]])
            push_once(s->arena, &in, s->item[n->in[i]]);
    return in;
}

/* Does the node read this item behind writing its result i there? */
static bool
reads_behind(const Step *s, const Node *n, ValueId item, int i)
{
    for (int in = 0; in < n->nin; in++)
        if (s->item[n->in[in]] == item && !check_over(s->g, n, in, i))
            return true;
    return false;
}

/* A result may have the bytes of an operand that is as large, but not those of
   a group's that is reduced before they are written. */
static bool
may_take_bytes(const Step *s, const Node *n, const ValueId *in, int i)
{
    for (size_t k = 0; k < vec_len(in); k++)
        if (rounded(s, in[k]) == rounded(s, n->out[i]) &&
            (!n->body || !reads_behind(s, n, in[k], i)))
            return true;
    return false;
}

int64_t
step_beside(const Step *s, NodeId n)
{
    const Node *x = node_at(s->g, n);
    ValueId *in = operands(s, x);
    int64_t bytes = 0;

    for (size_t i = 0; i < vec_len(in); i++)
        bytes = plus(bytes, rounded(s, in[i]));
    for (int i = 0; i < x->nout; i++)
        if (s->item[x->out[i]] == x->out[i] &&
            !may_take_bytes(s, x, in, i))
            bytes = plus(bytes, rounded(s, x->out[i]));
    return bytes;
}

/* Do the sums of n begin from this item? */
static bool
begins_from(const Step *s, const Node *n, ValueId item)
{
    return (n->op == OP_contract || n->op == OP_scatter) && n->nin > 2 &&
           n->in[2] && s->item[n->in[2]] == item;
}

bool
step_is_sum(const Step *s, ValueId item)
{
    NodeId def = value_at(s->g, item)->def;
    const Node *n = node_at(s->g, def);

    if (!def || n->out[0] != item)
        return false;
    if ((n->op == OP_contract || n->op == OP_scatter) && n->nin > 2 &&
        n->in[2])
        return true;
    for (size_t i = 0; i < vec_len(s->after[def]); i++)
        if (begins_from(s, node_at(s->g, s->after[def][i]), item))
            return true;
    return false;
}

bool
step_is_once(const Step *s, ValueId item)
{
    const Graph *g = s->g;
    NodeId def = value_at(g, item)->def;
    const Node *n = node_at(g, def);

    if (!def || n->phase == 'u' || step_is_output(s, item) ||
        step_is_sum(s, item))
        return true;
    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
        const Value *root = value_at(g, graph_root(g, graph_shown(g, v)));

        if (root->kind == V_STORE && s->written[root->store])
            return true;
    }
    return false;
}

/* ---- the part of a group that makes one of its results ------------------- */

typedef struct Slice {
    bool *needed, *given; /* of the body's values */
    bool other;           /* it begins at other results of the group */
    bool led, same;       /* by a product or a reduction; of one space */
} Slice;

static Slice
slice_of(const Step *s, const Node *group, int result, bool part)
{
    const Graph *body = group->body;
    Slice x = {.needed = NEWN(s->arena, bool, vec_len(body->value)),
               .given = NEWN(s->arena, bool, vec_len(body->value)),
               .same = true};
    const Type *first = NULL;

    for (size_t i = 0; i < vec_len(body->output); i++)
        x.given[body->output[i]] = part;
    x.given[body->output[result]] = false;
    x.needed[body->output[result]] = true;
    for (size_t k = vec_len(body->order); k-- > 0;) {
        const Node *n = node_at(body, body->order[k]);
        const Type *t = &value_at(body, n->out[0])->type;
        bool makes = false;

        for (int i = 0; i < n->nout; i++)
            makes |= x.needed[n->out[i]] && !x.given[n->out[i]];
        if (!makes)
            continue;
        x.led |= n->op == OP_reduce || op_info(n->op)->kernel == KK_contract;
        first = first ? first : t;
        x.same &= type_same_shape(first, t);
        for (int i = 0; i < n->nin; i++) {
            x.needed[n->in[i]] = true;
            x.other |= x.given[n->in[i]];
        }
    }
    return x;
}

static void
add_borders(const Step *s, const Node *group, const Slice *x, ValueId **in)
{
    const Graph *body = group->body;

    for (int i = 0; i < group->nin; i++)
        if (x->needed[body->input[i]] && s->item[group->in[i]])
            push_once(s->arena, in, s->item[group->in[i]]);
    for (size_t i = 0; i < vec_len(body->output); i++)
        if (x->needed[body->output[i]] && x->given[body->output[i]] &&
            s->item[group->out[i]])
            push_once(s->arena, in, s->item[group->out[i]]);
}

bool
step_way(const Step *s, ValueId item, int way, ValueId **in)
{
    NodeId def = value_at(s->g, item)->def;
    const Node *n = node_at(s->g, def);
    int result = 0;
    Slice x;

    *in = NULL;
    if (!def)
        return false;
    if (!n->body) {
        *in = operands(s, n);
        return way == WAY_WHOLE;
    }
    while (n->out[result] != item)
        result++;
    if ((size_t)result >= vec_len(n->body->output))
        return false;
    x = slice_of(s, n, result, way == WAY_PART);
    if (way == WAY_PART && (!x.other || (!x.led && !x.same)))
        return false;
    add_borders(s, n, &x, in);
    return true;
}
