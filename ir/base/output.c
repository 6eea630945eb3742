/* output: temporary files are kept in a table of fixed size, because a signal
   handler may read nothing else; what does not fit goes with the arena only. */
#include "ir/base/output.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 64 };

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

static char *volatile temporary[MOST];

static void
remove_temporary(void *path)
{
    if (unlink(path) != 0)
        rmdir(path);
    for (int i = 0; i < MOST; i++)
        if (temporary[i] == path)
            temporary[i] = NULL;
}

void
output_temporary(Arena *a, char *path)
{
    for (int i = 0; i < MOST; i++)
        if (!temporary[i]) {
            temporary[i] = path;
            break;
        }
    arena_defer(a, remove_temporary, path);
}

static const char *
temporary_place(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/tmp";
}

static Text
temporary_name(Arena *a)
{
    Text t = text_new(a);

    text_add(&t, "%s/snug-XXXXXX", temporary_place());
    return t;
}

/* What mkstemps or mkdtemp made of the name: ours, or raised. */
static char *
temporary_made(Arena *a, Text *name, bool made, const sigset_t *before)
{
    int error = errno;

    if (made)
        output_temporary(a, name->s);
    output_release_signals(before);
    if (!made)
        raise_at((Loc){.file = temporary_place()},
                 "no temporary file can be made there: %s\n"
                 "name a folder that is writable in TMPDIR",
                 strerror(error));
    return name->s;
}

char *
output_temporary_file(Arena *a, const char *ending)
{
    Text name = temporary_name(a);
    sigset_t before;
    int fd;

    text_add(&name, "%s", ending);
    output_hold_signals(&before);
    fd = mkstemps(name.s, (int)strlen(ending));
    if (fd >= 0)
        close(fd);
    return temporary_made(a, &name, fd >= 0, &before);
}

char *
output_temporary_folder(Arena *a)
{
    Text name = temporary_name(a);
    sigset_t before;

    output_hold_signals(&before);
    return temporary_made(a, &name, mkdtemp(name.s) != NULL, &before);
}

static sigset_t
ending_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        sigaddset(&set, ending_signals[i]);
    return set;
}

void
output_hold_signals(sigset_t *before)
{
    sigset_t set = ending_set();

    sigprocmask(SIG_BLOCK, &set, before);
}

void
output_release_signals(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void
stop(int number)
{
    for (int i = 0; i < MOST; i++)
        if (temporary[i])
            unlink(temporary[i]);
    for (int i = 0; i < MOST; i++)
        if (temporary[i])
            rmdir(temporary[i]);
    signal(number, SIG_DFL); /* not before: a second one would end us there */
    raise(number);
}

void
output_guard_signals(void)
{
    struct sigaction action = {.sa_handler = stop}, before;

    action.sa_mask = ending_set();
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        if (sigaction(ending_signals[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            sigaction(ending_signals[i], &action, NULL);
}

bool
output_is_stream(const char *path)
{
    struct stat st;

    return strncmp(path, "/dev/fd/", 8) == 0 ||
           strncmp(path, "/dev/std", 8) == 0 ||
           (stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
            !S_ISDIR(st.st_mode));
}

/* What is written aside goes there too; its name is not what was asked for. */
static void
require_folder(Arena *a, const char *target, Loc here)
{
    Text t = text_new(a);
    const char *folder;
    struct stat st;

    text_add(&t, "%s", target);
    folder = dirname(t.s);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        raise_at(here,
                 "cannot be written: there is no folder %s\n"
                 "make it first, or name a file elsewhere",
                 folder);
    if (access(folder, W_OK | X_OK) != 0)
        raise_at(here, "cannot be written: no file can be made in %s: %s",
                 folder, strerror(errno));
}

const char *
output_file(Arena *a, const char *path)
{
    Loc here = {.file = path};
    char target[PATH_MAX];
    struct stat st;
    Text t = text_new(a);

    if (!*path)
        raise_status(ST_USAGE, NOWHERE, "the name of the output file is empty");
    if (stat(path, &st) != 0) {
        require_folder(a, path, here);
        return path;
    }
    if (S_ISDIR(st.st_mode))
        raise_at(here, "cannot be written: it is a folder");
    if (output_is_stream(path))
        raise_at(here, "cannot be written: it is not a regular file");
    if (!realpath(path, target))
        raise_at(here, "cannot be written: %s", strerror(errno));
    require_folder(a, target, here);
    text_add(&t, "%s", target);
    return t.s;
}
