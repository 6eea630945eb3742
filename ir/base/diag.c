/* diag: a stack of guards, each with the problems found under it. */
#include "ir/base/diag.h"

#include "ir/base/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Note {
    struct Note *next;
    Status status;
    ErrorCode error;
    size_t place; /* so long is "file:line: " at the start of the text */
    char text[];
} Note;

/* How what is printed looks on a terminal. */
typedef enum Paint { P_PLACE, P_ERROR, P_WARNING, P_HINT, P_NOTE, P_END } Paint;

static const char *const paints[] = {
    [P_PLACE] = "\033[1m",      [P_ERROR] = "\033[1;31m",
    [P_WARNING] = "\033[1;35m", [P_HINT] = "\033[1;32m",
    [P_NOTE] = "\033[1;36m",    [P_END] = "\033[0m",
};

static _Thread_local Guard *innermost;
static bool coloured;
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

void
diag_color(bool on)
{
    coloured = on;
}

static const char *
paint(const FILE *to, Paint p)
{
    return coloured && to == stderr ? paints[p] : "";
}

static bool
begins(const char *s, const char *word)
{
    return strncmp(s, word, strlen(word)) == 0;
}

/* The lines behind the first: what can be done. Those of our own faults are
   printed as they are, and so is what is indented: words of other programs. */
static void
print_more(const Note *n, const char *s, FILE *to)
{
    for (size_t length; *s; s += length + (s[length] == '\n')) {
        bool given = begins(s, "hint:") || begins(s, "note:");
        bool bare = n->status == ST_INTERNAL || *s == ' ';
        Paint p = begins(s, "note:") ? P_NOTE : P_HINT;
        int word = given ? 5 : 0;

        length = strcspn(s, "\n");
        if (!bare)
            fprintf(to, "%s%.*s%s%s", paint(to, p), word, s,
                    given ? "" : "hint: ", paint(to, P_END));
        else
            word = 0;
        fprintf(to, "%.*s\n", (int)length - word, s + word);
    }
}

static void
print_note(const Note *n, FILE *to)
{
    const char *s = n->text + n->place;
    size_t first = strcspn(s, "\n");

    fprintf(to, "%s%.*s%s", paint(to, P_PLACE), (int)n->place, n->text,
            n->place ? "" : "snug: ");
    fprintf(to, "%s%serror %s:%s %.*s\n", paint(to, P_END), paint(to, P_ERROR),
            errors[n->error].code, paint(to, P_END), (int)first, s);
    print_more(n, s + first + (s[first] == '\n'), to);
}

Status
diag_print(Guard *g, FILE *to)
{
    Status status = g->status;

    for (const Note *n = g->first; n; n = n->next)
        print_note(n, to);
    if (!g->first)
        fprintf(to, "snug: error %s: out of memory\n",
                errors[ERROR_E0901].code);
    if (g->count > DIAG_MOST)
        fprintf(to, "and %d more\n", g->count - DIAG_MOST);
    diag_free(g);
    return status;
}

/* Copies n bytes of `from` to `to` (room for 4 bytes a byte) with control
   characters as \xNN; bytes of UTF-8 sequences pass, C1 controls do not.
   Returns where the copy ends. */
static char *
escape(char *to, const char *from, size_t n)
{
    const unsigned char *p = (const unsigned char *)from;

    for (const unsigned char *end = p + n; p < end; p++) {
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

        if ((*p < 32 && *p != '\n') || *p == 127 || c1)
            to += sprintf(to, "\\x%02x", *p);
        else
            *to++ = (char)*p;
    }
    *to = 0;
    return to;
}

static int
place(char *s, size_t n, Loc loc)
{
    char line[16] = "";

    if (loc.line > 0)
        snprintf(line, sizeof line, ":%d", loc.line);
    return snprintf(s, n, "%s%s%s", loc.file ? loc.file : "", line,
                    loc.file ? ": " : "");
}

static int
node_name(char *s, size_t n, Loc loc)
{
    if (loc.node && loc.op)
        return snprintf(s, n, "node '%.400s' (%.100s): ", loc.node, loc.op);
    if (loc.node || loc.op)
        return snprintf(s, n, "%s '%.400s': ", loc.node ? "node" : "op",
                        loc.node ? loc.node : loc.op);
    return 0;
}

static char *compose(Loc loc, ErrorCode *error, const char *format,
                     va_list args) __attribute__((format(printf, 3, 0)));

static char *
compose(Loc loc, ErrorCode *error, const char *format, va_list args)
{
    va_list again;
    int head = place(NULL, 0, loc), name = node_name(NULL, 0, loc), body;
    char *s;

    va_copy(again, args);
    body = vsnprintf(NULL, 0, format, again);
    va_end(again);
    s = malloc((size_t)head + (size_t)name + (size_t)body + 1);
    if (!s)
        return NULL;
    place(s, (size_t)head + 1, loc);
    node_name(s + head, (size_t)name + 1, loc);
    vsnprintf(s + head + name, (size_t)body + 1, format, args);
    *error = error_take_mark(s + head + name, *error);
    return s;
}

/* The code of what names none. */
static ErrorCode
usual_error(const char *file, Status status)
{
    switch (status) {
    case ST_NO_FIT: return ERROR_E0601;
    case ST_INTERNAL: return ERROR_E0900;
    default: return error_of_file(file);
    }
}

static void
append(Guard *g, Note *n)
{
    n->next = NULL;
    if (g->last)
        g->last->next = n;
    else
        g->first = n;
    g->last = n;
}

/* The note of a message, escaped; NULL without memory. */
static Note *
make_note(Status status, ErrorCode error, size_t head, const char *s)
{
    Note *n = s ? malloc(sizeof *n + 4 * strlen(s) + 1) : NULL;
    char *rest;

    if (!n)
        return NULL;
    n->status = status;
    n->error = error;
    rest = escape(n->text, s, head);
    n->place = (size_t)(rest - n->text);
    escape(rest, s + head, strlen(s + head));
    return n;
}

static void note(const char *file, Status status, Loc loc, const char *format,
                 va_list args) __attribute__((format(printf, 4, 0)));

static void
note(const char *file, Status status, Loc loc, const char *format, va_list args)
{
    Guard *g = innermost;
    bool heard = !g || g->count < DIAG_MOST;
    ErrorCode error = usual_error(file, status);
    char *s = heard ? compose(loc, &error, format, args) : NULL;
    Note *n = make_note(status, error, (size_t)place(NULL, 0, loc), s);

    free(s);
    if (!g) { /* nobody is there to hear it */
        Guard alone = {.status = status, .first = n};

        exit((int)diag_print(&alone, stderr));
    }
    if (g->count++ == 0 || status == ST_INTERNAL)
        g->status = status;
    if (n)
        append(g, n);
}

static _Noreturn void
leave(void)
{
    Guard *g = innermost;

    innermost = g->outer;
    longjmp(g->jump, 1);
}

void
complain_in(const char *file, Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(file, ST_INPUT, loc, format, args);
    va_end(args);
}

void
raise_in(const char *file, Status s, Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(file, s, loc, format, args);
    va_end(args);
    leave();
}

void
raise_again(Guard *g, const char *more)
{
    Guard *outer = innermost;
    Note *last = g->last;
    size_t n = last ? strlen(last->text) : 0;

    ASSERT(outer);
    if (outer->count == 0 || g->status == ST_INTERNAL)
        outer->status = g->status;
    outer->count += g->count;
    for (Note *p = g->first, *next; p; p = next) {
        next = p->next;
        if (p == last && more) {
            Note *longer = realloc(p, sizeof *p + n + 4 * strlen(more) + 2);

            if (longer) {
                p = longer;
                p->text[n] = '\n';
                escape(p->text + n + 1, more, strlen(more));
            }
        }
        append(outer, p);
    }
    g->first = g->last = NULL;
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

static void tell(Paint p, const char *label, Loc loc, const char *format,
                 va_list args) __attribute__((format(printf, 4, 0)));

static void
tell(Paint p, const char *label, Loc loc, const char *format, va_list args)
{
    ErrorCode error = ERROR_E0900;
    char *s = compose(loc, &error, format, args);
    Note *n = make_note(ST_OK, error, 0, s);

    if (n) {
        size_t first = strcspn(n->text, "\n");

        fprintf(stderr, "%ssnug: %s%s:%s %.*s\n", paint(stderr, P_PLACE),
                paint(stderr, p), label, paint(stderr, P_END), (int)first,
                n->text);
        print_more(n, n->text + first + (n->text[first] == '\n'), stderr);
    }
    free(n);
    free(s);
}

void
warn_at(Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(P_WARNING, "warning", loc, format, args);
    va_end(args);
}

void
note_at(Loc loc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(P_NOTE, "note", loc, format, args);
    va_end(args);
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
