/* known: what is known of the numbers of a value where those of others are. */
#ifndef SNUG_KNOWN_H
#define SNUG_KNOWN_H

#include "ir/graph.h"

/* Of every element. Whatever else is said of it, it is no nan. */
typedef struct Known {
    bool finite;    /* sums and products of such are taken to be so, too */
    bool is_number; /* this one, with its sign if it is 0 */
    double number;
    bool zero;    /* 0 or -0 */
    bool least0;  /* not below 0, and not -0 */
    bool above0;  /* greater than 0 */
    ValueId same; /* the bits of this value; 0: of none */
} Known;

Known known_number(double x);

/* Of the results of n, a map, from what is known of its operands. `same` holds
   where the result has the type of that value. */
void known_results(Arena *a, const Node *n, const Known *operand,
                   Known *result);

#endif
