/* chunk_stream: a layer of a transformer runs for some samples, or some
   positions of a sample, after the others, with the keys and values of all. In
   the backward pass nothing of
   the layer is there but what came into it: keys and values are made again as a
   whole; then, part after part, all else is, and is gone through backward; what
   hangs on the gradients of keys and values, whose sums go on from part to
   part, comes last. No sum changes its order. */
#include "passes/plan/chunk_stream.h"

#include "ir/facts.h"
#include "ir/ops/attention.h"
#include "passes/plan/chunk_stream_layers.h"
#include "passes/plan/chunk_stream_write.h"

enum { ROUND = 256, LONG = 4 * ROUND }; /* a block of a sum of columns */

typedef enum Role {
    ROLE_NONE,
    ROLE_BEFORE, /* as a whole, in front of the parts */
    ROLE_PART,
    ROLE_LATE    /* as a whole, behind the parts */
} Role;

typedef struct Replace {
    ValueId from, to;
} Replace;

/* A layer that is cut. */
typedef struct Streamed {
    Arena *arena;
    Graph *g;
    const Facts *facts;
    Stream *s;
    Layer layer;
    NodeId *front, *back; /* vectors: its nodes, forward and backward */
    bool *is_front;       /* NodeId -> */
    bool *is_back;
    bool *kept;           /* NodeId -> of front: written as it is */
    bool *apart;          /* NodeId -> of front: written part after part */
    Role *role;           /* NodeId -> of back */
    unsigned char *again; /* NodeId -> of front: 1 << Role */
    ValueId *result;      /* vector: of parts, read as a whole */
    size_t values;        /* that there were at first */
    Share each;           /* of a part */
    Replace *replace;     /* vector */
} Streamed;

static NodeId
maker(const Streamed *t, ValueId v)
{
    return value_at(t->g, v)->def;
}

/* Can v, of the forward part, be made again? */
static bool
is_made_again(const Streamed *t, ValueId v)
{
    NodeId def = maker(t, v);

    return t->is_front[def] && t->s->kind[def] == STREAM_SPLIT &&
           v != t->layer.out;
}

/* ---- the backward part: what runs when ---------------------------------- */

/* Does the node read a value that comes with the parts, or behind them? */
static bool
reads(const Streamed *t, NodeId id, bool late)
{
    const Node *n = node_at(t->g, id);

    for (int i = 0; i < n->nin; i++) {
        NodeId def = maker(t, n->in[i]);
        bool part = t->role[def] == ROLE_PART &&
                    comes_in_parts(t->s, n->in[i]);

        if (late && (t->role[def] == ROLE_LATE ||
                     (t->role[def] == ROLE_PART && !part)))
            return true;
        if (!late && part)
            return true;
    }
    return false;
}

/* Does it take all that comes with the parts by parts? */
static bool
fits_parts(const Streamed *t, NodeId id)
{
    const Node *n = node_at(t->g, id);

    if (!t->s->kind[id])
        return false;
    for (int i = 0; i < n->nin; i++)
        if (t->role[maker(t, n->in[i])] == ROLE_PART &&
            t->s->need[id][i].seq < 0)
            return false;
    return true;
}

static void
find_roles(Streamed *t)
{
    for (size_t k = 0; k < vec_len(t->back); k++) {
        NodeId id = t->back[k];

        if (reads(t, id, true))
            t->role[id] = ROLE_LATE;
        else if (fits_parts(t, id))
            t->role[id] = ROLE_PART;
        else
            t->role[id] = reads(t, id, false) ? ROLE_LATE : ROLE_BEFORE;
    }
}

static void
ask_again(Streamed *t, NodeId reader, int operand, Role role)
{
    ValueId v = node_at(t->g, reader)->in[operand];

    if (!is_made_again(t, v))
        return;
    if (role == ROLE_PART && t->s->need[reader][operand].seq < 0)
        role = ROLE_BEFORE;
    t->again[maker(t, v)] |= (unsigned char)(1 << role);
}

/* What of the forward part is made again, and when. */
static void
find_again(Streamed *t)
{
    for (size_t k = 0; k < vec_len(t->back); k++)
        for (int i = 0; i < node_at(t->g, t->back[k])->nin; i++)
            ask_again(t, t->back[k], i, t->role[t->back[k]]);
    for (size_t k = vec_len(t->front); k-- > 0;)
        for (int role = ROLE_BEFORE; role <= ROLE_LATE; role++)
            for (int i = 0; t->again[t->front[k]] & (1 << role) &&
                            i < node_at(t->g, t->front[k])->nin;
                 i++)
                ask_again(t, t->front[k], i, (Role)role);
}

/* ---- the backward part, written ----------------------------------------- */

static void
push(Streamed *t, NodeId id)
{
    vec_push(t->g->module->arena, t->g->order, id);
}

static void
write_again(Streamed *t, Parts *p, Role role)
{
    for (size_t v = 0; v < t->values; v++)
        p->whole[v] = 0;
    for (size_t k = 0; k < vec_len(t->front); k++)
        if (t->again[t->front[k]] & (1 << role))
            parts_write_whole(p, t->front[k]);
}

/* Nodes as they are, but for what has been made again. */
static void
write_plain(Streamed *t, const Parts *p, Role role)
{
    for (size_t k = 0; k < vec_len(t->back); k++) {
        Node *n = node_at(t->g, t->back[k]);

        if (t->role[t->back[k]] != role)
            continue;
        for (int i = 0; i < n->nin; i++)
            if (is_made_again(t, n->in[i]))
                n->in[i] = p->whole[n->in[i]];
        push(t, t->back[k]);
    }
}

static bool
is_read_whole(const Streamed *t, ValueId v)
{
    const Facts *f = t->facts;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++)
        if (t->role[f->use[u].node] != ROLE_PART)
            return true;
    return false;
}

static void
find_results(Streamed *t)
{
    for (size_t k = 0; k < vec_len(t->back); k++) {
        const Node *n = node_at(t->g, t->back[k]);

        for (int i = 0; t->role[t->back[k]] == ROLE_PART && i < n->nout; i++)
            if (is_read_whole(t, n->out[i]))
                vec_push(t->arena, t->result, n->out[i]);
    }
}

static void
write_backward(Streamed *t)
{
    Parts *p = parts_new(t->arena, t->s, t->each, 'b');
    const ValueId *result = t->result;

    write_again(t, p, ROLE_BEFORE);
    write_plain(t, p, ROLE_BEFORE);
    while (parts_next(p)) {
        for (size_t k = 0; k < vec_len(t->front); k++)
            if (t->again[t->front[k]] & (1 << ROLE_PART))
                parts_write(p, t->front[k]);
        for (size_t k = 0; k < vec_len(t->back); k++)
            if (t->role[t->back[k]] == ROLE_PART)
                parts_write(p, t->back[k]);
        for (size_t i = 0; i < vec_len(result); i++)
            parts_keep(p, result[i]);
    }
    for (size_t i = 0; i < vec_len(result); i++)
        vec_push(t->arena, t->replace,
                 (Replace){result[i], parts_join(p, result[i])});
    write_again(t, p, ROLE_LATE);
    write_plain(t, p, ROLE_LATE);
}

/* ---- the forward part --------------------------------------------------- */

/* Does anybody but the layer itself, and what makes it again, read it? */
static bool
is_read_elsewhere(const Streamed *t, ValueId v)
{
    const Facts *f = t->facts;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId reader = f->use[u].node;

        if (!t->is_front[reader] &&
            !(t->is_back[reader] && is_made_again(t, v)))
            return true;
    }
    return false;
}

static void
keep_operands(Streamed *t, NodeId id)
{
    const Node *n = node_at(t->g, id);

    for (int i = 0; i < n->nin; i++)
        t->kept[maker(t, n->in[i])] = true;
}

/* Operands of a part: what attention reads stays whole, queries too, so that
   nothing is computed twice. */
static void
ask_apart(Streamed *t, NodeId id)
{
    const Node *n = node_at(t->g, id);

    if (n->op == OP_attention) {
        keep_operands(t, id);
        return;
    }
    for (int i = 0; i < n->nin; i++)
        if (t->s->need[id][i].seq >= 0)
            t->apart[maker(t, n->in[i])] = true;
        else
            t->kept[maker(t, n->in[i])] = true;
}

static void
find_apart(Streamed *t)
{
    for (size_t k = vec_len(t->front); k-- > 0;) {
        NodeId id = t->front[k];
        const Node *n = node_at(t->g, id);

        t->apart[id] |= maker(t, t->layer.out) == id;
        t->kept[id] |= t->s->kind[id] != STREAM_SPLIT;
        for (int i = 0; i < n->nout; i++)
            t->kept[id] |= n->out[i] != t->layer.out &&
                           is_read_elsewhere(t, n->out[i]);
        t->apart[id] &= !t->kept[id];
        if (t->kept[id])
            keep_operands(t, id);
        else if (t->apart[id])
            ask_apart(t, id);
    }
}

static void
write_forward(Streamed *t)
{
    Parts *p = parts_new(t->arena, t->s, t->each, 'f');
    ValueId out = t->layer.out;

    for (size_t k = 0; k < vec_len(t->front); k++)
        if (t->kept[t->front[k]])
            push(t, t->front[k]);
    if (t->kept[maker(t, out)])
        return;
    while (parts_next(p)) {
        for (size_t k = 0; k < vec_len(t->front); k++)
            if (t->apart[t->front[k]])
                parts_write(p, t->front[k]);
        parts_keep(p, out);
    }
    vec_push(t->arena, t->replace, (Replace){out, parts_join(p, out)});
}

/* ---- which layers ------------------------------------------------------- */

static int64_t
over(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

/* Do parts of so many positions keep every sum? */
static bool
keeps_sums(const Streamed *t, int64_t each)
{
    for (size_t k = 0; k < vec_len(t->back); k++) {
        NodeId id = t->back[k];
        int64_t part;

        if (node_at(t->g, id)->op != OP_attention_grad ||
            t->role[id] != ROLE_PART)
            continue;
        for (int64_t from = 0; from < t->s->length; from += each) {
            Attention whole = attention_of(t->g, id);
            int64_t to = t->s->length - from < each ? t->s->length
                                                    : from + each;

            if (!attention_cuts(&whole, from, to, &part))
                return false;
        }
    }
    return true;
}

/* Of a sample in so many parts. */
static int64_t
positions_each(const Streamed *t, int64_t parts)
{
    int64_t each = over(t->s->length, parts);
    int64_t round = each >= LONG ? ROUND : QUERY_BLOCK;

    each = over(each, round) * round;
    while (each < t->s->length && !keeps_sums(t, each))
        each += QUERY_BLOCK;
    return each < t->s->length ? each : t->s->length;
}

/* Is there a sum over rows in chains that may end within a sample? */
static bool
splits_sums(const Streamed *t)
{
    for (size_t k = 0; k < vec_len(t->back); k++)
        if (t->s->kind[t->back[k]] == STREAM_SUM &&
            node_int(node_at(t->g, t->back[k]), "split") > 1)
            return true;
    return false;
}

static Share
share_each(const Streamed *t, int64_t parts)
{
    int64_t batch = t->s->batch;

    if (parts <= batch && !splits_sums(t))
        return (Share){over(batch, parts), t->s->length};
    return (Share){1, positions_each(t, over(parts, batch))};
}

static int64_t
parts_of(const Streamed *t)
{
    return over(t->s->batch, t->each.samples) *
           over(t->s->length, t->each.positions);
}

static NodeId *
nodes_between(const Streamed *t, size_t from, size_t to, bool *is)
{
    NodeId *node = NULL;

    for (size_t k = from; k < to; k++) {
        vec_push(t->arena, node, t->g->order[k]);
        is[t->g->order[k]] = true;
    }
    return node;
}

static NodeId *
joined(const Streamed *t)
{
    NodeId *all = NULL;

    for (size_t k = 0; k < vec_len(t->front); k++)
        vec_push(t->arena, all, t->front[k]);
    for (size_t k = 0; k < vec_len(t->back); k++)
        vec_push(t->arena, all, t->back[k]);
    return all;
}

/* Is the layer's attention, where it has a backward part its gradient too,
   among what runs part after part? */
static bool
is_cut(const Streamed *t)
{
    if (!t->back)
        return t->apart[t->layer.attention];
    for (size_t k = 0; k < vec_len(t->back); k++)
        if (node_at(t->g, t->back[k])->op == OP_attention_grad &&
            t->role[t->back[k]] == ROLE_PART)
            return true;
    return false;
}

static Streamed *
streamed_new(Arena *a, Graph *g, const Layer *l, int64_t parts)
{
    Streamed *t = NEW(a, Streamed);
    size_t nodes = vec_len(g->node);

    *t = (Streamed){.arena = a, .g = g, .facts = facts(g), .layer = *l,
                     .values = vec_len(g->value)};
    t->is_front = NEWN(a, bool, nodes);
    t->is_back = NEWN(a, bool, nodes);
    t->kept = NEWN(a, bool, nodes);
    t->apart = NEWN(a, bool, nodes);
    t->role = NEWN(a, Role, nodes);
    t->again = NEWN(a, unsigned char, nodes);
    t->front = nodes_between(t, l->from, l->to, t->is_front);
    t->back = nodes_between(t, l->back, l->behind, t->is_back);
    t->s = stream_rows(a, g, l->attention, joined(t), false);
    find_roles(t);
    find_again(t);
    find_results(t);
    find_apart(t);
    if (t->s->length < 2 || t->s->batch < 1 || !is_cut(t))
        return NULL;
    t->each = share_each(t, parts);
    return parts_of(t) > 1 ? t : NULL;
}

/* ---- all of it ---------------------------------------------------------- */

static void
write_order(Graph *g, Streamed *const *all)
{
    NodeId *order = g->order;
    size_t next = 0, count = vec_len(order);

    g->order = NULL;
    for (size_t k = 0; k < count; k = next) {
        next = k + 1;
        for (size_t i = 0; i < vec_len(all); i++) {
            const Layer *l = &all[i]->layer;

            if (l->from == k && l->to > k) {
                write_forward(all[i]);
                next = l->to;
            } else if (l->back == k && l->behind > k) {
                write_backward(all[i]);
                next = l->behind;
            }
        }
        if (next == k + 1)
            vec_push(g->module->arena, g->order, order[k]);
    }
}

/* Attention of the forward part in no layer that is cut. */
static ValueId *
find_whole(Arena *scratch, const Graph *g, Streamed *const *all)
{
    ValueId *whole = NULL;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        bool cut = n->op != OP_attention || n->phase != 'f';

        for (size_t i = 0; i < vec_len(all); i++)
            cut |= all[i]->layer.attention == g->order[k];
        if (!cut)
            vec_push(scratch, whole, n->out[0]);
    }
    return whole;
}

StreamCut *
chunk_stream(Arena *scratch, Graph *g, int64_t parts, ValueId **whole)
{
    Layer *layer = stream_layers(scratch, g);
    Streamed **all = NULL;
    StreamCut *cut = NULL;

    for (size_t i = 0; i < vec_len(layer); i++) {
        Streamed *t = streamed_new(scratch, g, &layer[i], parts);

        if (!t)
            continue;
        vec_push(scratch, all, t);
        vec_push(scratch, cut,
                 (StreamCut){t->layer.out, parts_of(t),
                             t->each.samples * t->each.positions});
    }
    *whole = find_whole(scratch, g, all);
    if (!all)
        return NULL;
    write_order(g, all);
    graph_touch(g);
    for (size_t i = 0; i < vec_len(all); i++)
        for (size_t k = 0; k < vec_len(all[i]->replace); k++)
            graph_replace(g, all[i]->replace[k].from, all[i]->replace[k].to);
    graph_touch(g);
    return cut;
}
