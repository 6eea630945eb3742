/* report: the plan told, as text for people, as JSON for programs, as the data
   of a page of charts, as a trace and as a drawing. */
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
/* The value whose bytes v takes, or shows as a view; 0: they are its own. */
ValueId value_below(const Graph *g, ValueId v);

/* What a node is called: in the source model, else by its first result. */
const char *node_title(const Graph *g, NodeId n);
/* "forward", "backward", ... of the letter of a phase. */
const char *phase_name(char phase);

/* What runs more than once in an entry, and what it adds. */
typedef struct Repeats {
    int nodes;           /* views are none */
    double once, again;  /* seconds predicted of what runs first, and again */
    double least;        /* seconds that every schedule in the budget adds, as
                            proven in the plan; 0: nothing is */
} Repeats;

Repeats repeats_of(const Graph *g, const Machine *machine);

/* What the planner decided about a value: it was dropped and is made again, it
   took the bytes of another, or it leaves the arena for some time. */
typedef struct Decision {
    const char *kind; /* chunk, recompute, in_place, transfer */
    ValueId value;    /* 0: there are only parts of it */
    const char *name; /* then: what it was called */
    ValueId of;       /* as it was first made; whose bytes. 0: not known */
    int64_t bytes;
    double seconds;   /* that it adds */
    const char *reason;
} Decision;

/* A vector in the order of the nodes. */
Decision *decisions(Arena *a, Graph *g, const Machine *machine);

/* The node with the most bytes alive, and bytes by owner there. */
typedef struct Peak {
    Graph *g;
    const Facts *facts;
    int at;
    int64_t bytes[OWNERS];
    int64_t sum;
} Peak;

Peak find_peak(Arena *a, Graph *g, int64_t align);
/* The entry that a report is of: train, else the first. */
Graph *main_entry(Module *m);
/* Its text, or "null" if it is none. */
const char *meta_json(const Module *m, const char *key);

/* A placed module; `target` as the user named it. blocks: may characters
   outside ASCII be used? */
void report_text(Text *t, Module *m, const Machine *machine, bool blocks);
/* What every text begins with, two lines. */
void report_title(Text *t, const char *model, const char *loss,
                  const char *optimizer, const char *target);
/* At most `width` columns of s, the end of it if it is longer. */
const char *fitted(Arena *a, const char *s, int width);
void report_json(Text *t, Module *m, const Machine *machine);
/* The same, short, for the page of charts (frontend/cli/page). label: what
   tells this plan from others on the page, or NULL. */
void report_page(Text *t, Module *m, const Machine *machine,
                 const char *label);
/* The step as predicted, in the form of Chrome's trace viewer and Perfetto: a
   slice a kernel, the bytes alive as a counter. */
void report_trace(Text *t, Module *m, const Machine *machine);
/* The nodes of every entry in the language of Graphviz, a cluster a phase. */
void report_dot(Text *t, Module *m);

#endif
