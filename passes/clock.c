/* clock: seconds of parts of the work. */
#include "passes/clock.h"

#include <stdio.h>
#include <time.h>

double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
tell_seconds(const char *what, double since)
{
    fprintf(stderr, "%10.3f ms  %s\n", 1e3 * (seconds_now() - since), what);
}
