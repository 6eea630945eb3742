/* operators2_test: operators_test on the cases of tests/operators2 (made by
   tests/reference/operators2.py): windows, resampling, recurrent operators and
   those that pick elements. */
#define CASES          "operators2"
#define COMPILED_LEAST 20

/* Indices of pooling, and integers where floats are picked. */
static const char *const also_refused[] = {
    "test_maxpool_with_argmax_2d_precomputed_pads",
    "test_maxpool_with_argmax_2d_precomputed_strides",
    0,
};

#include "tests/operators_test.c"
