/* control_test: operators_test on the cases of tests/control (made by
   tests/reference/control.py): nodes with bodies, functions, sequences,
   optionals, the optimizers and gradients that a model spells out. */
#include <stddef.h>

#define CASES          "control"
#define COMPILED_LEAST 50


#include "tests/operators_test.c"
