/* contraction_reading: a product or convolution on its way to the one form of
   contraction.h: axes by role. Private to contraction*.c. */
#ifndef SNUG_CONTRACTION_READING_H
#define SNUG_CONTRACTION_READING_H

#include "ir/contraction.h"

enum { ROLES = 4 };
typedef enum Role { BATCH, LEFT, RIGHT, SUM } Role;

typedef struct Reading {
    Arena *arena;
    Contraction *c;
    int64_t *shape; /* classes * rank: strides of each class over C's axes */
    int rank;       /* of C */
    int64_t class;  /* of pixels: see geometry_apart */
    Axis *list[ROLES];
} Reading;

/* d: axis of C, -1: none (a sum). */
void axis_add(Reading *r, Role role, int d, int64_t size, int64_t left,
              int64_t right);

/* Classes of pixels that are contractions of their own. */
int64_t pixel_classes(const Graph *g, const Node *leader);
/* The axes of conv, conv_grad_input and conv_grad_weight. */
void read_convolution(Reading *r);
/* The whole of a depthwise product that is read in place; false: it is not one,
   and nothing is read. */
bool read_taps(Reading *r, const Machine *m);

#endif
