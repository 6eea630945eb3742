/* graph: values, nodes, entries, stores: the one IR, from import to plan.

   A Module holds the stores (parameters, states, constant tensors) and the
   entries; an entry is a Graph, whose order[] is the schedule. Indices, not
   pointers; index 0 is none. Everything lives in the module's
   own arena, which module_renew replaces.

   Reading a store in a graph is a value of kind V_STORE. Updating it is a value
   whose `over` chain ends at that V_STORE value; the last of the chain is what
   the store holds after the entry. */
#ifndef SNUG_GRAPH_H
#define SNUG_GRAPH_H

#include "ir/base/map.h"
#include "ir/base/vec.h"
#include "ir/op.h"

typedef uint32_t ValueId, NodeId;
typedef struct Graph Graph;
typedef struct Module Module;

/* What holds at this point of the journey; verify knows what each promises.
   ORDER STAGE */
typedef enum Stage {
    ST_MODEL, /* as imported: one entry `forward` */
    ST_TRAIN, /* entries train, eval, forward; updates are in */
    ST_ORDER, /* fused, in place, ordered */
    ST_PLACED /* every value has an address */
} Stage;

typedef enum ValueKind {
    V_TEMP,  /* made by a node */
    V_INPUT, /* handed in at every step */
    V_STORE  /* the store's content at the beginning of the entry */
} ValueKind;

typedef enum StoreKind {
    SK_PARAM, /* trained */
    SK_STATE, /* of the optimizer, running statistics */
    SK_CONST  /* never changes */
} StoreKind;

typedef enum InitKind {
    INIT_FILL,  /* every element is `fill` */
    INIT_LIST,  /* elements as listed */
    INIT_RANDOM,/* uniform in [-fill, fill), Philox with key `seed` */
    INIT_FILE   /* raw little-endian bytes of `path` from `offset` on */
} InitKind;

typedef struct Init {
    InitKind kind;
    double fill;
    double *list; /* vector; integers up to 2^53 exactly */
    uint64_t seed;
    Sym path;
    int64_t offset;
} Init;

typedef struct Place {
    Sym space; /* NULL: not placed yet */
    int64_t offset;
} Place;

typedef struct Space {
    Sym name;
    int64_t size, align;
} Space;

typedef struct Store {
    Sym name;
    Type type;
    StoreKind kind;
    Init init;
    Place place;
} Store;

typedef struct Value {
    Sym name; /* unique in its graph */
    Type type;
    ValueKind kind;
    NodeId def;    /* V_TEMP: the node that makes it */
    uint32_t store;/* V_STORE: index into module->store */
    ValueId over;  /* whose bytes it takes; 0: its own */
    Place place;
} Value;

typedef union Attr {
    int64_t i;
    double f;
    Sym s;
    int64_t *list; /* vector */
    Formula *formula;
} Attr;

typedef struct Node {
    Op op;
    char phase; /* f forward, b backward, u update, m move, r again */
    uint16_t nin, nout;
    ValueId *in, *out;
    Attr attr[MAX_ATTRS]; /* in the order of the op's signature */
    Graph *body;          /* OF_BODY */
    ValueId when;         /* 0: it runs in every step; else see ir/guard.h */
    Sym source;           /* node of the source model, or NULL */
    Sym source_op;        /* its operator there, or NULL */
} Node;

struct Graph {
    Module *module;
    Graph *outer; /* of a body: the graph that holds it */
    Sym name;
    Value *value;    /* vector; [0] is none */
    Node *node;      /* vector; [0] is none */
    NodeId *order;   /* vector: the schedule */
    ValueId *input;  /* vector: V_INPUT values in order; a body's operands */
    ValueId *output; /* vector */
    Map *by_name;    /* Sym -> ValueId */
    Map *suffix;     /* Sym -> next free .N */
    struct Facts *facts; /* see ir/facts.h; NULL when stale */
};

/* A file as it was when it was read; see ir/origin.h. */
typedef struct Origin {
    Sym path;
    int64_t device, inode, size, seconds, nanoseconds;
} Origin;

typedef struct Meta {
    Sym key, value;
} Meta;

struct Module {
    Arena *arena; /* of the content */
    Arena *owner; /* of the module, its names and its entries' addresses */
    Syms *syms;
    Sym name;
    const char *file; /* where it came from, for messages; may be NULL */
    int line;         /* while it is parsed: the line at hand; else 0 */
    Stage stage;
    Meta *meta;     /* vector: loss, optimizer, bounds, ...: as `meta` lines */
    Space *space;   /* vector */
    Origin *origin; /* vector: in memory only, never in the text */
    Store *store;   /* vector; [0] is none */
    Map *store_by_name;
    Graph **entry;  /* vector */
};

Module *module_new(Arena *a, const char *name);
/* Moves the content into a new arena: what passes left behind is given back.
   Module, names and entries stay where they are; any other pointer is void. */
void module_renew(Module *m);
/* Changes the content with that of a module of the same owner. */
void module_take(Module *m, Module *from);
Graph *module_entry(Module *m, const char *name); /* NULL: there is none */
Graph *module_add_entry(Module *m, const char *name);
uint32_t module_add_store(Module *m, Store s); /* name must be new: ASSERT */
uint32_t module_store(const Module *m, Sym name); /* 0: there is none */
void module_set(Module *m, const char *key, const char *value);
void module_unset(Module *m, const char *key);
const char *module_get(const Module *m, const char *key); /* NULL: not set */
void module_set_number(Module *m, const char *key, int64_t x);
/* without: where it is not set. */
int64_t module_number(const Module *m, const char *key, int64_t without);

Graph *graph_new(Module *m, const char *name); /* belongs to nothing yet */
/* A value; an empty or taken name gets the suffix .2, .3, ... */
ValueId graph_value(Graph *g, ValueKind kind, const char *name, Type t);
ValueId graph_input(Graph *g, const char *name, Type t);
ValueId graph_store(Graph *g, uint32_t store); /* one V_STORE value a store */
ValueId graph_find(const Graph *g, Sym name);  /* 0: there is none */
/* For a value that a body reads from outside: same name and type. */
ValueId graph_body_input(Graph *body, const Graph *outer, ValueId v);

/* A node at the end of the order, its results not made yet (0). */
NodeId graph_node(Graph *g, Op op, char phase, int nin, const ValueId *in,
                  int nout);
/* The same, with attributes and source of `like`, but not its guard. */
NodeId graph_node_like(Graph *g, const Node *like, char phase,
                       const ValueId *in);
/* Makes result i of node n. */
ValueId graph_result(Graph *g, NodeId n, int i, const char *name, Type t);
/* Node n of `from`, which may be g, once more at the end of g's order, with
   operands `in`: attributes, source, and results of the same names; its guard,
   if it stays in g. */
NodeId graph_copy_node(Graph *g, const Graph *from, NodeId n, char phase,
                       const ValueId *in);
/* The V_STORE, V_INPUT or own value at the root of v's over-chain. */
ValueId graph_root(const Graph *g, ValueId v);
/* Does some node of it belong to this phase? */
bool graph_has_phase(const Graph *g, char phase);
bool node_is_view(const Node *n); /* has it its operand's bytes? */
bool graph_is_view(const Graph *g, ValueId v); /* does such a node make v? */
ValueId graph_shown(const Graph *g, ValueId v); /* v, views seen through */
/* The space of the arena, in which kernels work; "dev" before it is placed. */
Sym module_arena(const Module *m);
/* Where v's bytes lie: what a transfer makes where it says, a store at its
   home, all else in the arena. */
Sym graph_space(const Graph *g, ValueId v);
/* Every use of `from` in the order and the outputs becomes `to`. */
void graph_replace(Graph *g, ValueId from, ValueId to);
/* The order, for one who makes it anew: the graph's is empty then. */
NodeId *graph_take_order(Graph *g);
/* Moves the nodes of phase u behind all others: what a model updates itself
   (running statistics, counts of draws) comes when everything has read what was
   there before. */
void graph_updates_last(Graph *g);
bool graph_runs_again(const Graph *g); /* has it nodes of phase r? */
/* The facts of g are stale from now on. Passes need not call it: the runner
   does; who edits and then asks for facts again must. */
void graph_touch(Graph *g);
/* A deep copy under another name in the same module (entries: not added). */
Graph *graph_clone(Graph *g, const char *name);

Loc graph_loc(const Graph *g, NodeId n); /* file, source node, operator */

/* The kernel's scratch, one more result behind those of the signature (or the
   body): u8[bytes], named *.scratch, read by nobody. 0: it has none. Made by
   pass workspace; infer_node takes its type as given. */
ValueId node_scratch(const Graph *g, const Node *n);

/* Of a view: how many bytes its first element is behind its operand's. */
int64_t node_ahead(const Graph *g, NodeId n);

/* Does n put what has been written there already, over a part of the same
   bytes? Then there is nothing left to do. */
bool put_is_there(const Graph *g, const Node *n);

const Attr *node_attr(const Node *n, const char *name); /* ASSERTs it exists */
Attr *node_attr_set(Node *n, const char *name);
int64_t node_int(const Node *n, const char *name);
const int64_t *node_list(const Node *n, const char *name);
const char *node_text(const Node *n, const char *name);
int64_t *list_new(Arena *a, int n, const int64_t *x); /* a vector */

static inline Value *
value_at(const Graph *g, ValueId v)
{
    return &g->value[v];
}

static inline Node *
node_at(const Graph *g, NodeId n)
{
    return &g->node[n];
}

/* A builder appends nodes to a graph in one phase, for one source. Names:
   NULL takes the op's. All types are inferred (ir/infer.h); problems are
   complained with the builder's source. */
typedef struct Builder {
    Graph *g;
    char phase;
    Sym source, source_op;
} Builder;

/* For what stands in for a node, or is made of it. */
static inline Builder
builder_like(Graph *g, char phase, const Node *like)
{
    return (Builder){g, phase, like->source, like->source_op};
}

/* A MAP row on one or two operands. */
ValueId build_map1(Builder *b, Op op, ValueId x, const char *name);
ValueId build_map2(Builder *b, Op op, ValueId x, ValueId y, const char *name);
/* `map` with a formula over a, b, c, ...; result type dtype (DT_NONE: as
   promoted). One result. */
ValueId build_formula(Builder *b, const char *formula, int nin,
                      const ValueId *in, DType dtype, const char *name);
ValueId build_reduce(Builder *b, const char *op, ValueId x, int naxes,
                     const int64_t *axes, const char *name);
ValueId build_contract(Builder *b, const char *labels, ValueId x, ValueId y,
                       const char *name); /* chooses split by shape */
ValueId build_view(Builder *b, ValueId x, int rank, const int64_t *dim,
                   const char *name);
ValueId build_transpose(Builder *b, ValueId x, const int64_t *perm,
                        const char *name);
ValueId build_broadcast(Builder *b, ValueId x, int rank, const int64_t *dim,
                        const char *name);
/* Elements from `starts` on, in steps (NULL: of 1), as many as `to` has. */
ValueId build_slice(Builder *b, ValueId x, const int64_t *starts,
                    const int64_t *steps, Type to, const char *name);
/* x at `starts` within `to`, the rest filled with value. */
ValueId build_pad(Builder *b, ValueId x, const int64_t *starts, double value,
                  Type to, const char *name);
/* x, where p stands from `starts` on. */
ValueId build_put(Builder *b, ValueId x, ValueId p, const int64_t *starts,
                  const char *name);
ValueId build_concat(Builder *b, int nin, const ValueId *in, int axis,
                     const char *name);
ValueId build_iota(Builder *b, Type t, int axis, const char *name);
/* A scalar constant as a `map` without operands: formula text of the number. */
ValueId build_number(Builder *b, double x, DType d, const char *name);
/* Any node: attributes set by the caller through `set` before types are
   inferred (may be NULL); `given` as in infer_node. Returns result 0. After a
   complaint the result has the type of `given` or f32[], so building can go on
   and find more. */
typedef void BuildSet(Node *n, const void *from, Builder *b);
NodeId build_node(Builder *b, Op op, int nin, const ValueId *in, int nout,
                  const Type *given, BuildSet *set, const void *from,
                  const char *name);
/* Sums x over the axes that broadcasting `to` -> x had added: the gradient of
   broadcasting. Result has type of `to`. */
ValueId build_unbroadcast(Builder *b, ValueId x, Type to, const char *name);

#endif
