/* verify_spaces: one walk over the order; a value is told by where its bytes
   are (graph_space), a transfer by the wait that ends it. */
#include "ir/verify_spaces.h"

#include "ir/tables.h"

typedef struct Spaces {
    const Graph *g;
    Sym arena;
    NodeId *ended; /* ValueId of a transfer's result -> its wait */
} Spaces;

static bool
is_away(const Spaces *s, ValueId v)
{
    return graph_space(s->g, v) != s->arena;
}

static bool
is_moving(const Spaces *s, ValueId v)
{
    NodeId def = value_at(s->g, v)->def;

    return def && node_at(s->g, def)->op == OP_transfer;
}

static Sym
name_of(const Spaces *s, ValueId v)
{
    return value_at(s->g, v)->name;
}

static void
check_transfer(const Spaces *s, NodeId id)
{
    const Graph *g = s->g;
    const Node *n = node_at(g, id);
    Loc loc = graph_loc(g, id);
    Sym to = graph_space(g, n->out[0]);
    ValueId over = value_at(g, n->out[0])->over;

    if (g->outer)
        complain(loc, "a body moves nothing to another space");
    if (is_moving(s, n->in[0]))
        complain(loc, "moves %%%s, which is on its way itself",
                 name_of(s, n->in[0]));
    else if (n->attr[0].s == graph_space(g, n->in[0]))
        complain(loc, "%%%s is in the space %s already", name_of(s, n->in[0]),
                 n->attr[0].s);
    else if (is_away(s, n->in[0]) && n->attr[0].s != s->arena)
        complain(loc, "moves %%%s from %s to %s, but one side must be %s",
                 name_of(s, n->in[0]), graph_space(g, n->in[0]),
                 n->attr[0].s, s->arena);
    if (to != n->attr[0].s)
        complain(loc, "%%%s lies in %s, not in %s", name_of(s, n->out[0]), to,
                 n->attr[0].s);
    if (over != (n->nin == 2 ? n->in[1] : 0))
        complain(loc, "%%%s takes the bytes of its second operand, and of "
                      "nothing else",
                 name_of(s, n->out[0]));
}

static void
check_wait(const Spaces *s, NodeId id)
{
    const Graph *g = s->g;
    const Node *n = node_at(g, id);
    Loc loc = graph_loc(g, id);
    ValueId t = n->in[0];

    if (!is_moving(s, t)) {
        complain(loc, "waits for %%%s, which no transfer makes",
                 name_of(s, t));
        return;
    }
    if (node_at(g, value_at(g, t)->def)->in[0] != n->in[1])
        complain(loc, "waits for the transfer of %%%s, but its second operand "
                      "is %%%s",
                 name_of(s, node_at(g, value_at(g, t)->def)->in[0]),
                 name_of(s, n->in[1]));
    if (value_at(g, n->out[0])->over != t)
        complain(loc, "%%%s must be over %%%s", name_of(s, n->out[0]),
                 name_of(s, t));
    if (s->ended[t])
        complain(loc, "%%%s has been waited for", name_of(s, t));
    s->ended[t] = id;
}

/* Rows of a table are touched where it lies. */
static bool
is_table(const Spaces *s, const Node *n, int i)
{
    return works_in_place(s->g, n, i) && store_below(s->g, n->in[i]);
}

static void
check_kernel(const Spaces *s, NodeId id)
{
    const Node *n = node_at(s->g, id);

    for (int i = 0; i < n->nin; i++) {
        if (is_moving(s, n->in[i]))
            complain(graph_loc(s->g, id),
                     "reads %%%s, which only a wait may read",
                     name_of(s, n->in[i]));
        else if (is_away(s, n->in[i]) && !is_table(s, n, i))
            complain(graph_loc(s->g, id),
                     "reads %%%s, which lies in %s: a transfer must bring it "
                     "to %s",
                     name_of(s, n->in[i]), graph_space(s->g, n->in[i]),
                     s->arena);
    }
    if (n->when && is_away(s, n->when))
        complain(graph_loc(s->g, id), "its guard %%%s lies in %s, not in %s",
                 name_of(s, n->when), graph_space(s->g, n->when), s->arena);
}

static void
check_node(const Spaces *s, NodeId id)
{
    switch (node_at(s->g, id)->op) {
    case OP_transfer: check_transfer(s, id); break;
    case OP_wait: check_wait(s, id); break;
    default: check_kernel(s, id);
    }
}

void
verify_spaces(Arena *scratch, const Graph *g)
{
    Spaces s = {.g = g,
                .arena = module_arena(g->module),
                .ended = NEWN(scratch, NodeId, vec_len(g->value))};
    Loc loc = {.file = g->module->file};

    for (size_t k = 0; k < vec_len(g->order); k++)
        check_node(&s, g->order[k]);
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (is_moving(&s, g->output[i]) || is_away(&s, g->output[i]))
            complain(loc, "output %%%s is not in %s",
                     name_of(&s, g->output[i]), s.arena);
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_transfer && !s.ended[n->out[0]])
            complain(graph_loc(g, g->order[k]), "nobody waits for %%%s",
                     name_of(&s, n->out[0]));
    }
}
