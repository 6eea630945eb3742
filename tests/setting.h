/* setting: numbers from the environment. A test draws few graphs; SNUG_GRAPHS
   asks for as many as there is time for, from SNUG_SEED on. */
#ifndef SNUG_TESTS_SETTING_H
#define SNUG_TESTS_SETTING_H

#include <stdlib.h>

static inline int
number_of(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text ? atoi(text) : otherwise;
}

#endif
