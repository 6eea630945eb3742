/* operators2_test: operators_test on the cases of tests/operators2 (made by
   tests/reference/operators2.py): windows, resampling, recurrent operators and
   the largest elements. */
#include <stddef.h>

#define CASES          "operators2"
#define COMPILED_LEAST 100


#include "tests/operators_test.c"
