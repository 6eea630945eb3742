/* emit_tables: places as the plan has them. */
#include "codegen/emit_tables.h"

int
tier_of(const Module *m, Sym space)
{
    int i = 0;

    while (m->space[i].name != space)
        i++;
    return i - 1;
}

TableAt *
tables_at(Arena *a, const Graph *g, const Node *n)
{
    TableAt *at = NULL;

    for (int i = 0; i < n->nin + n->nout; i++) {
        const Value *v =
            value_at(g, i < n->nin ? n->in[i] : n->out[i - n->nin]);
        int tier = tier_of(g->module, v->place.space);

        if (tier >= 0 && type_bytes(&v->type))
            vec_push(a, at, (TableAt){i, tier, type_bytes(&v->type)});
    }
    return at;
}
