/* milp_helper: a child process at the other end of a socket, which is its
   standard input and output. GLPK ends its process on bad arguments and where
   memory ends: here that is only a child that died. */
#include "passes/tools/milp_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    GRACE = 2,         /* seconds to write the answer */
    SLOW_MOST = 3,     /* questions that take half of their time */
    HEAD_MOST = 4096,  /* bytes of an answer beside its numbers */
    NUMBER_MOST = 4    /* bytes of an answer for one of the question */
};

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* $SNUG_MILP, or beside this program, or where it is installed. */
static const char *
find_helper(Arena *a, const char *given)
{
    static const char *const places[] = {"snug-milp",
                                         "../libexec/snug/snug-milp"};
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash;

    given = given ? given : getenv("SNUG_MILP");
    if (given)
        return given;
    own[n > 0 ? n : 0] = 0;
    slash = strrchr(own, '/');
    if (slash)
        slash[1] = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        Text t = text_new(a);

        text_add(&t, "%s%s", own, places[i]);
        if (access(text_str(&t), X_OK) == 0)
            return text_str(&t);
    }
    return NULL;
}

/* No handler of ours may run in the child: it would work on our memory. */
static void
let_signals_through(const sigset_t *mask)
{
    struct sigaction action;

    for (int s = 1; s < NSIG; s++)
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

/* In the child, which has our memory until it is another program. */
static void
become_helper(const char *path, const MilpLimits *limits, int fd,
              const sigset_t *mask)
{
    char *const argv[] = {(char[]){"snug-milp"}, NULL};
    char *const environment[] = {NULL};
    rlim_t seconds = (rlim_t)ceil(limits->seconds) + GRACE;
    struct rlimit memory = {(rlim_t)limits->bytes, (rlim_t)limits->bytes};
    struct rlimit time = {seconds, seconds}, core = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)setpgid(0, 0); /* with whom it starts */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || null < 0 || dup2(null, 2) < 0 ||
        setrlimit(RLIMIT_AS, &memory) || setrlimit(RLIMIT_CPU, &time) ||
        setrlimit(RLIMIT_CORE, &core))
        _exit(127);
    let_signals_through(mask);
    execve(path, argv, environment);
    _exit(127);
}

/* A plan asks many times, and to copy the tables of our pages each time takes
   longer than many an answer. */
static pid_t
start_helper(const char *path, const MilpLimits *limits, int fd)
{
    sigset_t all, mask;
    pid_t child;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    child = vfork();
    if (child == 0)
        become_helper(path, limits, fd, &mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return child;
}

/* One way of the talk, as far as it goes now. False: the socket is broken. */
static bool
send_some(int fd, const Text *question, size_t *sent)
{
    ssize_t n = send(fd, question->s + *sent, question->len - *sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    *sent += (size_t)n;
    if (*sent == question->len)
        shutdown(fd, SHUT_WR);
    return true;
}

/* 1: go on; 0: the answer is whole; -1: broken. */
static int
receive_some(int fd, Text *answer, size_t most)
{
    char part[65536];
    ssize_t n = recv(fd, part, sizeof part, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -1;
    if (n == 0)
        return 0;
    text_add_n(answer, part, (size_t)n);
    return answer->len > most ? -1 : 1;
}

static const char *
talk(int fd, const Text *question, Text *answer, double end)
{
    size_t sent = 0, most = HEAD_MOST + NUMBER_MOST * question->len;

    for (;;) {
        bool sending = sent < question->len;
        struct pollfd p = {fd, (short)(POLLIN | (sending ? POLLOUT : 0)), 0};
        double left = end - now();
        int heard;

        if (left <= 0)
            return "the solver's time is over";
        if (poll(&p, 1, (int)(1000 * left) + 1) < 0 && errno != EINTR)
            return "the solver cannot be heard";
        if ((p.revents & POLLOUT) && !send_some(fd, question, &sent))
            return "the solver does not listen";
        if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        heard = receive_some(fd, answer, most);
        if (heard <= 0)
            return heard ? "the solver cannot be heard" : NULL;
    }
}

/* ---- the end of the child ------------------------------------------------ */

/* Who did not end by itself, or took long a few times, is not asked again: a
   plan asks many times. */
static char given_up[PATH_MAX];

static void
give_up(const char *path)
{
    if (strlen(path) < sizeof given_up)
        strcpy(given_up, path);
}

static bool
is_slow(const MilpLimits *limits, double begin)
{
    static int slow;

    slow += now() - begin > limits->seconds / 2;
    return slow >= SLOW_MOST;
}

static bool
has_ended(pid_t child)
{
    siginfo_t what = {0};

    return waitid(P_PID, (id_t)child, &what, WEXITED | WNOHANG | WNOWAIT) ||
           what.si_pid == child;
}

/* False: it has not ended by then. */
static bool
ends_until(pid_t child, double end)
{
    struct timespec pause = {.tv_nsec = 100000};

    while (!has_ended(child)) {
        if (now() >= end)
            return false;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 20000000)
            pause.tv_nsec *= 2;
    }
    return true;
}

/* What became of the child; NULL: it ended well. */
static const char *
reap(Arena *a, pid_t child)
{
    Text t = text_new(a);
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return "the solver is lost";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFSIGNALED(status))
        text_add(&t, "the solver died of signal %d", WTERMSIG(status));
    else
        text_add(&t, "the solver ended with status %d", WEXITSTATUS(status));
    return text_str(&t);
}

/* NULL, or why there is no answer. What the child has started ends with it. */
static const char *
talk_and_end(Arena *a, pid_t child, int fd, const MilpLimits *limits,
             const Text *question, Text *answer)
{
    double begin = now(), end = begin + limits->seconds + GRACE;
    const char *fault, *ended;

    (void)setpgid(child, child); /* if it has not done so itself */
    fault = talk(fd, question, answer, end);
    if (!fault && !ends_until(child, now() + GRACE)) {
        fault = "the solver has answered and does not end";
        end = now();
    }
    if (fault)
        kill(child, SIGKILL);
    close(fd);
    (void)ends_until(child, (double)INFINITY);
    (void)kill(-child, SIGKILL);
    ended = reap(a, child);
    if ((fault && now() >= end) || is_slow(limits, begin))
        give_up(find_helper(a, limits->helper));
    return fault ? fault : ended;
}

const char *
helper_ask(Arena *a, const MilpLimits *limits, const Text *question,
           Text *answer)
{
    const char *path = find_helper(a, limits->helper);
    int fd[2];
    pid_t child;

    if (!path)
        return "the solver snug-milp is not installed";
    if (strcmp(path, given_up) == 0)
        return "the solver did not end before, and is not asked again";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        return "no socket to the solver";
    child = start_helper(path, limits, fd[1]);
    close(fd[1]);
    if (child < 0) {
        close(fd[0]);
        return "the solver cannot be started";
    }
    return talk_and_end(a, child, fd[0], limits, question, answer);
}
