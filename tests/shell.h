/* shell: a command line from a format, run by the system's shell. */
#ifndef SNUG_TEST_SHELL_H
#define SNUG_TEST_SHELL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The status of system(3). The command has at most 2047 bytes. */
__attribute__((format(printf, 1, 2))) static inline int
shell(const char *format, ...)
{
    char command[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

#endif
