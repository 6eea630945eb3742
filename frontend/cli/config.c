/* config: settings become options. Those in front of all sections hold for
   every verb that has them, those of [VERB] win over them, the command line
   over both; of what is set by NAME, each name by itself. */
#include "frontend/cli/config.h"

#include "frontend/cli/config_parse.h"
#include "frontend/cli/option_table.h"
#include "ir/base/diag.h"
#include "ir/base/map.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <string.h>

/* Where a setting belongs: a verb (NULL: all), and in [VERB.OPTION] an option
   whose names are the keys. */
typedef struct Scope {
    const char *verb;
    Option option; /* OPT_COUNT: none */
} Scope;

typedef struct Reading {
    Args *args;
    const char *path;
    const char **values[OPT_COUNT]; /* vectors, of the file */
    bool given[OPT_COUNT];
    const char *operand;
} Reading;

static Loc
here(const Reading *r, const Setting *s)
{
    return (Loc){.file = r->path, .line = s->line};
}

/* The key of a verb's file in the text, "model" of MODEL; NULL: it has none. */
static const char *
operand_key(Arena *a, const char *verb)
{
    const VerbRow *v = verb_row(verb);
    size_t n = v ? strspn(v->arguments, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
    Text t = text_new(a);

    if (!n)
        return NULL;
    text_add_n(&t, v->arguments, n);
    for (char *p = t.s; *p; p++)
        *p = (char)(*p - 'A' + 'a');
    return t.s;
}

/* ---- names --------------------------------------------------------------- */

static bool
find_scope(const Reading *r, const Setting *s, Scope *scope)
{
    Arena *a = r->args->arena;
    const char *dot = strchr(s->section, '.');
    Text verb = text_new(a);

    *scope = (Scope){NULL, OPT_COUNT};
    if (!*s->section)
        return true;
    text_add_n(&verb, s->section,
               dot ? (size_t)(dot - s->section) : strlen(s->section));
    scope->verb = verb.s;
    if (!verb_exists(verb.s)) {
        if (!s->key)
            complain(here(r, s),
                     E(E0121) "there is no verb '%s' for a "
                              "section%s",
                     verb.s, did_you_mean(a, ", ", verb.s, verb_names(a)));
        return false;
    }
    if (!dot)
        return true;
    scope->option = option_named(verb.s, dot + 1, strlen(dot + 1));
    if (scope->option < OPT_COUNT && option_by_name(scope->option))
        return true;
    if (!s->key)
        complain(here(r, s),
                 E(E0121) "[%s]: no option of %s is set by names under "
                          "'%s'\nsuch are set and dim, as in [compile.dim]",
                 s->section, verb.s, dot + 1);
    return false;
}

/* The keys that a section may have, as they are written. */
static const char **
keys_of(Arena *a, const char *verb)
{
    const char **names = option_names(a, verb), **keys = NULL;

    for (; *names; names++)
        vec_push(a, keys, *names + 2);
    if (verb && operand_key(a, verb))
        vec_push(a, keys, operand_key(a, verb));
    vec_push(a, keys, NULL);
    return keys;
}

static bool
is_operand(const Reading *r, const char *verb, const char *key)
{
    Arena *a = r->args->arena;

    for (const VerbRow *v = verb_rows; v->name; v++) {
        const char *operand = operand_key(a, v->name);

        if ((!verb || strcmp(verb, v->name) == 0) && operand &&
            strcmp(operand, key) == 0)
            return true;
    }
    return false;
}

/* ---- values -------------------------------------------------------------- */

static bool
one_text(const Reading *r, const Setting *s)
{
    if (!s->list && s->value[0].kind != CK_FLAG)
        return true;
    complain(here(r, s), E(E0122) "%s: one text or number is expected", s->key);
    return false;
}

static bool
fits(const Reading *r, const Setting *s, Option o)
{
    bool takes = option_takes_value(o);

    if (!s->list && s->value[0].kind == CK_FLAG && !option_takes_word(o))
        return true;
    if (takes && !option_repeats(o))
        return one_text(r, s);
    for (size_t i = 0; i < vec_len(s->value) && takes; i++)
        takes = s->value[i].kind != CK_FLAG;
    if (!takes)
        complain(here(r, s), E(E0122) "%s: %s expected", s->key,
                 option_takes_value(o) ? "texts or numbers are"
                                       : "true or false is");
    return takes;
}

static bool
holds(const Reading *r, const char *verb)
{
    return !verb || strcmp(verb, r->args->verb) == 0;
}

/* Options that have no place in a file. */
static bool
only_typed(Option o)
{
    return o == OPT_config || o == OPT_help || o == OPT_man || o == OPT_color;
}

static void
set_option(Reading *r, const Setting *s, const Scope *scope, Option o)
{
    Arena *a = r->args->arena;

    if (only_typed(o)) {
        complain(here(r, s), E(E0121) "%s has no place in a file", s->key);
        return;
    }
    if (!fits(r, s, o) || !holds(r, scope->verb) ||
        !option_of_verb(o, r->args->verb))
        return;
    if (scope->verb && !option_by_name(o))
        r->values[o] = NULL;
    r->given[o] = true;
    for (size_t i = 0; i < vec_len(s->value); i++) {
        const ConfigValue *v = &s->value[i];

        if (v->kind != CK_FLAG)
            vec_push(a, r->values[o], v->text);
        else if (strcmp(v->text, "true") == 0)
            vec_push(a, r->values[o], "");
    }
}

/* key = value below [VERB.OPTION]: NAME=VALUE of that option. */
static void
set_by_name(Reading *r, const Setting *s, const Scope *scope)
{
    Text t = text_new(r->args->arena);

    if (!one_text(r, s) || !holds(r, scope->verb))
        return;
    text_add(&t, "%s=%s", s->key, s->value[0].text);
    vec_push(r->args->arena, r->values[scope->option], t.s);
    r->given[scope->option] = true;
}

static void
take_setting(Reading *r, const Setting *s)
{
    Scope scope;
    Option o;

    if (!find_scope(r, s, &scope) || !s->key)
        return;
    if (scope.option < OPT_COUNT) {
        set_by_name(r, s, &scope);
        return;
    }
    o = option_named(scope.verb, s->key, strlen(s->key));
    if (o < OPT_COUNT) {
        set_option(r, s, &scope, o);
    } else if (is_operand(r, scope.verb, s->key)) {
        if (one_text(r, s) && holds(r, scope.verb) &&
            is_operand(r, r->args->verb, s->key))
            r->operand = s->value[0].text;
    } else {
        complain(here(r, s), E(E0121) "there is no option '%s'%s%s%s", s->key,
                 scope.verb ? " of " : "", scope.verb ? scope.verb : "",
                 did_you_mean(r->args->arena, ", ", s->key,
                              keys_of(r->args->arena, scope.verb)));
    }
}

/* ---- together ------------------------------------------------------------ */

/* - and _ are the same in the names of options, but not in those that an
   option sets. */
static void
refuse_twice(const Reading *r, const Setting *all)
{
    Arena *a = r->args->arena;
    Syms *syms = syms_new(a);
    Map *seen = map_new(a);

    for (size_t i = 0; i < vec_len(all); i++) {
        Text t = text_new(a);
        uint64_t line;
        Sym name;

        if (!all[i].key)
            continue;
        text_add(&t, "%s]%s", all[i].section, all[i].key);
        for (char *p = t.s; *p && !strchr(all[i].section, '.'); p++)
            *p = *p == '_' ? '-' : *p;
        name = sym(syms, t.s);
        if (map_get_ptr(seen, name, &line))
            complain(here(r, &all[i]), E(E0122) "%s is set in line %d already",
                     all[i].key, (int)line);
        map_put_ptr(seen, name, (uint64_t)all[i].line);
    }
}

/* Is the name of value i set again behind it? */
static bool
set_again(const char **values, size_t i)
{
    size_t n = strcspn(values[i], "=");

    for (size_t k = i + 1; k < vec_len(values); k++)
        if (strncmp(values[k], values[i], n) == 0 && values[k][n] == '=')
            return true;
    return false;
}

/* What the file says in front of what the command line says. */
static void
put_before(Args *args, Option o, const char **values)
{
    const char **typed = args->given[o];

    if (typed && !option_by_name(o))
        return;
    for (size_t i = 0; i < vec_len(typed); i++)
        vec_push(args->arena, values, typed[i]);
    args->given[o] = NULL;
    for (size_t i = 0; i < vec_len(values); i++)
        if (!option_by_name(o) || !set_again(values, i))
            vec_push(args->arena, args->given[o], values[i]);
}

static void
tell(const Args *args, Option o, const char **values, const char *path)
{
    for (size_t i = 0; i < vec_len(values); i++)
        note_at(NOWHERE, "%s says %s %s", path, option_spelled(args->arena, o),
                values[i]);
}

void
config_take(Args *args, const char *text, const char *path)
{
    Reading r = {.args = args, .path = path};
    Setting *all = config_parse(args->arena, text, path);

    refuse_twice(&r, all);
    for (size_t i = 0; i < vec_len(all); i++)
        if (!all[i].section[0])
            take_setting(&r, &all[i]);
    for (size_t i = 0; i < vec_len(all); i++)
        if (all[i].section[0])
            take_setting(&r, &all[i]);
    raise_if_complained();
    for (Option o = 0; o < OPT_COUNT; o++)
        if (r.given[o])
            put_before(args, o, r.values[o]);
    for (Option o = 0; o < OPT_COUNT && option_on(args, OPT_verbose); o++)
        tell(args, o, r.values[o], path);
    if (r.operand && !args->operand)
        vec_push(args->arena, args->operand, r.operand);
}
