/* cse: a node that computes what an earlier node has computed is dropped, and
   the earlier results are read in its place. One walk, one hash table of
   canonical texts. */
#include "passes/pass.h"
#include "passes/simplify/cse_constants.h"

typedef struct Seen {
    Graph *g;
    Arena *scratch;
    Syms *texts;
    Map *node;      /* canonical text -> NodeId */
    bool *fixed;    /* value: an output, or written over something */
    bool *fleeting; /* value: its bytes may change before the end */
    ValueId *to;    /* value -> the equal one that is read, 0: itself */
} Seen;

static void
mark_values(Seen *s)
{
    Graph *g = s->g;
    const Facts *f = facts(g);
    bool *changed = NEWN(s->scratch, bool, vec_len(f->buffer) + 1);

    for (size_t i = 0; i < vec_len(g->output); i++)
        s->fixed[g->output[i]] = true;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        for (int i = 0; n->body && i < n->nin; i++)
            s->fixed[n->in[i]] = true; /* a body reads it by its name */
    }
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].over)
            s->fixed[v] = changed[f->buffer_of[v]] = true;
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        ValueId root = f->buffer[f->buffer_of[v]].root;

        /* a view of a store is only read before the store changes, and so
           is any equal one */
        s->fleeting[v] =
            changed[f->buffer_of[v]] && g->value[root].kind != V_STORE;
    }
}

static void
add_attr(Text *t, const AttrSpec *spec, const Attr *attr)
{
    switch (spec->kind) {
    case 'b':
    case 'i': text_add(t, "|%lld", (long long)attr->i); break;
    case 'f':
        text_add(t, "|");
        text_add_double(t, attr->f);
        break;
    case 's': text_add(t, "|%s", attr->s ? attr->s : ""); break;
    case 'l':
        text_add(t, "|");
        for (size_t i = 0; i < vec_len(attr->list); i++)
            text_add(t, "%lld,", (long long)attr->list[i]);
        break;
    default: text_add(t, "|%s", formula_print(t->arena, attr->formula)); break;
    }
}

/* Equal for nodes with equal results. */
static Sym
canonical(Seen *s, const Node *n)
{
    const OpInfo *info = op_info(n->op);
    Text t = text_new(s->scratch);

    text_add(&t, "%s", info->name);
    for (int i = 0; i < n->nin; i++)
        text_add(&t, " %u", n->in[i]);
    text_add(&t, " if %u", n->when);
    for (int i = 0; i < info->attrs; i++)
        add_attr(&t, &info->attr[i], &n->attr[i]);
    for (int i = 0; i < n->nout; i++)
        text_add(&t, ":%s",
                 type_text(s->scratch, &s->g->value[n->out[i]].type));
    return sym_n(s->texts, t.s, t.len);
}

/* What is repeated on purpose or handed out under its name stays. */
static bool
may_go(const Seen *s, const Node *n)
{
    if (n->phase == 'r' || n->phase == 'm' || n->body)
        return false;
    for (int i = 0; i < n->nout; i++)
        if (s->fixed[n->out[i]])
            return false;
    return true;
}

static bool
may_serve(const Seen *s, const Node *n)
{
    for (int i = 0; i < n->nout; i++)
        if (s->fleeting[n->out[i]])
            return false;
    return n->phase != 'r' && n->phase != 'm' && !n->body;
}

/* True if n is dropped. */
static bool
meet(Seen *s, NodeId id)
{
    Node *n = &s->g->node[id];
    uint64_t earlier = 0;
    Sym text;

    for (int i = 0; i < n->nin; i++)
        if (s->to[n->in[i]])
            n->in[i] = s->to[n->in[i]];
    n->when = s->to[n->when] ? s->to[n->when] : n->when;
    text = canonical(s, n);
    if (may_go(s, n) && map_get_ptr(s->node, text, &earlier)) {
        for (int i = 0; i < n->nout; i++)
            s->to[n->out[i]] = s->g->node[earlier].out[i];
        return true;
    }
    if (may_serve(s, n) && !map_get_ptr(s->node, text, &earlier))
        map_put_ptr(s->node, text, id);
    return false;
}

static void
merge(Graph *g, Arena *scratch)
{
    size_t values = vec_len(g->value), kept = 0;
    Seen s = {.g = g,
              .scratch = scratch,
              .texts = syms_new(scratch),
              .node = map_new(scratch),
              .fixed = NEWN(scratch, bool, values),
              .fleeting = NEWN(scratch, bool, values),
              .to = NEWN(scratch, ValueId, values)};

    mark_values(&s);
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (!meet(&s, g->order[k]))
            g->order[kept++] = g->order[k];
    if (g->order)
        VEC_HEAD(g->order)->len = kept;
    graph_touch(g);
}

void
pass_cse(PassRun *r)
{
    merge_constants(r->m, r->scratch);
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        merge(r->m->entry[i], r->scratch);
}
