/* fuse: what the files of the pass share: clusters of nodes that are to become
   a kernel each, and what is known of the graph meanwhile. */
#ifndef SNUG_FUSE_H
#define SNUG_FUSE_H

#include "ir/facts.h"
#include "passes/memory/fuse_kinds.h"

typedef struct Cluster {
    Shape shape;
    int position;
    NodeId leader;  /* CK_CONTRACT: the product */
    NodeId *member; /* vector, in order */
    ValueId when;   /* guard of all members */
} Cluster;

/* A pair of nodes whose clusters may join: the better, the larger `worth`. */
typedef struct Pair {
    int64_t worth;
    NodeId p, m;
} Pair;

typedef struct Fuse {
    Graph *g;
    NodeId nodes; /* that it has before groups are made, 0 too */
    Arena *scratch;
    const Facts *facts; /* of the graph as it was */
    bool *replaced;     /* ValueId -> another value lies over it */
    Depends before;     /* node -> what it depends on */
    uint32_t *after_of;
    NodeId *after; /* the reverse, CSR */
    NodeId *again; /* copy -> the node that takes it in */
    Cluster **of;  /* NodeId -> its cluster */
    Pair *heap;    /* vector */
    bool crosses;   /* may rows and columns be reduced by one kernel? */
    uint32_t *mark; /* ValueId -> the round that saw it */
    uint32_t round;
} Fuse;

/* The last version of a store inside the cluster must come out even if nobody
   reads it. */
bool fuse_final(const Fuse *f, ValueId v);

/* fuse_worth.c: what joining clusters saves, and the best pair next. */
int64_t fuse_saved(Fuse *f, const Cluster *p, const Cluster *m);
int64_t fuse_saved_by(Fuse *f, const Cluster *c); /* all its joins together */
void fuse_push_all(Fuse *f, const Cluster *c); /* pairs with its neighbours */
bool fuse_pop(Fuse *f, Pair *best);            /* false: none is left */

/* fuse_groups.c: the graph with a group for each cluster. */
void fuse_rebuild(Fuse *f);

/* fuse_again.c: what is cheaper to compute than to read is made again for each
   of its readers, in front of it. Gives copy -> reader, 0 for all others. */
NodeId *fuse_compute_again(Graph *g, Arena *scratch);

#endif
