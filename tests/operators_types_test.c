/* operators_types_test: operators_test on the cases of tests/operators_types
   (made by tests/reference/operators_types.py): every element type, casts and
   quantization. */
#include <stddef.h>

#define CASES          "operators_types"
#define COMPILED_LEAST 100
#define STRAIGHT_THROUGH "DynamicQuantizeLinear"

static const char *const also_refused[] = {NULL};

#include "tests/operators_test.c"
