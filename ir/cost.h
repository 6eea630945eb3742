/* cost: the seconds of a node, from its flops and bytes and from what kernels
   like it took on a machine. `snug calibrate` measures those figures; a table
   of them is built in. */
#ifndef SNUG_COST_H
#define SNUG_COST_H

#include "ir/graph.h"
#include "ir/infer.h"
#include "ir/machine.h"

typedef struct Seconds {
    double one, many; /* on one worker, on all that the machine has */
} Seconds;

/* A kernel that was measured. */
typedef struct Figure {
    const char *kind; /* node_kind() */
    Cost cost;
    Seconds took;
    int sort; /* of sort_of_kind */
} Figure;

typedef struct LinkFigure {
    const char *space; /* host, disk */
    struct Link *link;
} LinkFigure;

typedef struct Figures {
    const char *target; /* a machine's name */
    int workers;        /* `many` are so many */
    const char *kernels; /* the fingerprint of their generator; or NULL */
    Figure *row;        /* vector */
    LinkFigure *link;   /* vector */
} Figures;

/* Of a file made by figures_print; the user's fault is raised with its line. */
Figures *figures_parse(Arena *a, const char *text, const char *path);
const char *figures_print(Arena *a, const Figures *f);

/* From now on predictions for this target go by these figures. */
void cost_use(const Figures *f);

/* What a kernel of this kind spends its time on, as a number. */
int sort_of_kind(const char *kind);
/* The workers that `many` stands for. */
int cost_workers(const Machine *m);
/* What was measured of the link to a space (ir/timeline.h), or NULL. */
const struct Link *cost_link(const Machine *m, const char *space);
Seconds cost_seconds(const Graph *g, NodeId n, const Machine *m);
/* Of a whole run of the entry, what waits for transfers included. */
Seconds cost_entry(const Graph *g, const Machine *m);

#endif
