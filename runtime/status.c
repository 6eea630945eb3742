/* status: the last message of a thread in a buffer of fixed size, so that
   failing never needs memory. */
#include "runtime/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

static const struct {
    int exit_status;
    const char *code, *text;
} row[] = {
#define STATUS(name, exit_status, code, text) {exit_status, code, text},
#include "runtime/status.def"
#undef STATUS
};

#define ROWS ((int)(sizeof row / sizeof *row))

static void
blunt(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

int
rt_fail(RtStatus status, const char *format, ...)
{
    char text[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    blunt(text);
    memcpy(message, text, sizeof message);
    return (int)status;
}

int
rt_fail_file(const char *doing, const char *path)
{
    return rt_fail(RT_ERROR_FILE, "%s: cannot %s: %s", path, doing,
                   strerror(errno));
}

const char *
rt_message(void)
{
    return message;
}

int
rt_exit_status(int status)
{
    return status >= 0 && status < ROWS ? row[status].exit_status : 4;
}

const char *
rt_status_text(int status)
{
    return status >= 0 && status < ROWS ? row[status].text : "unknown status";
}

const char *
rt_status_code(int status)
{
    return status >= 0 && status < ROWS ? row[status].code : "";
}
