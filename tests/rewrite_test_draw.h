/* rewrite_test_draw: what instances of rules draw at random. */
#ifndef SNUG_REWRITE_TEST_DRAW_H
#define SNUG_REWRITE_TEST_DRAW_H

#include "tests/rewrite_test_instance.h"

typedef struct Shape {
    int rank; /* -1: not known */
    int64_t dim[MAXRANK];
} Shape;

typedef struct Maker {
    Instance *x;
    const RewriteRule *rule;
    RewriteMatch match; /* its variables, for expressions */
    Builder b;
    DType dtype;
    uint64_t seed, draws;
    int64_t size[128]; /* of the labels */
    Shape *hint;       /* by term */
    ValueId *value;    /* by term */
    ValueId **made;    /* by node of the pattern: its results */
    bool positive;
} Maker;

int64_t draw(Maker *k, int64_t n); /* 0 .. n-1 */
double draw_number(Maker *k);      /* between 0.25 and 1.75 */
Shape draw_shape(Maker *k);
/* The same elements under other axes: neighbours joined, one axis cut. */
Shape regroup(Maker *k, Shape s);
/* A shape that broadcasts to s. */
Shape lessen(Maker *k, Shape s);
/* The size of a label, which is that of the variable of the same name. */
int64_t label_size(Maker *k, char c);
int64_t variable_size(Maker *k, int i);
Shape labelled(Maker *k, const char *labels, size_t n);

#endif
