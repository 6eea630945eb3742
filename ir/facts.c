/* facts: positions, uses and buffers of a graph; each is one walk over the
   order. buffer[0] is none: that of values whose node left the order. */
#include "ir/facts.h"

static int *
positions(Arena *a, const Graph *g)
{
    int *position = NEWN(a, int, vec_len(g->node));

    for (size_t n = 0; n < vec_len(g->node); n++)
        position[n] = -1;
    for (size_t k = 0; k < vec_len(g->order); k++)
        position[g->order[k]] = (int)k;
    return position;
}

/* use_of[v + 1] counts, then sums up, then moves down as uses are filled. */
static void
find_uses(Arena *a, const Graph *g, Facts *f)
{
    size_t values = vec_len(g->value);
    uint32_t *of = NEWN(a, uint32_t, values + 2), *next = of + 1;

    for (size_t k = 0; k < vec_len(g->order); k++)
        for (int i = 0; i < g->node[g->order[k]].nin; i++)
            of[g->node[g->order[k]].in[i] + 2]++;
    for (size_t i = 0; i < vec_len(g->output); i++)
        of[g->output[i] + 2]++;
    for (size_t v = 2; v < values + 2; v++)
        of[v] += of[v - 1];
    f->use = NEWN(a, Use, of[values + 1] + 1);
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            f->use[next[n->in[i]]++] = (Use){g->order[k], i};
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        f->use[next[g->output[i]]++] = (Use){0, (int)i};
    f->use_of = of;
}

static uint32_t
new_buffer(Arena *a, Facts *f, const Graph *g, ValueId root, int first)
{
    const Value *v = value_at(g, root);
    Buffer b = {.root = root,
                .bytes = type_bytes(&v->type),
                .first = first,
                .last = first,
                .persistent = v->kind == V_STORE,
                .space = graph_space(g, root)};

    if (b.persistent)
        b.last = (int)vec_len(g->order) - 1;
    vec_push(a, f->buffer, b);
    return (uint32_t)vec_len(f->buffer) - 1;
}

static void
extend(Facts *f, ValueId v, int position)
{
    Buffer *b = &f->buffer[f->buffer_of[v]];

    if (position > b->last)
        b->last = position;
}

static void
place_result(Arena *a, Facts *f, const Graph *g, const Node *n, int i, int k)
{
    ValueId v = n->out[i], from = value_at(g, v)->over;
    int64_t bytes = type_bytes(&value_at(g, v)->type);

    if (from) {
        f->ahead[v] = f->ahead[from];
    } else if (i == 0 && node_is_view(n)) {
        from = n->in[0];
        f->ahead[v] = f->ahead[from] + node_ahead(g, g->order[k]);
    }
    f->buffer_of[v] = from ? f->buffer_of[from] : new_buffer(a, f, g, v, k);
    if (bytes > f->buffer[f->buffer_of[v]].bytes)
        f->buffer[f->buffer_of[v]].bytes = bytes;
    extend(f, v, k);
}

static void
find_buffers(Arena *a, const Graph *g, Facts *f)
{
    f->buffer_of = NEWN(a, uint32_t, vec_len(g->value));
    f->ahead = NEWN(a, int64_t, vec_len(g->value));
    vec_push(a, f->buffer, (Buffer){.last = -1});
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (g->value[v].kind != V_TEMP)
            f->buffer_of[v] = new_buffer(a, f, g, v, 0);
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            extend(f, n->in[i], (int)k);
        for (int i = 0; i < n->nout; i++)
            place_result(a, f, g, n, i, (int)k);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        extend(f, g->output[i], (int)vec_len(g->order) - 1);
}

const Facts *
facts(Graph *g)
{
    Arena *a = g->module->arena;
    Facts *f;

    if (g->facts)
        return g->facts;
    f = NEW(a, Facts);
    f->position = positions(a, g);
    find_uses(a, g, f);
    find_buffers(a, g, f);
    g->facts = f;
    return f;
}

bool
is_arena_store(const Module *m, const Store *s)
{
    return !s->place.space || s->place.space == module_arena(m);
}

int64_t
arena_store_bytes(const Module *m, int64_t align)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++)
        if (is_arena_store(m, &m->store[i]))
            bytes += round_up(type_bytes(&m->store[i].type), align);
    return bytes;
}

/* Stores that this entry does not read keep their bytes all the same. */
static int64_t
idle_store_bytes(const Graph *g, int64_t align)
{
    const Module *m = g->module;
    int64_t bytes = 0;

    for (size_t s = 1; s < vec_len(m->store); s++) {
        ValueId v = graph_find(g, m->store[s].name);

        if (is_arena_store(m, &m->store[s]) &&
            (!v || g->value[v].kind != V_STORE))
            bytes += round_up(type_bytes(&m->store[s].type), align);
    }
    return bytes;
}

int64_t *
live_bytes(Arena *a, Graph *g, int64_t align)
{
    const Facts *f = facts(g);
    size_t steps = vec_len(g->order);
    int64_t *change = NEWN(a, int64_t, steps + 1), *live = NULL;
    int64_t now = idle_store_bytes(g, align);
    Sym arena = module_arena(g->module);

    for (size_t b = 1; b < vec_len(f->buffer); b++) {
        const Buffer *buffer = &f->buffer[b];

        if (buffer->last < buffer->first || buffer->space != arena)
            continue;
        change[buffer->first] += round_up(buffer->bytes, align);
        change[buffer->last + 1] -= round_up(buffer->bytes, align);
    }
    for (size_t k = 0; k < steps; k++) {
        now += change[k];
        vec_push(a, live, now);
    }
    return live;
}

typedef struct Edge {
    NodeId from, on;
} Edge;

/* Who has read a buffer since it was last written. */
typedef struct Reader {
    NodeId node;
    uint32_t next; /* index into the readers; 0: none */
} Reader;

typedef struct Finder {
    Arena *a;
    const Graph *g;
    const Facts *f;
    Edge *edge;      /* vector */
    NodeId *last;    /* NodeId -> the last node found to depend on it */
    Reader *reader;  /* vector; [0] is none */
    uint32_t *first; /* buffer -> its readers */
} Finder;

static void
add_edge(Finder *d, NodeId from, NodeId on)
{
    if (on == 0 || on == from || d->last[on] == from)
        return;
    d->last[on] = from;
    vec_push(d->a, d->edge, (Edge){from, on});
}

static void
depend_on_readers(Finder *d, NodeId id, uint32_t buffer)
{
    for (uint32_t r = d->first[buffer]; r; r = d->reader[r].next)
        add_edge(d, id, d->reader[r].node);
    d->first[buffer] = 0;
}

static void
read_buffer(Finder *d, NodeId id, ValueId v)
{
    uint32_t b = d->f->buffer_of[v];
    Reader r = {id, d->first[b]};

    if (d->reader[r.next].node == id)
        return;
    d->first[b] = (uint32_t)vec_len(d->reader);
    vec_push(d->a, d->reader, r);
}

static void
find_edges(Finder *d, NodeId id)
{
    const Node *n = node_at(d->g, id);

    for (int i = 0; i < n->nin; i++)
        add_edge(d, id, value_at(d->g, n->in[i])->def);
    add_edge(d, id, value_at(d->g, n->when)->def);
    for (int i = 0; i < n->nout; i++)
        if (value_at(d->g, n->out[i])->over)
            depend_on_readers(d, id, d->f->buffer_of[n->out[i]]);
    for (int i = 0; i < n->nin; i++)
        read_buffer(d, id, n->in[i]);
    if (n->when)
        read_buffer(d, id, n->when);
}

static Depends
sort_edges(Arena *a, const Graph *g, const Edge *edge)
{
    size_t nodes = vec_len(g->node);
    uint32_t *of = NEWN(a, uint32_t, nodes + 2);
    Depends d = {.of = of, .on = NEWN(a, NodeId, vec_len(edge) + 1)};

    for (size_t e = 0; e < vec_len(edge); e++)
        of[edge[e].from + 2]++;
    for (size_t n = 2; n < nodes + 2; n++)
        of[n] += of[n - 1];
    for (size_t e = 0; e < vec_len(edge); e++)
        d.on[of[edge[e].from + 1]++] = edge[e].on;
    return d;
}

Depends
depends(Arena *a, Graph *g)
{
    const Facts *f = facts(g);
    Finder d = {.a = a,
                .g = g,
                .f = f,
                .last = NEWN(a, NodeId, vec_len(g->node)),
                .first = NEWN(a, uint32_t, vec_len(f->buffer))};

    vec_push(a, d.reader, (Reader){0});
    for (size_t k = 0; k < vec_len(g->order); k++)
        find_edges(&d, g->order[k]);
    return sort_edges(a, g, d.edge);
}
