/* report_page: the plan as the data of the page of charts. Rows are arrays, so
   that plans of 10,000 buffers stay below 2 MB; page/script.js names their
   columns. */
#include <inttypes.h>
#include <string.h>

#include "ir/cost.h"
#include "ir/describe.h"
#include "passes/tools/report.h"

static void
add_node(Text *t, const Graph *g, NodeId id, const Machine *m)
{
    const Node *n = node_at(g, id);
    const char *kind = node_kind(t->arena, g, id);

    text_add(t, "[");
    text_add_json(t, n->source ? n->source : "");
    text_add(t, ",");
    text_add_json(t, kind + 2); /* behind the phase */
    text_add(t, ",\"%c\",%.3g]", n->phase, cost_seconds(g, id, m).many);
}

static void
add_nodes(Text *t, const Graph *g, const Machine *m)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        text_add(t, "%s", k ? ",\n" : "");
        add_node(t, g, g->order[k], m);
    }
}

static int
space_index(const Module *m, Sym name)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].name == name)
            return (int)i;
    return 0;
}

static void
add_buffer(Text *t, Graph *g, const Facts *f, ValueId v,
           const int *index, const char *decided)
{
    const Value *p = value_at(g, v);
    Owner owner = buffer_owner(g, &f->buffer[f->buffer_of[v]]);
    Life life = value_life(g, v);
    ValueId below = value_below(g, v);

    text_add(t, "[");
    text_add_json(t, p->name);
    text_add(t, ",\"%s\",%d,%d,%" PRId64 ",%" PRId64 ",%d,%d,%d,%d",
             type_text(t->arena, &p->type), (int)owner,
             space_index(g->module, p->place.space), p->place.offset,
             type_bytes(&p->type), life.first, life.last,
             below ? index[below] : -1, p->def ? f->position[p->def] : -1);
    if (decided) {
        text_add(t, ",");
        text_add_json(t, decided);
    }
    text_add(t, "]");
}

/* ValueId -> why it was dropped and is made again; NULL: it was not. */
static const char **
reasons(Arena *a, Graph *g, const Machine *machine)
{
    const char **reason = NEWN(a, const char *, vec_len(g->value));
    const Decision *d = decisions(a, g, machine);

    for (size_t i = 0; i < vec_len(d); i++)
        if (strcmp(d[i].kind, "recompute") == 0)
            reason[d[i].value] = d[i].reason;
    return reason;
}

/* A value lies over one that was made before it, but has a lower or a higher
   number: so the rows are counted first. */
static void
add_buffers(Text *t, Graph *g, const Machine *machine)
{
    const Facts *f = facts(g);
    int *index = NEWN(t->arena, int, vec_len(g->value)), rows = 0;
    const char **reason = reasons(t->arena, g, machine);

    for (ValueId v = 1; v < vec_len(g->value); v++)
        index[v] = value_has_bytes(g, v) ? rows++ : -1;
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        if (index[v] < 0)
            continue;
        text_add(t, "%s", index[v] ? ",\n" : "");
        add_buffer(t, g, f, v, index, reason[v]);
    }
}

static void
add_text(Text *t, const char *key, const char *value)
{
    text_add(t, "\"%s\":", key);
    text_add_json(t, value ? value : "");
    text_add(t, ",");
}

static void
add_number(Text *t, const Module *m, const char *key)
{
    text_add(t, "\"%s\":%s,", key, meta_json(m, key));
}

void
report_page(Text *t, Module *m, const Machine *machine, const char *label)
{
    text_add(t, "{");
    add_text(t, "model", m->name);
    add_text(t, "label", label);
    add_text(t, "loss", module_get(m, "loss"));
    add_text(t, "optimizer", module_get(m, "optimizer"));
    add_text(t, "target", machine->name);
    add_text(t, "order", module_get(m, "order"));
    add_text(t, "codec", module_get(m, "codec"));
    add_number(t, m, "budget");
    add_number(t, m, "peak");
    add_number(t, m, "bound");
    add_number(t, m, "time_bound");
    text_add(t, "\n\"spaces\":[");
    for (size_t i = 0; i < vec_len(m->space); i++) {
        text_add(t, "%s[", i ? "," : "");
        text_add_json(t, m->space[i].name);
        text_add(t, ",%" PRId64 ",%" PRId64 "]", m->space[i].size,
                 m->space[i].align);
    }
    text_add(t, "],\n\"entries\":[");
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        text_add(t, "%s{\"name\":", i ? ",\n" : "");
        text_add_json(t, m->entry[i]->name);
        text_add(t, ",\"nodes\":[");
        add_nodes(t, m->entry[i], machine);
        text_add(t, "],\n\"buffers\":[");
        add_buffers(t, m->entry[i], machine);
        text_add(t, "]}");
    }
    text_add(t, "]}");
}
