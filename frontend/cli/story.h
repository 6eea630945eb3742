/* story: all that a plan knows about one tensor. */
#ifndef SNUG_STORY_H
#define SNUG_STORY_H

#include "passes/tools/report.h"

typedef struct Story {
    Module *m;
    Graph *g;
    ValueId v;
    Owner owner;
    Life life;       /* of this tensor */
    int first, last; /* of the bytes that it shares */
    bool at_peak;
    int peak;             /* the node */
    double again_seconds; /* that making it once more would take */
    NodeId *reader;       /* vector, in the order of the nodes */
    bool output;          /* a result of the entry */
    ValueId *shares;      /* vector: the other tensors in its buffer */
    ValueId *neighbour;   /* vector: tensors at its addresses at other times */
    ValueId before, after; /* of those, the last before it, the first after */
    const char *kind;     /* kept, recompute, in_place, ... */
    const char *reason;
} Story;

/* m, g and v are given. */
void story_find(Arena *a, Story *s, const Machine *machine);
void story_text(Text *t, const Story *s);
void story_json(Text *t, const Story *s);

#endif
