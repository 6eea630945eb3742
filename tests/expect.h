/* expect: Criterion's assertions for tests; for the tools of tests, which are
   programs of their own, ones (always with a message) that say what is wrong
   and end the process. */
#ifndef SNUG_TESTS_EXPECT_H
#define SNUG_TESTS_EXPECT_H

#ifndef TEST_TOOL
#include <criterion/criterion.h>
#else
#include <stdio.h>
#include <stdlib.h>

enum { EXPECT_FAILED = 3 };

#define cr_assert(x, ...)                                                      \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, __VA_ARGS__);                                   \
            fprintf(stderr, " (%s:%d: %s)\n", __FILE__, __LINE__, #x);         \
            exit(EXPECT_FAILED);                                               \
        }                                                                      \
    } while (0)
#define cr_assert_eq(x, y, ...)    cr_assert((x) == (y), __VA_ARGS__)
#define cr_assert_null(x, ...)     cr_assert(!(x), __VA_ARGS__)
#define cr_assert_not_null(x, ...) cr_assert((x), __VA_ARGS__)
#endif

#endif
