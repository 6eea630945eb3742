/* rewrite_knowledge: what rewriting knows about the values of a graph: numbers
   that fill a tensor, contents that need no input, readers, what trains. */
#ifndef SNUG_REWRITE_KNOWLEDGE_H
#define SNUG_REWRITE_KNOWLEDGE_H

#include "ir/ops/rules.h"

typedef struct Knowledge {
    Graph *g;
    Arena *scratch;
    bool *uniform;   /* vectors by value: every element is number[v] */
    double *number;
    bool *constant;  /* content follows from constants alone */
    bool *trained;   /* a gradient could flow through it to a parameter */
    bool *fixed;     /* an output, or read by a body: its name stays */
    bool *changing;  /* its bytes are written over */
    uint32_t *uses;  /* by nodes and outputs */
    ValueId *to;     /* what is read in its place, 0: itself */
    Map *causal;     /* value -> 1 no, 2 yes */
} Knowledge;

Knowledge *knowledge_new(Graph *g, Arena *scratch);
/* After node n is in the graph: what follows about its results. */
void knowledge_learn(Knowledge *k, NodeId n);
/* v, or what is read in its place. */
ValueId knowledge_value(Knowledge *k, ValueId v);
/* Is the content a mask that, added to scores [.., S, T], leaves what stands
   at or left of column i + T - S alone and takes out all else? */
bool knowledge_causal(Knowledge *k, ValueId v);

/* Is a comparison the last thing that n does, so that no gradient passes? */
bool is_comparing(const Node *n);

/* Parameters that are read, but in no way that a gradient passes (a mask that
   is only compared), become constants. */
void rewrite_constants(Module *m, Arena *scratch);

#endif
