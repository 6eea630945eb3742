/* stop: SIGINT and SIGTERM ask a run to end after the step at hand; the second
   one ends the process at once. A page of a mapped file that is lost ends it
   with words. */
#ifndef SNUG_RT_STOP_H
#define SNUG_RT_STOP_H

void rt_stop_watch(void);
/* The status of the signal that came, RT_OK if none did. */
int rt_stop_asked(void);

#endif
