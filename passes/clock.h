/* clock: seconds of parts of the work. */
#ifndef SNUG_CLOCK_H
#define SNUG_CLOCK_H

/* A clock that never goes back; and what --time-passes prints of a part of the
   work that began then. */
double seconds_now(void);
void tell_seconds(const char *what, double since);

#endif
