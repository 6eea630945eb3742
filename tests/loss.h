/* loss: what an entry whose first output it is makes of these stores and
   inputs. */
#ifndef SNUG_TESTS_LOSS_H
#define SNUG_TESTS_LOSS_H

#include "ir/eval.h"

static inline double
loss_with(const Graph *g, Stores *s, const Tensor *in)
{
    Arena *a = arena_new();
    Tensor *out = NEWN(a, Tensor, vec_len(g->output));
    double loss;

    eval_graph(a, g, s, in, out);
    loss = tensor_get(&out[0], 0);
    arena_free(a);
    return loss;
}

#endif
