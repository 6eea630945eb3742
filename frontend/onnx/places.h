/* places: elements that indices name, as positions of rows; tensors picked from
   and put into by them. */
#ifndef SNUG_PLACES_H
#define SNUG_PLACES_H

#include "frontend/onnx/lower.h"

/* The product of t's dimensions from axis `from` to before axis `to`. */
int64_t span(const Type *t, int from, int to);
/* x as [the first axes together, all others together]. */
ValueId as_rows(Import *I, ValueId x, int axes);
/* What x, seen as a vector, holds at each position of `at` (i64). */
ValueId picked(Import *I, ValueId x, ValueId at);

/* Are the indices of input `which`, if they are known, within an axis of
   `size`? False after a fault. */
bool indices_fit(Import *I, int which, int64_t size);
/* Input `which` of shape [batch axes ..., others ..., k] names sub-tensors of x
   by its last axis: their rows in as_rows(x, *axes) as a vector; 0 after a
   fault. */
ValueId named_rows(Import *I, int which, const Type *x, int64_t batch,
                   int *axes);
/* The rows x ([r,n]) with the rows u ([m,n]) put at `at` ([m]): how is none,
   where the last of several stays, add, mul, max or min. */
ValueId put_rows(Import *I, ValueId x, ValueId at, ValueId u, const char *how);

#endif
