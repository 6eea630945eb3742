/* report_decisions: what the planner decided about which value, and why, read
   from the nodes of a plan. */
#include "passes/tools/report.h"

#include <string.h>

#include "ir/cost.h"

/* "x.again", "x.again.2" -> the length of "x"; 0: it is no such name. */
static size_t
name_before_again(const char *name)
{
    static const char mark[] = ".again";
    const char *last = NULL;

    for (const char *p = name; (p = strstr(p, mark)); p++)
        last = p;
    return last && last > name ? (size_t)(last - name) : 0;
}

/* The value as it was made first. */
static ValueId
made_first(const Graph *g, ValueId v)
{
    const char *name = value_at(g, v)->name;
    size_t n = name_before_again(name);

    return n ? graph_find(g, sym_n(g->module->syms, name, n)) : 0;
}

/* Position of the first reader of v; -1: a result of the entry. */
static int
first_reader(const Facts *f, ValueId v)
{
    int first = -1;

    for (uint32_t u = f->use_of[v]; u < f->use_of[v + 1]; u++) {
        int at = f->use[u].node ? f->position[f->use[u].node] : -1;

        if (at >= 0 && (first < 0 || at < first))
            first = at;
    }
    return first;
}

static const char *
title_at(const Graph *g, int position)
{
    return node_title(g, g->order[position]);
}

static const char *
reason_again(Arena *a, Graph *g, const Decision *d, int at)
{
    const Facts *f = facts(g);
    const Buffer *b = d->of ? &f->buffer[f->buffer_of[d->of]] : NULL;
    int reader = first_reader(f, d->value);
    Text t = text_new(a);

    if (b && b->last < at)
        text_add(&t, "dropped after node %d '%s', %s free for %d nodes; ",
                 b->last, title_at(g, b->last), format_bytes(a, d->bytes),
                 at - b->last);
    text_add(&t, "made again");
    if (reader >= 0)
        text_add(&t, " for node %d '%s'", reader, title_at(g, reader));
    text_add(&t, ", %.3g us", 1e6 * d->seconds);
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

    return p->over && value_at(g, graph_root(g, v))->kind == V_TEMP;
}

/* Of result i of the node at a position. */
static void
add_decisions(Arena *a, Decision **all, Graph *g, int at, int i,
              const Machine *machine)
{
    const Node *n = node_at(g, g->order[at]);
    Decision d = {.value = n->out[i],
                  .bytes = type_bytes(&value_at(g, n->out[i])->type)};

    if (n->phase == 'r' && i == 0) {
        d.kind = "recompute";
        d.of = made_first(g, d.value);
        d.seconds = cost_seconds(g, g->order[at], machine).many;
        d.reason = reason_again(a, g, &d, at);
        vec_push(a, *all, d);
    }
    if (in_place(g, d.value)) {
        d.kind = "in_place";
        d.of = value_at(g, d.value)->over;
        d.seconds = 0;
        d.reason = reason_in_place(a, g, &d);
        vec_push(a, *all, d);
    }
}

Decision *
decisions(Arena *a, Graph *g, const Machine *machine)
{
    Decision *all = NULL;

    for (int k = 0; k < (int)vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nout; i++)
            if (!(op_info(n->op)->flags & OF_VIEW))
                add_decisions(a, &all, g, k, i, machine);
    }
    return all;
}
