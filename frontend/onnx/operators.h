/* operators: the rows of onnx.def, for help and `snug ops`. */
#ifndef SNUG_OPERATORS_H
#define SNUG_OPERATORS_H

typedef struct OnnxOperator {
    const char *name;
    int since; /* the oldest opset whose form is read */
    const char *doc;
} OnnxOperator;

const OnnxOperator *onnx_operators(void); /* ended by a NULL name */

#endif
