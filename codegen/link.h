/* link: object + runtime -> program, static library or shared library. */
#ifndef SNUG_LINK_H
#define SNUG_LINK_H

#include "ir/graph.h"

typedef enum LinkKind { LINK_PROGRAM, LINK_STATIC, LINK_SHARED } LinkKind;

/* What links programs for a target: for the host's architecture $CC or cc and
   the installed (or, in the build tree, the built) runtime; for another one $CC
   or its cross compiler and a runtime that is made of its sources here, unless
   the folder `cache` (or NULL) has it. Raised if something is missing, with the
   remedy. */
typedef struct Tools Tools;
const Tools *link_tools(Arena *a, const char *target, const char *cache);

/* Links object `object` with the runtime into `path`, which will be called
   `name` (a shared library says so). Raised if the linker is
   missing or fails, with its words. Nothing half-written stays. */
void link_object(Arena *a, const Tools *t, const char *object, LinkKind kind,
                 const char *path, const char *name);

/* The C interface of the library at `path`, beside it: PATH with .h. */
void link_header(Arena *a, const char *path);

/* The Python module of the shared library at `path`, beside it: libnet.so or
   net.so has net_model.py. One that is there already and was not made here is
   never replaced: the first raises for it, before any work. */
void link_python_allowed(Arena *a, const char *path);
void link_python(const Module *m, const char *path);

/* The objects of an archive into one object (ld -r by way of the compiler
   driver). */
void join_objects(Arena *a, const char *archive, const char *path);

/* The initial content of params, states and constants as safetensors, copied
   from where the stores' Init says, never held whole. Atomic. */
void write_weights(const Module *m, const char *path);

#endif
