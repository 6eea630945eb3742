/* course_write: a course becomes the order of its entry. */
#include "ir/facts.h"
#include "passes/plan/course.h"
#include "passes/plan/recipe.h"
#include "passes/tools/name.h"

typedef struct Writer {
    Arena *a;
    Graph *g;
    const Course *c;
    const uint32_t *buffer_of; /* of the entry as it was */
    ValueId *value;            /* version made again -> its value */
    bool *shown;               /* view -> it is in the order */
    Map *view_again;           /* version, view -> that view of the version */
    ValueId *now;              /* for recipes; zero between them */
    ValueId **in;              /* node of the entry -> what it is to read */
    NodeId *order;             /* vector */
} Writer;

static void
show(Writer *w, ValueId v)
{
    NodeId id = value_at(w->g, v)->def;
    ValueId from = node_at(w->g, id)->in[0];

    if (w->shown[v])
        return;
    w->shown[v] = true;
    if (graph_is_view(w->g, from))
        show(w, from);
    vec_push(w->g->module->arena, w->order, id);
}

static int
version_read(const Writer *w, const Run *r, ValueId v)
{
    int base = w->c->of->item_of[w->buffer_of[v]];

    for (int t = 0; base >= 0 && t < r->ins; t++)
        if (w->c->item[w->c->touch[r->in + t]].base == base)
            return w->c->touch[r->in + t];
    return -1;
}

/* v, as it is in the version. */
static ValueId
value_in(Writer *w, int version, ValueId v)
{
    uint64_t key = (uint64_t)version << 32 | v, found;
    Graph *g = w->g;
    ValueId from;
    NodeId id;
    Value x;

    if (version < w->c->of->items) {
        if (graph_is_view(g, v))
            show(w, v);
        return v;
    }
    if (v == w->c->item[version].value)
        return w->value[version];
    if (map_get(w->view_again, key, &found))
        return (ValueId)found;
    x = *value_at(g, v);
    from = value_in(w, version, node_at(g, x.def)->in[0]);
    id = graph_node_like(g, node_at(g, x.def), 'r', &from);
    (void)vec_pop(g->order);
    found = graph_result(g, id, 0,
                         sym_format(g->module->syms, "%s.again", x.name),
                         x.type);
    map_put(w->view_again, key, found);
    vec_push(g->module->arena, w->order, id);
    return (ValueId)found;
}

/* What a node of the entry is to read; it is changed in the end, for recipes
   begin from the nodes as they were. */
static void
write_first(Writer *w, const Run *r)
{
    const Node *n = node_at(w->g, r->node);
    ValueId *in = NEWN(w->a, ValueId, n->nin + 1);

    for (int i = 0; i < node_at(w->g, r->node)->nin; i++) {
        ValueId v = node_at(w->g, r->node)->in[i];
        int version = version_read(w, r, v);

        in[i] = version < 0 ? v : value_in(w, version, v);
    }
    w->in[r->node] = in;
    vec_push(w->g->module->arena, w->order, r->node);
}

static void
change_operands(Graph *g, NodeId id, const ValueId *in)
{
    const Node *n = node_at(g, id);

    for (int i = 0; i < n->nin; i++) {
        const char *name = value_at(g, in[i])->name;

        if (n->in[i] == in[i])
            continue;
        n->in[i] = in[i];
        if (!n->body)
            continue;
        make_name_free(n->body, name);
        rename_value(n->body, n->body->input[i], name);
    }
}

/* now[] for each value that the recipe's node may read. */
static void
look_up_all(Writer *w, const Run *r, const Node *n, bool forget)
{
    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
        int version = forget ? -1 : version_read(w, r, v);

        w->now[v] = version < 0 ? 0 : value_in(w, version, v);
    }
}

static void
write_again(Writer *w, const Run *r)
{
    const Recipe *recipe = &w->c->of->recipe[r->recipe];
    int version = w->c->touch[r->out];
    Node n = *node_at(w->g, value_at(w->g, recipe->value)->def);
    NodeId made;

    look_up_all(w, r, &n, false);
    made = recipe_node(w->a, w->g, recipe->value, recipe->part, w->now);
    look_up_all(w, r, &n, true);
    w->value[version] = recipe_result(w->g, made, recipe->value);
    vec_push(w->g->module->arena, w->order, made);
}

/* ---- views of stores: before anything changes what they show ------------- */

/* The node whose store a view shows; 0: the store as it is at first. */
static NodeId
shown_by(const Writer *w, ValueId v)
{
    return value_at(w->g, graph_shown(w->g, v))->def;
}

/* Node -> vector of views that come right behind it. */
static ValueId **
views_behind(Writer *w)
{
    Graph *g = w->g;
    ValueId **behind = NEWN(w->a, ValueId *, vec_len(g->node) + 1);

    for (size_t k = 0; k < vec_len(g->order); k++) {
        ValueId v = node_at(g, g->order[k])->out[0];

        if (graph_is_view(g, v) && w->c->of->item_of[w->buffer_of[v]] < 0)
            vec_push(w->a, behind[shown_by(w, v)], v);
    }
    return behind;
}

static void
show_all(Writer *w, const ValueId *v)
{
    for (size_t i = 0; i < vec_len(v); i++)
        show(w, v[i]);
}

void
course_write(Arena *scratch, Graph *g, const Course *c)
{
    Writer w = {.a = scratch, .g = g, .c = c};
    Profile *p = profile_new(scratch, c);
    ValueId **behind;

    profile_find(c, p);
    w.buffer_of = facts(g)->buffer_of;
    w.value = NEWN(scratch, ValueId, c->items + 1);
    w.shown = NEWN(scratch, bool, vec_len(g->value));
    w.view_again = map_new(scratch);
    w.in = NEWN(scratch, ValueId *, vec_len(g->node) + 1);
    w.now = NEWN(scratch, ValueId, vec_len(g->value));
    behind = views_behind(&w);
    show_all(&w, behind[0]);
    for (int k = 0; k < p->length; k++) {
        const Run *r = &c->run[p->run[k]];

        if (r->recipe >= 0) {
            write_again(&w, r);
            continue;
        }
        write_first(&w, r);
        show_all(&w, behind[r->node]);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (graph_is_view(g, g->output[i]))
            show(&w, g->output[i]);
    for (int r = 0; r < c->of->runs; r++)
        change_operands(g, c->run[r].node, w.in[c->run[r].node]);
    g->order = w.order;
    graph_touch(g);
}
