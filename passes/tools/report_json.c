/* report_json: the plan as JSON for programs; the form is fixed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "passes/tools/report.h"

#include "ir/cost.h"
#include "passes/tools/moves.h"

static void
add_number(Text *t, const Module *m, const char *key)
{
    text_add(t, "\"%s\": %s, ", key, meta_json(m, key));
}

static int64_t
alignment(const Module *m, Sym space)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].name == space)
            return m->space[i].align;
    return 1;
}

static void
add_buffer(Text *t, Graph *g, const Facts *f, ValueId v)
{
    const Value *p = value_at(g, v);
    const Buffer *b = &f->buffer[f->buffer_of[v]];
    const Node *n = node_at(g, p->def);
    Life life = value_life(g, v);
    ValueId below = value_below(g, v);

    text_add(t, "{\"id\": ");
    text_add_json(t, p->name);
    text_add(t, ", \"entry\": ");
    text_add_json(t, g->name);
    text_add(t, ", \"source\": ");
    text_add_json(t, p->def && n->source ? n->source : "");
    text_add(t, ", \"owner\": \"%s\", \"bytes\": %" PRId64 ", \"space\": ",
             owner_name(buffer_owner(g, b)), type_bytes(&p->type));
    text_add_json(t, p->place.space);
    text_add(t, ", \"address\": %" PRId64 ", \"align\": %" PRId64
                ", \"first\": %d, \"last\": %d, \"phase\": \"%c\", \"over\": ",
             p->place.offset,
             alignment(g->module, p->place.space),
             life.first, life.last, p->def ? n->phase : '-');
    if (below)
        text_add_json(t, value_at(g, below)->name);
    else
        text_add(t, "null");
    text_add(t, "}");
}

static void
add_entry(Text *t, Graph *g, const char **comma)
{
    const Facts *f = facts(g);

    for (ValueId v = 1; v < vec_len(g->value); v++) {
        if (!value_has_bytes(g, v))
            continue;
        text_add(t, "%s\n  ", *comma);
        add_buffer(t, g, f, v);
        *comma = ",";
    }
}

static void
add_decision(Text *t, const Graph *g, const Decision *d)
{
    NodeId def = value_at(g, d->value)->def;
    const char *source = d->value ? node_at(g, def)->source : NULL;
    const char *name = d->value ? value_at(g, d->value)->name : d->name;

    text_add(t, "{\"kind\": \"%s\", \"entry\": ", d->kind);
    text_add_json(t, g->name);
    text_add(t, ", \"id\": ");
    text_add_json(t, name);
    text_add(t, ", \"of\": ");
    if (d->of)
        text_add_json(t, value_at(g, d->of)->name);
    else
        text_add(t, "null");
    text_add(t, ", \"source\": ");
    text_add_json(t, source ? source : "");
    text_add(t, ", \"bytes\": %" PRId64 ", \"seconds\": %.9g, \"reason\": ",
             d->bytes, d->seconds);
    text_add_json(t, d->reason);
    text_add(t, "}");
}

static void
add_decisions(Text *t, Graph *g, const Machine *machine, const char **comma)
{
    const Decision *d = decisions(t->arena, g, machine);

    for (size_t i = 0; i < vec_len(d); i++) {
        text_add(t, "%s\n  ", *comma);
        add_decision(t, g, &d[i]);
        *comma = ",";
    }
}

static void
add_transfers(Text *t, const Graph *g, const Machine *machine,
              const char **comma)
{
    const Moved *m = moves_of(t->arena, g, machine);

    for (size_t i = 0; i < vec_len(m); i++) {
        text_add(t, "%s\n  {\"entry\": ", *comma);
        text_add_json(t, g->name);
        text_add(t, ", \"id\": ");
        text_add_json(t, value_at(g, m[i].value)->name);
        text_add(t, ", \"as\": ");
        text_add_json(t, value_at(g, m[i].result)->name);
        text_add(t, ", \"from\": ");
        text_add_json(t, m[i].from);
        text_add(t, ", \"to\": ");
        text_add_json(t, m[i].to);
        text_add(t, ", \"bytes\": %" PRId64 ", \"starts\": %d, "
                    "\"waits\": %d, \"stalled\": %.9g}",
                 m[i].bytes, m[i].starts, m[i].waits, m[i].stalled);
        *comma = ",";
    }
}

static void
add_tables(Text *t, const Graph *g, const char **comma)
{
    const Touched *x = touched_of(t->arena, g);

    for (size_t i = 0; i < vec_len(x); i++) {
        const TableRows *r = &x[i].rows;

        text_add(t, "%s\n  {\"entry\": ", *comma);
        text_add_json(t, g->name);
        text_add(t, ", \"id\": ");
        text_add_json(t, g->module->store[r->store].name);
        text_add(t, ", \"space\": ");
        text_add_json(t, r->space);
        text_add(t, ", \"node\": %d, \"rows\": %" PRId64
                    ", \"row_bytes\": %" PRId64 ", \"written\": %s}",
                 x[i].at, r->rows, r->row_bytes,
                 r->written ? "true" : "false");
        *comma = ",";
    }
}

void
report_json(Text *t, Module *m, const Machine *machine)
{
    const char *peak = module_get(m, "peak"), *bound = module_get(m, "bound");
    double gap = peak && bound
                     ? strtod(peak, NULL) / strtod(bound, NULL) - 1
                     : 0;
    const char *order = module_get(m, "order");
    const char *codec = module_get(m, "codec");
    Graph *train = module_entry(m, "train");
    Repeats again = repeats_of(main_entry(m), machine);
    const char *comma = "";

    text_add(t, "{\"model\": ");
    text_add_json(t, m->name);
    text_add(t, ", ");
    add_number(t, m, "budget");
    add_number(t, m, "peak");
    add_number(t, m, "bound");
    text_add(t, "\"gap\": %.17g, \"order\": ", gap);
    text_add_json(t, order ? order : "");
    text_add(t, ", \"codec\": ");
    text_add_json(t, codec ? codec : "");
    text_add(t, ", \"seconds_predicted\": %.9g, \"seconds_again\": %.9g, "
                "\"seconds_again_bound\": %.9g, \"seconds_stalled\": %.9g,\n "
                "\"spaces\": [",
             train ? cost_entry(train, machine).many : 0.0, again.again,
             again.least, train ? stalls_of(train, machine).stalled : 0.0);
    for (size_t i = 0; i < vec_len(m->space); i++) {
        text_add(t, "%s{\"name\": ", i ? ", " : "");
        text_add_json(t, m->space[i].name);
        text_add(t, ", \"bytes\": %" PRId64 ", \"align\": %" PRId64 "}",
                 m->space[i].size, m->space[i].align);
    }
    text_add(t, "],\n \"buffers\": [");
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_entry(t, m->entry[i], &comma);
    text_add(t, "],\n \"decisions\": [");
    comma = "";
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_decisions(t, m->entry[i], machine, &comma);
    text_add(t, "],\n \"transfers\": [");
    comma = "";
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_transfers(t, m->entry[i], machine, &comma);
    text_add(t, "],\n \"tables\": [");
    comma = "";
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_tables(t, m->entry[i], &comma);
    text_add(t, "]}\n");
}
