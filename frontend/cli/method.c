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
                          "`chunk [region=head|classes|blocks|layers|batch] "
                          "[axis=classes] parts=N`, `chunk region=sequence "
                          "parts=N [subset=P]`, `chunk region=patches "
                          "parts=N [end=VALUE]`, `chunk region=tokens "
                          "keep=P`, `recompute policy=WORD`, "
                          "`cut PATTERN [keep_last=K|subset=K]`, "
                          "`tier class=C to=host|disk`, "
                          "`rule NAME HYPER=V ...` and the names of `snug "
                          "help methods`",
                 word.s, did_you_mean(a, ", ", word.s, names));
}

/* PATTERN [keep_last=K|subset=K] */
static void
take_cut(Arena *a, const char *s, size_t n, const char ***set)
{
    static const char *const option[][2] = {{" keep_last=", "cut.keep"},
                                            {" subset=", "cut.subset"}};
    size_t word = 0;

    while (word < n && s[word] != ' ')
        word++;
    add_setting(a, set, "cut.at", s, word);
    for (int i = 0; n > word && i < 2; i++) {
        size_t from = word + strlen(option[i][0]);

        if (n <= from || strncmp(s + word, option[i][0], from - word) != 0)
            continue;
        add_setting(a, set, option[i][1], s + from, n - from);
        return;
    }
    if (n > word)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0105) "--method: cut %.*s: the form is `cut PATTERN "
                              "[keep_last=K|subset=K]`",
                     (int)n, s);
}

/* FIRST N [LAST VALUE]; false: it is not. */
static bool
take_two(Arena *a, const char *s, size_t n, const char *const form[4],
         const char ***set)
{
    size_t first = strlen(form[0]), last = strlen(form[2]), digits = 0, left;

    if (n <= first || strncmp(s, form[0], first) != 0)
        return false;
    s += first;
    left = n - first;
    while (digits < left && s[digits] != ' ')
        digits++;
    if (digits < left && (left - digits <= last ||
                          strncmp(s + digits, form[2], last) != 0))
        return false;
    add_setting(a, set, form[1], s, digits);
    if (digits < left)
        add_setting(a, set, form[3], s + digits + last, left - digits - last);
    return true;
}

/* [region=WORD [axis=classes]] parts=N [...]; false: it is none of these. */
static bool
take_chunk(Arena *a, const char *s, size_t n, const char ***set)
{
    static const char *const region[][2] = {
        {"region=head parts=", "chunk.parts"},
        {"region=head axis=classes parts=", "chunk.cut"},
        {"region=classes parts=", "chunk.classes"},
        {"region=blocks parts=", "chunk.blocks"},
        {"region=batch parts=", "chunk.batch"},
        {"region=layers parts=", "chunk.layers"},
        {"region=tokens keep=", "tokens.keep"},
        {"parts=", "chunk.parts"}};
    static const char *const two[][4] = {
        {"region=patches parts=", "patch.parts", " end=", "patch.end"},
        {"region=sequence parts=", "chunk.sequence", " subset=",
         "chunk.subset"}};

    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (take_two(a, s, n, two[i], set))
            return true;
    for (size_t i = 0; i < sizeof region / sizeof *region; i++) {
        size_t word = strlen(region[i][0]);

        if (n <= word || strncmp(s, region[i][0], word) != 0)
            continue;
        add_setting(a, set, region[i][1], s + word, n - word);
        return true;
    }
    return false;
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
    else if (word == 5 && strncmp(s, "chunk", 5) == 0 && n > 6 &&
             take_chunk(a, s + 6, n - 6, set))
        return;
    else if (n > 17 && strncmp(s, "recompute policy=", 17) == 0)
        add_setting(a, set, "recompute.policy", s + 17, n - 17);
    else if (word == 4 && strncmp(s, "rule", 4) == 0 && n > 5)
        take_rule(a, s + 5, n - 5, set);
    else if (word == 3 && strncmp(s, "cut", 3) == 0 && n > 4)
        take_cut(a, s + 4, n - 4, set);
    else if (word == 4 && strncmp(s, "tier", 4) == 0 && n > 5)
        take_tier(a, s + 5, n - 5, set);
    else
        refuse_statement(a, s, word);
}

/* NULL: it is no name. */
static const char *
line_of(const char *name, size_t n)
{
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
            return rows[i].line;
    return NULL;
}

/* A name among the statements stands for its line, which holds no names. */
void
method_settings(Arena *a, const char *line, const char ***set)
{
    while (*line) {
        size_t n = strcspn(line, ";"), end = n;
        const char *named;

        while (end && line[end - 1] == ' ')
            end--;
        named = line_of(line, end);
        if (named)
            method_settings(a, named, set);
        else if (end)
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
