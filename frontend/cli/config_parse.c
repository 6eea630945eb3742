/* config_parse: the part of TOML that options need: comments, [sections],
   key = value with texts, numbers, truth values and lists of them. */
#include "frontend/cli/config_parse.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MOST = 1 << 20, VALUE_MOST = 4096, VALUES_MOST = 4096 };

typedef struct Reader {
    Arena *arena;
    const char *path, *at;
    int line, values;
    bool bad; /* this line is given up */
    const char *section;
    Setting *setting;
} Reader;

#define WRONG(r, ...)                                             \
    do {                                                          \
        if (!(r)->bad)                                            \
            complain((Loc){.file = (r)->path, .line = (r)->line}, \
                     __VA_ARGS__);                                \
        (r)->bad = true;                                          \
    } while (0)

static void
skip_blanks(Reader *r)
{
    r->at += strspn(r->at, " \t\r");
}

static void
skip_line(Reader *r)
{
    r->at += strcspn(r->at, "\n");
}

/* Blanks, comments and ends of lines, as they may stand in a list. */
static void
skip_space(Reader *r)
{
    for (;;) {
        skip_blanks(r);
        if (*r->at == '#')
            skip_line(r);
        if (*r->at != '\n')
            return;
        r->at++;
        r->line++;
    }
}

static const char *
taken(Reader *r, const char *from, size_t n)
{
    Text t = text_new(r->arena);

    text_add_n(&t, from, n);
    return t.s;
}

/* What stands behind a backslash, as a byte; -1: nothing that is known. */
static int
escaped(char c)
{
    switch (c) {
    case '"':
    case '\\': return c;
    case 'n': return '\n';
    case 't': return '\t';
    default: return -1;
    }
}

static const char *
read_quoted(Reader *r)
{
    char quote = *r->at++;
    Text t = text_new(r->arena);

    text_add_n(&t, "", 0);
    for (; *r->at && *r->at != '\n' && *r->at != quote; r->at++) {
        char c = *r->at;

        if (c == '\\' && quote == '"') {
            int byte = escaped(*++r->at);

            if (byte < 0) {
                WRONG(r, "behind a backslash one of \" \\ n t is expected; a "
                         "'text' in single quotes has no escapes");
                return t.s;
            }
            c = (char)byte;
        }
        text_add_n(&t, &c, 1);
        if (t.len > VALUE_MOST) {
            WRONG(r, E(E0123) "a text has more than %d bytes", VALUE_MOST);
            return t.s;
        }
    }
    if (*r->at == quote)
        r->at++;
    else
        WRONG(r, "the text is not closed by %c", quote);
    return t.s;
}

static const char *
read_name(Reader *r)
{
    size_t n = 0;

    if (*r->at == '"' || *r->at == '\'')
        return read_quoted(r);
    while ((r->at[n] >= 'a' && r->at[n] <= 'z') ||
           (r->at[n] >= 'A' && r->at[n] <= 'Z') ||
           (r->at[n] >= '0' && r->at[n] <= '9') ||
           (r->at[n] && strchr("-_.", r->at[n])))
        n++;
    if (!n || n > VALUE_MOST) {
        WRONG(r, "a name is expected: letters, digits, - _ and .");
        return "";
    }
    r->at += n;
    return taken(r, r->at - n, n);
}

/* Digits may have '_' between them. */
static ConfigValue
read_number(Reader *r, const char *from, size_t n)
{
    Text t = text_new(r->arena);
    char *end;

    for (size_t i = 0; i < n; i++)
        if (from[i] != '_')
            text_add_n(&t, from + i, 1);
    text_add_n(&t, "", 0);
    strtod(t.s, &end);
    if (!t.len || *end)
        WRONG(r, "'%.*s' is no value\na text wants quotes: \"%.*s\"",
              n < 60 ? (int)n : 60, from, n < 60 ? (int)n : 60, from);
    return (ConfigValue){CK_NUMBER, t.s};
}

static ConfigValue
read_value(Reader *r)
{
    size_t n;

    if (++r->values > VALUES_MOST)
        WRONG(r, E(E0123) "there are more than %d values", VALUES_MOST);
    if (*r->at == '"' || *r->at == '\'')
        return (ConfigValue){CK_TEXT, read_quoted(r)};
    n = strcspn(r->at, " \t\r\n#,]");
    if (n > VALUE_MOST)
        WRONG(r, E(E0123) "a value has more than %d bytes", VALUE_MOST);
    r->at += n;
    if ((n == 4 && strncmp(r->at - n, "true", n) == 0) ||
        (n == 5 && strncmp(r->at - n, "false", n) == 0))
        return (ConfigValue){CK_FLAG, taken(r, r->at - n, n)};
    return read_number(r, r->at - n, n);
}

/* What is left of a list that is given up, if it is closed. */
static void
skip_list(Reader *r)
{
    size_t n = strcspn(r->at, "]=");

    if (r->at[n] != ']')
        return;
    for (; n; n--)
        r->line += *r->at++ == '\n';
}

static void
read_list(Reader *r, Setting *s)
{
    r->at++;
    for (skip_space(r); *r->at && *r->at != ']' && !r->bad; skip_space(r)) {
        vec_push(r->arena, s->value, read_value(r));
        skip_space(r);
        if (*r->at == ',')
            r->at++;
        else if (*r->at != ']')
            WRONG(r, "a comma or ] is expected in the list");
    }
    if (r->bad)
        skip_list(r);
    if (*r->at == ']')
        r->at++;
    else
        WRONG(r, "the list is not closed by ]");
}

static void
read_setting(Reader *r)
{
    Setting s = {.section = r->section, .line = r->line};

    s.key = read_name(r);
    skip_blanks(r);
    if (*r->at != '=') {
        WRONG(r, "key = value is expected");
        return;
    }
    r->at++;
    skip_blanks(r);
    s.list = *r->at == '[';
    if (s.list)
        read_list(r, &s);
    else
        vec_push(r->arena, s.value, read_value(r));
    if (!r->bad)
        vec_push(r->arena, r->setting, s);
}

static void
read_section(Reader *r)
{
    r->at++;
    skip_blanks(r);
    r->section = read_name(r);
    skip_blanks(r);
    if (*r->at == ']')
        r->at++;
    else
        WRONG(r, "[section] is expected");
    if (!r->bad)
        vec_push(r->arena, r->setting,
                 (Setting){.section = r->section, .line = r->line});
}

Setting *
config_parse(Arena *a, const char *text, const char *path)
{
    Reader r = {a, path, text, 1, 0, false, "", NULL};

    if (strnlen(text, TEXT_MOST + 1) > TEXT_MOST)
        raise_at((Loc){.file = path}, E(E0123) "has more than %d bytes",
                 TEXT_MOST);
    for (skip_space(&r); *r.at; skip_space(&r)) {
        r.bad = false;
        if (*r.at == '[')
            read_section(&r);
        else
            read_setting(&r);
        skip_blanks(&r);
        if (*r.at && *r.at != '\n' && *r.at != '#')
            WRONG(&r, "nothing more is expected on this line");
        skip_line(&r);
    }
    return r.setting;
}
