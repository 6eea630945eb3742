/* story_tell: the story of a tensor as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/story.h"
#include "ir/describe.h"
#include "ir/text.h"

enum { NAMED = 6, INDENT = 11, WIDTH = 80 }; /* tensors named; columns */

/* ---- text --------------------------------------------------------------- */

/* Broken at blanks, every line behind the first indented. */
static void
add_wrapped(Text *t, const char *s)
{
    enum { ROOM = WIDTH - INDENT };

    while (strlen(s) > ROOM) {
        int n = ROOM;

        while (n > 0 && s[n] != ' ')
            n--;
        if (!n)
            break;
        text_add(t, "%.*s\n%*s", n, s, INDENT, "");
        s += n + 1;
    }
    text_add(t, "%s\n", s);
}

static void
add_node_text(Text *t, const Graph *g, NodeId id, int at)
{
    const Node *n = node_at(g, id);

    text_add(t, "node %d '%s'", at, node_title(g, id));
    if (n->source_op)
        text_add(t, " (%s)", n->source_op);
    text_add(t, ", %s", phase_name(n->phase));
}

static void
add_maker(Text *t, const Story *s)
{
    const Value *v = value_at(s->g, s->v);

    if (!v->def)
        return;
    text_add(t, "made by    ");
    add_node_text(t, s->g, v->def, facts(s->g)->position[v->def]);
    text_add(t, "\n           kernel %s\n",
             node_kind(t->arena, s->g, v->def) + 2); /* behind the phase */
}

static void
add_readers(Text *t, const Story *s)
{
    const Facts *f = facts(s->g);
    size_t count = vec_len(s->reader);

    text_add(t, "read by    ");
    if (!count)
        text_add(t, "%s\n", s->output ? "whoever runs the entry" : "nobody");
    for (size_t i = 0; i < count; i++) {
        if (i && i + 1 < count)
            continue;
        text_add(t, i ? "           last " : count > 1 ? "first " : "");
        add_node_text(t, s->g, s->reader[i], f->position[s->reader[i]]);
        text_add(t, "\n");
    }
    if (count > 2)
        text_add(t, "           %zu readers in all\n", count);
}

static void
add_name(Text *t, const char *title, const Story *s, ValueId v)
{
    const Value *p = value_at(s->g, v);
    const Buffer *b = &facts(s->g)->buffer[facts(s->g)->buffer_of[v]];
    Text name = text_new(t->arena);

    if (!v)
        return;
    print_value_name(&name, p->name);
    text_add(t, "%-10s %s, %s, nodes %d to %d\n", title, name.s,
             format_bytes(t->arena, type_bytes(&p->type)), b->first, b->last);
}

static void
add_others(Text *t, const Story *s)
{
    size_t count = vec_len(s->shares), most = count < NAMED ? count : NAMED;

    for (size_t i = 0; i < most; i++)
        add_name(t, i ? "" : "shares", s, s->shares[i]);
    if (count > most)
        text_add(t, "%-10s and %zu more\n", "", count - most);
    add_name(t, "before it", s, s->before);
    add_name(t, "after it", s, s->after);
    if (vec_len(s->neighbour) > 2)
        text_add(t, "%-10s %zu tensors lie there at other times\n", "",
                 vec_len(s->neighbour));
}

void
story_text(Text *t, const Story *s)
{
    const Value *v = value_at(s->g, s->v);
    int64_t bytes = type_bytes(&v->type);
    Text name = text_new(t->arena);

    print_value_name(&name, v->name);
    text_add(t, "%s of entry %s, %s\n", name.s, s->g->name,
             owner_name(s->owner));
    text_add(t, "bytes      %" PRId64 " (%s), %s\n", bytes,
             format_bytes(t->arena, bytes), type_text(t->arena, &v->type));
    text_add(t, "why        ");
    add_wrapped(t, s->reason);
    add_maker(t, s);
    add_readers(t, s);
    text_add(t, "alive      nodes %d to %d of %zu", s->life.first, s->life.last,
             vec_len(s->g->order));
    if (s->first != s->life.first || s->last != s->life.last)
        text_add(t, ", its bytes %d to %d", s->first, s->last);
    text_add(t, "; %s the peak, node %d\n", s->at_peak ? "at" : "not at",
             s->peak);
    text_add(t, "lies at    %s+%" PRId64 " to %" PRId64 "\n", v->place.space,
             v->place.offset, v->place.offset + bytes);
    add_others(t, s);
}

/* ---- JSON --------------------------------------------------------------- */

static void
add_node_json(Text *t, Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    text_add(t, "{\"node\": %d, \"source\": ", facts(g)->position[id]);
    text_add_json(t, n->source ? n->source : "");
    text_add(t, ", \"op\": ");
    text_add_json(t, n->source_op ? n->source_op : "");
    text_add(t, ", \"kernel\": ");
    text_add_json(t, node_kind(t->arena, g, id) + 2);
    text_add(t, ", \"phase\": \"%c\"}", n->phase);
}

static void
add_list(Text *t, const char *key, const Story *s, const ValueId *v)
{
    text_add(t, ",\n \"%s\": [", key);
    for (size_t i = 0; i < vec_len(v); i++) {
        text_add(t, "%s", i ? ", " : "");
        text_add_json(t, value_at(s->g, v[i])->name);
    }
    text_add(t, "]");
}

void
story_json(Text *t, const Story *s)
{
    const Value *v = value_at(s->g, s->v);

    text_add(t, "{\"id\": ");
    text_add_json(t, v->name);
    text_add(t, ", \"entry\": ");
    text_add_json(t, s->g->name);
    text_add(t, ", \"kind\": \"%s\", \"reason\": ", s->kind);
    text_add_json(t, s->reason);
    text_add(t, ",\n \"type\": \"%s\", \"bytes\": %" PRId64
                ", \"owner\": \"%s\", \"space\": ",
             type_text(t->arena, &v->type), type_bytes(&v->type),
             owner_name(s->owner));
    text_add_json(t, v->place.space);
    text_add(t, ", \"address\": %" PRId64 ", \"first\": %d, \"last\": %d, "
                "\"bytes_first\": %d, \"bytes_last\": %d, \"at_peak\": %s, "
                "\"peak\": %d,\n \"made_by\": ",
             v->place.offset, s->life.first, s->life.last, s->first, s->last,
             s->at_peak ? "true" : "false", s->peak);
    if (v->def)
        add_node_json(t, s->g, v->def);
    else
        text_add(t, "null");
    text_add(t, ",\n \"readers\": [");
    for (size_t i = 0; i < vec_len(s->reader); i++) {
        text_add(t, "%s\n  ", i ? "," : "");
        add_node_json(t, s->g, s->reader[i]);
    }
    text_add(t, "]");
    add_list(t, "shares", s, s->shares);
    add_list(t, "reused_by", s, s->neighbour);
    text_add(t, "}\n");
}
