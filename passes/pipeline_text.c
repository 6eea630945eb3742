/* pipeline_text: the text of a pipeline into calls of passes, and back. */
#include "passes/pipeline_parts.h"

#include <stdlib.h>
#include <string.h>

enum { ANY = PASS_ANY, SAME = PASS_SAME, LOSES = false, KEEPS = true };

const PassRow pass_rows[] = {
#define PASS(name, from, to, guards, options, doc) \
    {#name, from, to, guards, options, doc, pass_##name, NULL},
#include "passes/pass.def"
#undef PASS
    {0}};

typedef struct PresetRow {
    const char *name, *text;
} PresetRow;

static const PresetRow presets[] = {
#define PRESET(name, text, doc) {#name, text},
#include "passes/preset.def"
#undef PRESET
    {0}};

const char *
preset_text(const char *name)
{
    for (const PresetRow *p = presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->text;
    return NULL;
}

bool
parse_bytes(const char *text, int64_t *bytes)
{
    static const char units[] = "kmgt";
    char *end;
    double x = strtod(text, &end), scale = 1;
    const char *unit;

    *bytes = 0;
    if (end == text || !((text[0] >= '0' && text[0] <= '9') || *text == '.'))
        return false;
    if (*end && (unit = strchr(units, *end | 32))) {
        bool by_1000 = end[1] == 'B' || end[1] == 'b'; /* 64MB, not 64MiB */

        for (const char *p = units; p <= unit; p++)
            scale *= by_1000 ? 1000 : 1024;
        end += end[1] == 'i' || end[1] == 'I' ? 2 : 1;
    }
    if (*end == 'B' || *end == 'b')
        end++;
    if (*end)
        return false;
    *bytes = x * scale < 0x1p63 ? (int64_t)(x * scale) : INT64_MAX;
    return *bytes < INT64_MAX;
}

/* -- reading the text --------------------------------------------------- */

/* Raises with a hint that names the nearest of names. */
static _Noreturn void
unknown(const char *what, const char *word, const char *const *names)
{
    const char *near = nearest_name(word, names);

    if (near)
        raise_status(ST_USAGE, NOWHERE, "no %s '%s'\ndid you mean '%s'?", what,
                     word, near);
    raise_status(ST_USAGE, NOWHERE, "no %s '%s'\nsee snug help passes", what,
                 word);
}

const PassRow *
pipeline_row(const Pipeline *p, const char *name)
{
    Arena *a = p->arena;
    const char **names = NULL;

    for (const PassRow *r = pass_rows; r->name; r++) {
        if (strcmp(r->name, name) == 0)
            return r;
        vec_push(a, names, r->name);
    }
    for (size_t i = 0; i < vec_len(p->plugged); i++) {
        if (strcmp(p->plugged[i].name, name) == 0)
            return &p->plugged[i];
        vec_push(a, names, p->plugged[i].name);
    }
    for (const PresetRow *r = presets; r->name; r++)
        vec_push(a, names, r->name);
    vec_push(a, names, NULL);
    unknown("pass", name, names);
}

/* Copies bytes up to one of `stop` and steps over them. */
static const char *
word_until(Pipeline *p, const char *stop)
{
    size_t n = strcspn(p->at, stop);
    char *s = NEWN(p->arena, char, n + 1);

    memcpy(s, p->at, n);
    p->at += n;
    return s;
}

/* The options of a row with their defaults: "name:kind=default ...". */
static void
default_options(Arena *a, Call *c)
{
    Pipeline p = {.arena = a, .at = c->row->options};

    while (*p.at) {
        const char *name = word_until(&p, ":"), *kind = p.at + 1;

        ASSERT(c->options < MAX_PASS_OPTIONS);
        p.at += strcspn(p.at, "=") + 1;
        c->option[c->options++] =
            (PassOption){.name = name,
                         .kind = *kind == 't' ? 's' : *kind,
                         .text = word_until(&p, " ")};
        p.at += *p.at == ' ';
    }
}

static bool
option_fits(const PassOption *o)
{
    char *end;
    int64_t bytes;

    if (o->kind == 's')
        return true;
    if (o->kind == 'b')
        return parse_bytes(o->text, &bytes);
    if (o->kind == 'i')
        (void)strtoll(o->text, &end, 10);
    else
        (void)strtod(o->text, &end);
    return end != o->text && *end == 0;
}

static void
set_option(Arena *a, Call *c, const char *name, const char *text,
           bool asked)
{
    const char **names = NULL;
    Text what = text_new(a);

    text_add(&what, "option of pass '%s' is named", c->row->name);
    for (int i = 0; i < c->options; i++) {
        PassOption *o = &c->option[i];

        vec_push(a, names, o->name);
        if (strcmp(o->name, name) != 0)
            continue;
        o->text = text;
        o->asked = asked;
        c->given[i] = true;
        if (!option_fits(o))
            raise_status(ST_USAGE, NOWHERE,
                         "option '%s' of pass '%s' cannot be '%s'\nit is %s",
                         name, c->row->name, text,
                         o->kind == 'i'   ? "an integer"
                         : o->kind == 'b' ? "a size such as 64MiB"
                                          : "a number");
        return;
    }
    vec_push(a, names, NULL);
    unknown(text_str(&what), name, names);
}

static void
skip_space(Pipeline *p)
{
    p->at += strspn(p->at, " \t\r\n");
}

static _Noreturn void
bad_text(const Pipeline *p, const char *expected)
{
    raise_status(ST_USAGE, NOWHERE,
                 "pipeline: expected %s at column %zu of '%s'", expected,
                 (size_t)(p->at - p->text) + 1, p->text);
}

static const char *
read_option_text(Pipeline *p)
{
    const char *s;

    skip_space(p);
    if (*p->at != '"') {
        size_t n = strcspn(p->at, ",}");
        char *text = NEWN(p->arena, char, n + 1);

        memcpy(text, p->at, n);
        p->at += n;
        while (n > 0 && strchr(" \t\r\n", text[n - 1]))
            text[--n] = 0;
        return text;
    }
    p->at++;
    s = word_until(p, "\"");
    if (*p->at++ != '"')
        bad_text(p, "'\"'");
    return s;
}

static void
read_options(Pipeline *p, Call *c)
{
    do {
        const char *name;

        p->at++;
        skip_space(p);
        name = word_until(p, "=,} ");
        if (*p->at != '=')
            bad_text(p, "'='");
        p->at++;
        set_option(p->arena, c, name, read_option_text(p), false);
    } while (*p->at == ',');
    if (*p->at != '}')
        bad_text(p, "',' or '}'");
    p->at++;
}

void
pipeline_read(Pipeline *p, const char *text)
{
    p->text = p->at = text;
    for (;;) {
        const char *name, *preset;

        skip_space(p);
        name = word_until(p, "{, \t\r\n");
        preset = preset_text(name);
        if (preset) {
            Pipeline inner = *p;

            pipeline_read(&inner, preset);
            p->call = inner.call;
        } else if (*name) {
            Call c = {.row = pipeline_row(p, name)};

            default_options(p->arena, &c);
            skip_space(p);
            if (*p->at == '{')
                read_options(p, &c);
            vec_push(p->arena, p->call, c);
        } else if (*p->at || vec_len(p->call)) {
            bad_text(p, "a pass");
        }
        skip_space(p);
        if (!*p->at)
            return;
        if (*p->at != ',')
            bad_text(p, "','");
        p->at++;
    }
}

void
pipeline_set(Pipeline *p, const char *set, bool asked)
{
    size_t name = strcspn(set, "."), option = strcspn(set, "=");
    Arena *a = p->arena;
    bool found = false;
    Text pass = text_new(a), key = text_new(a);

    if (option == strlen(set) || name >= option)
        raise_status(ST_USAGE, NOWHERE,
                     "'%s' cannot be set\nthe form is PASS.OPTION=VALUE", set);
    text_add_n(&pass, set, name);
    text_add_n(&key, set + name + 1, option - name - 1);
    for (size_t i = 0; i < vec_len(p->call); i++) {
        if (strcmp(p->call[i].row->name, text_str(&pass)) != 0)
            continue;
        set_option(a, &p->call[i], text_str(&key), set + option + 1, asked);
        found = true;
    }
    if (!found)
        raise_status(ST_USAGE, NOWHERE, "'%s': the pipeline has no pass '%s'",
                     set, pipeline_row(p, text_str(&pass))->name);
}

void
pipeline_print(Text *t, const Call *call, size_t from)
{
    for (size_t k = from; k < vec_len(call); k++) {
        bool open = false;

        text_add(t, "%s%s", k > from ? "," : "", call[k].row->name);
        for (int i = 0; i < call[k].options; i++) {
            const PassOption *o = &call[k].option[i];
            const char *quote = strpbrk(o->text, ",}\"") ? "\"" : "";

            if (!call[k].given[i])
                continue;
            text_add(t, "%s%s=%s%s%s", open ? "," : "{", o->name, quote,
                     o->text, quote);
            open = true;
        }
        text_add(t, open ? "}" : "");
    }
}
