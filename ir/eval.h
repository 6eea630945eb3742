/* eval: the reference interpreter: runs an entry slowly and plainly. */
#ifndef SNUG_EVAL_H
#define SNUG_EVAL_H

#include "ir/ops/rules.h"

/* The content of the stores between entries. */
typedef struct Stores {
    Tensor *tensor; /* index: store id */
} Stores;

/* Reads or makes the initial content of every store. Problems with files are
   complained; then false. */
bool eval_init_stores(Arena *a, const Module *m, Stores *s);

/* Runs entry g: in[] in the order of g->input, out[] (g->output) is made in
   the arena, stores are updated. */
void eval_graph(Arena *a, const Graph *g, Stores *s, const Tensor *in,
                Tensor *out);

/* The same within the planned arena: every value at its address, so that a
   wrong plan gives wrong results. Requires stage placed. poison: bytes of
   dead values are filled with 0xff. */
void eval_placed(Arena *a, const Graph *g, Stores *s, const Tensor *in,
                 Tensor *out, bool poison);

/* One node on given tensors (used by fold); out data made in the arena. */
void eval_node(Arena *a, const Graph *g, NodeId n, const Tensor *in,
               Tensor *out);

/* Does n run, and what are its results if not? See ir/guard.h. */
bool eval_runs(const Node *n, const Tensor *tensor);
void eval_idle(Arena *a, const Graph *g, const Node *n, const Tensor *tensor,
               Tensor *out);

double tensor_get(const Tensor *t, int64_t i); /* element i as a double */
void tensor_set(Tensor *t, int64_t i, double x); /* as a cast: saturates */
/* Exact for all integers; not for floats. Setting wraps. */
int64_t tensor_get_integer(const Tensor *t, int64_t i);
void tensor_set_integer(Tensor *t, int64_t i, int64_t x);
Tensor tensor_new(Arena *a, Type t);

#endif
