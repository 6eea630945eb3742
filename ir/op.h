/* op: op.def made usable: names, signatures, attributes, formulas. */
#ifndef SNUG_OP_H
#define SNUG_OP_H

#include "ir/expr.h"

typedef enum Op {
    OP_NONE,
#define MAP(name, inputs, value, gradients, doc) OP_##name,
#define OP(name, signature, rule, kernel, flags, doc) OP_##name,
#include "ir/op.def"
#undef MAP
#undef OP
    OP_COUNT
} Op;

typedef enum OpFlag {
    OF_NONE = 0,
    OF_VIEW = 1, /* moves no data: the result shares the operand's bytes */
    OF_BODY = 2, /* has a body */
    OF_MAP = 4,  /* a MAP row, or `map` */
} OpFlag;

/* Which kernel of codegen/kernels lowers an op. */
typedef enum KernelKind {
    KK_none,
    KK_rows,
    KK_contract,
    KK_window,
    KK_move,
    KK_gather,
    KK_sort,
    KK_attention,
    KK_group,
} KernelKind;

enum { MAX_ATTRS = 8 };

typedef struct AttrSpec {
    const char *name;
    char kind; /* i f s l x; b: a word that stands there or not */
    bool optional; /* of i: written unless it is 0 */
} AttrSpec;

typedef struct OpInfo {
    const char *name, *doc;
    int inputs, outputs; /* -1: any number, at least one */
    int optional;        /* inputs that may stand behind those */
    const char *input_names, *output_names; /* space separated */
    AttrSpec attr[MAX_ATTRS];
    int attrs;
    unsigned flags;
    KernelKind kernel;
    const char *value, *gradients; /* MAP rows: the formulas; else NULL */
} OpInfo;

const OpInfo *op_info(Op op);
Op op_named(const char *name); /* OP_NONE: there is none */
/* MAP rows parsed: the value over the row's inputs; the gradients over inputs,
   y and g, a result for each input. */
const Formula *op_formula(Op op);
const Formula *op_gradients(Op op);
/* NULL-terminated, for "did you mean" and help. */
const char *const *op_names(void);

#endif
