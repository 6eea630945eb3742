/* verify: what must hold between any two passes.

   Always: each value is defined once, before its uses; operands, attributes,
   bodies and types are as the op says; a value that takes another's bytes
   (over) leaves nobody who still reads the older content.
   What lies outside of the arena: verify_spaces.h.
   From train on: the entry `train` has the output `loss`.
   From placed on: verify_placed.h.

   Bytes are followed by two words a value: `root`, the first value of the
   buffer, and `content`, the last one that wrote it. A buffer's older content
   must not be read: one comparison a use. */
#include "ir/verify.h"

#include "ir/guard.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify_placed.h"
#include "ir/verify_spaces.h"

#include <string.h>

enum { DEPTH = 8 };

typedef struct Verifier {
    Arena *scratch;
    const Graph *g;
    bool *defined;    /* ValueId -> */
    bool *unreadable; /* ValueId -> it is scratch */
    ValueId *root;    /* ValueId -> first value of its buffer */
    ValueId *content; /* ValueId -> value that wrote what it holds */
    ValueId *current; /* root -> value that wrote the buffer last */
    int depth;
} Verifier;

static Loc
entry_loc(const Graph *g)
{
    return (Loc){.file = g->module->file};
}

static bool
ids_in_range(const Graph *g, const ValueId *v, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (v[i] == 0 || v[i] >= vec_len(g->value)) {
            complain(entry_loc(g), "graph %s: %s is no value", g->name, what);
            return false;
        }
    }
    return true;
}

static bool
node_in_range(const Graph *g, NodeId id, bool *seen)
{
    const Node *n;
    bool ok;

    if (id == 0 || id >= vec_len(g->node) || seen[id]) {
        complain(entry_loc(g),
                 "graph %s: the order holds a node twice or one "
                 "that is none",
                 g->name);
        return false;
    }
    seen[id] = true;
    n = node_at(g, id);
    if (n->op == OP_NONE || n->op >= OP_COUNT || n->nout == 0) {
        complain(entry_loc(g), "graph %s: a node has no op or no result",
                 g->name);
        return false;
    }
    ok = ids_in_range(g, n->in, n->nin, "an operand") &&
         ids_in_range(g, n->out, n->nout, "a result");
    for (int i = 0; ok && i < n->nout; i++)
        ok = value_at(g, n->out[i])->over < vec_len(g->value);
    return ok && (!n->when || ids_in_range(g, &n->when, 1, "a guard"));
}

/* Indices and ops: what every later check takes for granted. */
static bool
is_sound(Verifier *v)
{
    const Graph *g = v->g;
    bool *seen = NEWN(v->scratch, bool, vec_len(g->node) + 1);

    if (!ids_in_range(g, g->input, vec_len(g->input), "an input") ||
        !ids_in_range(g, g->output, vec_len(g->output), "an output"))
        return false;
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (!node_in_range(g, g->order[k], seen))
            return false;
    for (size_t i = 1; i < vec_len(g->value); i++) {
        const Value *x = &g->value[i];

        if (x->kind == V_STORE && (g->outer || x->store == 0 ||
                                   x->store >= vec_len(g->module->store))) {
            complain(entry_loc(g), "%%%s reads no store", x->name);
            return false;
        }
    }
    return true;
}

static void
begin_values(Verifier *v)
{
    const Graph *g = v->g;
    size_t count = vec_len(g->value);

    v->defined = NEWN(v->scratch, bool, count);
    v->unreadable = NEWN(v->scratch, bool, count);
    v->root = NEWN(v->scratch, ValueId, count);
    v->content = NEWN(v->scratch, ValueId, count);
    v->current = NEWN(v->scratch, ValueId, count);
    for (size_t i = 0; i < vec_len(g->input); i++)
        v->defined[g->input[i]] = true;
    for (ValueId i = 1; i < count; i++) {
        const Value *x = value_at(g, i);

        if (x->kind == V_STORE)
            v->defined[i] = true;
        if (x->kind == V_STORE &&
            !type_equal(&x->type, &g->module->store[x->store].type))
            complain(entry_loc(g), "%%%s has not the type of its store",
                     x->name);
        v->root[i] = v->content[i] = v->current[i] = i;
    }
}

/* Has a part of its bytes, as they were, been written by what n puts there? */
static bool
is_put_there(const Verifier *v, const Node *n)
{
    const Graph *g = v->g;
    ValueId p = n->nin > 1 ? n->in[1] : 0;

    return put_is_there(g, n) && v->current[v->root[n->in[0]]] == p &&
           v->content[value_at(g, p)->over] == v->content[n->in[0]];
}

static void
check_operand(Verifier *v, NodeId id, ValueId in)
{
    Loc loc = graph_loc(v->g, id);
    const char *name = value_at(v->g, in)->name;

    if (!v->defined[in])
        complain(loc, "%%%s is used before it is made", name);
    else if (v->unreadable[in])
        complain(loc, "%%%s is scratch of a kernel and must not be read", name);
    else if (v->content[in] != v->current[v->root[in]] &&
             !(in == node_at(v->g, id)->in[0] &&
               is_put_there(v, node_at(v->g, id))))
        complain(loc, "reads %%%s, whose bytes %%%s has taken", name,
                 value_at(v->g, v->current[v->root[in]])->name);
}

static void
check_guard(Verifier *v, NodeId id)
{
    ValueId when = node_at(v->g, id)->when;
    int before = complaints();

    check_operand(v, id, when);
    if (complaints() == before)
        verify_guard(v->g, id, v->root[when]);
}

static bool
is_operand(const Node *n, ValueId v)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v)
            return true;
    return false;
}

static void
check_over(Verifier *v, NodeId id, const Value *x)
{
    const Graph *g = v->g;
    Loc loc = graph_loc(g, id);
    const Value *from = value_at(g, x->over);
    const Value *root = value_at(g, v->root[x->over]);

    if (g->outer)
        complain(loc, "%%%s: a body's values take nobody's bytes", x->name);
    if (!is_operand(node_at(g, id), x->over))
        complain(loc, "%%%s takes the bytes of %%%s, which is no operand",
                 x->name, from->name);
    else if (v->content[x->over] != v->current[v->root[x->over]] &&
             !is_put_there(v, node_at(g, id)))
        complain(loc, "%%%s takes the bytes of %%%s, which are %%%s's", x->name,
                 from->name, value_at(g, v->current[v->root[x->over]])->name);
    if (type_bytes(&x->type) != type_bytes(&from->type))
        complain(loc, "%%%s takes the bytes of %%%s, of another size", x->name,
                 from->name);
    if (root->kind == V_INPUT)
        complain(loc, "%%%s overwrites the input %%%s", x->name, root->name);
    if (root->kind == V_STORE && g->module->store[root->store].kind == SK_CONST)
        complain(loc, "%%%s overwrites the constant %%%s", x->name, root->name);
    if (root->kind == V_STORE && x->type.dtype != root->type.dtype)
        complain(loc, "%%%s overwrites %%%s with another element type", x->name,
                 root->name);
}

static void
check_result(Verifier *v, NodeId id, int i)
{
    const Graph *g = v->g;
    const Node *n = node_at(g, id);
    ValueId out = n->out[i];
    const Value *x = value_at(g, out);

    if (v->defined[out] || x->kind != V_TEMP)
        complain(graph_loc(g, id), "%%%s is made twice", x->name);
    if (x->def != id)
        complain(graph_loc(g, id), "%%%s does not know its node", x->name);
    v->defined[out] = true;
    v->unreadable[out] = node_scratch(g, n) == out;
    if (x->over) {
        check_over(v, id, x);
        v->root[out] = v->root[x->over];
        v->current[v->root[out]] = out;
    } else if (i == 0 && node_is_view(n) && n->nin > 0) {
        v->root[out] = v->root[n->in[0]];
        v->content[out] = v->content[n->in[0]];
    }
}

static void
check_types(Verifier *v, NodeId id)
{
    const Graph *g = v->g;
    const Node *n = node_at(g, id);
    Type *given = NEWN(v->scratch, Type, n->nout);
    Type *found = NEWN(v->scratch, Type, n->nout);

    for (int i = 0; i < n->nout; i++)
        given[i] = value_at(g, n->out[i])->type;
    if (!infer_node(g, id, given, found))
        return;
    for (int i = 0; i < n->nout; i++)
        if (!type_equal(&given[i], &found[i]))
            complain(graph_loc(g, id), "%%%s is %s, not %s",
                     value_at(g, n->out[i])->name,
                     type_text(v->scratch, &found[i]),
                     type_text(v->scratch, &given[i]));
}

/* Phase, body and formula are there; false: the types cannot be asked for. */
static bool
check_parts(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);
    const OpInfo *info = op_info(n->op);
    bool body = info->flags & OF_BODY, ok = true;

    if (!n->phase || !strchr("fbumr", n->phase))
        complain(graph_loc(g, id), "its phase is none of f, b, u, m, r");
    if (body != (n->body != NULL)) {
        complain(graph_loc(g, id), body ? "%s has no body" : "%s has a body",
                 info->name);
        ok = false;
    }
    for (int i = 0; i < info->attrs; i++) {
        if (info->attr[i].kind == 'x' && !n->attr[i].formula) {
            complain(graph_loc(g, id), "%s has no formula", info->name);
            ok = false;
        }
    }
    return ok;
}

static bool
same_name_and_type(const Graph *g, ValueId v, const Graph *body, ValueId w)
{
    const Value *x = value_at(g, v), *y = value_at(body, w);

    return x->name == y->name && type_equal(&x->type, &y->type);
}

/* A body's inputs are the operands, its outputs the results, by name; the
   kernel's scratch is not the body's. */
static void
check_body_edges(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);
    const Graph *body = n->body;
    int own = n->nout - (node_scratch(g, n) != 0);

    if (body->outer != g || vec_len(body->input) != n->nin ||
        (int)vec_len(body->output) != own) {
        complain(graph_loc(g, id), "its body has other operands or results");
        return;
    }
    for (int i = 0; i < n->nin; i++)
        if (!same_name_and_type(g, n->in[i], body, body->input[i]))
            complain(graph_loc(g, id),
                     "its body's input %%%s is not operand "
                     "%%%s",
                     value_at(body, body->input[i])->name,
                     value_at(g, n->in[i])->name);
    for (int i = 0; i < own; i++)
        if (!same_name_and_type(g, n->out[i], body, body->output[i]))
            complain(graph_loc(g, id),
                     "its body's output %%%s is not result "
                     "%%%s",
                     value_at(body, body->output[i])->name,
                     value_at(g, n->out[i])->name);
}

static void verify_graph(Arena *scratch, const Graph *g, int depth);

static void
check_node(Verifier *v, NodeId id)
{
    const Node *n = node_at(v->g, id);
    int before = complaints();

    for (int i = 0; i < n->nin; i++)
        check_operand(v, id, n->in[i]);
    if (n->when)
        check_guard(v, id);
    for (int i = 0; i < n->nout; i++)
        check_result(v, id, i);
    if (!check_parts(v->g, id))
        return;
    if (n->body && v->depth == DEPTH) {
        complain(graph_loc(v->g, id), "more than %d bodies within each other",
                 DEPTH);
        return;
    }
    if (n->body)
        verify_graph(v->scratch, n->body, v->depth + 1);
    if (complaints() == before)
        check_types(v, id);
    if (n->body && complaints() == before)
        check_body_edges(v->g, id);
}

static void
check_outputs(Verifier *v)
{
    const Graph *g = v->g;

    for (size_t i = 0; i < vec_len(g->output); i++) {
        ValueId out = g->output[i];
        const char *name = value_at(g, out)->name;

        if (!v->defined[out])
            complain(entry_loc(g), "output %%%s is not made", name);
        else if (v->content[out] != v->current[v->root[out]])
            complain(entry_loc(g), "output %%%s: %%%s has taken its bytes",
                     name, value_at(g, v->current[v->root[out]])->name);
    }
}

/* What is written over a part of a store is put there: else the store would
   hold it, but no value would say so. */
static void
check_parts_put(const Verifier *v)
{
    const Graph *g = v->g;

    for (ValueId i = 1; i < vec_len(g->value); i++) {
        const Value *now = value_at(g, v->current[i]);
        NodeId part = now->over ? value_at(g, now->over)->def : 0;

        if (value_at(g, i)->kind == V_STORE && part &&
            node_at(g, part)->op == OP_part)
            complain(graph_loc(g, now->def),
                     "%%%s is written over a part of %%%s, but not put there",
                     now->name, value_at(g, i)->name);
    }
}

static void
verify_graph(Arena *scratch, const Graph *g, int depth)
{
    Verifier v = {.scratch = scratch, .g = g, .depth = depth};
    int before = complaints();

    if (!is_sound(&v))
        return;
    begin_values(&v);
    for (size_t k = 0; k < vec_len(g->order); k++)
        check_node(&v, g->order[k]);
    check_outputs(&v);
    check_parts_put(&v);
    if (complaints() == before)
        verify_spaces(scratch, g);
}

static void
verify_stores(const Module *m)
{
    Loc loc = {.file = m->file};

    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];

        if (s->init.kind == INIT_LIST &&
            (int64_t)vec_len(s->init.list) != type_elements(&s->type))
            complain(loc, "%%%s: %zu elements are listed for %lld", s->name,
                     vec_len(s->init.list), (long long)type_elements(&s->type));
        if (s->init.kind == INIT_FILE && s->init.offset < 0)
            complain(loc, "%%%s: its place in the file is negative", s->name);
    }
}

static void
verify_train(Module *m)
{
    Graph *train = module_entry(m, "train");
    bool loss = false;

    for (size_t i = 0; train && i < vec_len(train->output); i++)
        loss |= strcmp(value_at(train, train->output[i])->name, "loss") == 0;
    if (!loss)
        complain((Loc){.file = m->file},
                 "stage %s promises an entry train with the output loss",
                 stage_name(m->stage));
}

bool
verify_module(Module *m)
{
    int before = complaints();
    Arena *scratch = arena_new();

    verify_stores(m);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        verify_graph(scratch, m->entry[i], 0);
    if (complaints() == before && m->stage >= ST_TRAIN)
        verify_train(m);
    if (complaints() == before && m->stage >= ST_PLACED)
        verify_placed(scratch, m);
    arena_free(scratch);
    return complaints() == before;
}
