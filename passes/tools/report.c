/* report: facts of a plan that every form of the report tells: bytes by owner,
   lives, the peak, what runs again. */
#include "passes/tools/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ir/cost.h"

const char *
owner_name(Owner o)
{
    static const char *const name[OWNERS] = {
        "weights",     "state",     "constants", "inputs",
        "activations", "gradients", "update",    "scratch"};

    return name[o];
}

static Owner
store_owner(const Store *s)
{
    return s->kind == SK_PARAM   ? OWN_WEIGHTS
           : s->kind == SK_STATE ? OWN_STATE
                                 : OWN_CONSTANTS;
}

Owner
buffer_owner(const Graph *g, const Buffer *b)
{
    const Value *v = value_at(g, b->root);
    const Node *n = node_at(g, v->def);

    if (v->kind == V_STORE)
        return store_owner(&g->module->store[v->store]);
    if (v->kind == V_INPUT)
        return OWN_INPUTS;
    if (node_scratch(g, n) == b->root)
        return OWN_SCRATCH;
    return n->phase == 'f' || n->phase == 'r' ? OWN_ACTIVATIONS
           : n->phase == 'b' ? OWN_GRADIENTS
                             : OWN_UPDATE;
}

Life
value_life(Graph *g, ValueId v)
{
    const Facts *f = facts(g);
    NodeId def = value_at(g, v)->def;
    int end = (int)vec_len(g->order) - 1;
    Life life = {def ? f->position[def] : 0, def ? f->position[def] : 0};

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId user = f->use[u].node;
        int at = user ? f->position[user] : end;

        life.last = at > life.last ? at : life.last;
    }
    if (f->buffer[f->buffer_of[v]].persistent)
        life.last = end;
    return life;
}

bool
value_has_bytes(Graph *g, ValueId v)
{
    const Value *p = value_at(g, v);

    return p->kind != V_TEMP || (p->def && facts(g)->position[p->def] >= 0);
}

ValueId
value_below(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);
    const Node *n = node_at(g, x->def);

    if (x->over)
        return x->over;
    return graph_is_view(g, v) ? n->in[0] : 0;
}

const char *
node_title(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    return n->source ? n->source : value_at(g, n->out[0])->name;
}

const char *
phase_name(char phase)
{
    switch (phase) {
    case 'f': return "forward";
    case 'b': return "backward";
    case 'u': return "update";
    case 'm': return "move";
    case 'r': return "again";
    }
    return "";
}

static int
peak_position(Arena *a, Graph *g, int64_t align)
{
    int64_t *live = live_bytes(a, g, align);
    int at = 0;

    for (size_t k = 1; k < vec_len(live); k++)
        if (live[k] > live[at])
            at = (int)k;
    return at;
}

const char *
meta_json(const Module *m, const char *key)
{
    const char *text = module_get(m, key);
    char *end = NULL;

    errno = 0;
    if (!text || strtoll(text, &end, 10) < 0 || errno || *end || end == text)
        return "null";
    return text;
}

Graph *
main_entry(Module *m)
{
    Graph *g = module_entry(m, "train");

    return g ? g : m->entry[0];
}

Peak
find_peak(Arena *a, Graph *g, int64_t align)
{
    Peak p = {.g = g, .facts = facts(g), .at = peak_position(a, g, align)};

    for (size_t i = 0; i < vec_len(p.facts->buffer); i++) {
        const Buffer *b = &p.facts->buffer[i];

        if (!b->persistent && b->space == module_arena(g->module) &&
            b->first <= p.at && p.at <= b->last)
            p.bytes[buffer_owner(g, b)] += round_up(b->bytes, align);
    }
    for (size_t i = 1; i < vec_len(g->module->store); i++) {
        const Store *s = &g->module->store[i];

        if (is_arena_store(g->module, s))
            p.bytes[store_owner(s)] += round_up(type_bytes(&s->type), align);
    }
    for (Owner o = 0; o < OWNERS; o++)
        p.sum += p.bytes[o];
    return p;
}

/* The plan's bound on time is of its main entry, in picoseconds. */
static double
least_again(const Graph *g)
{
    return g == main_entry(g->module)
               ? 1e-12 * (double)module_number(g->module, "time_bound", 0)
               : 0;
}

Repeats
repeats_of(const Graph *g, const Machine *machine)
{
    Repeats a = {.least = least_again(g)};

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        double seconds = cost_seconds(g, g->order[k], machine).many;

        *(n->phase == 'r' ? &a.again : &a.once) += seconds;
        a.nodes += n->phase == 'r' && !node_is_view(n);
    }
    return a;
}
