/* workers_test: results come back in order, problems are raised again, and of a
   child that dies it is known what it was doing. */
#include "codegen/workers.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/base/diag.h"

enum { JOBS = 40 };

static const char *
words_for(Arena *a, int i)
{
    Text t = text_new(a);

    text_add(&t, "kernel %d", i);
    return t.s;
}

/* Runs the jobs; the words of the problem, or NULL. */
static char *
problem_of(Arena *a, int jobs, Work *work, void *context, Text *result,
           Status *status)
{
    static Guard guard;
    const char *what[JOBS + 1];
    char *found;

    for (int i = 0; i <= JOBS; i++)
        what[i] = words_for(a, i);
    if (guarded(&guard)) {
        workers_run(a, jobs, work, context, what, result);
        guard_leave(&guard);
        return NULL;
    }
    *status = guard.status;
    found = diag_text(&guard);
    diag_free(&guard);
    return found;
}

static void
expect_problem(Work *work, void *context, Status expected, const char *words)
{
    Arena *a = arena_new();
    Text result[JOBS];
    Status status = ST_OK;
    char *found = problem_of(a, JOBS, work, context, result, &status);

    cr_assert(found, "no problem");
    cr_expect_eq(status, expected, "status %d", status);
    cr_expect(strstr(found, words), "'%s' is not in\n%s", words, found);
    free(found);
    arena_free(a);
}

static void
write_numbers(void *context, int job, Text *result)
{
    for (int i = 0; i < *(int *)context * job; i++)
        text_add(result, "%d ", job);
}

static void
expect_numbers(int each)
{
    Arena *a = arena_new();
    Text result[JOBS];
    Status status = ST_OK;

    cr_assert_null(problem_of(a, JOBS, write_numbers, &each, result, &status));
    for (int job = 0; job < JOBS; job++) {
        Text expected = text_new(a);

        write_numbers(&each, job, &expected);
        cr_expect_eq(result[job].len, expected.len);
        cr_expect_str_eq(text_str(&result[job]), text_str(&expected));
    }
    arena_free(a);
}

Test(workers, results_come_back_in_order)
{
    expect_numbers(1);
}

Test(workers, results_are_longer_than_a_pipe)
{
    expect_numbers(20000);
}

Test(workers, no_job_is_no_child)
{
    Arena *a = arena_new();
    Status status = ST_OK;

    cr_assert_null(problem_of(a, 0, write_numbers, NULL, NULL, &status));
    arena_free(a);
}

static void
die_in_one(void *context, int job, Text *result)
{
    text_add(result, "%d", job);
    if (job == 17)
        kill(getpid(), *(int *)context);
}

Test(workers, a_death_names_its_kernel)
{
    int number = SIGKILL;

    expect_problem(die_in_one, &number, ST_INTERNAL,
                   "generating code for kernel 17 ended by signal 9");
}

static void
die_on_the_way(void *context, int job, Text *result)
{
    (void)context;
    (void)result;
    if (job == 0)
        for (int i = 0; i < JOBS; i++) {
            workers_doing(i);
            if (i == 23)
                kill(getpid(), SIGTERM);
        }
}

Test(workers, a_death_names_what_the_job_was_about)
{
    expect_problem(die_on_the_way, NULL, ST_INTERNAL,
                   "generating code for kernel 23 ended by signal 15");
}

static void
complain_in_one(void *context, int job, Text *result)
{
    (void)context;
    (void)result;
    if (job == 5)
        raise_at((Loc){.file = "model.onnx"}, "is at fault\nhave another");
}

Test(workers, a_problem_is_raised_again)
{
    expect_problem(complain_in_one, NULL, ST_INPUT, "model.onnx: is at fault");
}

static void
assert_in_one(void *context, int job, Text *result)
{
    (void)context;
    (void)result;
    ASSERT(job != 9);
}

Test(workers, our_fault_names_its_kernel)
{
    expect_problem(assert_in_one, NULL, ST_INTERNAL, "not true: job != 9");
    expect_problem(assert_in_one, NULL, ST_INTERNAL,
                   "generating code for kernel 9");
}

/* Its child is gone before the result is whole. */
static void
leave_early(void *context, int job, Text *result)
{
    (void)context;
    (void)result;
    if (job == 3)
        _exit(ST_OK);
}

Test(workers, a_result_that_is_missing_is_our_fault)
{
    expect_problem(leave_early, NULL, ST_INTERNAL,
                   "generating code for kernel 3");
}
