/* manual: what is told of a verb at length, and its page for man(1). */
#ifndef SNUG_MANUAL_H
#define SNUG_MANUAL_H

#include "ir/base/str.h"

typedef struct Manual {
    const char *verb, *description, *examples;
} Manual;

typedef struct Variable {
    const char *name, *doc;
} Variable;

typedef struct ExitStatus {
    int number;
    const char *doc;
} ExitStatus;

extern const Variable variables[];       /* the last has no name */
extern const ExitStatus exit_statuses[]; /* the last has no doc */

const Manual *manual_of(const char *verb); /* NULL: nothing is told */

/* The page of a verb, or NULL: of snug itself, in the language of man(7). */
void manual_page(Text *t, const char *verb);

#endif
