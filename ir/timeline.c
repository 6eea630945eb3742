/* timeline: a clock for the kernels, one for each direction of each space. */
#include "ir/timeline.h"

#include <string.h>

static const double launch = 2e-5; /* seconds until the first byte moves */
/* Where nothing was measured. A file is taken for one on a plain disk. */
static const Link memory = {4e9, 4e9}, file = {3e8, 4e8};

Link
link_to(const Machine *m, const char *space)
{
    const Link *l = cost_link(m, space);

    return l ? *l : strcmp(space, "host") == 0 ? memory : file;
}

double
link_seconds(double rate, int64_t bytes)
{
    return launch + (double)bytes / rate;
}

/* What is under way on the links. */
typedef struct Traffic {
    const Graph *g;
    const Machine *m;
    Sym *space;   /* vector */
    double *free; /* vector: of space[i / 2], away and back */
    double *done; /* ValueId of a transfer -> when it has arrived */
} Traffic;

static size_t
space_index(Arena *a, Traffic *t, Sym space)
{
    size_t i = 0;

    while (i < vec_len(t->space) && t->space[i] != space)
        i++;
    if (i == vec_len(t->space)) {
        vec_push(a, t->space, space);
        vec_push(a, t->free, 0);
        vec_push(a, t->free, 0);
    }
    return i;
}

static void
send(Arena *a, Traffic *t, const Node *n, double now)
{
    Sym from = graph_space(t->g, n->in[0]), to = graph_space(t->g, n->out[0]);
    bool back = to == module_arena(t->g->module);
    size_t link = 2 * space_index(a, t, back ? from : to) + back;
    Link l = link_to(t->m, back ? from : to);
    int64_t bytes = type_bytes(&value_at(t->g, n->in[0])->type);

    if (t->free[link] < now)
        t->free[link] = now;
    t->free[link] += link_seconds(back ? l.back : l.away, bytes);
    t->done[n->out[0]] = t->free[link];
}

/* With the seconds of each step at hand. */
static Timeline
timeline_with(Arena *a, const Graph *g, const Machine *m, const Seconds *s,
              bool many)
{
    size_t steps = vec_len(g->order);
    Timeline line = {.begin = NEWN(a, double, steps + 1),
                     .stalled = NEWN(a, double, steps + 1)};
    Traffic t = {.g = g, .m = m, .done = NEWN(a, double, vec_len(g->value))};
    double now = 0;

    for (size_t k = 0; k < steps; k++) {
        const Node *n = node_at(g, g->order[k]);

        line.begin[k] = now;
        if (n->op == OP_transfer)
            send(a, &t, n, now);
        if (n->op == OP_wait && t.done[n->in[0]] > now)
            line.stalled[k] = t.done[n->in[0]] - now;
        line.stalls += line.stalled[k];
        now += line.stalled[k] + (many ? s[k].many : s[k].one);
    }
    line.begin[steps] = now;
    return line;
}

static const Seconds *
seconds_of(Arena *a, const Graph *g, const Machine *m)
{
    Seconds *s = NEWN(a, Seconds, vec_len(g->order) + 1);

    for (size_t k = 0; k < vec_len(g->order); k++)
        s[k] = cost_seconds(g, g->order[k], m);
    return s;
}

Timeline
timeline_of(Arena *a, const Graph *g, const Machine *m, bool many)
{
    return timeline_with(a, g, m, seconds_of(a, g, m), many);
}

Seconds
cost_entry(const Graph *g, const Machine *m)
{
    Arena *a = arena_new();
    const Seconds *s = seconds_of(a, g, m);
    Timeline one = timeline_with(a, g, m, s, false);
    Timeline many = timeline_with(a, g, m, s, true);
    Seconds sum = {one.begin[vec_len(g->order)], many.begin[vec_len(g->order)]};

    arena_free(a);
    return sum;
}
