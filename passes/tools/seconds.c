/* seconds: a kernel computes or moves bytes, whichever takes longer. */
#include "passes/tools/seconds.h"

#include "ir/infer.h"

double
node_seconds(const Graph *g, NodeId n, const Machine *m)
{
    Cost c = cost_node(g, n);
    double compute = c.flops / m->flops_per_second;
    double move = c.bytes / m->bytes_per_second;

    return compute > move ? compute : move;
}

double
predicted_seconds(const Graph *g, const Machine *m)
{
    double seconds = 0;

    for (size_t k = 0; k < vec_len(g->order); k++)
        seconds += node_seconds(g, g->order[k], m);
    return seconds;
}
