/* describe: what a node with a kernel is, in words, for profiles and costs. */
#ifndef SNUG_DESCRIBE_H
#define SNUG_DESCRIBE_H

#include "ir/graph.h"

/* Its phase and the ops of its group, each once: "b contract+map". */
const char *node_kind(Arena *a, const Graph *g, NodeId n);
/* The source model's nodes that it is made of, each once, separated by
   blanks; "" if the compiler added it. A long list is cut. */
const char *node_sources(Arena *a, const Graph *g, NodeId n);

#endif
