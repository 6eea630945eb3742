/* tokens: in training the layers of a transformer run for some tokens of each
   sample, those that get the most attention; the others go on to the next layer
   as they came (after "LeMo: enabling less token involvement for more context
   fine-tuning", 2025, without its trained predictors). All other entries run
   for all tokens. */
#include "ir/base/str.h"
#include "passes/pass.h"
#include "passes/plan/tokens_layer.h"
#include "passes/plan/tokens_write.h"
#include "passes/tools/name.h"

static void
push(Graph *g, const ValueId *now, NodeId id)
{
    Node *n = node_at(g, id);

    for (int i = 0; i < n->nin; i++)
        if (n->in[i] < vec_len(now) && now[n->in[i]])
            n->in[i] = now[n->in[i]];
    vec_push(g->module->arena, g->order, id);
}

/* Tokens that stay of this many; at least one. */
static int64_t
share_of(int64_t length, double keep)
{
    int64_t count = (int64_t)((double)length * keep + 0.5);

    return count < 1 ? 1 : count;
}

static void
write_layer(const PassRun *run, Graph *g, const NodeId *order, Layer layer,
            ValueId *now)
{
    Arena *a = arena_new();
    TokenLayer t = token_layer(a, g, order, layer);
    const char *name = value_at(g, layer.out)->name;
    int64_t count = share_of(t.s->length, opt_float(run, "keep"));
    Text told = text_new(run->scratch);

    now[layer.out] = tokens_write(a, &t, order, now, count);
    make_name_free(g, name);
    rename_value(g, now[layer.out], name);
    text_add(&told, "%lld of %lld", (long long)count, (long long)t.s->length);
    module_set(g->module, "tokens", text_str(&told));
    arena_free(a);
}

static void
write_layers(const PassRun *run, Graph *g)
{
    Layer *layer = token_layers(run->scratch, g);
    ValueId *now = NULL;
    NodeId *order = graph_take_order(g);
    size_t k = 0;

    for (size_t v = 0; v < vec_len(g->value); v++)
        vec_push(run->scratch, now, 0);
    for (size_t i = 0; i < vec_len(layer); i++) {
        for (; k < layer[i].from; k++)
            push(g, now, order[k]);
        write_layer(run, g, order, layer[i], now);
        k = layer[i].to;
    }
    for (; k < vec_len(order); k++)
        push(g, now, order[k]);
}

void
pass_tokens(PassRun *run)
{
    double keep = opt_float(run, "keep");
    Graph *g = module_entry(run->m, "train");

    if (!(keep > 0 && keep <= 1))
        raise_status(ST_USAGE, NOWHERE,
                     "tokens: keep=%g\nit is the share of the tokens that "
                     "layers run for: above 0, at most 1",
                     keep);
    if (keep == 1)
        return;
    if (!g)
        raise_status(ST_USAGE, NOWHERE,
                     "tokens: there is no entry 'train'\nrun it behind `loss`, "
                     "which makes it");
    write_layers(run, g);
}
