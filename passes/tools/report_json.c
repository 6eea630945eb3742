/* report_json: the plan in the form that design.md section 9 fixes. Text is
   escaped for JSON: quotes, backslashes, control characters, bytes that are
   not UTF-8. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "passes/tools/report.h"

#include "ir/cost.h"

static void
add_string(Text *t, const char *s)
{
    Text quoted = text_new(t->arena);

    /* C escapes but for \xNN, which JSON writes \u00NN */
    text_add_quoted(&quoted, s ? s : "");
    for (const char *p = quoted.s; *p; p++) {
        if (p[0] == '\\' && p[1] == 'x') {
            text_add(t, "\\u00");
            p++;
        } else if (p[0] == '\\') {
            text_add(t, "\\%c", *++p);
        } else {
            text_add(t, "%c", *p);
        }
    }
}

static void
add_number(Text *t, const char *key, const char *text)
{
    text_add(t, "\"%s\": %s, ", key, text ? text : "null");
}

static void
add_buffer(Text *t, const Graph *g, const Facts *f, ValueId v)
{
    const Value *p = value_at(g, v);
    const Buffer *b = &f->buffer[f->buffer_of[v]];
    const Node *n = node_at(g, p->def);
    int first = p->def ? f->position[p->def] : 0, last = first;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        NodeId user = f->use[u].node;
        int at = user ? f->position[user] : (int)vec_len(g->order) - 1;

        last = at > last ? at : last;
    }
    if (b->persistent)
        last = (int)vec_len(g->order) - 1;
    text_add(t, "{\"id\": ");
    add_string(t, p->name);
    text_add(t, ", \"entry\": ");
    add_string(t, g->name);
    text_add(t, ", \"source\": ");
    add_string(t, p->def && n->source ? n->source : "");
    text_add(t, ", \"owner\": \"%s\", \"bytes\": %" PRId64 ", \"space\": ",
             owner_name(buffer_owner(g, b)), type_bytes(&p->type));
    add_string(t, p->place.space);
    text_add(t, ", \"address\": %" PRId64 ", \"align\": %" PRId64
                ", \"first\": %d, \"last\": %d, \"phase\": \"%c\", \"over\": ",
             p->place.offset,
             vec_len(g->module->space) ? g->module->space[0].align : 1, first,
             last, p->def ? n->phase : '-');
    if (p->over)
        add_string(t, value_at(g, p->over)->name);
    else
        text_add(t, "null");
    text_add(t, "}");
}

static void
add_entry(Text *t, Graph *g, const char **comma)
{
    const Facts *f = facts(g);

    for (ValueId v = 1; v < vec_len(g->value); v++) {
        const Value *p = value_at(g, v);

        if (p->kind == V_TEMP && (!p->def || f->position[p->def] < 0))
            continue;
        text_add(t, "%s\n  ", *comma);
        add_buffer(t, g, f, v);
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
    Graph *train = module_entry(m, "train");
    const char *comma = "";

    text_add(t, "{\"model\": ");
    add_string(t, m->name);
    text_add(t, ", ");
    add_number(t, "budget", module_get(m, "budget"));
    add_number(t, "peak", peak);
    add_number(t, "bound", bound);
    text_add(t, "\"gap\": %.17g, \"order\": ", gap);
    add_string(t, module_get(m, "order"));
    text_add(t, ", \"seconds_predicted\": %.9g,\n \"spaces\": [",
             train ? cost_entry(train, machine).many : 0.0);
    for (size_t i = 0; i < vec_len(m->space); i++) {
        text_add(t, "%s{\"name\": ", i ? ", " : "");
        add_string(t, m->space[i].name);
        text_add(t, ", \"bytes\": %" PRId64 ", \"align\": %" PRId64 "}",
                 m->space[i].size, m->space[i].align);
    }
    text_add(t, "],\n \"buffers\": [");
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_entry(t, m->entry[i], &comma);
    text_add(t, "],\n \"decisions\": []}\n");
}
