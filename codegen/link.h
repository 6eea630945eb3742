/* link: object + runtime -> program, static library or shared library. */
#ifndef SNUG_LINK_H
#define SNUG_LINK_H

#include "ir/graph.h"

typedef enum LinkKind { LINK_PROGRAM, LINK_STATIC, LINK_SHARED } LinkKind;

/* Links object `object` with the installed (or, in the build tree, the built)
   runtime into `path` by $CC or cc. Raised if the linker is missing or fails,
   with its words. Nothing half-written stays. */
void link_object(Arena *a, const char *object, LinkKind kind,
                 const char *path);

/* The C interface of the library at `path`, beside it: PATH with .h. */
void link_header(Arena *a, const char *path);

/* Objects into one object (ld -r by way of the compiler driver). */
void join_objects(Arena *a, int count, const char *const *object,
                  const char *path);

/* The initial content of params, states and constants as safetensors, copied
   from where the stores' Init says, never held whole. Atomic. */
void write_weights(const Module *m, const char *path);

#endif
