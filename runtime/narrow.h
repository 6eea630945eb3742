/* narrow: floating types of 16 bits and less, to double and back. */
#ifndef SNUG_RT_NARROW_H
#define SNUG_RT_NARROW_H

#include "runtime/abi.h"

#include <stdbool.h>

bool rt_is_narrow(RtType t);
/* The element's bytes as a number. */
double rt_narrow_read(RtType t, const void *from);
/* To nearest, ties to even; beyond the range the largest. */
void rt_narrow_write(RtType t, void *to, double value);
/* Can it be stored without overflow? */
bool rt_narrow_holds(RtType t, double value);

#endif
