/* chunk_sequence: a model whose attention looks back only runs for some
   positions after the others, through all layers: forward, leaving the keys and
   values of each layer and nothing else; then from the last positions to the
   first once more, with head, loss and everything backward, where the
   gradients of keys and values that later positions have added up come in.
   A part is some positions of all samples (after "SeCO: sequential chunk-wise
   optimization", 2025). */
#include "passes/plan/chunk_sequence.h"

#include "ir/facts.h"
#include "ir/ops/attention.h"
#include "passes/plan/chunk_sequence_linear.h"
#include "passes/plan/chunk_sequence_subset.h"
#include "passes/plan/chunk_sequence_write.h"

/* When a node runs. */
typedef enum Role {
    ROLE_BEFORE, /* as a whole, in front of the parts */
    ROLE_PART,
    ROLE_LATE    /* as a whole, behind the parts */
} Role;

/* What of a part is written. */
enum { FOR_KEYS = 1, FOR_RESULTS = 2, FOR_LOSS = 4 };

typedef struct Sequence {
    Arena *arena;
    Graph *g;
    const Facts *facts;
    Stream *s;
    NodeId *node;          /* vector: of the order, as it was */
    bool *early;           /* NodeId -> inputs alone say all of it, and it, or
                              what it goes into, takes positions together */
    Role *role;            /* NodeId -> */
    unsigned char *wanted; /* NodeId -> FOR_KEYS, FOR_RESULTS, FOR_LOSS */
    bool *is_key;          /* ValueId -> keys or values of an attention */
    ValueId *result;       /* vector: of parts, read as a whole */
    bool backward;
    double subset;         /* share of the parts that go backward */
    Subset *draws;         /* of a subset; else NULL */
    SequenceCut cut;
} Sequence;

static NodeId
maker(const Sequence *t, ValueId v)
{
    return value_at(t->g, v)->def;
}

static bool
is_attention(const Node *n)
{
    return n->op == OP_attention || n->op == OP_attention_grad;
}

/* ---- what runs when ----------------------------------------------------- */

static bool
is_param(const Sequence *t, ValueId v)
{
    const Value *x = value_at(t->g, v);

    return x->kind == V_STORE &&
           t->g->module->store[x->store].kind == SK_PARAM;
}

static void
find_early(Sequence *t)
{
    bool *trained = NEWN(t->arena, bool, vec_len(t->g->node));

    for (size_t k = 0; k < vec_len(t->node); k++) {
        const Node *n = node_at(t->g, t->node[k]);

        for (int i = 0; i < n->nin; i++)
            trained[t->node[k]] |= is_param(t, n->in[i]) ||
                                   trained[maker(t, n->in[i])];
    }
    for (size_t k = vec_len(t->node); k-- > 0;) {
        NodeId id = t->node[k];
        const Node *n = node_at(t->g, id);

        t->early[id] |= !trained[id] && t->s->kind[id] != STREAM_SPLIT;
        for (int i = 0; t->early[id] && i < n->nin; i++)
            t->early[maker(t, n->in[i])] = true;
    }
}

/* A sum of so little that it is taken of what all parts leave, in its order:
   the loss. */
static bool
is_little(const Sequence *t, NodeId id)
{
    return t->s->kind[id] == STREAM_COLUMNS &&
           type_elements(&value_at(t->g, node_at(t->g, id)->out[0])->type) == 1;
}

/* Can it be written part after part, with operands that come so? */
static bool
fits_parts(const Sequence *t, NodeId id)
{
    const Node *n = node_at(t->g, id);

    if (!t->s->kind[id] || t->early[id] || is_little(t, id))
        return false;
    for (int i = 0; i < n->nin; i++) {
        bool part = t->role[maker(t, n->in[i])] == ROLE_PART;

        if (part && t->s->need[id][i].seq < 0)
            return false;
        if (!part && is_key_operand(n, i))
            return false;
    }
    return true;
}

/* Does it change what others read under the same bytes? */
static bool
is_update(const Sequence *t, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (value_at(t->g, n->out[i])->over)
            return true;
    return n->phase == 'u';
}

static Role
role_of(const Sequence *t, NodeId id)
{
    const Node *n = node_at(t->g, id);
    bool after = is_update(t, n), part = false;

    for (int i = 0; i < n->nin; i++) {
        NodeId def = maker(t, n->in[i]);

        after |= t->role[def] == ROLE_LATE ||
                 (t->role[def] == ROLE_PART && !comes_in_parts(t->s, n->in[i]));
        part |= t->role[def] == ROLE_PART;
    }
    if (after)
        return ROLE_LATE;
    if (fits_parts(t, id))
        return ROLE_PART;
    return part ? ROLE_LATE : ROLE_BEFORE;
}

static void
find_roles(Sequence *t)
{
    find_early(t);
    for (size_t k = 0; k < vec_len(t->node); k++)
        t->role[t->node[k]] = role_of(t, t->node[k]);
}

/* The first node that runs behind the parts and that an attention which would
   have to be among them hangs on; 0: all attentions are. */
static NodeId
find_blame(const Sequence *t)
{
    bool *leads = NEWN(t->arena, bool, vec_len(t->g->node));
    NodeId blame = 0;

    for (size_t k = vec_len(t->node); k-- > 0;) {
        NodeId id = t->node[k];
        const Node *n = node_at(t->g, id);

        if (t->role[id] == ROLE_PART)
            continue;
        leads[id] |= is_attention(n);
        for (int i = 0; leads[id] && i < n->nin; i++)
            leads[maker(t, n->in[i])] = true;
        if (leads[id] && (t->role[id] == ROLE_LATE || is_attention(n)))
            blame = id;
    }
    return blame;
}

/* ---- what of a part is asked for ---------------------------------------- */

/* Read as a whole, or left by the entry. */
static bool
is_result(const Sequence *t, ValueId v)
{
    const Facts *f = t->facts;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
        if (!f->use[u].node || t->role[f->use[u].node] != ROLE_PART)
            return true;
    return false;
}

static void
want(Sequence *t, ValueId v, unsigned char what)
{
    NodeId def = maker(t, v);

    if (def && t->role[def] == ROLE_PART)
        t->wanted[def] |= what;
}

/* Where parts are left out of the backward pass, what is of the forward pass
   is made, of all parts, before it. */
static unsigned char
what_for(const Sequence *t, ValueId v)
{
    bool forward = node_at(t->g, maker(t, v))->phase == 'f';

    return t->draws && forward ? FOR_LOSS : FOR_RESULTS;
}

static void
find_results(Sequence *t)
{
    for (size_t k = 0; k < vec_len(t->node); k++) {
        const Node *n = node_at(t->g, t->node[k]);

        for (int i = 0; t->role[t->node[k]] == ROLE_PART && i < n->nout; i++)
            if (is_result(t, n->out[i])) {
                vec_push(t->arena, t->result, n->out[i]);
                want(t, n->out[i], what_for(t, n->out[i]));
            }
    }
}

/* Keys and values are there already when results are made. */
static void
find_wanted(Sequence *t)
{
    for (size_t k = vec_len(t->node); k-- > 0;) {
        const Node *n = node_at(t->g, t->node[k]);
        unsigned char what = t->wanted[t->node[k]];

        for (int i = 0; what && i < n->nin; i++) {
            bool key = is_key_operand(n, i);

            t->is_key[n->in[i]] |= key;
            want(t, n->in[i], key ? FOR_KEYS : what);
        }
    }
}

/* ---- all of it, written ------------------------------------------------- */

static void
write_part(Sequence *t, Parts *p, unsigned char what)
{
    for (size_t k = 0; k < vec_len(t->node); k++) {
        NodeId id = t->node[k];
        const Node *n = node_at(t->g, id);
        ValueId *out = n->out;
        int nout = n->nout;

        if (!(t->wanted[id] & what))
            continue;
        p->phase = t->backward && what == FOR_RESULTS ? 'b' : n->phase;
        sequence_write(p, id);
        for (int i = 0; what & FOR_KEYS && i < nout; i++)
            if (t->is_key[out[i]])
                sequence_keep_key(p, out[i]);
    }
    for (size_t i = 0; i < vec_len(t->result); i++)
        if (what & what_for(t, t->result[i]))
            sequence_keep(p, t->result[i]);
}

/* All parts forward, then those that are drawn backward. */
static void
write_subset(Sequence *t, Parts *p)
{
    int64_t parts = t->cut.parts, each = t->cut.positions;

    for (int64_t i = 0; i < parts; i++) {
        parts_at(p, 0, i * each);
        write_part(t, p, FOR_KEYS | FOR_LOSS);
    }
    subset_scale(t->draws, p);
    for (int64_t i = parts; i-- > 0;) {
        size_t first = vec_len(t->g->node);

        parts_at(p, 0, i * each);
        write_part(t, p, FOR_RESULTS);
        subset_guard(t->draws, p, (NodeId)first, i);
    }
}

static void
write_parts(Sequence *t, Parts *p)
{
    int64_t last = t->cut.parts - 1, each = t->cut.positions;
    unsigned char both = FOR_KEYS | FOR_RESULTS;

    for (int64_t i = 0; i < last; i++) {
        parts_at(p, 0, i * each);
        write_part(t, p, t->backward ? FOR_KEYS : both);
    }
    parts_at(p, 0, last * each);
    write_part(t, p, both);
    for (int64_t i = last; t->backward && i-- > 0;) {
        parts_at(p, 0, i * each);
        write_part(t, p, FOR_RESULTS);
    }
}

static void
write_role(Sequence *t, Role role)
{
    for (size_t k = 0; k < vec_len(t->node); k++)
        if (t->role[t->node[k]] == role)
            vec_push(t->g->module->arena, t->g->order, t->node[k]);
}

static void
write_all(Sequence *t)
{
    Share each = {t->s->batch, t->cut.positions};
    Parts *p = parts_new(t->arena, t->s, each, 'f');
    ValueId *result = NULL;

    t->g->order = NULL;
    if (t->draws)
        subset_draw(t->draws, t->cut.parts);
    write_role(t, ROLE_BEFORE);
    if (t->draws)
        write_subset(t, p);
    else
        write_parts(t, p);
    for (size_t i = 0; i < vec_len(t->result); i++)
        vec_push(t->arena, result, sequence_result(p, t->result[i]));
    write_role(t, ROLE_LATE);
    graph_touch(t->g);
    for (size_t i = 0; i < vec_len(t->result); i++)
        graph_replace(t->g, t->result[i], result[i]);
    if (t->draws)
        subset_count(t->draws);
    graph_touch(t->g);
}

/* ---- some parts only ---------------------------------------------------- */

static bool
is_seed(const Sequence *t, ValueId v)
{
    const Value *x = value_at(t->g, v);

    return x->kind == V_TEMP && t->role[x->def] == ROLE_BEFORE &&
           node_at(t->g, x->def)->phase == 'b' && dtype_float(x->type.dtype);
}

/* Where gradients come into the parts, and their nodes that go backward. */
static NodeId *
find_seeds(const Sequence *t, bool *seed)
{
    NodeId *back = NULL;

    for (size_t k = 0; k < vec_len(t->node); k++) {
        const Node *n = node_at(t->g, t->node[k]);

        if (t->role[t->node[k]] != ROLE_PART || n->phase != 'b')
            continue;
        vec_push(t->arena, back, t->node[k]);
        for (int i = 0; i < n->nin; i++)
            seed[n->in[i]] |= is_seed(t, n->in[i]);
    }
    return back;
}

/* What goes on from part to part must be the gradient of what was drawn: a node
   whose results are not linear in the seeds is to blame. */
static NodeId
find_constant(const Sequence *t, const NodeId *back, const bool *linear)
{
    for (size_t k = 0; k < vec_len(back); k++) {
        const Node *n = node_at(t->g, back[k]);
        bool sums = t->s->kind[back[k]] != STREAM_SPLIT;

        for (int i = 0; i < n->nout; i++)
            if ((sums || is_result(t, n->out[i])) && !linear[n->out[i]])
                return back[k];
    }
    return 0;
}

static void
find_subset(Sequence *t)
{
    bool *seed = NEWN(t->arena, bool, vec_len(t->g->value));
    NodeId *back = find_seeds(t, seed);
    bool *linear = find_linear(t->arena, t->g, back, seed, &t->cut.blame);

    if (!t->cut.blame)
        t->cut.blame = find_constant(t, back, linear);
    t->draws = subset_new(t->arena, t->g, seed, t->subset);
}

/* ------------------------------------------------------------------------ */

static NodeId
first_attention(const Sequence *t)
{
    for (size_t k = 0; k < vec_len(t->node); k++)
        if (node_at(t->g, t->node[k])->op == OP_attention)
            return t->node[k];
    return 0;
}

static int64_t
over(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static SequenceCut
refused(const char *why, NodeId blame)
{
    return (SequenceCut){.why = why, .blame = blame};
}

/* Whole blocks of queries, where there is more than one. */
static void
find_parts(Sequence *t, int64_t parts)
{
    int64_t each = over(t->s->length, parts);

    if (each > QUERY_BLOCK)
        each = over(each, QUERY_BLOCK) * QUERY_BLOCK;
    t->cut.positions = each;
    t->cut.parts = over(t->s->length, each);
}

static Sequence *
sequence_new(Arena *a, Graph *g)
{
    Sequence *t = NEW(a, Sequence);
    size_t nodes = vec_len(g->node);

    *t = (Sequence){.arena = a, .g = g, .facts = facts(g)};
    for (size_t k = 0; k < vec_len(g->order); k++)
        vec_push(a, t->node, g->order[k]);
    t->early = NEWN(a, bool, nodes);
    t->role = NEWN(a, Role, nodes);
    t->wanted = NEWN(a, unsigned char, nodes);
    t->is_key = NEWN(a, bool, vec_len(g->value));
    t->backward = graph_has_phase(g, 'b');
    return t;
}

SequenceCut
chunk_sequence(Arena *scratch, Graph *g, int64_t parts, double subset)
{
    Sequence *t = sequence_new(scratch, g);
    NodeId attention = first_attention(t);

    if (!attention)
        return refused("it has no attention", 0);
    t->s = stream_rows(scratch, g, attention, t->node, true);
    if (t->s->length < 2 || t->s->batch < 1)
        return refused("there is but one position", attention);
    find_roles(t);
    t->cut.blame = find_blame(t);
    if (t->cut.blame)
        return refused("this takes positions together, or looks at later ones",
                       t->cut.blame);
    find_parts(t, parts);
    if (t->cut.parts < 2)
        return refused("a part has no fewer than 32 positions", attention);
    t->subset = subset;
    if (t->backward && subset < 1)
        find_subset(t);
    if (t->cut.blame)
        return refused("gradients do not pass this in proportion, so they "
                       "cannot be those of some parts only",
                       t->cut.blame);
    find_results(t);
    find_wanted(t);
    t->cut.seed = node_at(g, attention)->in[0];
    write_all(t);
    return t->cut;
}
