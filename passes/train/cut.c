/* cut: stops gradients at values by their names, before anything else looks at
   the model. What Loop, Scan and the recurrent operators hand from a step to
   the next is a copy named carry.N, N the step that takes it; what a step
   leaves to those behind the loop is a copy named step.N. */
#include "passes/pass.h"
#include "passes/tools/name.h"
#include "passes/train/cut_steps.h"

#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ALONE = 1 }; /* for a loop */

typedef struct Cut {
    Arena *scratch;
    Graph *g;
    const char *pattern;
    int64_t keep; /* steps at the end that go on */
    Map *last;    /* loop -> its last step */
    ValueId *to;  /* of the values before: detached; 0: left alone */
    CutSteps *steps; /* of those that are drawn; NULL: all go backward */
    size_t values, matched, cut, gated;
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
        return ALONE;
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

static Builder
behind(const Cut *c, ValueId v)
{
    const Node *like = node_at(c->g, value_at(c->g, v)->def);

    return builder_like(c->g, like->phase, like);
}

static void
detach(Cut *c, ValueId v)
{
    Builder b = behind(c, v);

    c->to[v] = build_map1(&b, OP_detach, v, "cut");
    c->cut++;
}

/* Does a step of a loop that is cut leave v? */
static bool
is_left(const Cut *c, ValueId v)
{
    const Value *x = value_at(c->g, v);
    uint64_t loop = loop_of(c, v), last;

    return node_at(c->g, x->def)->op == OP_copy && loop != ALONE &&
           strncmp(x->name, "step.", 5) == 0 && map_get(c->last, loop, &last) &&
           step_of(c, v) <= (int64_t)last;
}

/* The same values; a gradient comes back where the step is drawn. */
static void
gate(Cut *c, ValueId v)
{
    Builder b = behind(c, v);
    uint64_t last = 0;
    ValueId in[3] = {0, v};

    map_get(c->last, loop_of(c, v), &last);
    in[0] = cut_steps_drawn(c->steps, (int64_t)last + 1, step_of(c, v));
    in[2] = build_map1(&b, OP_detach, v, "cut");
    c->to[v] = build_formula(&b, "where(a,b,c)", 3, in,
                             value_at(c->g, v)->type.dtype,
                             value_at(c->g, v)->name);
    c->gated++;
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
        else if (c->steps && is_left(c, n.out[i]))
            gate(c, n.out[i]);
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
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (c->to[g->output[i]])
            g->output[i] = c->to[g->output[i]];
    if (c->gated)
        cut_steps_count(c->steps);
    graph_touch(g);
}

static Cut
cut_form(const PassRun *run, Graph *g, int64_t subset)
{
    Cut c = {.scratch = run->scratch,
             .g = g,
             .pattern = opt_text(run, "at"),
             .keep = opt_int(run, "keep"),
             .last = map_new(run->scratch)};

    if (subset)
        c.steps = cut_steps_new(run->scratch, g, subset);
    cut_graph(&c);
    return c;
}

static void
check_options(const PassRun *run)
{
    int64_t keep = opt_int(run, "keep"), subset = opt_int(run, "subset");

    if (subset < 0)
        raise_status(ST_USAGE, NOWHERE,
                     "cut: subset=%" PRId64 "\nit is how many steps of a loop "
                     "go backward, 1 or more; 0: all",
                     subset);
    if (subset && keep)
        raise_status(ST_USAGE, NOWHERE,
                     "cut: keep=%" PRId64 " and subset=%" PRId64 "\nsteps that "
                     "are drawn go backward each by itself; leave one out",
                     keep, subset);
}

/* What is drawn is of the form for training, which may have to be made. */
static Graph *
training_form(Module *m, int64_t subset)
{
    Graph *g = module_entry(m, "forward_train");

    if (g || !subset)
        return g ? g : module_entry(m, "forward");
    g = graph_clone(module_entry(m, "forward"), "forward_train");
    vec_push(m->arena, m->entry, g);
    return g;
}

static void
check_found(const PassRun *run, const Cut *c)
{
    if (!c->matched)
        raise_at(model_loc(run->m),
                 "cut: no value is named '%s'\nwhat Loop, Scan, LSTM, GRU and "
                 "RNN carry from step to step is named carry.N; else name the "
                 "output of an Identity in the model",
                 c->pattern);
    if (c->steps && !c->gated)
        raise_at(model_loc(run->m),
                 "cut: '%s' names nothing of a loop whose steps could be "
                 "drawn\nsubset=K is of the steps of Loop, Scan, LSTM, GRU and "
                 "RNN: cut carry* subset=K",
                 c->pattern);
}

void
pass_cut(PassRun *run)
{
    Module *m = run->m;
    int64_t subset = opt_int(run, "subset");
    Text t = text_new(run->scratch);
    Graph *trained;
    Cut c;

    if (!*opt_text(run, "at") || !module_entry(m, "forward"))
        return;
    check_options(run);
    trained = training_form(m, subset);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (m->entry[i] != trained)
            (void)cut_form(run, m->entry[i], 0);
    c = cut_form(run, trained, subset);
    check_found(run, &c);
    text_add(&t, "%s: gradients stopped at %zu values", c.pattern, c.cut);
    if (subset)
        text_add(&t, "; %" PRId64 " steps drawn", subset);
    module_set(m, "cut", text_str(&t));
}
