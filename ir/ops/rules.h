/* rules: the four rules of each op kind, declared from op.def. */
#ifndef SNUG_RULES_H
#define SNUG_RULES_H

#include "ir/graph.h"
#include "ir/infer.h"

/* A dense tensor of the interpreter, row-major. */
typedef struct Tensor {
    Type type;
    void *data;
} Tensor;

typedef bool InferRule(const Graph *g, NodeId n, const Type *given, Type *out);
/* Adds the nodes of the gradient. dy[i] is the gradient of result i (0: none
   arrives); for each operand with want[i], dx[i] is set (0: identically
   zero). */
typedef void GradRule(Builder *b, NodeId n, const ValueId *dy,
                      const bool *want, ValueId *dx);
/* Computes the results; out[i].data has room. */
typedef void EvalRule(Arena *a, const Graph *g, NodeId n, const Tensor *in,
                      Tensor *out);
typedef Cost CostRule(const Graph *g, NodeId n);

#define MAP(name, inputs, value, gradients, doc)
#define OP(name, signature, rule, kernel, flags, doc)                          \
    InferRule infer_##rule;                                                    \
    GradRule grad_##rule;                                                      \
    EvalRule eval_##rule;                                                      \
    CostRule cost_##rule;
#include "ir/op.def"
#undef MAP
#undef OP

typedef struct Rules {
    InferRule *infer;
    GradRule *grad;
    EvalRule *eval;
    CostRule *cost;
} Rules;

const Rules *op_rules(Op op); /* MAP rows have those of `map` */

/* What a node of a MAP row or of `map` computes, over its operands. */
const Formula *node_formula(const Node *n);

/* The fixed split of k by shape: parts that contract and conv_grad_weight cut
   k into, `m*n` being the elements of the result of one batch. */
int64_t split_of(int64_t mn, int64_t k);

#endif
