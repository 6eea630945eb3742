/* workers: forked children with a pipe each; status 0 and bytes, or the exit
   status of a problem and its words. */
#include "codegen/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ir/base/diag.h"

enum { MOST = 16 };

static bool
write_all(int fd, const char *s, size_t n)
{
    while (n) {
        ssize_t put = write(fd, s, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        s += put;
        n -= (size_t)put;
    }
    return true;
}

/* The child never returns into the caller's frames. */
static void
run_child(Work *work, void *context, int index, int fd)
{
    Arena *a = arena_new();
    Text *result = NEW(a, Text);
    Guard guard;
    Status status = ST_OK;
    char *words;

    *result = text_new(a);
    if (guarded(&guard)) {
        work(context, index, result);
        raise_if_complained();
        if (!write_all(fd, text_str(result), result->len))
            status = ST_INTERNAL;
    } else {
        status = guard.status ? guard.status : ST_INTERNAL;
        words = diag_text(&guard);
        if (words)
            write_all(fd, words, strlen(words));
    }
    _exit((int)status);
}

static void
read_all(int fd, Text *t)
{
    char part[4096];
    ssize_t got;

    while ((got = read(fd, part, sizeof part)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        if (got > 0)
            text_add_n(t, part, (size_t)got);
    }
    close(fd);
}

static pid_t
start(Work *work, void *context, int index, int *from)
{
    int pipes[2];
    pid_t child;

    if (pipe(pipes) != 0)
        raise_status(ST_INTERNAL, NOWHERE, "no pipe: %s", strerror(errno));
    fflush(stdout);
    fflush(stderr);
    child = fork();
    if (child < 0)
        raise_status(ST_INTERNAL, NOWHERE, "cannot fork: %s",
                     strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left to clean up */
        close(pipes[0]);
        run_child(work, context, index, pipes[1]);
    }
    close(pipes[1]);
    *from = pipes[0];
    return child;
}

static int
await(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static void
judge(int status, const char *what, const Text *result)
{
    if (WIFSIGNALED(status))
        raise_status(ST_INTERNAL, NOWHERE,
                     "internal error: generating code for %s ended by signal "
                     "%d (%s)",
                     what, WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status)) {
        size_t n = result->len;

        while (n && result->s[n - 1] == '\n')
            n--;
        raise_status((Status)WEXITSTATUS(status), NOWHERE, "%.*s", (int)n,
                     text_str(result));
    }
}

void
workers_run(Arena *a, int count, Work *work, void *context,
            const char *const *what, Text *result)
{
    pid_t child[MOST];
    int from[MOST], status[MOST];

    ASSERT(count <= MOST);
    for (int i = 0; i < count; i++)
        child[i] = start(work, context, i, &from[i]);
    for (int i = 0; i < count; i++) {
        result[i] = text_new(a);
        read_all(from[i], &result[i]);
        status[i] = await(child[i]);
    }
    for (int i = 0; i < count; i++)
        judge(status[i], what[i], &result[i]);
}
