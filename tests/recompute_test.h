/* recompute_test: plans under a budget. */
#ifndef SNUG_TESTS_RECOMPUTE_TEST_H
#define SNUG_TESTS_RECOMPUTE_TEST_H

#include "tests/compiled.h"

/* The planned module, or NULL where the budget is refused. */
static inline Module *
recompute_plan(Arena *a, const char *text, const char *passes, int64_t budget)
{
    static Guard guard;
    static Module *m;
    PipelineOptions p = {.machine = machine_named("x86-64-v3"),
                         .budget = budget};
    char *told;

    m = NULL;
    setenv("SNUG_MILP", TEST_BINARY_DIR "/snug-milp", 1);
    if (!guarded(&guard)) {
        told = diag_text(&guard);
        cr_assert_eq(guard.status, ST_NO_FIT, "%s\n%s", told, text);
        free(told);
        diag_free(&guard);
        return NULL;
    }
    m = parse_module(a, text, "random.snug");
    raise_if_complained();
    pipeline_run(m, passes, &p);
    guard_leave(&guard);
    return m;
}

#endif
