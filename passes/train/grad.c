/* grad: reverse-mode gradients of `loss` appended to the entry `train`. One
   walk against the order; the rule of each op (ir/ops) adds its nodes, and
   what arrives at a value over several ways is added up as it comes. The
   gradients become outputs behind the loss, `w.g` for each parameter w in the
   order of the parameters, where the optimizer finds them by name. */
#include "ir/ops/joined.h"
#include "ir/reverse.h"
#include "passes/pass.h"
#include "passes/tools/name.h"

#include <string.h>

static Sym
gradient_name(const Graph *g, ValueId v)
{
    return sym_format(g->module->syms, "%s.g", g->value[v].name);
}

/* The parameters are what is differentiated for. */
static void
mark_parameters(Reverse *r)
{
    const Graph *g = r->g;

    for (ValueId v = 1; v < r->values; v++)
        r->needs[v] = g->value[v].kind == V_STORE && carries_gradient(g, v) &&
                      g->module->store[g->value[v].store].kind == SK_PARAM;
}

/* Names a new value, once, after what it is the gradient of; a step on the way
   to it that has the name already gives it up, a tensor of the model keeps it:
   its name is how its store is found. */
static void
name_gradient(Reverse *r, ValueId v, ValueId dx)
{
    Sym name = gradient_name(r->g, v);
    Map *named = r->own;
    uint64_t known = 0;

    if (map_get(named, dx, &known))
        return;
    map_put(named, dx, 1);
    if (r->g->value[dx].name == name)
        return;
    if (!module_store(r->g->module, name))
        make_name_free(r->g, name);
    rename_value(r->g, dx, name);
}

/* What is scattered goes straight into what is there: an embedding whose weight
   is the head's too needs no second gradient of its size. */
static ValueId
add_up(Builder *b, ValueId old, ValueId dx, ValueId first)
{
    Graph *g = b->g;
    Node *n = node_at(g, value_at(g, dx)->def);
    ValueId *in;

    if (dx < first || n->op != OP_scatter || n->nin != 2 ||
        strcmp(node_text(n, "op"), "add") != 0 ||
        !type_equal(&value_at(g, dx)->type, &value_at(g, old)->type))
        return build_joined(b, old, dx);
    in = NEWN(g->module->arena, ValueId, 3);
    memcpy(in, n->in, 2 * sizeof *in);
    in[2] = old;
    n->in = in;
    n->nin = 3;
    graph_touch(g);
    return dx;
}

/* Adds dx to the gradient of v. `first`: values from there on are new. */
static void
arrive(Reverse *r, Builder *b, ValueId v, ValueId dx, ValueId first)
{
    ValueId old = r->gradient[v];
    uint64_t known = 0;

    if (!old) {
        r->gradient[v] = dx;
        if (dx >= first)
            name_gradient(r, v, dx);
        return;
    }
    if (map_get(r->own, old, &known) &&
        r->g->value[old].name == gradient_name(r->g, v))
        rename_value(
            r->g, old,
            sym_format(r->g->module->syms, "%s.part", gradient_name(r->g, v)));
    r->gradient[v] = add_up(b, old, dx, first);
    name_gradient(r, v, r->gradient[v]);
}

/* The gradient of a parameter under its own name; a value that has another
   name already is copied. */
static ValueId
hand_out(Reverse *r, ValueId w)
{
    Graph *g = r->g;
    ValueId v = r->gradient[w];
    Sym name = gradient_name(g, w);
    Builder b = {.g = g, .phase = 'b'};

    if (g->value[v].name == name)
        return v;
    if (module_store(g->module, name))
        raise_at(model_loc(g->module),
                 "the model's tensor '%s' has a name that the gradient of "
                 "'%s' needs\nrename it in the export",
                 name, g->value[w].name);
    make_name_free(g, name);
    return build_map1(&b, OP_copy, v, name);
}

static void
put_outputs(Reverse *r)
{
    Module *m = r->g->module;

    for (uint32_t s = 1; s < vec_len(m->store); s++) {
        ValueId w = graph_find(r->g, m->store[s].name);

        if (m->store[s].kind != SK_PARAM)
            continue;
        if (w && w < r->values && r->gradient[w])
            vec_push(m->arena, r->g->output, hand_out(r, w));
        else
            warn_at(model_loc(m),
                    "parameter '%s' is not trained: the loss does "
                    "not depend on it",
                    m->store[s].name);
    }
}

/* Once the gradients are there, a `detach` is its operand. */
static void
drop_detach(Graph *g)
{
    size_t kept = 0;

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = &g->node[g->order[k]];

        if (n->op == OP_detach && n->out[0] != g->output[0])
            graph_replace(g, n->out[0], n->in[0]);
        else
            g->order[kept++] = g->order[k];
    }
    VEC_HEAD(g->order)->len = kept;
}

static Graph *
train_entry(Module *m)
{
    Graph *g = module_entry(m, "train");

    if (!g || !vec_len(g->output) ||
        strcmp(g->value[g->output[0]].name, "loss") != 0)
        raise_at(model_loc(m), "there is no entry 'train' with output 'loss'\n"
                               "run the pass 'loss' before 'grad'");
    if (vec_len(g->output) > 1)
        raise_at(model_loc(m), "entry 'train' has outputs behind the loss: its "
                               "gradients are there already");
    if (g->value[g->output[0]].type.rank || !carries_gradient(g, g->output[0]))
        raise_at(model_loc(m), "the loss is %s, not a floating-point scalar",
                 type_text(m->arena, &g->value[g->output[0]].type));
    return g;
}

void
pass_grad(PassRun *run)
{
    Graph *g = train_entry(run->m);
    ValueId loss = g->output[0];
    Builder b = {.g = g, .phase = 'b'};
    Reverse r = {.g = g,
                 .scratch = run->scratch,
                 .phase = 'b',
                 .arrive = arrive,
                 .own = map_new(run->scratch)};

    reverse_begin(&r);
    mark_parameters(&r);
    r.gradient[loss] = build_number(&b, 1, g->value[loss].type.dtype, "loss.g");
    reverse_walk(&r);
    raise_if_complained();
    put_outputs(&r);
    drop_detach(g);
    graph_updates_last(g);
}
