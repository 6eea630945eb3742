/* machine: the machine planned for: vectors, caches, alignment, workers. */
#ifndef SNUG_MACHINE_H
#define SNUG_MACHINE_H

#include <stdint.h>

#include "ir/base/arena.h"

typedef struct Machine {
    const char *name;   /* "x86-64-v3", ... */
    int vector_bytes;   /* of a register */
    int registers;      /* vector registers */
    int64_t l1, l2;     /* bytes a core */
    int64_t align;      /* of values in the arena */
    int workers;        /* most threads that may run a kernel at once */
    double flops_per_second, bytes_per_second; /* of one worker, all workers */
} Machine;

/* A machine of the table by name, or NULL. "native" is not among them:
   codegen/target resolves it. */
const Machine *machine_named(const char *name);
const char *const *machine_names(void); /* NULL-terminated */

#endif
