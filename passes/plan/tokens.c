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

#include <stdlib.h>

static void
push(Graph *g, const ValueId *now, NodeId id)
{
    Node *n = node_at(g, id);

    for (int i = 0; i < n->nin; i++)
        if (n->in[i] < vec_len(now) && now[n->in[i]])
            n->in[i] = now[n->in[i]];
    vec_push(g->module->arena, g->order, id);
}

/* ---- shares -------------------------------------------------------------- */

typedef struct Shares {
    double *of; /* vector: of each layer; the last stands for those behind */
    bool all;   /* layers run for all tokens */
} Shares;

/* "P" or "P/P/...". */
static Shares
read_shares(const PassRun *run)
{
    const char *text = opt_text(run, "keep"), *at = text;
    Shares s = {.all = true};
    char *end;

    do {
        double share = strtod(at, &end);

        if (end == at || !(share > 0 && share <= 1) || (*end && *end != '/'))
            raise_status(ST_USAGE, NOWHERE,
                         "tokens: keep=%s\nit is the share of the tokens that "
                         "layers run for, above 0 and at most 1, or one for "
                         "each layer with / in between: the last stands for "
                         "those behind",
                         text);
        vec_push(run->scratch, s.of, share);
        s.all = s.all && share == 1;
        at = end + 1;
    } while (*end);
    return s;
}

static double
share_of(const Shares *s, size_t i)
{
    return s->of[i < vec_len(s->of) ? i : vec_len(s->of) - 1];
}

/* Tokens of so many that stay in layer i; at least one. */
static int64_t
count_of(const Shares *s, size_t i, int64_t length)
{
    int64_t count = (int64_t)((double)length * share_of(s, i) + 0.5);

    return count < 1 ? 1 : count;
}

/* ------------------------------------------------------------------------ */

static void
write_layer(Graph *g, const NodeId *order, Layer layer, const Shares *s,
            size_t i, ValueId *now)
{
    Arena *a = arena_new();
    TokenLayer t = token_layer(a, g, order, layer);
    const char *name = value_at(g, layer.out)->name;
    int64_t count = count_of(s, i, t.s->length);

    now[layer.out] = tokens_write(a, &t, order, now, count);
    make_name_free(g, name);
    rename_value(g, now[layer.out], name);
    arena_free(a);
}

/* Which tokens layers ran for: "64/32 of 64". */
static void
tell(const PassRun *run, const Graph *g, const Layer *layer, const Shares *s)
{
    const Node *n = node_at(g, layer->attention);
    int64_t length = value_at(g, n->in[0])->type.dim[2];
    Text t = text_new(run->scratch);

    for (size_t i = 0; i < vec_len(s->of); i++)
        text_add(&t, "%s%lld", i ? "/" : "", (long long)count_of(s, i, length));
    text_add(&t, " of %lld", (long long)length);
    module_set(run->m, "tokens", text_str(&t));
}

static void
write_layers(const PassRun *run, Graph *g, const Shares *s)
{
    Layer *layer = token_layers(run->scratch, g);
    ValueId *now = NULL;
    NodeId *order;
    size_t k = 0;

    if (vec_len(s->of) > vec_len(layer))
        raise_status(
            ST_USAGE, NOWHERE,
            "tokens: keep=%s\nit has a share for each of %zu layers, and "
            "the model has %zu",
            opt_text(run, "keep"), vec_len(s->of), vec_len(layer));
    tell(run, g, layer, s);
    order = graph_take_order(g);
    for (size_t v = 0; v < vec_len(g->value); v++)
        vec_push(run->scratch, now, 0);
    for (size_t i = 0; i < vec_len(layer); i++) {
        for (; k < layer[i].from; k++)
            push(g, now, order[k]);
        if (share_of(s, i) == 1)
            continue;
        write_layer(g, order, layer[i], s, i, now);
        k = layer[i].to;
    }
    for (; k < vec_len(order); k++)
        push(g, now, order[k]);
}

void
pass_tokens(PassRun *run)
{
    Shares s = read_shares(run);
    Graph *g = module_entry(run->m, "train");

    if (s.all)
        return;
    if (!g)
        raise_status(ST_USAGE, NOWHERE,
                     "tokens: there is no entry 'train'\nrun it behind `loss`, "
                     "which makes it");
    write_layers(run, g, &s);
}
