/* scratch: one more result of a node, u8[bytes], which nobody reads. */
#include "passes/tools/scratch.h"

#include "ir/tiling.h"

static void
add_scratch(Graph *g, NodeId id, const Machine *machine)
{
    Arena *a = g->module->arena;
    Node *n = node_at(g, id);
    int64_t bytes = scratch_bytes(tiling_scratch(g, id, machine), machine);
    ValueId *out;
    Type t;

    if (bytes == 0 || node_scratch(g, n))
        return;
    if (!type_make(DT_U8, 1, &bytes, &t))
        raise_at(graph_loc(g, id), "the scratch of this kernel is too large");
    out = NEWN(a, ValueId, n->nout + 1);
    for (int i = 0; i < n->nout; i++)
        out[i] = n->out[i];
    n->out = out;
    n->nout++;
    graph_result(
        g, id, n->nout - 1,
        sym_format(g->module->syms, "%s.scratch", value_at(g, out[0])->name),
        t);
}

void
show_scratch(Graph *g, const Machine *machine)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        add_scratch(g, g->order[k], machine);
    graph_touch(g);
}
