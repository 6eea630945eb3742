/* report: the plan told, as text for people and as JSON for programs. */
#ifndef SNUG_REPORT_H
#define SNUG_REPORT_H

#include "ir/facts.h"
#include "ir/machine.h"

/* What a buffer is for. */
typedef enum Owner {
    OWN_WEIGHTS,
    OWN_STATE,
    OWN_CONSTANTS,
    OWN_INPUTS,
    OWN_ACTIVATIONS,
    OWN_GRADIENTS,
    OWN_UPDATE,
    OWN_SCRATCH,
    OWNERS
} Owner;

const char *owner_name(Owner o);
Owner buffer_owner(const Graph *g, const Buffer *b);

/* Positions of the first and the last use, inclusive; a store lives all the
   time. */
typedef struct Life {
    int first, last;
} Life;

Life value_life(Graph *g, ValueId v);
/* Is it in the plan: not a value that no node makes any more? */
bool value_has_bytes(Graph *g, ValueId v);

/* A placed module; `target` as the user named it. */
void report_text(Text *t, Module *m, const Machine *machine);
void report_json(Text *t, Module *m, const Machine *machine);
/* The same, short, for the page of charts (frontend/cli/page). label: what
   tells this plan from others on the page, or NULL. */
void report_page(Text *t, Module *m, const Machine *machine,
                 const char *label);

#endif
