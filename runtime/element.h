/* element: element types, their names in files, and conversion from the type
   of a file to the type of an input with everything checked on the way. */
#ifndef SNUG_RT_ELEMENT_H
#define SNUG_RT_ELEMENT_H

#include "runtime/abi.h"

#include <stdbool.h>
#include <stdint.h>

/* What is wrong with an element that cannot be converted. */
typedef enum RtFlaw {
    RT_FLAW_NONE,
    RT_FLAW_NAN,
    RT_FLAW_RANGE,   /* too large for the type of the input */
    RT_FLAW_FRACTION /* not a whole number, but the input is an integer */
} RtFlaw;

int64_t rt_element_bytes(RtType t);
/* The name in safetensors files ("F32"), which messages use too. */
const char *rt_element_name(RtType t);
/* RT_NONE if no type has this name (in safetensors, in npy). */
RtType rt_element_by_name(const char *name, int64_t length);
RtType rt_element_by_npy(const char *descr, int64_t length);

/* Converts `count` elements; `to` may be `from` if the types are equal. The
   first element with a flaw stops it: its index in *bad. */
RtFlaw rt_element_convert(RtType to_type, void *to, RtType from_type,
                          const void *from, int64_t count, int64_t *bad);
/* One element as a double. */
double rt_element_read(RtType t, const void *from);
/* A number into one element, rounded or cut to its type. */
void rt_element_write(RtType t, void *to, double value);
const char *rt_flaw_text(RtFlaw f);
/* dim[0] * ... * dim[rank-1] * bytes; -1 if negative or too large. */
int64_t rt_element_total(const int64_t *dim, int rank, int64_t bytes);

/* A state that comes with the model (running statistics), not one that the
   optimizer starts: it belongs to the weights. */
static inline bool
rt_is_statistic(const RtTensor *t)
{
    return t->kind == RT_STATE && t->init == RT_INIT_FILE;
}

#endif
