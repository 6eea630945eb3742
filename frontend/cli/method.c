/* method: lines of mechanisms into settings of passes. */
#include "frontend/cli/method.h"
#include "frontend/cli/method_tier.h"

#include <stdio.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

typedef struct MethodRow {
    const char *name, *line, *doc;
} MethodRow;

static const MethodRow rows[] = {
#define METHOD(name, line, doc) {name, line, doc},
#include "frontend/cli/method.def"
#undef METHOD
};

enum { ROWS = sizeof rows / sizeof *rows };

static const char *const names[] = {
#define METHOD(name, line, doc) name,
#include "frontend/cli/method.def"
#undef METHOD
    NULL};

const char *const *
method_names(void)
{
    return names;
}

static void
add_setting(Arena *a, const char ***set, const char *name, const char *s,
            size_t n)
{
    Text t = text_new(a);

    text_add(&t, "%s=%.*s", name, (int)n, s);
    vec_push(a, *set, text_str(&t));
}

/* NAME HYPER=V HYPER=V */
static void
take_rule(Arena *a, const char *s, size_t n, const char ***set)
{
    size_t name = 0, at;
    Text hyper = text_new(a);

    while (name < n && s[name] != ' ')
        name++;
    add_setting(a, set, "optimizer.rule", s, name);
    for (at = name; at < n; at++)
        text_add_n(&hyper, s[at] == ' ' ? ";" : s + at, 1);
    if (hyper.len > 1)
        add_setting(a, set, "optimizer.set", hyper.s + 1, hyper.len - 1);
}

static void
refuse_statement(Arena *a, const char *s, size_t n)
{
    Text word = text_new(a);

    text_add_n(&word, s, n);
    raise_status(ST_USAGE, NOWHERE,
                 E(E0105) "--method: no method or mechanism '%s' is "
                          "available%s\nthere are `codec SELECTOR=CODEC ...`, "
                          "`chunk parts=N`, `rule NAME HYPER=V ...` and the "
                          "names of `snug help methods`",
                 word.s, did_you_mean(a, ", ", word.s, names));
}

static void
take_tier(Arena *a, const char *s, size_t n, const char ***set)
{
    Text line = text_new(a);

    text_add_n(&line, s, n);
    method_tier(a, line.s, set);
}

static void
take_statement(Arena *a, const char *s, size_t n, const char ***set)
{
    size_t word = 0;

    while (word < n && s[word] != ' ')
        word++;
    if (word == 5 && strncmp(s, "codec", 5) == 0 && n > 6)
        add_setting(a, set, "codec.as", s + 6, n - 6);
    else if (n > 12 && strncmp(s, "chunk parts=", 12) == 0)
        add_setting(a, set, "chunk.parts", s + 12, n - 12);
    else if (word == 4 && strncmp(s, "rule", 4) == 0 && n > 5)
        take_rule(a, s + 5, n - 5, set);
    else if (word == 4 && strncmp(s, "tier", 4) == 0 && n > 5)
        take_tier(a, s + 5, n - 5, set);
    else
        refuse_statement(a, s, word);
}

static const char *
line_of(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].line;
    return name;
}

void
method_settings(Arena *a, const char *line, const char ***set)
{
    for (line = line_of(line); *line;) {
        size_t n = strcspn(line, ";"), end = n;

        while (end && line[end - 1] == ' ')
            end--;
        if (end)
            take_statement(a, line, end, set);
        line += n + (line[n] == ';');
        line += strspn(line, " ");
    }
}

void
method_list(void)
{
    for (int i = 0; i < ROWS; i++)
        printf("  %-10s %s\n             = %s\n", rows[i].name, rows[i].doc,
               rows[i].line);
}
