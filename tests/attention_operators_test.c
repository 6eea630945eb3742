/* attention_operators_test: operators_test on the cases of tests/attention
   (made by tests/reference/attention_operators.py): attention, rotary positions
   and operators that carry a state. */
#include <stddef.h>

#define CASES          "attention"
#define COMPILED_LEAST 100

static const char *const also_refused[] = {NULL};

#include "tests/operators_test.c"
