/* report: bytes by owner at the peak, bounds, and the largest tensors there. */
#include "passes/tools/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/cost.h"
#include "ir/text.h"

enum { LARGEST = 10 };

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

static int64_t
number(const Module *m, const char *key)
{
    const char *text = module_get(m, key);

    return text ? strtoll(text, NULL, 10) : 0;
}

/* ---- text ------------------------------------------------------------- */

typedef struct Peak {
    Graph *g;
    const Facts *facts;
    int at;
    int64_t bytes[OWNERS];
} Peak;

static bool
alive_at(const Buffer *b, int at)
{
    return b->persistent || (b->first <= at && at <= b->last);
}

static Peak
find_peak(Arena *a, Graph *g, int64_t align)
{
    Peak p = {.g = g, .facts = facts(g), .at = peak_position(a, g, align)};

    for (size_t i = 0; i < vec_len(p.facts->buffer); i++) {
        const Buffer *b = &p.facts->buffer[i];

        if (!b->persistent && alive_at(b, p.at))
            p.bytes[buffer_owner(g, b)] += (b->bytes + align - 1) / align *
                                           align;
    }
    for (size_t i = 1; i < vec_len(g->module->store); i++) {
        const Store *s = &g->module->store[i];

        p.bytes[store_owner(s)] +=
            (type_bytes(&s->type) + align - 1) / align * align;
    }
    return p;
}

static const char *
node_title(const Graph *g, int at)
{
    const Node *n;

    if (at >= (int)vec_len(g->order))
        return "";
    n = node_at(g, g->order[at]);
    return n->source ? n->source : value_at(g, n->out[0])->name;
}

static int
by_bytes(const void *a, const void *b)
{
    const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x > y) - (x < y);
}

static void
add_largest(Text *t, const Peak *p)
{
    const Buffer **b = NULL;
    size_t most;

    for (size_t i = 0; i < vec_len(p->facts->buffer); i++)
        if (alive_at(&p->facts->buffer[i], p->at))
            vec_push(t->arena, b, &p->facts->buffer[i]);
    if (!b)
        return;
    qsort(b, vec_len(b), sizeof *b, by_bytes);
    most = vec_len(b) < LARGEST ? vec_len(b) : LARGEST;
    text_add(t, "\nlargest there\n");
    for (size_t i = 0; i < most; i++) {
        const Value *v = value_at(p->g, b[i]->root);
        const Node *n = node_at(p->g, v->def);
        Text name = text_new(t->arena);

        print_value_name(&name, v->name);
        text_add(t, "  %12s  %-11s %-24s %-20s %s\n",
                 format_bytes(t->arena, b[i]->bytes),
                 owner_name(buffer_owner(p->g, b[i])), name.s,
                 type_text(t->arena, &v->type),
                 v->def && n->source ? n->source : "");
    }
}

static void
add_entries(Text *t, Module *m, const Machine *machine)
{
    text_add(t, "\n%-10s %6s %14s %12s (%d threads)\n", "entry", "nodes",
             "peak", "predicted", cost_workers(machine));
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        Graph *g = m->entry[i];
        Peak p = find_peak(t->arena, g, machine->align);
        int64_t sum = 0;

        for (Owner o = 0; o < OWNERS; o++)
            sum += p.bytes[o];
        text_add(t, "%-10s %6zu %14s %9.3f ms\n", g->name, vec_len(g->order),
                 format_bytes(t->arena, sum),
                 1e3 * cost_entry(g, machine).many);
    }
}

/* What runs more than once, and what it adds to the time. */
static void
add_again(Text *t, const Graph *g, const Machine *machine)
{
    double once = 0, again = 0;
    int nodes = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        double seconds = cost_seconds(g, g->order[k], machine).many;

        *(n->phase == 'r' ? &again : &once) += seconds;
        nodes += n->phase == 'r' && !(op_info(n->op)->flags & OF_VIEW);
    }
    if (nodes)
        text_add(t, "again  %d nodes run once more (greedy), predicted time "
                    "+%.2f %%\n",
                 nodes, 100 * again / once);
}

void
report_text(Text *t, Module *m, const Machine *machine)
{
    Graph *g = module_entry(m, "train");
    int64_t peak = number(m, "peak"), bound = number(m, "bound");
    Peak p;

    if (!g)
        g = m->entry[0];
    p = find_peak(t->arena, g, machine->align);
    text_add(t, "%s: loss %s, optimizer %s, planned for %s\n", m->name,
             module_get(m, "loss") ? module_get(m, "loss") : "none",
             module_get(m, "optimizer") ? module_get(m, "optimizer") : "none",
             machine->name);
    add_entries(t, m, machine);
    text_add(t, "\nat the peak of %s, node '%s'\n", g->name,
             node_title(g, p.at));
    for (Owner o = 0; o < OWNERS; o++)
        if (p.bytes[o])
            text_add(t, "  %12s  %s\n", format_bytes(t->arena, p.bytes[o]),
                     owner_name(o));
    add_largest(t, &p);
    text_add(t, "\npeak   %12s  %" PRId64 " bytes\n",
             format_bytes(t->arena, peak), peak);
    text_add(t, "bound  %12s  %" PRId64 " bytes, gap %.2f %%\n",
             format_bytes(t->arena, bound), bound,
             bound ? 100 * ((double)peak / (double)bound - 1) : 0);
    text_add(t, "order  %s\n",
             module_get(m, "order") ? module_get(m, "order") : "as given");
    add_again(t, g, machine);
    if (number(m, "budget"))
        text_add(t, "budget %12s  %" PRId64 " bytes\n",
                 format_bytes(t->arena, number(m, "budget")),
                 number(m, "budget"));
}
