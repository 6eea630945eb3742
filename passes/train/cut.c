/* cut: stops gradients at values by their names, before anything else looks at
   the model. What Loop, Scan and the recurrent operators hand from a step to
   the next is a copy named carry.N, N the step that takes it. */
#include "passes/pass.h"
#include "passes/tools/name.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

typedef struct Cut {
    Arena *scratch;
    Graph *g;
    const char *pattern;
    int64_t keep; /* steps at the end that go on */
    Map *last;    /* loop -> its last step */
    ValueId *to;  /* of the values before: detached; 0: left alone */
    size_t values, matched, cut;
} Cut;

static bool
matches(const Cut *c, ValueId v)
{
    const Value *x = value_at(c->g, v);

    return x->kind == V_TEMP && dtype_float(x->type.dtype) &&
           fnmatch(c->pattern, x->name, 0) == 0;
}

/* The first number in a name; 0: there is none. */
static int64_t
step_of(const Cut *c, ValueId v)
{
    const char *name = value_at(c->g, v)->name;

    while (*name && !isdigit((unsigned char)*name))
        name++;
    return *name ? strtoll(name, NULL, 10) : 0;
}

/* Values of an unrolled loop are of one node of the model; those that the
   model names itself are taken for one loop. */
static uint64_t
loop_of(const Cut *c, ValueId v)
{
    const Node *n = node_at(c->g, value_at(c->g, v)->def);

    if (!n->source_op || strcmp(n->source_op, "Identity") == 0)
        return 1;
    return (uint64_t)(uintptr_t)n->source;
}

static void
find_last_steps(Cut *c)
{
    for (ValueId v = 1; v < c->values; v++) {
        uint64_t known = 0, step;

        if (!matches(c, v))
            continue;
        c->matched++;
        step = (uint64_t)step_of(c, v);
        map_get(c->last, loop_of(c, v), &known);
        if (step >= known)
            map_put(c->last, loop_of(c, v), step);
    }
}

/* Does a gradient go on here, as few steps are left? */
static bool
is_kept(const Cut *c, ValueId v)
{
    uint64_t last = 0;

    map_get(c->last, loop_of(c, v), &last);
    return (int64_t)last - step_of(c, v) < c->keep;
}

static void
detach(Cut *c, ValueId v)
{
    const Node *like = node_at(c->g, value_at(c->g, v)->def);
    Builder b = builder_like(c->g, like->phase, like);

    c->to[v] = build_map1(&b, OP_detach, v, "cut");
    c->cut++;
}

/* A node of the order before, and behind it what stops its gradients. */
static void
put(Cut *c, NodeId id)
{
    Graph *g = c->g;
    Node n = *node_at(g, id);

    for (int i = 0; i < n.nin; i++)
        if (c->to[n.in[i]])
            n.in[i] = c->to[n.in[i]];
    vec_push(g->module->arena, g->order, id);
    for (int i = 0; i < n.nout; i++)
        if (matches(c, n.out[i]) && !is_kept(c, n.out[i]))
            detach(c, n.out[i]);
}

static void
cut_graph(Cut *c)
{
    Graph *g = c->g;
    NodeId *order;

    c->values = vec_len(g->value);
    c->to = NEWN(c->scratch, ValueId, c->values);
    find_last_steps(c);
    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++)
        put(c, order[k]);
    graph_touch(g);
}

/* Returns how many values have a name that matches. */
static size_t
cut_form(const PassRun *run, Graph *g, size_t *cut)
{
    Cut c = {.scratch = run->scratch,
             .g = g,
             .pattern = opt_text(run, "at"),
             .keep = opt_int(run, "keep"),
             .last = map_new(run->scratch)};

    cut_graph(&c);
    *cut = c.cut;
    return c.matched;
}

/* Training may have a form of its own; it is the one that is told of. */
void
pass_cut(PassRun *run)
{
    const char *pattern = opt_text(run, "at");
    Text t = text_new(run->scratch);
    size_t matched = 0, cut = 0;

    if (!*pattern || !vec_len(run->m->entry))
        return;
    for (size_t i = 0; i < vec_len(run->m->entry); i++)
        matched = cut_form(run, run->m->entry[i], &cut);
    if (!matched)
        raise_at(model_loc(run->m),
                 "cut: no value is named '%s'\nwhat Loop, Scan, LSTM, GRU and "
                 "RNN carry from step to step is named carry.N; else name the "
                 "output of an Identity in the model",
                 pattern);
    text_add(&t, "%s: gradients stopped at %zu values", pattern, cut);
    module_set(run->m, "cut", text_str(&t));
}
