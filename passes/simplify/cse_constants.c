/* cse_constants: exporters write one mask a layer. Constants are compared by
   their type and a digest, then byte by byte. Large ones are left alone: they
   would have to be read. */
#include "passes/simplify/cse_constants.h"

#include "passes/tools/constant.h"

#include <string.h>

enum { MOST_BYTES = 1 << 23 };

typedef struct Merge {
    Module *m;
    Arena *scratch;
    Map *known;   /* digest -> store */
    uint32_t *to; /* store -> the one that is read, 0: itself */
} Merge;

static bool
same_content(const Tensor *x, const Tensor *y)
{
    return type_equal(&x->type, &y->type) &&
           memcmp(x->data, y->data, (size_t)type_bytes(&x->type)) == 0;
}

/* Small constants at compile time; placed ones have their bytes already. */
static bool
may_merge(const Store *s)
{
    return s->kind == SK_CONST && type_bytes(&s->type) <= MOST_BYTES &&
           !s->place.space;
}

/* Only digests are kept: a store of the same digest is read again. Two
   contents of one digest are both left as they are. */
static void
meet(Merge *g, uint32_t store, Arena *a)
{
    Tensor t, other;
    uint64_t digest, earlier = 0;

    if (!constant_if_readable(a, g->m, store, &t))
        return;
    digest = hash_bytes(t.data, (size_t)type_bytes(&t.type)) ^
             hash_bytes(&t.type, sizeof t.type);
    if (!map_get(g->known, digest, &earlier))
        map_put(g->known, digest, store);
    else if (constant_if_readable(a, g->m, (uint32_t)earlier, &other) &&
             same_content(&t, &other))
        g->to[store] = (uint32_t)earlier;
}

/* An output keeps its name. */
static bool
is_named(const Graph *g, ValueId v)
{
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (g->output[i] == v)
            return true;
    return false;
}

static void
redirect(Merge *r, Graph *g)
{
    size_t values = vec_len(g->value);
    ValueId *to = NEWN(r->scratch, ValueId, values);

    for (ValueId v = 1; v < values; v++)
        if (g->value[v].kind == V_STORE && r->to[g->value[v].store] &&
            !is_named(g, v))
            to[v] = graph_store(g, r->to[g->value[v].store]);
    for (size_t k = 0; k < vec_len(g->order); k++) {
        Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin && !n->body; i++)
            if (to[n->in[i]])
                n->in[i] = to[n->in[i]];
    }
    graph_touch(g);
}

void
merge_constants(Module *m, Arena *scratch)
{
    Merge r = {.m = m,
               .scratch = scratch,
               .known = map_new(scratch),
               .to = NEWN(scratch, uint32_t, vec_len(m->store) + 1)};

    for (uint32_t s = 1; s < vec_len(m->store); s++) {
        Arena *a = arena_new();

        if (may_merge(&m->store[s]))
            meet(&r, s, a);
        arena_free(a);
    }
    for (size_t i = 0; i < vec_len(m->entry); i++)
        redirect(&r, m->entry[i]);
}
