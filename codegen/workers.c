/* workers: forked children with a pipe each. A board in shared memory holds the
   next job that nobody has taken and what each child is at, which is all that
   is known of a child that died. */
#include "codegen/workers.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ir/base/diag.h"

enum { MOST = 16, WORDS = -1 };

typedef struct Board {
    atomic_int next;
    atomic_int doing[MOST];
} Board;

/* Before each result in a pipe; job WORDS: the words of a problem. */
typedef struct Frame {
    int64_t job, length;
} Frame;

typedef struct Child {
    pid_t id;
    int from, status;
    Text sent;
} Child;

typedef struct Crew {
    Arena *arena;
    Board *board;
    Work *work;
    void *context;
    int jobs, children;
    bool *finished; /* of each job */
    Child child[MOST];
} Crew;

static atomic_int *doing; /* in a child: its place on the board */

/* ---- in a child --------------------------------------------------------- */

void
workers_doing(int i)
{
    if (doing)
        atomic_store(doing, i);
}

static bool
write_all(int fd, const void *p, size_t n)
{
    const char *s = p;

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

static bool
hand_back(int fd, int job, const char *s, size_t n)
{
    Frame f = {job, (int64_t)n};

    return write_all(fd, &f, sizeof f) && write_all(fd, s, n);
}

static void
run_job(const Crew *c, int job, int fd)
{
    Arena *a = arena_new();
    Text result = text_new(a);

    workers_doing(job);
    c->work(c->context, job, &result);
    raise_if_complained();
    if (!hand_back(fd, job, text_str(&result), result.len))
        _exit(ST_INTERNAL);
    arena_free(a);
}

/* The child never returns into the caller's frames. */
static void
run_child(const Crew *c, int fd)
{
    Guard guard;
    Status status;
    char *words;
    int job;

    if (guarded(&guard)) {
        while ((job = atomic_fetch_add(&c->board->next, 1)) < c->jobs)
            run_job(c, job, fd);
        _exit(ST_OK);
    }
    status = guard.status ? guard.status : ST_INTERNAL;
    words = diag_text(&guard);
    if (words)
        hand_back(fd, WORDS, words, strlen(words));
    _exit((int)status);
}

/* ---- in the parent ------------------------------------------------------ */

static int
processors(void)
{
    cpu_set_t set;
    int count =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return count < 1 ? 1 : count > MOST ? MOST : count;
}

static void
close_board(void *board)
{
    munmap(board, sizeof(Board));
}

static Board *
open_board(Arena *a)
{
    void *p = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        raise_status(ST_INTERNAL, NOWHERE, E(E0901) "out of memory");
    arena_defer(a, close_board, p);
    return p;
}

/* One child more; without one already there, failing is raised. */
static bool
start(Crew *c)
{
    Child *child = &c->child[c->children];
    int pipes[2];

    if (pipe(pipes) != 0) {
        if (c->children)
            return false;
        raise_status(ST_INTERNAL, NOWHERE, "no pipe: %s", strerror(errno));
    }
    child->id = fork();
    if (child->id == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left to clean up */
        doing = &c->board->doing[c->children];
        run_child(c, pipes[1]);
    }
    close(pipes[1]);
    if (child->id < 0) {
        close(pipes[0]);
        if (c->children)
            return false;
        raise_status(ST_INTERNAL, NOWHERE, "cannot fork: %s", strerror(errno));
    }
    child->from = pipes[0];
    child->sent = text_new(c->arena);
    c->children++;
    return true;
}

static int
await(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* Reads what is there; false at the end, when the child is gone. One that
   failed takes the rest of the jobs with it. */
static bool
read_some(const Crew *c, Child *child)
{
    char part[1 << 16];
    ssize_t got = read(child->from, part, sizeof part);

    if (got > 0)
        text_add_n(&child->sent, part, (size_t)got);
    if (got > 0 || (got < 0 && errno == EINTR))
        return true;
    close(child->from);
    child->from = -1;
    child->status = await(child->id);
    if (child->status)
        atomic_store(&c->board->next, c->jobs);
    return false;
}

static void
read_all(Crew *c)
{
    struct pollfd open[MOST];
    int left = c->children;

    while (left) {
        for (int i = 0; i < c->children; i++)
            open[i] = (struct pollfd){c->child[i].from, POLLIN, 0};
        if (poll(open, (nfds_t)c->children, -1) < 0)
            continue;
        for (int i = 0; i < c->children; i++)
            if (open[i].revents && !read_some(c, &c->child[i]))
                left--;
    }
}

/* The results, and in `words` those of a problem. */
static void
take_apart(const Crew *c, const Child *child, Text *result, Text *words)
{
    const char *s = child->sent.s;
    size_t left = child->sent.len;
    Frame f;

    while (left >= sizeof f) {
        memcpy(&f, s, sizeof f);
        s += sizeof f;
        left -= sizeof f;
        if ((size_t)f.length > left) /* it died meanwhile */
            return;
        ASSERT(f.job < c->jobs);
        text_add_n(f.job < 0 ? words : &result[f.job], s, (size_t)f.length);
        if (f.job >= 0)
            c->finished[f.job] = true;
        s += f.length;
        left -= (size_t)f.length;
    }
}

static void
judge(const Crew *c, int i, const char *const *what, const Text *words)
{
    int status = c->child[i].status;
    const char *at = what[atomic_load(&c->board->doing[i])];
    size_t n = words->len;

    if (WIFSIGNALED(status))
        raise_status(ST_INTERNAL, NOWHERE,
                     "internal error: generating code for %s ended by signal "
                     "%d (%s)",
                     at, WTERMSIG(status), strsignal(WTERMSIG(status)));
    while (n && words->s[n - 1] == '\n')
        n--;
    if (WEXITSTATUS(status) == ST_INTERNAL)
        raise_status(ST_INTERNAL, NOWHERE, "%.*s\ngenerating code for %s",
                     (int)n, text_str(words), at);
    if (WEXITSTATUS(status))
        raise_status((Status)WEXITSTATUS(status), NOWHERE, "%.*s", (int)n,
                     text_str(words));
}

void
workers_run(Arena *a, int jobs, Work *work, void *context,
            const char *const *what, Text *result)
{
    Crew *c = NEW(a, Crew);
    Text words[MOST];
    int most = processors();

    *c = (Crew){.arena = a, .work = work, .context = context, .jobs = jobs};
    c->finished = NEWN(a, bool, jobs + 1);
    c->board = open_board(a);
    fflush(stdout);
    fflush(stderr);
    while (c->children < most && c->children < jobs && start(c))
        continue;
    read_all(c);
    for (int i = 0; i < jobs; i++)
        result[i] = text_new(a);
    for (int i = 0; i < c->children; i++) {
        words[i] = text_new(a);
        take_apart(c, &c->child[i], result, &words[i]);
    }
    for (int i = 0; i < c->children; i++)
        judge(c, i, what, &words[i]);
    for (int i = 0; i < jobs; i++)
        if (!c->finished[i])
            raise_status(ST_INTERNAL, NOWHERE,
                         "internal error: nothing came back from generating "
                         "code for %s",
                         what[i]);
}
