/* options: the command line by the table of option.def. */
#ifndef SNUG_OPTIONS_H
#define SNUG_OPTIONS_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum Option {
#define VERB(name, arguments, doc)
#define OPTION(name, argument, verbs, doc) OPT_##name,
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
    OPT_COUNT
} Option;

typedef struct Args {
    Arena *arena;
    const char *verb;
    const char **given[OPT_COUNT]; /* vectors: every value given */
    const char **operand;          /* vector: what is not an option */
} Args;

/* argv[1] is the verb. Wrong usage is raised with status 2, one line. */
Args options_parse(Arena *a, int argc, char **argv);

/* The last value given, or `otherwise`. */
const char *option(const Args *args, Option o, const char *otherwise);
bool option_on(const Args *args, Option o);
/* The bytes that an option gives; 0: it is not given. Raises status 2 if it is
   no size above 0. */
int64_t bytes_given(const Args *args, Option o);

/* Raises status 2 unless there are `count` operands. */
void expect_operands(const Args *args, int count);

/* The help page of a verb; NULL: the overview. On stdout. */
void print_usage(const char *verb);
bool verb_exists(const char *verb);

#endif
