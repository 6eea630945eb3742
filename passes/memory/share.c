/* share: a slice whose elements lie side by side in its operand becomes a part
   of the operand's bytes, where it begins at an aligned address, nobody writes
   there before it is read last, and nothing lives longer for it: what it is
   cut from is a store, or is read later still. What is put back there by the
   node that read it, element by element, is written there at once. Nodes with
   guards stay as they are.

   Chunks cut weights by rows; those parts are read, and the new ones written,
   where they lie. */
#include "passes/pass.h"

#include <string.h>

#include "ir/text.h"
#include "passes/tools/in_place.h"

typedef struct Share {
    Graph *g;
    const Facts *f;
    int64_t align;
    int **written; /* buffer -> positions at which it is written over */
    bool *stays;   /* buffer -> an output, or of another space */
    bool *shown;   /* buffer -> it has become a part of another */
} Share;

static bool
lies_together(const Graph *g, const Node *n, int64_t *at)
{
    const Type *y = &value_at(g, n->out[0])->type;
    const int64_t *steps = node_list(n, "steps");

    for (int i = 0; i < y->rank; i++)
        if (y->dim[i] != 1 && steps[i] != 1)
            return false;
    return type_lies_together(&value_at(g, n->in[0])->type, y,
                              node_list(n, "starts"), at);
}

/* Does the proof of the bound on time speak of it, or of what it is made again
   for? Then it stays a value. */
static bool
is_named(const Graph *g, ValueId v)
{
    const char *proof = module_get(g->module, "time_witness");
    Arena *a;
    Text t;
    bool named;

    if (!proof || node_at(g, value_at(g, v)->def)->phase == 'r')
        return proof;
    a = arena_new();
    t = text_new(a);
    text_add(&t, " ");
    print_value_name(&t, value_at(g, v)->name);
    text_add(&t, " ");
    named = strstr(proof, text_str(&t));
    arena_free(a);
    return named;
}

static bool
is_written(const Share *s, uint32_t buffer, int from, int to)
{
    for (size_t i = 0; i < vec_len(s->written[buffer]); i++)
        if (s->written[buffer][i] > from && s->written[buffer][i] <= to)
            return true;
    return false;
}

static bool
may_share(const Share *s, const Node *n, int position, int64_t at)
{
    const Facts *f = s->f;
    const Type *y = &value_at(s->g, n->out[0])->type;
    uint32_t from = f->buffer_of[n->in[0]], of = f->buffer_of[n->out[0]];
    const Buffer *whole = &f->buffer[from], *part = &f->buffer[of];
    int64_t ahead = f->ahead[n->in[0]] + at * dtype_bytes(y->dtype);

    return type_bytes(y) > 0 && ahead % s->align == 0 && !s->stays[from] &&
           !s->stays[of] && !s->shown[from] && !vec_len(s->written[of]) &&
           (whole->persistent || whole->last >= part->last) &&
           !is_written(s, from, position, part->last) &&
           !is_named(s->g, n->out[0]);
}

static void
show(Share *s, NodeId id, int64_t at)
{
    Node *n = node_at(s->g, id);

    memset(n->attr, 0, sizeof n->attr);
    n->op = OP_part;
    node_attr_set(n, "at")->i = at;
    s->shown[s->f->buffer_of[n->out[0]]] = true;
}

/* ---- results in their place ---------------------------------------------- */

/* The part of x at `at` that node n reads; 0: there is none. */
static ValueId
part_read(const Graph *g, const Node *n, ValueId x, int64_t at)
{
    for (int i = 0; i < n->nin; i++) {
        NodeId def = value_at(g, n->in[i])->def;
        const Node *part = node_at(g, def);

        if (def && part->op == OP_part && part->in[0] == x &&
            node_int(part, "at") == at)
            return n->in[i];
    }
    return 0;
}

/* Does a node between these positions touch the buffer? */
static bool
is_touched(const Share *s, uint32_t buffer, int from, int to)
{
    for (int k = from + 1; k < to; k++) {
        const Node *n = node_at(s->g, s->g->order[k]);

        for (int i = 0; i < n->nin + n->nout; i++)
            if (s->f->buffer_of[i < n->nin ? n->in[i] : n->out[i - n->nin]] ==
                buffer)
                return true;
    }
    return false;
}

/* What is put where its node read is written there at once: each element
   behind its read. */
static void
write_there(Share *s, NodeId id)
{
    const Graph *g = s->g;
    const Facts *f = s->f;
    const Node *n = node_at(g, id);
    ValueId x = n->in[0], p = n->in[1], part;
    NodeId maker = value_at(g, p)->def;
    int64_t at;

    if (value_at(g, n->out[0])->over != x || !maker || n->when ||
        node_at(g, maker)->when || use_count(f, p) != 1 || is_named(g, p) ||
        value_at(g, p)->over || f->buffer[f->buffer_of[p]].root != p ||
        s->stays[f->buffer_of[p]] ||
        !type_lies_together(&value_at(g, x)->type, &value_at(g, p)->type,
                            node_list(n, "starts"), &at))
        return;
    part = part_read(g, node_at(g, maker), x, at);
    if (part &&
        type_equal(&value_at(g, part)->type, &value_at(g, p)->type) &&
        may_take_bytes(g, f, node_at(g, maker), part, p) &&
        !is_touched(s, f->buffer_of[x], f->position[maker], f->position[id]))
        value_at(s->g, p)->over = part;
}

static Share
share_new(PassRun *r, Graph *g)
{
    const Facts *f = facts(g);
    size_t buffers = vec_len(f->buffer) + 1;
    Sym arena = module_arena(g->module);
    Share s = {.g = g,
               .f = f,
               .align = r->machine->align,
               .written = NEWN(r->scratch, int *, buffers),
               .stays = NEWN(r->scratch, bool, buffers),
               .shown = NEWN(r->scratch, bool, buffers)};

    for (size_t i = 0; i < vec_len(g->output); i++)
        s.stays[f->buffer_of[g->output[i]]] = true;
    for (size_t b = 0; b < vec_len(f->buffer); b++)
        s.stays[b] = s.stays[b] || f->buffer[b].space != arena;
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nout; i++)
            if (value_at(g, n->out[i])->over)
                vec_push(r->scratch, s.written[f->buffer_of[n->out[i]]],
                         (int)k);
    }
    return s;
}

static void
share_entry(PassRun *r, Graph *g)
{
    Share s = share_new(r, g);

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);
        int64_t at;

        if (n->op == OP_slice && !n->when && lies_together(g, n, &at) &&
            may_share(&s, n, (int)k, at))
            show(&s, g->order[k], at);
    }
    graph_touch(g);
    s = share_new(r, g);
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->op == OP_put)
            write_there(&s, g->order[k]);
    graph_touch(g);
}

void
pass_share(PassRun *r)
{
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        share_entry(r, r->m->entry[i]);
}
