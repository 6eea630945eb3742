/* operators2_test: operators_test on the cases of tests/operators2 (made by
   tests/reference/operators2.py): windows, resampling, recurrent operators and
   the largest elements. */
#include <stddef.h>

#define CASES          "operators2"
#define COMPILED_LEAST 100

/* Indices of pooling, integers where floats are picked. */
static const char *const also_refused[] = {
    "test_maxpool_with_argmax_2d_precomputed_pads",
    "test_maxpool_with_argmax_2d_precomputed_strides",
    "test_top_k_same_values",
    "test_top_k_same_values_2d",
    "test_top_k_same_values_largest",
    NULL,
};

#include "tests/operators_test.c"
