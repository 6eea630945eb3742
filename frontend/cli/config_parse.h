/* config_parse: the text of a configuration as settings. */
#ifndef SNUG_CONFIG_PARSE_H
#define SNUG_CONFIG_PARSE_H

#include "ir/base/arena.h"

#include <stdbool.h>

typedef enum ConfigKind { CK_TEXT, CK_NUMBER, CK_FLAG } ConfigKind;

typedef struct ConfigValue {
    ConfigKind kind;
    const char *text; /* of a number: as it was written, without '_' */
} ConfigValue;

typedef struct Setting {
    const char *section; /* "compile", "compile.set"; "" in front of all */
    const char *key;     /* NULL: the head of the section itself */
    int line;
    bool list;
    ConfigValue *value; /* vector: one, or those of a list */
} Setting;

/* A vector, in order. What is not well formed is complained of, line by line.
 */
Setting *config_parse(Arena *a, const char *text, const char *path);

#endif
