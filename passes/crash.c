/* crash: the file that an internal error in a pass leaves: the pipeline from
   that pass on as its first line, what it ran under, the module as it was: the
   form of the goldens, so that a report is a test. For a signal all of it is
   made before the pass runs: a handler may only write. */
#include "passes/pipeline_parts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

enum { DEADLY = sizeof deadly / sizeof *deadly, STACK = 1 << 16 };

static const Crash *volatile expected;

static bool
write_all(int fd, const char *s, size_t n)
{
    while (n) {
        ssize_t wrote = write(fd, s, n);

        if (wrote <= 0)
            return false;
        s += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

bool
crash_write(const Crash *c)
{
    int fd = open(c->path,
                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool whole;

    if (fd < 0)
        return false;
    whole = write_all(fd, c->head.s, c->head.len) &&
            write_all(fd, c->before, strlen(c->before));
    close(fd);
    return whole;
}

static void
say(const char *s)
{
    write_all(2, s, strlen(s));
}

/* Only what a handler may call. Outside of a pass: as if it were not there. */
static void
on_signal(int signal)
{
    const Crash *c = expected;

    if (!c) {
        raise(signal);
        return;
    }
    expected = NULL;
    say("internal error: pass '");
    say(c->pass);
    say("' ended by a signal\n");
    if (crash_write(c)) {
        say(c->told);
        say("\n");
    }
    _exit(ST_INTERNAL);
}

/* The sanitizers tell more of a signal than we can. */
#ifdef __SANITIZE_ADDRESS__
enum { WATCHED = 0 };
#else
enum { WATCHED = DEADLY };
#endif

static void
watch(void)
{
    static char stack[STACK]; /* the other one may be what has run out */
    static bool watching;
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};

    if (watching)
        return;
    watching = true;
    sigaltstack(&other, NULL);
    for (int i = 0; i < WATCHED; i++)
        sigaction(deadly[i], &action, NULL);
}

void
crash_expect(Crash *c, const Pipeline *p, size_t k, const char *module,
             const PipelineOptions *o)
{
    const char *folder = o->crash_folder ? o->crash_folder : getenv("TMPDIR");
    size_t from = p->before ? 0 : k;
    Text path = text_new(p->arena), told = text_new(p->arena);

    *c = (Crash){.pass = p->call[k].row->name,
                 .head = text_new(p->arena),
                 .before = module};
    text_add(&path, "%s/crash.snug", folder && *folder ? folder : "/tmp");
    text_add(&c->head, "# run: ");
    pipeline_print(&c->head, p->call, from);
    text_add(&c->head, "\n");
    if (o->budget)
        text_add(&c->head, "# memory: %lld\n", (long long)o->budget);
    if (o->crash_notes)
        text_add(&c->head, "%s", o->crash_notes);
    text_add(&told,
             "the graph before pass '%s' is in %s\n"
             "`snug opt --run-reproducer %s` runs it again",
             p->call[from].row->name, path.s, path.s);
    c->path = path.s;
    c->told = told.s;
    watch();
    expected = c;
}

void
crash_forget(void)
{
    expected = NULL;
}
