/* link_parts: what the files of link share: commands to run, the header. */
#ifndef SNUG_LINK_PARTS_H
#define SNUG_LINK_PARTS_H

#include "ir/base/vec.h"

typedef struct Command {
    Arena *arena;
    char **argument; /* vector */
    int count;
} Command;

Command command_new(Arena *a, const char *variable, const char *otherwise);
void command_add(Command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void command_run(Command *c, const char *made);

/* link_header.c: PATH with the ending .h: the C interface of the library, from
   rt.h in the runtime's folder. */
void write_header(Arena *a, const char *folder, const char *path);

#endif
