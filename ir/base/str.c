/* str: one hash table of names a compile; printf into growing text. */
#include "ir/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/map.h"

typedef struct Name {
    struct Name *next; /* same hash */
    size_t len;
    char text[];
} Name;

struct Syms {
    Arena *arena;
    Map *by_hash;
};

Syms *
syms_new(Arena *a)
{
    Syms *s = NEW(a, Syms);

    s->arena = a;
    s->by_hash = map_new(a);
    return s;
}

uint64_t
hash_bytes(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

Sym
sym_n(Syms *s, const char *text, size_t len)
{
    uint64_t h = hash_bytes(text, len), found = 0;
    Name *first = NULL, *n;

    if (map_get(s->by_hash, h, &found))
        first = (Name *)(uintptr_t)found;
    for (n = first; n; n = n->next)
        if (n->len == len && memcmp(n->text, text, len) == 0)
            return n->text;
    n = arena_alloc(s->arena, 1, sizeof *n + len + 1);
    n->next = first;
    n->len = len;
    memcpy(n->text, text, len);
    map_put(s->by_hash, h, (uint64_t)(uintptr_t)n);
    return n->text;
}

Sym
sym(Syms *s, const char *text)
{
    return sym_n(s, text, strlen(text));
}

Sym
sym_format(Syms *s, const char *format, ...)
{
    char small[256], *text = small;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    ASSERT(n >= 0);
    if ((size_t)n >= sizeof small) {
        text = arena_alloc(s->arena, 1, (size_t)n + 1);
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return sym_n(s, text, (size_t)n);
}

Text
text_new(Arena *a)
{
    return (Text){.arena = a};
}

const char *
text_str(const Text *t)
{
    return t->s ? t->s : "";
}

static void
reserve(Text *t, size_t more)
{
    char *s;

    if (t->cap - t->len > more)
        return;
    t->cap = 2 * t->cap > t->len + more + 1 ? 2 * t->cap : t->len + more + 64;
    s = arena_alloc(t->arena, 1, t->cap);
    if (t->s)
        memcpy(s, t->s, t->len);
    t->s = s;
}

void
text_add_n(Text *t, const char *s, size_t len)
{
    reserve(t, len + 1);
    if (len)
        memcpy(t->s + t->len, s, len);
    t->len += len;
    t->s[t->len] = 0;
}

void
text_add(Text *t, const char *format, ...)
{
    va_list args;
    int n;

    reserve(t, 64); /* mostly enough to write it once */
    va_start(args, format);
    n = vsnprintf(t->s + t->len, t->cap - t->len, format, args);
    va_end(args);
    ASSERT(n >= 0);
    if ((size_t)n >= t->cap - t->len) {
        reserve(t, (size_t)n + 1);
        va_start(args, format);
        vsnprintf(t->s + t->len, (size_t)n + 1, format, args);
        va_end(args);
    }
    t->len += (size_t)n;
}

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none. */
static size_t
utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000) ||
        code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
        (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
        (code >= 0x202a && code <= 0x202e))
        return 0;
    return n;
}

/* As many characters as need no thought; -> how many. */
static size_t
add_plain(Text *t, const unsigned char *p)
{
    size_t n = 0;

    while (p[n] >= 32 && p[n] < 127 && p[n] != '"' && p[n] != '\\')
        n++;
    text_add_n(t, (const char *)p, n);
    return n;
}

void
text_add_quoted(Text *t, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;

    text_add_n(t, "\"", 1);
    while (*p) {
        size_t n = utf8_length(p);

        if (*p == '"' || *p == '\\')
            text_add(t, "\\%c", *p), n = 1;
        else if (*p == '\n')
            text_add(t, "\\n");
        else if (n == 0 || *p < 32 || *p == 127)
            text_add(t, "\\x%02x", *p), n = 1;
        else
            text_add_n(t, (const char *)p, n);
        p += n;
        p += add_plain(t, p);
    }
    text_add_n(t, "\"", 1);
}

void
text_add_json(Text *t, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;

    text_add_n(t, "\"", 1);
    while (*p) {
        size_t n = utf8_length(p);

        if (*p == '"' || *p == '\\')
            text_add(t, "\\%c", *p), n = 1;
        else if (n == 0 || *p < 32 || *p == 127 || *p == '<')
            text_add(t, "\\u%04x", *p), n = 1;
        else
            text_add_n(t, (const char *)p, n);
        p += n;
    }
    text_add_n(t, "\"", 1);
}

void
text_add_double(Text *t, double x)
{
    char s[40];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x)
            break;
    }
    text_add(t, "%s", s);
}

void
text_add_float(Text *t, float x)
{
    char s[40];

    for (int digits = 1; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)x);
        if (strtof(s, NULL) == x)
            break;
    }
    text_add(t, "%s", s);
}

static int
distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int row[MOST + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > MOST || m > MOST)
        return MOST;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];

        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *
nearest_name(const char *word, const char *const *names)
{
    const char *best = NULL;
    int least = strlen(word) < 3 ? 1 : 2;

    for (; *names; names++) {
        int d = distance(word, *names);

        if (d <= least && (!best || d < least)) {
            best = *names;
            least = d;
        }
    }
    return best;
}

const char *
did_you_mean(Arena *a, const char *lead, const char *word,
             const char *const *names)
{
    const char *near = nearest_name(word, names);
    Text t = text_new(a);

    if (near)
        text_add(&t, "%sdid you mean '%s'?", lead, near);
    return text_str(&t);
}

const char *
format_bytes(Arena *a, int64_t bytes)
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    Text t = text_new(a);
    double x = (double)bytes / 1024;
    int u = 0;

    if (bytes < 1024) {
        text_add(&t, "%lld B", (long long)bytes);
        return text_str(&t);
    }
    while (x >= 1024 && u < 3) {
        x /= 1024;
        u++;
    }
    text_add(&t, "%.2f %s", x, unit[u]);
    return text_str(&t);
}
