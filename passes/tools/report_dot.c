/* report_dot: the nodes of every entry in the language of Graphviz: a cluster
   an entry, in it one a phase; an edge a tensor, with its bytes. */
#include "passes/tools/report.h"

#include "ir/describe.h"

static const char phases[] = "fbrum";

/* What stands between double quotes: control characters have no business in a
   label. */
static void
add_label(Text *t, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            text_add(t, "\\");
        text_add(t, "%c", (unsigned char)*s < 32 ? ' ' : *s);
    }
}

static void
add_node(Text *t, const Graph *g, int entry, NodeId id)
{
    const char *title = node_title(g, id);

    text_add(t, "    e%dn%u [label=\"", entry, id);
    add_label(t, node_kind(t->arena, g, id) + 2); /* behind the phase */
    text_add(t, "\\n");
    add_label(t, fitted(t->arena, title, 40));
    text_add(t, "\"];\n");
}

static void
add_phase(Text *t, const Graph *g, int entry, char phase)
{
    bool open = false;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        if (node_at(g, g->order[k])->phase != phase)
            continue;
        if (!open)
            text_add(t, "  subgraph cluster_e%d%c {\n    label=\"%s\";\n",
                     entry, phase, phase_name(phase));
        open = true;
        add_node(t, g, entry, g->order[k]);
    }
    text_add(t, open ? "  }\n" : "");
}

/* A tensor that a node of the entry reads: from its maker, else from a box of
   its own. */
static void
add_edge(Text *t, const Graph *g, int entry, NodeId reader, ValueId v)
{
    const Value *p = value_at(g, v);

    if (p->def)
        text_add(t, "    e%dn%u", entry, p->def);
    else
        text_add(t, "    e%dv%u", entry, v);
    text_add(t, " -> e%dn%u [label=\"", entry, reader);
    add_label(t, fitted(t->arena, p->name, 30));
    text_add(t, "\\n%s\"];\n",
             format_bytes(t->arena, type_bytes(&p->type)));
}

static void
add_entry(Text *t, Graph *g, int entry)
{
    const Facts *f = facts(g);

    text_add(t, "  subgraph cluster_e%d {\n    label=\"", entry);
    add_label(t, g->name);
    text_add(t, "\";\n");
    for (const char *p = phases; *p; p++)
        add_phase(t, g, entry, *p);
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (value_at(g, v)->kind != V_TEMP && use_count(f, v)) {
            text_add(t, "    e%dv%u [shape=%s, label=\"", entry, v,
                     value_at(g, v)->kind == V_INPUT ? "ellipse" : "cylinder");
            add_label(t, fitted(t->arena, value_at(g, v)->name, 40));
            text_add(t, "\"];\n");
        }
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            add_edge(t, g, entry, g->order[k], n->in[i]);
    }
    text_add(t, "  }\n");
}

void
report_dot(Text *t, Module *m)
{
    text_add(t, "digraph \"");
    add_label(t, m->name);
    text_add(t, "\" {\n  node [shape=box, fontname=\"sans-serif\"];\n"
                "  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_entry(t, m->entry[i], (int)i);
    text_add(t, "}\n");
}
