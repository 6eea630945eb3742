/* tokens_layer: a layer begins and ends where chunk_stream_layers says, but it
   ends with the last sum of its residual where layers hand on such sums: what
   follows the last layer, a norm say, is then for all tokens. */
#include "passes/plan/tokens_layer.h"

#include "ir/facts.h"
#include "passes/tools/name.h"

/* ---- where layers end --------------------------------------------------- */

static size_t
place_of(Graph *g, NodeId id)
{
    return (size_t)facts(g)->position[id];
}

/* The last of the sums x + ..., (x + ...) + ... in the layer. */
static ValueId
residual_end(const Graph *g, const Layer *l)
{
    ValueId x = l->in;

    for (size_t k = l->from; k < l->to; k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_add && (n->in[0] == x || n->in[1] == x) &&
            type_equal(&value_at(g, n->out[0])->type, &value_at(g, x)->type))
            x = n->out[0];
    }
    return x;
}

static void
end_with_residual(Graph *g, Layer *l)
{
    size_t attention = place_of(g, l->attention), end;

    l->out = residual_end(g, l);
    end = l->out == l->in ? 0 : place_of(g, value_at(g, l->out)->def);
    if (end < attention)
        raise_at(graph_loc(g, l->attention),
                 "tokens: what comes into this layer of a transformer is not "
                 "added to what it makes\ntokens that are left out have no "
                 "way past it: train it with all (tokens.keep=1)");
    l->to = end + 1;
}

static bool
keeps_type(const Graph *g, const Layer *l)
{
    return type_equal(&value_at(g, l->in)->type, &value_at(g, l->out)->type);
}

/* Where less comes in than goes out, all patches of an image but no token for
   its class, the layer begins with the last value in front of its attention
   that its residual may begin with. */
static void
begin_with_residual(Graph *g, Layer *l)
{
    Layer later = *l;

    for (size_t k = place_of(g, l->attention); k-- > l->from;) {
        later.in = node_at(g, g->order[k])->out[0];
        later.from = k + 1;
        if (keeps_type(g, &later) && residual_end(g, &later) == l->out) {
            *l = later;
            return;
        }
    }
}

Layer *
token_layers(Arena *a, Graph *g)
{
    Layer *l = stream_layers(a, g);
    bool sums;

    if (!l)
        raise_at(model_loc(g->module),
                 "tokens: there are no layers of a transformer, with one "
                 "`attention` each, that hand on one value\n`snug opt "
                 "--passes=cut,fold,cse,dce,rewrite` shows which attentions "
                 "were found; train with all tokens (tokens.keep=1)");
    if (!keeps_type(g, &l[0]))
        begin_with_residual(g, &l[0]);
    sums = vec_len(l) == 1 || residual_end(g, &l[0]) == l[0].out;
    for (size_t i = 0; i < vec_len(l); i++) {
        if (sums)
            end_with_residual(g, &l[i]);
        if (!keeps_type(g, &l[i]))
            raise_at(graph_loc(g, l[i].attention),
                     "tokens: into this layer of a transformer comes '%s', "
                     "and '%s' of another type leaves it\ntokens that are "
                     "left out cannot pass by: train it with all "
                     "(tokens.keep=1)",
                     value_at(g, l[i].in)->name, value_at(g, l[i].out)->name);
    }
    return l;
}

/* ---- what a layer is ---------------------------------------------------- */

static bool
is_made_within(const TokenLayer *t, ValueId v)
{
    return v == t->layer.in || t->member[value_at(t->s->g, v)->def];
}

static NodeId *
find_members(Arena *a, const Graph *g, const NodeId *order, TokenLayer *t)
{
    NodeId *node = NULL;

    for (size_t k = t->layer.from; k < t->layer.to; k++) {
        const Node *n = node_at(g, order[k]);

        for (int i = 0; i < n->nin; i++)
            t->member[order[k]] |= n->in[i] == t->layer.in ||
                                   t->member[value_at(g, n->in[i])->def];
        if (t->member[order[k]])
            vec_push(a, node, order[k]);
    }
    return node;
}

static void
find_scores(const Graph *g, const NodeId *node, TokenLayer *t)
{
    const Node *attention = node_at(g, t->layer.attention);

    for (int i = 0; i < 2; i++)
        t->scores[value_at(g, attention->in[i])->def] = true;
    for (size_t k = vec_len(node); k-- > 0;)
        for (int i = 0; t->scores[node[k]] && i < node_at(g, node[k])->nin; i++)
            t->scores[value_at(g, node_at(g, node[k])->in[i])->def] = true;
}

/* ---- what is refused ---------------------------------------------------- */

#define REMEDY                                                              \
    "\ntrain with all tokens (tokens.keep=1), or take the positions apart " \
    "with `chunk`, which leaves none out"

static void
check_attention(const TokenLayer *t)
{
    const Stream *s = t->s;
    NodeId id = t->layer.attention;
    const Node *n = node_at(s->g, id);
    bool itself = node_int(n, "shift") == 0;

    for (int i = 0; i < 3; i++)
        itself &= is_made_within(t, n->in[i]) &&
                  value_at(s->g, n->in[i])->type.dim[2] == s->length;
    if (!itself)
        raise_at(graph_loc(s->g, id),
                 "tokens: the keys of this attention are not those of its own "
                 "tokens" REMEDY);
    if (n->nin > 3 && is_made_within(t, n->in[3]))
        raise_at(graph_loc(s->g, id),
                 "tokens: the bias of this attention is made of the tokens "
                 "themselves" REMEDY);
}

/* Per position, without an axis of samples, where samples choose tokens of
   their own: only where it may get such an axis. */
static bool
can_be_taken(const TokenLayer *t, NodeId id, int i)
{
    const Node *n = node_at(t->s->g, id);
    Rows need = t->s->need[id][i];
    const Type *x = &value_at(t->s->g, n->in[i])->type;

    return t->s->batch == 1 || need.seq < 0 || need.batch >= 0 ||
           x->dim[need.seq] != t->s->length || op_info(n->op)->flags & OF_MAP ||
           n->op == OP_broadcast;
}

static void
check_member(const TokenLayer *t, NodeId id)
{
    const Node *n = node_at(t->s->g, id);
    bool splits = t->s->kind[id] == STREAM_SPLIT;

    for (int i = 0; id != t->layer.attention && splits && i < n->nin; i++)
        splits &= is_made_within(t, n->in[i]) ? t->s->need[id][i].seq >= 0
                                              : can_be_taken(t, id, i);
    if (!splits || (n->op == OP_attention && id != t->layer.attention))
        raise_at(graph_loc(t->s->g, id),
                 "tokens: this takes tokens of a layer together, or its rows "
                 "cannot be followed" REMEDY);
}

/* But for what it hands on, nobody outside reads what the layer makes. */
static void
check_readers(const TokenLayer *t, const NodeId *order)
{
    const Graph *g = t->s->g;

    for (size_t k = t->layer.to; k < vec_len(order); k++) {
        const Node *n = node_at(g, order[k]);

        for (int i = 0; i < n->nin; i++)
            if (n->in[i] != t->layer.out &&
                t->member[value_at(g, n->in[i])->def])
                raise_at(graph_loc(g, order[k]),
                         "tokens: this reads '%s' out of a layer of a "
                         "transformer" REMEDY,
                         value_at(g, n->in[i])->name);
    }
}

TokenLayer
token_layer(Arena *a, Graph *g, const NodeId *order, Layer layer)
{
    TokenLayer t = {.layer = layer};
    const Node *attention = node_at(g, layer.attention);
    NodeId *node;
    Rows r;

    t.member = NEWN(a, bool, vec_len(g->node));
    t.scores = NEWN(a, bool, vec_len(g->node));
    node = find_members(a, g, order, &t);
    t.s = stream_rows(a, g, layer.attention, node, false);
    check_attention(&t);
    r = t.s->rows[attention->in[0]];
    t.s->need[layer.attention][1] = t.s->need[layer.attention][2] = r;
    for (size_t k = 0; k < vec_len(node); k++)
        check_member(&t, node[k]);
    check_readers(&t, order);
    find_scores(g, node, &t);
    return t;
}
