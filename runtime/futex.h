/* futex: to sleep until a word changes, and to wake who sleeps on it. */
#ifndef SNUG_RT_FUTEX_H
#define SNUG_RT_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns at once if *word is no longer `seen`, and now and then without
   cause. */
static inline void
rt_futex_wait(atomic_uint *word, unsigned seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static inline void
rt_futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
