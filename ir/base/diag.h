/* diag: what is wrong is collected here and leaves by one guard.

   The user's fault: complain() notes a problem and goes on, raise_at() notes
   it and jumps to the innermost guard; so does raise_if_complained().
   Ours: ASSERT prints and ends with status 4.

       Guard g;
       if (guarded(&g)) { ...work...; guard_leave(&g); }
       else status = diag_print(&g, stderr);   // the guard is left already

   Between guard_enter and the jump no local of the guarding function that is
   read afterwards may change (make it volatile). No jump may cross a callback
   of a library. */
#ifndef SNUG_DIAG_H
#define SNUG_DIAG_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses of every command (design.md section 9). */
typedef enum Status {
    ST_OK = 0,
    ST_INPUT = 1,    /* the input is at fault */
    ST_USAGE = 2,    /* wrong usage */
    ST_NO_FIT = 3,   /* no plan fits */
    ST_INTERNAL = 4, /* our fault, or the machine's */
} Status;

/* A place in the user's input; any part may be missing. */
typedef struct Loc {
    const char *file; /* as the user named it */
    int line;         /* 0: none */
    const char *node; /* name of the node in the source model */
    const char *op;   /* operator of that node */
} Loc;

#define NOWHERE ((Loc){0})

enum { DIAG_MOST = 20 }; /* printed; the rest is counted */

typedef struct Guard {
    jmp_buf jump;
    struct Guard *outer;
    Status status;      /* of the first problem */
    int count;          /* problems so far */
    struct Note *first; /* the first DIAG_MOST of them */
    struct Note *last;
} Guard;

void guard_enter(Guard *g);
void guard_leave(Guard *g); /* frees its notes */
#define guarded(g) (guard_enter(g), setjmp((g)->jump) == 0)

/* Prints the problems ("file:line: error E0305: node 'x' (Op): message", a
   further line as `hint:`), frees them and says the exit status. For use after
   a jump, when the guard was left. */
Status diag_print(Guard *g, FILE *to);
/* stderr is coloured from here on. */
void diag_color(bool on);
/* The problems without their codes, "file:line: node 'x' (Op): message", as one
   string (malloc'ed; NULL without memory), for tests. */
char *diag_text(const Guard *g);
void diag_free(Guard *g);

/* complain(loc, format, ...), raise_at(loc, format, ...) and
   raise_status(status, loc, format, ...). Message text is escaped for the
   terminal. "\n" begins a `hint:` line: put the remedy there. The message has
   the code that error.def gives to the file; a format that begins with E(E0305)
   has that one. */
#define complain(...)     complain_in(__FILE__, __VA_ARGS__)
#define raise_at(...)     raise_in(__FILE__, ST_INPUT, __VA_ARGS__)
#define raise_status(...) raise_in(__FILE__, __VA_ARGS__)
#define E(code)           "\1" #code "\1"
void complain_in(const char *file, Loc loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void raise_in(const char *file, Status s, Loc loc, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));
/* After a jump: hands what the guard has on to the one around it and leaves
   again; `more` (or NULL) becomes a further line of the last problem. */
void raise_again(Guard *g, const char *more) __attribute__((noreturn));
void raise_if_complained(void);
int complaints(void); /* of the innermost guard */

/* A warning or a note goes to stderr at once, prefixed `snug: warning:` or
   `snug: note:`. */
void warn_at(Loc loc, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void note_at(Loc loc, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Our own fault: raised like a problem with status 4 and the place in our
   source, so that crash files can be written and tests go on. */
#define ASSERT(x)                                                              \
    ((x) ? (void)0 : internal_error(__FILE__, __LINE__, "not true: " #x))
#define UNREACHABLE() internal_error(__FILE__, __LINE__, "unreachable")
void internal_error(const char *file, int line, const char *what)
    __attribute__((noreturn));

/* log: topics named by --log=place,milp; log_on says if one is asked for. */
void log_topics(const char *list);
bool log_on(const char *topic);
void log_line(const char *topic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
