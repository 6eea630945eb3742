/* option_table: names are written with '_' in the table and '-' outside. */
#include "frontend/cli/option_table.h"

#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <string.h>

const VerbRow verb_rows[] = {
#define VERB(name, arguments, doc) {#name, arguments, doc},
#define OPTION(name, argument, verbs, doc)
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
    {NULL, NULL, NULL}};

const OptionRow option_rows[OPT_COUNT] = {
#define VERB(name, arguments, doc)
#define OPTION(name, argument, verbs, doc) {#name, argument, verbs, doc},
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
};

static bool
has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

static bool
same_name(const char *row, const char *text, size_t n)
{
    if (strlen(row) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (row[i] != (text[i] == '-' ? '_' : text[i]))
            return false;
    return true;
}

const VerbRow *
verb_row(const char *verb)
{
    for (const VerbRow *v = verb_rows; v->name; v++)
        if (strcmp(v->name, verb) == 0)
            return v;
    return NULL;
}

bool
verb_exists(const char *verb)
{
    return verb_row(verb) != NULL;
}

bool
option_of_verb(Option o, const char *verb)
{
    return strcmp(option_rows[o].verbs, "all") == 0 ||
           has_word(option_rows[o].verbs, verb);
}

Option
option_named(const char *verb, const char *name, size_t n)
{
    for (Option o = 0; o < OPT_COUNT; o++)
        if (same_name(option_rows[o].name, name, n) &&
            (!verb || option_of_verb(o, verb)))
            return o;
    return OPT_COUNT;
}

const char *
option_spelled(Arena *a, Option o)
{
    Text t = text_new(a);

    text_add(&t, "--%s", option_rows[o].name);
    for (char *p = t.s; *p; p++)
        *p = *p == '_' ? '-' : *p;
    return t.s;
}

bool
option_takes_value(Option o)
{
    return *option_rows[o].argument != 0;
}

bool
option_takes_word(Option o)
{
    return option_takes_value(o) && *option_rows[o].argument != '[';
}

bool
option_repeats(Option o)
{
    return strstr(option_rows[o].doc, "repeat") != NULL;
}

bool
option_by_name(Option o)
{
    return strncmp(option_rows[o].argument, "NAME=", 5) == 0;
}

const char **
option_names(Arena *a, const char *verb)
{
    const char **names = NULL;

    for (Option o = 0; o < OPT_COUNT; o++)
        if (!verb || option_of_verb(o, verb))
            vec_push(a, names, option_spelled(a, o));
    vec_push(a, names, NULL);
    return names;
}

const char **
verb_names(Arena *a)
{
    const char **names = NULL;

    for (const VerbRow *v = verb_rows; v->name; v++)
        vec_push(a, names, v->name);
    vec_push(a, names, NULL);
    return names;
}
