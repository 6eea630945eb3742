/* rule_file: a user's file of rules as text. */
#ifndef SNUG_RULE_FILE_H
#define SNUG_RULE_FILE_H

#include "ir/base/arena.h"

/* A regular file of text; `what` it is stands in what is raised otherwise. */
const char *rule_file(Arena *a, const char *path, const char *what);

#endif
