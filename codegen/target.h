/* target: what code can be made for, by the name the user gives. */
#ifndef SNUG_TARGET_H
#define SNUG_TARGET_H

#include <stdbool.h>

#include "ir/machine.h"

typedef struct Target {
    const char *name;
    const char *machine;  /* "": found out from the host */
    const char *triple;   /* "": the host's */
    const char *cpu, *features;
    const char *tools, *packages; /* to link for it on another host */
} Target;

/* Raised if there is none, with those that exist. */
const Target *target_named(const char *name);

const char *const *target_names(void); /* NULL-terminated */

/* Is it a GPU, for which there are kernels but no programs? */
bool target_grid(const Target *t);

/* Is its architecture another than the host's? */
bool target_foreign(const Target *t);

#endif
