/* order_state: a down-set (nodes already run) that grows and shrinks, and what
   may run next. */
#ifndef SNUG_ORDER_STATE_H
#define SNUG_ORDER_STATE_H

#include "passes/tools/order_walk.h"

typedef struct OrderState {
    Arena *arena;
    const OrderProblem *p;
    size_t words;       /* of a set of nodes */
    uint32_t *of, *user;
    uint32_t *by_of, *by; /* CSR: buffer -> nodes that touch it */
    uint64_t *ancestors;  /* a set each node */
    uint32_t *missing;    /* nodes that are not lazy */
    bool *lazy;           /* needs nothing: runs right before its first user */
    bool *late;           /* needs a lazy one */
    uint64_t *done;       /* the down-set */
    uint64_t *ready;      /* what misses nothing, has not run and is not lazy */
    int64_t *before;      /* depth -> bytes alive before its node */
    int *order;
    int depth;
    Walk walk;
    int64_t limit;
    int64_t work; /* nodes looked at */
} OrderState;

OrderState *order_state_new(Arena *scratch, const OrderProblem *p);
/* Nothing has run. */
void order_state_begin(OrderState *s, int64_t limit);

/* The first ready node from n on; the number of nodes if there is none. */
int order_next_ready(OrderState *s, int n);
bool order_has_run(const OrderState *s, int n);
/* With the lazy ones that it needs. */
void order_run(OrderState *s, int n);
/* The node alone. */
void order_run_one(OrderState *s, int n);
void order_back_to(OrderState *s, int depth);
/* Alive behind a node, the lazy ones before it included; INT64_MAX: it does
   not fit. */
int64_t order_after(OrderState *s, int n);

#endif
