/* rewrite_constants: exporters write masks as float initializers, which import
   takes for parameters. What no gradient can reach in any entry will never
   train: it is a constant, and may be folded, recognised and dropped. */
#include "passes/simplify/rewrite_knowledge.h"

#include "ir/base/diag.h"

typedef struct Reach {
    Module *m;
    bool *read, *trained; /* by store */
} Reach;

/* Which values a gradient may flow into, from the outputs backwards. */
static void
reach_graph(Reach *r, const Graph *g, Arena *scratch)
{
    bool *wanted = NEWN(scratch, bool, vec_len(g->value));

    for (size_t i = 0; i < vec_len(g->output); i++)
        wanted[g->output[i]] = true;
    for (size_t j = vec_len(g->order); j-- > 0;) {
        const Node *n = node_at(g, g->order[j]);
        bool flows = n->body != NULL || n->phase == 'u';

        for (int i = 0; i < n->nout; i++)
            flows |= wanted[n->out[i]] || value_at(g, n->out[i])->over;
        for (int i = 0; i < n->nin; i++) {
            const Value *v = value_at(g, n->in[i]);

            if (v->kind == V_STORE)
                r->read[v->store] = true;
            wanted[n->in[i]] |=
                flows && n->op != OP_detach && !is_comparing(n);
        }
    }
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (value_at(g, v)->kind == V_STORE && wanted[v])
            r->trained[value_at(g, v)->store] = true;
}

void
rewrite_constants(Module *m, Arena *scratch)
{
    size_t stores = vec_len(m->store);
    Reach r = {m, NEWN(scratch, bool, stores + 1),
               NEWN(scratch, bool, stores + 1)};

    for (size_t i = 0; i < vec_len(m->entry); i++)
        reach_graph(&r, m->entry[i], scratch);
    for (uint32_t s = 1; s < stores && m->stage == ST_MODEL; s++) {
        if (m->store[s].kind != SK_PARAM || !r.read[s] || r.trained[s])
            continue;
        m->store[s].kind = SK_CONST;
        if (log_on("rewrite"))
            log_line("rewrite", "%%%s is a constant: no gradient reaches it",
                     m->store[s].name);
    }
}
