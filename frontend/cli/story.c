/* story: what is found out about a tensor, and the reason that it is alive. */
#include "frontend/cli/story.h"

#include "ir/cost.h"
#include "ir/tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int
by_number(const void *a, const void *b)
{
    const NodeId x = *(const NodeId *)a, y = *(const NodeId *)b;

    return (x > y) - (x < y);
}

static int
position(const Story *s, NodeId n)
{
    return facts(s->g)->position[n];
}

/* Of this tensor alone, each node once, in their order. */
static void
find_readers(Arena *a, Story *s)
{
    const Facts *f = facts(s->g);
    NodeId *at = NULL; /* positions, to sort by them */

    for (uint32_t u = f->use_of[s->v]; u < f->use_of[s->v + 1]; u++) {
        NodeId n = f->use[u].node;

        if (!n)
            s->output = true;
        else if (f->position[n] >= 0)
            vec_push(a, at, (NodeId)f->position[n]);
    }
    if (at)
        qsort(at, vec_len(at), sizeof *at, by_number);
    for (size_t i = 0; i < vec_len(at); i++)
        if (!i || at[i] != at[i - 1])
            vec_push(a, s->reader, s->g->order[at[i]]);
}

static bool
overlap(const Graph *g, ValueId x, ValueId y)
{
    const Value *p = value_at(g, x), *q = value_at(g, y);

    return p->place.space == q->place.space &&
           p->place.offset < q->place.offset + type_bytes(&q->type) &&
           q->place.offset < p->place.offset + type_bytes(&p->type);
}

static void
add_neighbour(Arena *a, Story *s, ValueId v)
{
    const Facts *f = facts(s->g);
    const Buffer *x = &f->buffer[f->buffer_of[v]];

    vec_push(a, s->neighbour, v);
    if (x->last < s->first &&
        (!s->before || x->last > f->buffer[f->buffer_of[s->before]].last))
        s->before = v;
    if (x->first > s->last &&
        (!s->after || x->first < f->buffer[f->buffer_of[s->after]].first))
        s->after = v;
}

/* Who else has these bytes: at once under another name, or at other times. */
static void
find_others(Arena *a, Story *s)
{
    const Facts *f = facts(s->g);

    for (ValueId v = 1; v < vec_len(s->g->value); v++) {
        if (v == s->v || !value_has_bytes(s->g, v))
            continue;
        if (f->buffer_of[v] == f->buffer_of[s->v])
            vec_push(a, s->shares, v);
        else if (f->buffer[f->buffer_of[v]].root == v && overlap(s->g, s->v, v))
            add_neighbour(a, s, v);
    }
}

/* ---- why ---------------------------------------------------------------- */

static bool
decided(Arena *a, Story *s, const Machine *machine)
{
    const Decision *d = decisions(a, s->g, machine);

    for (size_t i = 0; i < vec_len(d); i++) {
        Text t = text_new(a);

        if (d[i].value == s->v) {
            s->kind = d[i].kind;
            s->reason = d[i].reason;
            return true;
        }
        if (d[i].of != s->v || strcmp(d[i].kind, "recompute") != 0)
            continue;
        text_add(&t, "let go to save bytes, and made again as '%s': %s",
                 value_at(s->g, d[i].value)->name, d[i].reason);
        s->kind = "dropped";
        s->reason = t.s;
        return true;
    }
    return false;
}

/* Of a table outside of the arena. */
static const char *
table_reason(Arena *a, const Story *s)
{
    int64_t read = 0, written = 0;
    TableRows r;
    Text t = text_new(a);

    for (size_t k = 0; k < vec_len(s->g->order); k++)
        if (table_rows(s->g, s->g->order[k], &r) &&
            r.store == value_at(s->g, s->v)->store)
            *(r.written ? &written : &read) += r.rows;
    if (!read && !written)
        return NULL;
    text_add(&t, "of this table %" PRId64 " rows are read in each run", read);
    if (written)
        text_add(&t, ", %" PRId64 " are written", written);
    text_add(&t, ": where they lie");
    return t.s;
}

static const char *
store_reason(Arena *a, const Story *s)
{
    const char *table = table_reason(a, s);

    if (table)
        return table;
    switch (s->g->module->store[value_at(s->g, s->v)->store].kind) {
    case SK_PARAM: return "a weight is there all the time";
    case SK_STATE: return "state is there all the time, from step to step";
    case SK_CONST: return "a constant is there all the time";
    }
    return "";
}

static const char *
kept_reason(Arena *a, const Story *s)
{
    NodeId last = vec_len(s->reader) ? vec_last(s->reader) : 0;
    const Node *maker = node_at(s->g, value_at(s->g, s->v)->def);
    Text t = text_new(a);

    if (s->output)
        return "a result of the entry: it stays to the end";
    if (!last)
        return "nobody reads it: it is alive only while it is made";
    if (maker->phase == 'f' && strchr("bru", node_at(s->g, last)->phase)) {
        text_add(&t, "kept from the forward to node %d of the %s, '%s'; "
                     "making it again would take %.3g us",
                 position(s, last), phase_name(node_at(s->g, last)->phase),
                 node_title(s->g, last), 1e6 * s->again_seconds);
        return t.s;
    }
    text_add(&t, "kept until node %d reads it, '%s'", position(s, last),
             node_title(s->g, last));
    return t.s;
}

static void
find_reason(Arena *a, Story *s, const Machine *machine)
{
    const Value *v = value_at(s->g, s->v);

    if (v->kind == V_STORE) {
        s->kind = "store";
        s->reason = store_reason(a, s);
    } else if (v->kind == V_INPUT) {
        s->kind = "input";
        s->reason = "handed in at every step, there until it is read last";
    } else if (node_scratch(s->g, node_at(s->g, v->def)) == s->v) {
        s->kind = "scratch";
        s->reason = "working space of the kernel, only while it runs";
    } else if (value_at(s->g, graph_root(s->g, s->v))->kind == V_STORE) {
        s->kind = "update";
        s->reason = "new content, written over what was there before";
    } else if (graph_is_view(s->g, s->v)) {
        s->kind = "view";
        s->reason = "the same bytes with another shape: nothing of its own";
    } else if (!decided(a, s, machine)) {
        s->kind = "kept";
        s->reason = kept_reason(a, s);
    }
}

void
story_find(Arena *a, Story *s, const Machine *machine)
{
    const Facts *f = facts(s->g);
    const Buffer *b = &f->buffer[f->buffer_of[s->v]];
    NodeId def = value_at(s->g, s->v)->def;

    s->owner = buffer_owner(s->g, b);
    s->life = value_life(s->g, s->v);
    s->first = b->first;
    s->last = b->last;
    s->peak = find_peak(a, s->g, machine->align).at;
    s->at_peak =
        b->persistent || (b->first <= s->peak && s->peak <= b->last);
    s->again_seconds = def ? cost_seconds(s->g, def, machine).many : 0;
    find_readers(a, s);
    find_others(a, s);
    find_reason(a, s, machine);
}
