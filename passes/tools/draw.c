/* draw: see draw.h. */
#include "passes/tools/draw.h"

#include "passes/tools/name.h"

ValueId
draw_seed(Graph *g)
{
    ValueId seed = graph_find(g, sym(g->module->syms, "seed"));

    if (seed && value_at(g, seed)->kind == V_INPUT)
        return seed;
    make_name_free(g, "seed");
    return graph_input(g, "seed", type_scalar(DT_I64));
}

ValueId
draw_state(Graph *g, Sym name, DType d)
{
    Module *m = g->module;
    uint32_t known = module_store(m, name);
    Store new = {.name = name, .type = type_scalar(d), .kind = SK_STATE};

    return graph_store(g, known ? known : module_add_store(m, new));
}

void
draw_count(Graph *g, ValueId count, const char *name)
{
    Builder b = {.g = g, .phase = 'u'};
    ValueId next = build_formula(&b, "a+1", 1, &count, DT_I64, name);

    value_at(g, next)->over = count;
    graph_touch(g);
}
