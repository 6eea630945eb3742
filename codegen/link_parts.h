/* link_parts: what the files of link share: commands to run, the runtime,
   the header. */
#ifndef SNUG_LINK_PARTS_H
#define SNUG_LINK_PARTS_H

#include "codegen/link.h"
#include "codegen/target.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

typedef struct Command {
    Arena *arena;
    char **argument; /* vector */
    int count;
    const char *remedy; /* where the tool is missing */
} Command;

/* What links for one target, and the folder with its runtime library. */
struct Tools {
    const Target *target;
    const char *compiler, *archiver, *objcopy; /* where $CC ... say nothing */
    const char *remedy;
    const char *folder;
};

Command command_new(Arena *a, const char *variable, const char *otherwise);
void command_add(Command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs it and returns its words; raised with them if it is missing or fails,
   after `made` has been removed. */
Text command_run(Command *c, const char *made);
/* Runs $CC or the target's compiler. */
Command compiler_new(Arena *a, const Tools *t);

const char *path_near(Arena *a, const char *dir, const char *name);
/* A name beside `path` that goes away with the arena if it is still there. */
char *beside(Arena *a, const char *path, const char *ending);

/* link_runtime.c: the folder with libsnug_rt.a for the host, and for another
   architecture, made of its sources where the cache's folder (or NULL) has it
   not yet. */
const char *runtime_folder(Arena *a);
const char *runtime_made(Arena *a, const Tools *t, const char *cache);

/* link_header.c: libmodel.so -> libmodel.h */
const char *path_ending(Arena *a, const char *path, const char *ending);
/* PATH with the ending .h: the C interface of the library, from rt.h in the
   runtime's folder. */
void write_header(Arena *a, const char *folder, const char *path);

#endif
