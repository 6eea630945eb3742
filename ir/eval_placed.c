/* eval_placed: runs a graph inside its planned arena: every value lies at its
   address, so a plan in which two live values share bytes gives wrong
   results. A node's results are made aside and then written, as a kernel that
   reads each element before it writes it would do. */
#include "ir/eval.h"
#include "ir/eval_scratch.h"

#include <string.h>

typedef struct Run {
    const Graph *g;
    char **space;   /* index: module->space */
    ValueId *root;  /* ValueId -> the value whose bytes it has */
    int64_t *last;  /* root -> the last position that uses the bytes */
    Tensor *tensor; /* ValueId -> its bytes in the arena */
} Run;

static Tensor
placed(const Run *r, Type type, Place place)
{
    const Module *m = r->g->module;

    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].name == place.space) {
            ASSERT(place.offset >= 0 &&
                   place.offset + type_bytes(&type) <= m->space[i].size);
            return (Tensor){type, r->space[i] + place.offset};
        }
    UNREACHABLE();
}

/* Chains are built in the order of definition: roots come first. */
static void
find_roots(Run *r)
{
    const Graph *g = r->g;

    for (ValueId v = 1; v < vec_len(g->value); v++)
        r->root[v] = v;
    for (size_t i = 0; i < vec_len(g->order); i++) {
        const Node *n = &g->node[g->order[i]];

        for (int j = 0; j < n->nout; j++) {
            const Value *v = value_at(g, n->out[j]);

            if (v->over)
                r->root[n->out[j]] = r->root[v->over];
            else if (node_is_view(n))
                r->root[n->out[j]] = r->root[n->in[0]];
        }
    }
}

static void
find_last(Run *r)
{
    const Graph *g = r->g;
    int64_t end = (int64_t)vec_len(g->order);

    for (int64_t i = 0; i < end; i++) {
        const Node *n = &g->node[g->order[i]];

        for (int j = 0; j < n->nin; j++)
            r->last[r->root[n->in[j]]] = i;
        for (int j = 0; j < n->nout; j++)
            r->last[r->root[n->out[j]]] = i;
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        r->last[r->root[g->output[i]]] = end;
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].kind == V_STORE)
            r->last[v] = end;
}

static Run
run_new(Arena *a, const Graph *g, bool poison)
{
    const Module *m = g->module;
    size_t values = vec_len(g->value) + 1;
    Run r = {.g = g,
             .space = NEWN(a, char *, vec_len(m->space) + 1),
             .root = NEWN(a, ValueId, values),
             .last = NEWN(a, int64_t, values),
             .tensor = NEWN(a, Tensor, values)};

    for (size_t i = 0; i < vec_len(m->space); i++) {
        r.space[i] = NEWN(a, char, m->space[i].size + 1);
        if (poison)
            memset(r.space[i], 0xff, (size_t)m->space[i].size);
    }
    find_roots(&r);
    find_last(&r);
    return r;
}

static void
write_bytes(Tensor to, Tensor from)
{
    ASSERT(type_equal(&to.type, &from.type));
    if (to.data != from.data)
        memcpy(to.data, from.data, (size_t)type_bytes(&to.type));
}

/* Every store of the module lies in the arena, also those that this entry
   does not use. */
static void
bind(Run *r, const Stores *s, const Tensor *in)
{
    const Graph *g = r->g;
    const Module *m = g->module;

    for (size_t i = 1; i < vec_len(m->store); i++)
        if (m->store[i].place.space)
            write_bytes(placed(r, m->store[i].type, m->store[i].place),
                        s->tensor[i]);
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        const Value *value = value_at(g, v);
        Place place = value->kind == V_STORE ? m->store[value->store].place
                                             : value->place;

        if (place.space)
            r->tensor[v] = placed(r, value->type, place);
    }
    for (size_t i = 0; i < vec_len(g->input); i++)
        write_bytes(r->tensor[g->input[i]], in[i]);
}

static void
step(Arena *a, Run *r, NodeId n)
{
    const Node *node = &r->g->node[n];
    Tensor *in = NEWN(a, Tensor, node->nin + 1);
    Tensor *out = NEWN(a, Tensor, node->nout);

    for (int i = 0; i < node->nin; i++) {
        in[i] = r->tensor[node->in[i]];
        ASSERT(in[i].data);
    }
    if (node_is_view(node))
        return; /* no kernel runs: the bytes must be there */
    if (eval_runs(node, r->tensor))
        eval_node(a, r->g, n, in, out);
    else
        eval_idle(a, r->g, node, r->tensor, out);
    for (int i = 0; i < node->nout; i++)
        write_bytes(r->tensor[node->out[i]], out[i]);
}

/* Fills what died at position `at` with 0xff. */
static void
poison_dead(const Run *r, int64_t at)
{
    const Node *n = &r->g->node[r->g->order[at]];

    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
        ValueId root = r->root[v];

        if (r->last[root] == at && r->tensor[v].data)
            memset(r->tensor[v].data, 0xff,
                   (size_t)type_bytes(&r->tensor[v].type));
    }
}

void
eval_placed(Arena *a, const Graph *g, Stores *s, const Tensor *in, Tensor *out,
            bool poison)
{
    const Module *m = g->module;
    Borrowed *scratch = borrow(a);
    Run r = run_new(scratch->arena, g, poison);

    bind(&r, s, in);
    for (size_t i = 0; i < vec_len(g->order); i++) {
        step(scratch->arena, &r, g->order[i]);
        if (poison)
            poison_dead(&r, (int64_t)i);
    }
    for (size_t i = 0; i < vec_len(g->output); i++) {
        out[i] = tensor_new(a, g->value[g->output[i]].type);
        write_bytes(out[i], r.tensor[g->output[i]]);
    }
    for (size_t i = 1; i < vec_len(m->store); i++)
        if (m->store[i].place.space)
            write_bytes(s->tensor[i],
                        placed(&r, m->store[i].type, m->store[i].place));
    borrowed_free(scratch);
}
