/* status: what a call of the runtime returns, and the words that go with it.
   `return rt_fail(RT_ERROR_DATA, "...")` where something is found wrong,
   RT_TRY(call) to hand it up; the text stays until the next failure. */
#ifndef SNUG_RT_STATUS_H
#define SNUG_RT_STATUS_H

typedef enum RtStatus {
#define STATUS(name, exit_status, code, text) RT_##name,
#include "runtime/status.def"
#undef STATUS
} RtStatus;

#define RT_TRY(call)          \
    do {                      \
        int status_ = (call); \
        if (status_)          \
            return status_;   \
    } while (0)

/* Keeps the message (of this thread) and returns `status`. Bytes that a
   terminal would obey are shown as '?'. */
int rt_fail(RtStatus status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* rt_fail() for a system call on `path`, with the words of errno. */
int rt_fail_file(const char *doing, const char *path);

/* What went wrong last on this thread; "" if nothing did. */
const char *rt_message(void);

/* The exit status of a program that ends with `status`. */
int rt_exit_status(int status);

/* "E1003", or nothing where nothing went wrong. */
const char *rt_status_code(int status);

/* The row's text. */
const char *rt_status_text(int status);

#endif
