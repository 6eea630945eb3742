/* seconds: how long nodes are predicted to take. */
#ifndef SNUG_SECONDS_H
#define SNUG_SECONDS_H

#include "ir/graph.h"
#include "ir/machine.h"

/* Predicted seconds of a node on one worker; nothing for a view. */
double node_seconds(const Graph *g, NodeId n, const Machine *m);

#endif
