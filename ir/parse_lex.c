/* parse_lex: the words of a line: names, strings, numbers, types, places. */
#include "ir/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
parse_problem(const Parser *p, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain((Loc){.file = p->file, .line = p->line}, "%s", text);
}

bool
parse_expected(Parser *p, const char *what)
{
    int n;

    parse_space(p);
    n = (int)strcspn(p->p, "\n");
    if (n == 0 || *p->p == '#')
        parse_problem(p, "%s expected at the end of the line", what);
    else
        parse_problem(p, "%s expected, not `%.*s%s`", what, n > 40 ? 40 : n,
                      p->p, n > 40 ? "..." : "");
    return false;
}

void
parse_space(Parser *p)
{
    while (*p->p == ' ' || *p->p == '\t' || *p->p == '\r')
        p->p++;
    if (*p->p == '#')
        p->p += strcspn(p->p, "\n");
}

bool
parse_at_end(Parser *p)
{
    parse_space(p);
    return *p->p == '\n' || *p->p == 0;
}

bool
parse_next_line(Parser *p)
{
    p->p += strcspn(p->p, "\n");
    if (*p->p == 0)
        return false;
    p->start = ++p->p;
    p->m->line = ++p->line;
    return true;
}

bool
parse_char(Parser *p, char c)
{
    parse_space(p);
    if (*p->p != c)
        return false;
    p->p++;
    return true;
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool
parse_keyword(Parser *p, const char *word)
{
    size_t n = strlen(word);

    parse_space(p);
    if (strncmp(p->p, word, n) != 0 || is_word(p->p[n]))
        return false;
    p->p += n;
    return true;
}

bool
read_char(Parser *p, char c)
{
    char what[4] = {'`', c, '`', 0};

    return parse_char(p, c) || parse_expected(p, what);
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One escape behind its backslash; 0: it is none. */
static char
read_escape(Parser *p)
{
    char c = *p->p;

    if (c == 'x') {
        int high = hex_digit(p->p[1]);
        int low = high < 0 ? -1 : hex_digit(p->p[2]);

        if (low < 0)
            return 0;
        p->p += 3;
        return (char)(high * 16 + low);
    }
    if (c == '"' || c == '\\' || c == 'n')
        p->p++;
    return c == 'n' ? '\n' : c == '"' || c == '\\' ? c : 0;
}

bool
read_string(Parser *p, const char *what, Sym *out)
{
    Text t = text_new(p->arena);

    if (!parse_char(p, '"'))
        return parse_expected(p, what);
    while (*p->p != '"') {
        size_t n = strcspn(p->p, "\"\\\n");
        char c;

        text_add_n(&t, p->p, n);
        p->p += n;
        if (*p->p == '\n' || *p->p == 0)
            return parse_expected(p, "a closing quote");
        if (*p->p == '"')
            break;
        p->p++;
        c = read_escape(p);
        if (!c)
            return parse_expected(p, "one of \\\" \\\\ \\n \\xNN");
        text_add_n(&t, &c, 1);
    }
    p->p++;
    if (t.len > PARSE_NAME) {
        parse_problem(p, "%s is longer than 1 MiB", what);
        return false;
    }
    *out = sym_n(p->m->syms, text_str(&t), t.len);
    return true;
}

bool
read_word(Parser *p, const char *what, Sym *out)
{
    size_t n = 0;

    parse_space(p);
    if (*p->p == '"')
        return read_string(p, what, out);
    while (is_word(p->p[n]))
        n++;
    if (n == 0)
        return parse_expected(p, what);
    if (n > PARSE_NAME) {
        parse_problem(p, "%s is longer than 1 MiB", what);
        return false;
    }
    *out = sym_n(p->m->syms, p->p, n);
    p->p += n;
    return true;
}

bool
read_name(Parser *p, Sym *out)
{
    const char *word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_.'";
    size_t n;

    if (!parse_char(p, '%'))
        return parse_expected(p, "a %name");
    if (*p->p == '"') {
        if (!read_string(p, "a name", out))
            return false;
        return **out || parse_expected(p, "a name that is not empty before");
    }
    n = strspn(p->p, word);
    if (n == 0)
        return parse_expected(p, "a name behind %");
    if (n > PARSE_NAME) {
        parse_problem(p, "a name is longer than 1 MiB");
        return false;
    }
    *out = sym_n(p->m->syms, p->p, n);
    p->p += n;
    return true;
}

static bool
starts_number(const char *s)
{
    s += *s == '-' || *s == '+';
    return *s >= '0' && *s <= '9';
}

bool
read_int(Parser *p, int64_t *out)
{
    char *end;

    parse_space(p);
    if (!starts_number(p->p))
        return parse_expected(p, "an integer");
    errno = 0;
    *out = strtoll(p->p, &end, 10);
    if (errno || is_word(*end))
        return parse_expected(p, "an integer of 64 bits");
    p->p = end;
    return true;
}

bool
read_unsigned(Parser *p, uint64_t *out)
{
    char *end;

    parse_space(p);
    if (*p->p < '0' || *p->p > '9')
        return parse_expected(p, "a number from 0 on");
    errno = 0;
    *out = strtoull(p->p, &end, 10);
    if (errno || is_word(*end))
        return parse_expected(p, "a number of 64 bits");
    p->p = end;
    return true;
}

bool
read_number(Parser *p, DType d, double *out)
{
    char *end;

    parse_space(p);
    if (*p->p == '\n' || *p->p == 0)
        return parse_expected(p, "a number");
    *out = d == DT_F32 ? (double)strtof(p->p, &end) : strtod(p->p, &end);
    if (end == p->p || is_word(*end))
        return parse_expected(p, "a number");
    p->p = end;
    return true;
}

bool
read_list(Parser *p, int64_t **out)
{
    *out = NULL;
    if (!read_char(p, '['))
        return false;
    if (parse_char(p, ']'))
        return true;
    do {
        int64_t x;

        if (!read_int(p, &x))
            return false;
        vec_push(p->m->arena, *out, x);
    } while (parse_char(p, ','));
    return read_char(p, ']');
}

bool
read_type(Parser *p, Type *out)
{
    const char *from;
    int64_t *dim;
    size_t n = 0;
    DType d;

    parse_space(p);
    from = p->p;
    while (is_word(p->p[n]))
        n++;
    d = dtype_named(p->p, n);
    if (d == DT_NONE)
        return parse_expected(p, "an element type (f32, i64, ...)");
    p->p += n;
    if (!read_list(p, &dim))
        return false;
    if (vec_len(dim) <= MAXRANK && type_make(d, (int)vec_len(dim), dim, out))
        return true;
    p->p = from;
    return parse_expected(p, "a type of at most 8 dimensions, each at least "
                             "0, whose size fits 61 bits");
}

bool
read_place(Parser *p, Place *out)
{
    Sym name;

    if (!parse_char(p, '@'))
        return true;
    return read_word(p, "a space", &name) && read_char(p, '+') &&
           read_int(p, &out->offset) && ((out->space = name), true);
}
