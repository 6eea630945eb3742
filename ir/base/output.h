/* output: files that appear whole or not at all: where they go, and the
   temporary files that must not outlive the process. */
#ifndef SNUG_OUTPUT_H
#define SNUG_OUTPUT_H

#include "ir/base/arena.h"

#include <signal.h>
#include <stdbool.h>

/* The file that a rename to `path` shall replace: `path`, or what it links to.
   Raised if it is empty, a folder, there and not a regular file, or in a
   folder that is missing or takes no files. */
const char *output_file(Arena *a, const char *path);

/* Is it a device, a pipe or a socket, which is written as it is? */
bool output_is_stream(const char *path);

/* `path` (which must live as long as the arena), a file or an empty folder, is
   removed with the arena, and when SIGINT, SIGTERM or SIGHUP ends the process;
   a rename saves it. */
void output_temporary(Arena *a, char *path);

/* A new empty file with this ending, or a new folder, in TMPDIR; both go away
   like every temporary. Raised if TMPDIR cannot take it. */
char *output_temporary_file(Arena *a, const char *ending);
char *output_temporary_folder(Arena *a);

/* Between the two these signals wait, for what must not be left half done. */
void output_hold_signals(sigset_t *before);
void output_release_signals(const sigset_t *before);

/* From here on these signals remove the temporary files first. */
void output_guard_signals(void);

#endif
