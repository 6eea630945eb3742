/* operators: the rows of onnx.def, for help and `snug ops`. */
#ifndef SNUG_OPERATORS_H
#define SNUG_OPERATORS_H

#include "ir/type.h"

enum { OPSET_LEAST = 7, OPSET_MOST = 28 }; /* of the domain "" */

/* What backward does with the operator. */
typedef enum OnnxGradient {
    GRADIENT_YES,     /* it flows to the floating inputs */
    GRADIENT_ZERO,    /* the result is constant between jumps */
    GRADIENT_NONE,    /* integers, truth, shapes: none arrives, none leaves */
    GRADIENT_STRAIGHT /* straight through the rounding, 0 where it saturates */
} OnnxGradient;

typedef struct OnnxOperator {
    const char *domain, *name;
    int since, until; /* the opsets whose forms are read */
    bool takes[DT_COUNT]; /* element types of the first input */
    OnnxGradient gradient;
    const char *doc;
} OnnxOperator;

const OnnxOperator *onnx_operators(void); /* ended by a NULL name */
const char *gradient_word(OnnxGradient g); /* yes zero none straight-through */

#endif
