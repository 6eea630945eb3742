/* codec_state: a step decodes what the rule reads and encodes what the rule
   leaves, once everything has read what was there before. Inside the step
   states are whole, so an update takes what it has just computed. */
#include "passes/memory/codec_state.h"

#include <string.h>

enum { LEAST_ELEMENTS = 1024 };

typedef struct State {
    uint32_t store;
    ValueId old, next; /* the content as it is read, and as it is left */
    size_t ready;      /* position behind which nobody reads `old` */
    Type type;
    Code code; /* of what was there before */
} State;

typedef struct States {
    PassRun *run;
    Graph *g;
    const CodecChoice *choice;
    DrawChance *draw;
    void *from;
    State *state; /* vector */
    int64_t *bytes;
} States;

/* ---- what is coded ------------------------------------------------------- */

static bool
read_elsewhere(const Module *m, const Graph *train, uint32_t store)
{
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (ValueId v = 1; g != train && v < vec_len(g->value); v++)
            if (value_at(g, v)->kind == V_STORE &&
                value_at(g, v)->store == store)
                return true;
    }
    return false;
}

static bool
may_be_coded(const Module *m, const Graph *g, uint32_t store)
{
    const Store *s = &m->store[store];
    const Type *t = &s->type;

    return s->kind == SK_STATE && t->dtype == DT_F32 && t->rank >= 1 &&
           t->dim[t->rank - 1] > 1 && type_elements(t) >= LEAST_ELEMENTS &&
           s->init.kind == INIT_FILL && s->init.fill == 0 &&
           !read_elsewhere(m, g, store);
}

/* The value that is written over v; 0: none, or that is written over again. */
static ValueId
next_of(const Graph *g, ValueId v)
{
    ValueId next = 0;

    for (ValueId w = 1; w < vec_len(g->value); w++)
        if (value_at(g, w)->over && graph_root(g, w) == v) {
            if (next || value_at(g, w)->over != v)
                return 0;
            next = w;
        }
    return next;
}

static size_t
last_touch(const Graph *g, ValueId old, ValueId next)
{
    size_t last = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (value_at(g, next)->def == g->order[k])
            last = k;
        for (int i = 0; i < n->nin; i++)
            if (behind_views(g, n->in[i]) == old)
                last = k;
    }
    return last;
}

static void
find_states(States *s)
{
    Graph *g = s->g;
    size_t values = vec_len(g->value);

    for (ValueId v = 1; v < values; v++) {
        const Value *x = value_at(g, v);
        State state = {.old = v};

        if (x->kind != V_STORE || !may_be_coded(s->run->m, g, x->store))
            continue;
        state.next = next_of(g, v);
        if (!state.next)
            continue;
        state.store = x->store;
        state.type = x->type;
        state.ready = last_touch(g, v, state.next);
        vec_push(s->run->scratch, s->state, state);
    }
}

/* ---- stores -------------------------------------------------------------- */

static ValueId
add_state(States *s, const State *state, const char *suffix, const Type *t)
{
    Module *m = s->run->m;
    Store new = {.type = *t, .kind = SK_STATE};

    new.name = sym_format(m->syms, "%s.%s", m->store[state->store].name,
                          suffix);
    for (int i = 2; module_store(m, new.name); i++)
        new.name = sym_format(m->syms, "%s.%s%d", m->store[state->store].name,
                              suffix, i);
    s->bytes[1] += type_bytes(t);
    return graph_store(s->g, module_add_store(m, new));
}

/* The store takes the type of its codes, as encoding makes them. */
static void
become_codes(States *s, State *state)
{
    Module *m = s->run->m;
    Graph *g = graph_new(m, "code");
    Builder b = {.g = g, .phase = 'u'};
    ValueId in = graph_input(g, "x", state->type);
    Chance none = {graph_input(g, "step", type_scalar(DT_I64)),
                   graph_input(g, "seed", type_scalar(DT_I64)), 0};
    Code like = {.choice = s->choice};

    code_encode(&b, in, &like, &none);
    state->code = like;
    s->bytes[0] += type_bytes(&state->type);
    s->bytes[1] += type_bytes(&value_at(g, like.code)->type);
    m->store[state->store].type = value_at(g, like.code)->type;
    value_at(s->g, state->old)->type = value_at(g, like.code)->type;
    state->code.code = state->old;
    if (like.p)
        state->code.p = add_state(s, state, "p", &value_at(g, like.p)->type);
    if (like.q)
        state->code.q = add_state(s, state, "q", &value_at(g, like.q)->type);
}

/* ---- the graph anew ------------------------------------------------------ */

static void
leave(Builder *b, ValueId made, ValueId store)
{
    ValueId in[2] = {made, store}, next;
    DType type = value_at(b->g, store)->type.dtype;

    if (!store)
        return;
    next = build_formula(b, "a", 2, in, type, "state");
    value_at(b->g, next)->over = store;
}

static void
encode(States *s, State *state)
{
    Builder b = {.g = s->g, .phase = 'u'};
    Code made = {.choice = s->choice};
    Chance chance = {0};

    if (s->choice->stochastic)
        chance = s->draw(s->from);
    value_at(s->g, state->next)->over = 0;
    code_encode(&b, state->next, &made, &chance);
    leave(&b, made.code, state->code.code);
    leave(&b, made.p, state->code.p);
    leave(&b, made.q, state->code.q);
}

/* The state whose old content v is, behind views. */
static State *
state_behind(const States *s, ValueId v)
{
    v = behind_views(s->g, v);
    for (size_t i = 0; i < vec_len(s->state); i++)
        if (s->state[i].old == v)
            return &s->state[i];
    return NULL;
}

/* A node that reads the old content only to be written over it. */
static bool
only_places(const Graph *g, const Node *n, const State *state)
{
    return n->op == OP_map && n->nin == 2 && n->in[1] == state->old &&
           n->out[0] == state->next &&
           strcmp(formula_print(g->module->arena,
                                node_attr(n, "formula")->formula),
                  "a") == 0;
}

static void
read_decoded(States *s, NodeId id)
{
    Graph *g = s->g;
    Node n = *node_at(g, id);
    Builder b = {.g = g, .phase = n.phase};
    ValueId *in = NEWN(g->module->arena, ValueId, n.nin + 1);

    if (n.op == OP_view && state_behind(s, n.in[0]))
        return; /* its readers decode */
    for (int i = 0; i < n.nin; i++) {
        State *state = state_behind(s, n.in[i]);
        Type t;

        in[i] = n.in[i];
        if (!state)
            continue;
        if (only_places(g, &n, state)) {
            node_at(g, id)->nin = 1;
            continue;
        }
        t = n.in[i] == state->old ? state->type : value_at(g, n.in[i])->type;
        in[i] = seen_as(&b, code_decode(&b, state->type, &state->code), &t,
                        "decoded");
    }
    node_at(g, id)->in = in;
    vec_push(g->module->arena, g->order, id);
}

static void
remake(States *s)
{
    Graph *g = s->g;
    NodeId *order;

    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++) {
        read_decoded(s, order[k]);
        for (size_t i = 0; i < vec_len(s->state); i++)
            if (s->state[i].ready == k)
                encode(s, &s->state[i]);
    }
    graph_touch(g);
}

void
codec_states(PassRun *run, const CodecChoice *choice, DrawChance *draw,
             void *from, int64_t bytes[2])
{
    States s = {.run = run,
                .g = module_entry(run->m, "train"),
                .choice = choice,
                .draw = draw,
                .from = from,
                .bytes = bytes};

    find_states(&s);
    for (size_t i = 0; i < vec_len(s.state); i++)
        become_codes(&s, &s.state[i]);
    remake(&s);
}
