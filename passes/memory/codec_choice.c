/* codec_choice: the words of a codec line. */
#include "passes/memory/codec.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 64, GROUP_MOST = 1 << 20 };

static const CodecRow rows[] = {
#define CODEC(name, type, pack, p, q, levels, value, decoded, doc) \
    {#name, DT_##type, pack, p, q, levels, value, decoded, doc},
#include "passes/codec.def"
#undef CODEC
};

enum { ROWS = sizeof rows / sizeof *rows };

static const char *
names(Arena *a)
{
    Text t = text_new(a);

    for (int i = 0; i < ROWS; i++)
        text_add(&t, "%s%s", i ? ", " : "", rows[i].name);
    return text_str(&t);
}

static const CodecRow *
find_row(Arena *a, const char *s, size_t n)
{
    if (n == 4 && strncmp(s, "keep", 4) == 0)
        return NULL;
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, s, n) == 0)
            return &rows[i];
    raise_status(ST_USAGE, NOWHERE,
                 "codec '%.*s' is not known\nthere are %s, and keep", (int)n, s,
                 names(a));
}

static bool
is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncmp(s, word, n) == 0;
}

static bool
take_group(CodecChoice *c, const char *s, size_t n)
{
    char *end;

    if (n < 7 || strncmp(s, "group=", 6) != 0)
        return false;
    if (is(s + 6, n - 6, "row"))
        c->group = GROUP_ROW;
    else if (is(s + 6, n - 6, "tensor"))
        c->group = GROUP_TENSOR;
    else if (is(s + 6, n - 6, "column"))
        c->group = GROUP_COLUMN;
    else {
        c->group = GROUP_SIZE;
        c->size = strtol(s + 6, &end, 10);
        return end == s + n && c->size >= 1 && c->size <= GROUP_MOST;
    }
    return true;
}

/* rows and proj keep a share of rows or columns. */
static bool
takes_share(const CodecRow *row)
{
    return row && !*row->value && !row->levels;
}

static bool
take_share(CodecChoice *c, const char *s, size_t n)
{
    char *end;

    if (n < 7 || strncmp(s, "share=", 6) != 0 || !takes_share(c->row))
        return false;
    c->share = strtod(s + 6, &end);
    return end == s + n && c->share > 0 && c->share < 1;
}

/* Of i8: fewer bits, and ranges that partial sums can shift to. */
static bool
take_scale(CodecChoice *c, const char *s, size_t n)
{
    char *end;

    if (!c->row || c->row->type != DT_I8)
        return false;
    if (is(s, n, "scale=pow2")) {
        c->pow2 = true;
        return true;
    }
    if (n < 6 || strncmp(s, "bits=", 5) != 0)
        return false;
    c->bits = (int)strtol(s + 5, &end, 10);
    return end == s + n && n == 6 && c->bits >= 2 && c->bits <= 8;
}

static void
take_option(CodecChoice *c, const char *s, size_t n)
{
    if (is(s, n, "round=nearest"))
        c->stochastic = false;
    else if (is(s, n, "round=stochastic"))
        c->stochastic = true;
    else if (is(s, n, "double") && strcmp(c->selector, "frozen") == 0)
        c->twice = true;
    else if (!take_scale(c, s, n) && !take_share(c, s, n) &&
             !take_group(c, s, n))
        raise_status(ST_USAGE, NOWHERE,
                     "codec option '%.*s' is not known\nthere are group=N "
                     "(at most %d), group=row, group=column, "
                     "group=tensor, round=nearest and round=stochastic; "
                     "bits=N, from 2 to 8, and scale=pow2 of i8; share=X, "
                     "from 0 to 1, of rows and proj; double of frozen",
                     (int)n, s, GROUP_MOST);
    if (c->stochastic && c->row && c->row->levels < 2)
        raise_status(ST_USAGE, NOWHERE,
                     "codec %s cannot round by chance\ni8, u8 and u4 can",
                     c->row->name);
}

/* CODEC or CODEC(a,b) of n characters. */
static void
take_codec(Arena *a, CodecChoice *c, const char *s, size_t n)
{
    size_t name = 0, at;

    while (name < n && s[name] != '(')
        name++;
    c->row = find_row(a, s, name);
    if (takes_share(c->row))
        c->share = strcmp(c->row->name, "rows") == 0 ? 0.3 : 0.25;
    if (name == n)
        return;
    if (s[n - 1] != ')')
        raise_status(ST_USAGE, NOWHERE, "codec '%.*s': ')' expected", (int)n,
                     s);
    for (at = name + 1; at < n - 1;) {
        size_t end = at;

        while (end < n - 1 && s[end] != ',')
            end++;
        take_option(c, s + at, end - at);
        at = end + 1;
    }
}

/* Weights, states and gradients are decoded for any reader. */
static void
refuse_unfit(const CodecChoice *c)
{
    bool frozen = strcmp(c->selector, "frozen") == 0;
    bool state = strcmp(c->selector, "state") == 0;

    if (!c->row || (!frozen && !state && strcmp(c->selector, "grad") != 0))
        return;
    if (!*c->row->value || (frozen && c->stochastic))
        raise_status(ST_USAGE, NOWHERE, "codec %s is not for %s%s",
                     c->row->name,
                     frozen  ? "frozen weights"
                     : state ? "states"
                             : "gradients",
                     frozen ? ", nor is chance" : "");
}

static CodecChoice
take_choice(Arena *a, const char *s, size_t n)
{
    CodecChoice c = {.group = GROUP_ROW};
    const char *equals = memchr(s, '=', n);
    Text selector = text_new(a);

    if (!equals || equals == s || equals == s + n - 1)
        raise_status(ST_USAGE, NOWHERE,
                     "codec '%.*s': SELECTOR=CODEC expected, as in saved=bf16",
                     (int)n, s);
    text_add_n(&selector, s, (size_t)(equals - s));
    c.selector = text_str(&selector);
    take_codec(a, &c, equals + 1, n - (size_t)(equals + 1 - s));
    refuse_unfit(&c);
    return c;
}

/* Of two codecs for one selector the second would never count. */
static void
refuse_two(const char *text, const char *s, size_t n)
{
    size_t selector = strcspn(s, "=") + 1;

    while ((text += strspn(text, " ")) < s) {
        size_t m = strcspn(text, " ");

        if (strncmp(text, s, selector) == 0 &&
            (m != n || strncmp(text, s, n) != 0))
            raise_status(ST_USAGE, NOWHERE,
                         "codec: %.*s and %.*s are asked for at once\n"
                         "leave one of them out",
                         (int)m, text, (int)n, s);
        text += m;
    }
}

CodecChoice *
codec_choices(Arena *a, const char *text)
{
    CodecChoice *choice = NULL;
    const char *all = text;

    while (*(text += strspn(text, " "))) {
        size_t n = strcspn(text, " ");

        if (vec_len(choice) == MOST)
            raise_status(ST_USAGE, NOWHERE, "more than %d codecs", MOST);
        vec_push(a, choice, take_choice(a, text, n));
        refuse_two(all, text, n);
        text += n;
    }
    return choice;
}

/* Back to the last * whenever the rest does not fit. */
bool
codec_name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *from = NULL;

    while (*name)
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else
            return false;
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
