/* report_decisions: what the planner decided about which value, and why, read
   from the nodes of a plan. */
#include "passes/tools/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "passes/tools/again.h"
#include "passes/tools/moves.h"

static const char *
title_at(const Graph *g, int position)
{
    return node_title(g, g->order[position]);
}

static void
add_readers(Text *t, const Graph *g, const int *reader)
{
    enum { NAMED = 3 };
    size_t count = vec_len(reader);

    for (size_t i = 0; i < count && i < NAMED; i++)
        if (reader[i] < (int)vec_len(g->order))
            text_add(t, "%s node %d '%s'", i ? "," : " for", reader[i],
                     title_at(g, reader[i]));
    if (count > NAMED)
        text_add(t, " and %zu more", count - NAMED);
}

static const char *
reason_again(Arena *a, Graph *g, const Again *x)
{
    Text t = text_new(a);

    if (x->dropped < x->position)
        text_add(&t, "dropped after node %d '%s', %s free for %d nodes; ",
                 x->dropped, title_at(g, x->dropped),
                 format_bytes(a, x->bytes), x->position - x->dropped);
    text_add(&t, "made again");
    add_readers(&t, g, x->readers);
    text_add(&t, ", %.3g us", 1e6 * x->seconds);
    return t.s;
}

static const char *
reason_in_place(Arena *a, const Graph *g, const Decision *d)
{
    Text t = text_new(a);

    text_add(&t,
             "in the bytes of '%s', which nobody reads afterwards and the "
             "kernel reads element by element",
             value_at(g, d->of)->name);
    return t.s;
}

static bool
in_place(const Graph *g, ValueId v)
{
    const Value *p = value_at(g, v);

    return p->over && value_at(g, graph_root(g, v))->kind == V_TEMP &&
           node_at(g, p->def)->op != OP_wait;
}

static Decision
again_decision(Arena *a, Graph *g, const Again *x)
{
    return (Decision){.kind = "recompute",
                      .value = x->made,
                      .of = x->first,
                      .bytes = x->bytes,
                      .seconds = x->seconds,
                      .reason = reason_again(a, g, x)};
}

static void
add_in_place(Arena *a, Decision **all, const Graph *g, const Node *n)
{
    for (int i = 0; i < n->nout; i++) {
        const Value *v = value_at(g, n->out[i]);
        Decision d = {.kind = "in_place",
                      .value = n->out[i],
                      .of = v->over,
                      .bytes = type_bytes(&v->type)};

        if (!in_place(g, n->out[i]))
            continue;
        d.reason = reason_in_place(a, g, &d);
        vec_push(a, *all, d);
    }
}

/* Where a value that has left the arena is until it is needed again. */
static const char *
reason_away(Arena *a, const Graph *g, const Moved *x)
{
    Text t = text_new(a);

    text_add(&t,
             "leaves the arena for %s behind node %d '%s'; its %s are free "
             "from node %d on",
             x->to, x->starts, title_at(g, x->starts),
             format_bytes(a, x->bytes), x->waits);
    return t.s;
}

static void
add_moves(Arena *a, Decision **all, const Graph *g, const Machine *machine)
{
    const Moved *m = moves_of(a, g, machine);

    for (size_t i = 0; i < vec_len(m); i++)
        if (m[i].from == module_arena(g->module))
            vec_push(a, *all,
                     (Decision){.kind = "transfer",
                                .value = m[i].result,
                                .of = m[i].value,
                                .bytes = m[i].bytes,
                                .seconds = m[i].stalled,
                                .reason = reason_away(a, g, &m[i])});
}

/* ---- what is cut into parts ---------------------------------------------- */

static const char *
reason_chunk(Arena *a, const Decision *d, int64_t parts, int64_t rows)
{
    Text t = text_new(a);

    text_add(&t,
             "%" PRId64 " parts of %" PRId64 " rows, one after the other; %s",
             parts, rows,
             d->value ? "what is made of it is there for one part only"
                      : "it is never there as a whole");
    return t.s;
}

/* Of one "ENTRY PARTS ROWS BYTES VALUE" of n characters. */
static void
add_chunk(Arena *a, Decision **all, const Graph *g, const char *s, size_t n)
{
    size_t entry = strlen(g->name);
    Decision d = {.kind = "chunk"};
    int64_t parts, rows;
    Text name = text_new(a);
    char *end;

    if (n <= entry || strncmp(s, g->name, entry) != 0 || s[entry] != ' ')
        return;
    parts = strtoll(s + entry, &end, 10);
    rows = strtoll(end, &end, 10);
    d.bytes = strtoll(end, &end, 10);
    if (*end != ' ' || end >= s + n)
        return;
    text_add_n(&name, end + 1, (size_t)(s + n - end) - 1);
    d.name = text_str(&name);
    d.value = graph_find(g, sym(g->module->syms, d.name));
    d.reason = reason_chunk(a, &d, parts, rows);
    vec_push(a, *all, d);
}

/* Of one "ENTRY VALUE" of n characters: a layer that was to be cut. */
static void
add_whole(Arena *a, Decision **all, const Graph *g, const char *s, size_t n)
{
    size_t entry = strlen(g->name);
    Text name = text_new(a);
    Decision d = {.kind = "chunk",
                  .reason = "its layer stays whole: it has one position, parts "
                            "would tear a sum, or more than one value crosses "
                            "from layer to layer"};

    if (n <= entry || strncmp(s, g->name, entry) != 0 || s[entry] != ' ')
        return;
    text_add_n(&name, s + entry + 1, n - entry - 1);
    d.name = text_str(&name);
    d.value = graph_find(g, sym(g->module->syms, d.name));
    d.bytes = d.value ? type_bytes(&value_at(g, d.value)->type) : 0;
    vec_push(a, *all, d);
}

typedef void AddChunk(Arena *a, Decision **all, const Graph *g, const char *s,
                      size_t n);

static void
add_chunks(Arena *a, Decision **all, const Graph *g, const char *key,
           AddChunk *add)
{
    const char *s = module_get(g->module, key);

    while (s && *s) {
        size_t n = strcspn(s, ";");

        add(a, all, g, s, n);
        s += n + (s[n] == ';');
    }
}

Decision *
decisions(Arena *a, Graph *g, const Machine *machine)
{
    const Again *again = again_list(a, g, machine);
    Decision *all = NULL;
    size_t next = 0;

    add_chunks(a, &all, g, "chunk", add_chunk);
    add_chunks(a, &all, g, "chunk_whole", add_whole);
    for (int k = 0; k < (int)vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (; next < vec_len(again) && again[next].position == k; next++)
            vec_push(a, all, again_decision(a, g, &again[next]));
        if (!node_is_view(n))
            add_in_place(a, &all, g, n);
    }
    add_moves(a, &all, g, machine);
    return all;
}
