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
