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

/* A placed module; `target` as the user named it. */
void report_text(Text *t, Module *m, const Machine *machine);
void report_json(Text *t, Module *m, const Machine *machine);

#endif
