/* control_test: operators_test on the cases of tests/control (made by
   tests/reference/control.py): nodes with bodies, functions, sequences,
   optionals, the optimizers and gradients that a model spells out. */
#include <stddef.h>

#define CASES          "control"
#define COMPILED_LEAST 50

static const char *const also_refused[] = {NULL};

#include "tests/operators_test.c"
