/* output: temporary files are kept in a table of fixed size, because a signal
   handler may read nothing else; what does not fit goes with the arena only. */
#include "ir/base/output.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 64 };

static char *volatile temporary[MOST];

static void
remove_temporary(void *path)
{
    for (int i = 0; i < MOST; i++)
        if (temporary[i] == path)
            temporary[i] = NULL;
    if (unlink(path) != 0)
        rmdir(path);
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

static void
stop(int number)
{
    for (int i = 0; i < MOST; i++)
        if (temporary[i])
            unlink(temporary[i]);
    for (int i = 0; i < MOST; i++)
        if (temporary[i])
            rmdir(temporary[i]);
    raise(number); /* SA_RESETHAND: this time it ends us */
}

void
output_guard_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop,
                               .sa_flags = (int)SA_RESETHAND},
                     before;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
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

const char *
output_file(Arena *a, const char *path)
{
    Loc here = {.file = path};
    char target[PATH_MAX];
    struct stat st;
    Text t = text_new(a);

    if (!*path)
        raise_status(ST_USAGE, NOWHERE, "the name of the output file is empty");
    if (stat(path, &st) != 0)
        return path;
    if (S_ISDIR(st.st_mode))
        raise_at(here, "cannot be written: it is a folder");
    if (output_is_stream(path))
        raise_at(here, "cannot be written: it is not a regular file");
    if (!realpath(path, target))
        raise_at(here, "cannot be written: %s", strerror(errno));
    text_add(&t, "%s", target);
    return t.s;
}
