/* diag: a stack of guards, each with the problems found under it. */
#include "ir/base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Note {
    struct Note *next;
    char text[];
} Note;

static _Thread_local Guard *innermost;
static const char *topics = "";

void
guard_enter(Guard *g)
{
    memset(g, 0, sizeof *g);
    g->outer = innermost;
    innermost = g;
}

void
diag_free(Guard *g)
{
    while (g->first) {
        Note *next = g->first->next;

        free(g->first);
        g->first = next;
    }
    g->last = NULL;
}

void
guard_leave(Guard *g)
{
    innermost = g->outer;
    diag_free(g);
}

char *
diag_text(const Guard *g)
{
    size_t n = 80;
    char *s;

    for (const Note *p = g->first; p; p = p->next)
        n += strlen(p->text) + 1;
    s = malloc(n);
    if (!s)
        return NULL;
    s[0] = 0;
    for (const Note *p = g->first; p; p = p->next)
        strcat(strcat(s, p->text), "\n");
    if (g->count > DIAG_MOST)
        sprintf(s + strlen(s), "and %d more\n", g->count - DIAG_MOST);
    return s;
}

Status
diag_print(Guard *g, FILE *to)
{
    char *s = diag_text(g);
    Status status = g->status;

    fputs(s ? s : "out of memory\n", to);
    free(s);
    diag_free(g);
    return status;
}

/* Copies `from` to `to` (room for 4 bytes a byte) with control characters as
   \xNN; bytes of UTF-8 sequences pass, C1 controls do not. */
static void
escape(char *to, const char *from)
{
    const unsigned char *p = (const unsigned char *)from;

    for (; *p; p++) {
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

        if ((*p < 32 && *p != '\n') || *p == 127 || c1)
            to += sprintf(to, "\\x%02x", *p);
        else
            *to++ = (char)*p;
    }
    *to = 0;
}

static int
place(char *s, size_t n, Loc loc)
{
    char line[16] = "", node[600] = "";
    const char *colon = loc.file ? ": " : "";

    if (loc.line > 0)
        snprintf(line, sizeof line, ":%d", loc.line);
    if (loc.node && loc.op)
        snprintf(node, sizeof node, "node '%.400s' (%.100s): ", loc.node,
                 loc.op);
    else if (loc.node || loc.op)
        snprintf(node, sizeof node, "%s '%.400s': ", loc.node ? "node" : "op",
                 loc.node ? loc.node : loc.op);
    return snprintf(s, n, "%s%s%s%s", loc.file ? loc.file : "", line, colon,
                    node);
}

static char *compose(Loc loc, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *
compose(Loc loc, const char *format, va_list args)
{
    va_list again;
    int head = place(NULL, 0, loc), body;
    char *s;

    va_copy(again, args);
    body = vsnprintf(NULL, 0, format, again);
    va_end(again);
    s = malloc((size_t)head + (size_t)body + 1);
    if (!s)
        return NULL;
    place(s, (size_t)head + 1, loc);
    vsnprintf(s + head, (size_t)body + 1, format, args);
    return s;
}

static void note(Status status, Loc loc, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
note(Status status, Loc loc, const char *format, va_list args)
{
    Guard *g = innermost;
    bool heard = !g || g->count < DIAG_MOST;
    char *s = heard ? compose(loc, format, args) : NULL;
    Note *n;

    if (!g) { /* nobody is there to hear it */
        fprintf(stderr, "snug: %s\n", s ? s : "out of memory");
        exit((int)status);
    }
    if (g->count++ == 0 || status == ST_INTERNAL)
        g->status = status;
    n = s ? malloc(sizeof *n + 4 * strlen(s) + 1) : NULL;
    if (n) {
        n->next = NULL;
        escape(n->text, s);
        if (g->last)
            g->last->next = n;
        else
            g->first = n;
        g->last = n;
    }
    free(s);
}

static _Noreturn void
leave(void)
{
    Guard *g = innermost;

    innermost = g->outer;
    longjmp(g->jump, 1);
}

void
complain(Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(ST_INPUT, loc, format, args);
    va_end(args);
}

void
raise_at(Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(ST_INPUT, loc, format, args);
    va_end(args);
    leave();
}

void
raise_status(Status s, Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(s, loc, format, args);
    va_end(args);
    leave();
}

int
complaints(void)
{
    return innermost ? innermost->count : 0;
}

void
raise_if_complained(void)
{
    if (complaints())
        leave();
}

void
warn_at(Loc loc, const char *format, ...)
{
    va_list args;
    char *s, *t;

    va_start(args, format);
    s = compose(loc, format, args);
    va_end(args);
    t = s ? malloc(4 * strlen(s) + 1) : NULL;
    if (t) {
        escape(t, s);
        fprintf(stderr, "snug: warning: %s\n", t);
    }
    free(t);
    free(s);
}

void
internal_error(const char *file, int line, const char *what)
{
    Loc loc = {.file = file, .line = line};

    raise_status(ST_INTERNAL, loc,
                 "internal error: %s\nthis is a bug in snug", what);
}

void
log_topics(const char *list)
{
    topics = list;
}

bool
log_on(const char *topic)
{
    size_t n = strlen(topic);

    for (const char *p = topics; (p = strstr(p, topic)); p += n) {
        bool starts = p == topics || p[-1] == ',';

        if (starts && (p[n] == 0 || p[n] == ','))
            return true;
    }
    return strcmp(topics, "all") == 0;
}

void
log_line(const char *topic, const char *format, ...)
{
    va_list args;

    if (!log_on(topic))
        return;
    fprintf(stderr, "[%s] ", topic);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
