/* output: files that appear whole or not at all: where they go, and the
   temporary files that must not outlive the process. */
#ifndef SNUG_OUTPUT_H
#define SNUG_OUTPUT_H

#include "ir/base/arena.h"

#include <stdbool.h>

/* The file that a rename to `path` shall replace: `path`, or what it links to.
   Raised if it is empty, a folder, or there and not a regular file. */
const char *output_file(Arena *a, const char *path);

/* Is it a device, a pipe or a socket, which is written as it is? */
bool output_is_stream(const char *path);

/* `path` (which must live as long as the arena), a file or an empty folder, is
   removed with the arena, and when SIGINT, SIGTERM or SIGHUP ends the process;
   a rename saves it. */
void output_temporary(Arena *a, char *path);

/* From here on these signals remove the temporary files first. */
void output_guard_signals(void);

#endif
