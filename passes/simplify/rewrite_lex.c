/* rewrite_lex: text of rewrite rules into words, one of look-ahead. */
#include "passes/simplify/rewrite_lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
rewrite_stop(RewriteReader *r)
{
    r->failed = true;
    r->kind = RW_END;
    r->text = sym(r->syms, "");
}

void
rewrite_fault(RewriteReader *r, const char *format, ...)
{
    char text[600];
    va_list args;

    if (r->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain((Loc){.file = r->file, .line = r->at}, "%s", text);
    rewrite_stop(r);
}

void
rewrite_expected(RewriteReader *r, const char *what)
{
    rewrite_fault(r, "expected %s, found %s%s%s", what,
                  r->kind == RW_VALUE      ? "%"
                  : r->kind == RW_VARIABLE ? "$"
                                           : "",
                  r->kind == RW_END    ? "the end of the file"
                  : r->kind == RW_LINE ? "the end of the line"
                                       : r->text,
                  r->kind == RW_STRING ? " (a string)" : "");
}

static bool
name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static void
read_name(RewriteReader *r, RewriteWord kind)
{
    const char *start = r->p;

    while (name_part(*r->p))
        r->p++;
    r->kind = kind;
    r->text = sym_n(r->syms, start, (size_t)(r->p - start));
    if (r->p == start)
        rewrite_fault(r, "a name is missing behind '%c'", start[-1]);
}

/* Strings hold formulas and labels: there is nothing to escape. */
static void
read_string(RewriteReader *r)
{
    size_t n = strcspn(++r->p, "\"\n");

    r->kind = RW_STRING;
    r->text = sym_n(r->syms, r->p, n);
    r->p += n;
    if (*r->p != '"')
        rewrite_fault(r, "the string has no end on its line");
    else
        r->p++;
}

static void
read_number(RewriteReader *r)
{
    char *end;

    r->kind = RW_NUMBER;
    r->number = strtod(r->p, &end);
    r->text = sym_n(r->syms, r->p, (size_t)(end - r->p));
    r->p = end;
}

static void
read_sign(RewriteReader *r)
{
    static const char *const more[] = {"=>", "==", "!=", "<=", ">="};
    size_t n = 1;

    for (size_t i = 0; n == 1 && i < sizeof more / sizeof *more; i++)
        if (strncmp(r->p, more[i], strlen(more[i])) == 0)
            n = strlen(more[i]);
    r->kind = RW_SIGN;
    if (n == 1 && !strchr("()[],=:<>+-*/", *r->p)) {
        rewrite_fault(r, "'%c' is not part of the language", *r->p);
        return;
    }
    r->text = sym_n(r->syms, r->p, n);
    r->p += n;
}

static void
read_line_end(RewriteReader *r)
{
    r->kind = RW_LINE;
    if (*r->p++ == '\n')
        r->line++;
}

void
rewrite_advance(RewriteReader *r)
{
    if (r->failed)
        return;
    while (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '#')
        r->p += *r->p == '#' ? strcspn(r->p, "\n") : 1;
    r->at = r->line;
    r->text = sym(r->syms, "");
    if (*r->p == 0)
        r->kind = RW_END;
    else if (*r->p == '\n' || *r->p == ';')
        read_line_end(r);
    else if (*r->p == '"')
        read_string(r);
    else if (*r->p == '%')
        r->p++, read_name(r, RW_VALUE);
    else if (*r->p == '$')
        r->p++, read_name(r, RW_VARIABLE);
    else if (isdigit((unsigned char)*r->p) ||
             (*r->p == '.' && isdigit((unsigned char)r->p[1])))
        read_number(r);
    else if (isalpha((unsigned char)*r->p) || *r->p == '_')
        read_name(r, RW_NAME);
    else
        read_sign(r);
}

bool
rewrite_is(const RewriteReader *r, const char *text)
{
    return (r->kind == RW_SIGN || r->kind == RW_NAME) &&
           strcmp(r->text, text) == 0;
}

bool
rewrite_take(RewriteReader *r, const char *text)
{
    if (!rewrite_is(r, text))
        return false;
    rewrite_advance(r);
    return true;
}

void
rewrite_need(RewriteReader *r, const char *text)
{
    char quoted[40];

    snprintf(quoted, sizeof quoted, "'%s'", text);
    if (!rewrite_take(r, text))
        rewrite_expected(r, quoted);
}

void
rewrite_skip_lines(RewriteReader *r)
{
    while (r->kind == RW_LINE)
        rewrite_advance(r);
}

/* A rule begins where a line begins with the word `rule`. */
void
rewrite_recover(RewriteReader *r)
{
    do {
        size_t n = strcspn(r->p, "\n");

        r->p += n;
        if (*r->p == 0)
            break;
        r->p++;
        r->line++;
    } while (strncmp(r->p, "rule", 4) != 0 || name_part(r->p[4]));
    r->failed = false;
    r->depth = r->exprs = 0;
    rewrite_advance(r);
}
