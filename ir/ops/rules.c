/* rules: which four rules serve an op, from op.def. */
#include "ir/ops/rules.h"

#define RULES(rule) {infer_##rule, grad_##rule, eval_##rule, cost_##rule}

static const Rules rules[OP_COUNT] = {
    {NULL, NULL, NULL, NULL},
#define MAP(name, inputs, value, gradients, doc) RULES(map),
#define OP(name, signature, rule, kernel, flags, doc) RULES(rule),
#include "ir/op.def"
#undef MAP
#undef OP
};

const Rules *
op_rules(Op op)
{
    return &rules[op];
}
