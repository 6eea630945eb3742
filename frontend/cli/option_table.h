/* option_table: the rows of option.def and questions about them. */
#ifndef SNUG_OPTION_TABLE_H
#define SNUG_OPTION_TABLE_H

#include "frontend/cli/options.h"

#include <stddef.h>

typedef struct VerbRow {
    const char *name, *arguments, *doc;
} VerbRow;

typedef struct OptionRow {
    const char *name, *argument, *verbs, *doc;
} OptionRow;

extern const VerbRow verb_rows[]; /* the last has no name */
extern const OptionRow option_rows[OPT_COUNT];

const VerbRow *verb_row(const char *verb); /* NULL: there is none */
bool option_of_verb(Option o, const char *verb);
/* The option of a verb (NULL: of any) by its name, '-' and '_' alike;
   OPT_COUNT if there is none. */
Option option_named(const char *verb, const char *name, size_t n);
/* "--print-after" for OPT_print_after. */
const char *option_spelled(Arena *a, Option o);
bool option_takes_value(Option o);
/* Is the value the next word? Not if it may be left out: --print-changed. */
bool option_takes_word(Option o);
bool option_repeats(Option o);
/* Does it set something by name, as --dim NAME=N does? */
bool option_by_name(Option o);
/* For did_you_mean: the options of a verb (NULL: of any), spelled. */
const char **option_names(Arena *a, const char *verb);
const char **verb_names(Arena *a);

#endif
