/* false_solver: stands in for snug-milp and fails, in one of many ways. It
   reads KIND SEED HELPER from the file `fault` beside itself; HELPER is the
   real solver, whose answer some kinds spoil. Each call leaves a mark in the
   file `calls`. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_MOST = 4096, TEXT_MOST = 1 << 26 };

static unsigned long long random_state;
static char helper[PATH_MOST], kind[64];

static unsigned
draw(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static unsigned long long
calls_so_far(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 ? (unsigned long long)s.st_size : 0;
}

static void
read_fault(void)
{
    char path[PATH_MOST];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
    FILE *f;

    path[n > 0 ? n : 0] = 0;
    if (!strrchr(path, '/'))
        exit(90);
    strcpy(strrchr(path, '/'), "/fault");
    f = fopen(path, "r");
    if (!f || fscanf(f, "%63s %llu %4095s", kind, &random_state, helper) != 3)
        exit(91);
    fclose(f);
    strcpy(strrchr(path, '/'), "/calls");
    f = fopen(path, "a");
    if (!f || fputc('.', f) == EOF || fclose(f) != 0)
        exit(97);
    random_state += 1000 * calls_so_far(path);
}

static void
put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(1, text, length);

        if (n < 0)
            exit(92);
        text += n;
        length -= (size_t)n;
    }
}

/* What comes in, at most `most` bytes of it. */
static char *
take(int fd, size_t most)
{
    char *text = malloc(most + 1);
    size_t length = 0;

    if (!text)
        exit(93);
    while (length < most) {
        ssize_t n = read(fd, text + length, most - length);

        if (n <= 0)
            break;
        length += (size_t)n;
    }
    text[length] = 0;
    return text;
}

static void
pause_for(long milliseconds)
{
    struct timespec t = {milliseconds / 1000,
                         milliseconds % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* What the real solver says of the question. */
static char *
true_answer(char *question)
{
    char *const argv[] = {helper, NULL};
    int to[2], from[2];
    char *text;
    pid_t child;

    if (pipe(to) || pipe(from))
        exit(94);
    child = fork();
    if (child == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execv(helper, argv);
        _exit(95);
    }
    close(to[0]);
    close(from[1]);
    for (size_t at = 0, n = strlen(question); at < n;) {
        ssize_t sent = write(to[1], question + at, n - at);

        if (sent < 0)
            break;
        at += (size_t)sent;
    }
    close(to[1]);
    text = take(from[0], TEXT_MOST);
    close(from[0]);
    waitpid(child, NULL, 0);
    return text;
}

/* ---- spoiled answers ----------------------------------------------------- */

/* The words of a text, each changed with a chance of one in `rare`. */
static void
put_spoiled(char *text, unsigned rare, const char *other)
{
    char *save = NULL;
    int count = 0;

    for (char *w = strtok_r(text, " \n", &save); w;
         w = strtok_r(NULL, " \n", &save), count++) {
        bool spoil = count > 2 && draw(rare) == 0;
        char number[64];
        const char *said = w;

        if (spoil && !other)
            snprintf(number, sizeof number, "%a",
                     strtod(w, NULL) * (0.5 + draw(4)) + draw(2));
        if (spoil)
            said = other ? other : number;
        put(said, strlen(said));
        put("\n", 1);
    }
}

static void
put_part(const char *text)
{
    size_t length = strlen(text);

    put(text, length ? draw((unsigned)length) : 0);
}

/* The status word is another one. */
static void
put_status(const char *text, const char *status)
{
    const char *rest = strchr(text, ' ');

    put(status, strlen(status));
    put(rest ? rest : " 0 0\n", rest ? strlen(rest) : 5);
}

static void
put_numbers(const char *status, const char *number, unsigned count)
{
    put(status, strlen(status));
    for (unsigned i = 0; i < count; i++) {
        put(number, strlen(number));
        put("\n", 1);
    }
}

static void
put_noise(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char c = (char)draw(256);

        put(&c, 1);
    }
}

/* Columns and rows: what an answer has. */
static unsigned
answer_lines(const char *question)
{
    unsigned columns = 0, rows = 0;

    if (sscanf(question, "milp %u %u", &columns, &rows) != 2)
        exit(96);
    return columns + rows;
}

static bool
is(const char *name)
{
    return strcmp(kind, name) == 0;
}

static void
hang(void)
{
    signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

/* ---- faults -------------------------------------------------------------- */

static void
fault_before_the_question(void)
{
    if (is("exit"))
        exit((int)draw(256));
    if (is("signal"))
        raise((int[]){SIGKILL, SIGSEGV, SIGABRT, SIGPIPE, SIGXCPU}[draw(5)]);
    if (is("hang-at-once"))
        hang();
    if (is("close-input")) {
        close(0);
        put_numbers("optimal 0 0\n", "0", draw(50));
        exit(0);
    }
    if (is("close-output")) {
        close(1);
        close(0);
        hang();
    }
    if (is("half-question")) {
        (void)take(0, 1 + draw(2000));
        exit(0);
    }
    if (is("half-question-signal")) {
        (void)take(0, 1 + draw(2000));
        raise(SIGSEGV);
    }
    if (is("echo")) {
        char c;

        while (read(0, &c, 1) == 1)
            put(&c, 1);
        exit(0);
    }
}

static void
fault_of_resources(void)
{
    if (is("flood"))
        for (;;)
            put_noise(4096);
    if (is("flood-of-numbers")) {
        put_numbers("optimal 0 0\n", "0", UINT32_MAX);
        exit(0);
    }
    if (is("one-long-line")) {
        put("optimal ", 8);
        for (;;)
            put("11111111111111111111111111111111", 32);
    }
    if (is("memory"))
        for (size_t n = 1 << 20;; n *= 2) {
            char *p = malloc(n);

            if (!p)
                abort();
            memset(p, 1, n);
        }
    if (is("spin"))
        for (volatile unsigned long i = 0;; i++)
            ;
    if (is("orphan") && fork() != 0) /* who still holds the other end */
        exit(0);
    if (is("hang") || is("orphan"))
        hang();
}

static void
fault_of_nonsense(unsigned lines)
{
    static const char *const numbers[] = {"nan", "inf", "-inf", "1e308",
                                          "-1e308", "0x1p-1074", "-0", "",
                                          "zero", "1e", "0x", "9e999"};
    static const char *const words[] = {"infeasible 0 0\n", "unbounded 0 0\n",
                                        "none 0 0\n", "optimal\n", "\n",
                                        "maybe 0 0\n", "feasible nan nan\n",
                                        "optimal inf -inf\n"};

    if (is("noise"))
        put_noise(draw(100000));
    if (is("words"))
        put(words[draw(8)], strlen(words[0]) / 2 + draw(4));
    if (is("word")) {
        const char *word = words[draw(8)];

        put(word, strlen(word));
    }
    if (is("zeros"))
        put_numbers("optimal 0 0\n", "0", lines);
    if (is("ones"))
        put_numbers("feasible 0 0\n", "1", lines);
    if (is("few"))
        put_numbers("optimal 0 0\n", "0", draw(lines + 1));
    if (is("many"))
        put_numbers("optimal 0 0\n", "0", 2 * lines + draw(1000));
    if (is("numbers"))
        put_numbers("optimal 0 0\n", numbers[draw(12)], lines);
}

static void
fault_of_truth(char *answer)
{
    static const char *const numbers[] = {"nan", "inf", "-inf", "1e300", "-1",
                                          "1e-300", "-1e300", "7"};
    static const char *const status[] = {"infeasible", "unbounded", "none",
                                         "feasible", "optimum"};

    if (is("part"))
        put_part(answer);
    if (is("part-signal")) {
        put_part(answer);
        raise(SIGKILL);
    }
    if (is("part-hang")) {
        put_part(answer);
        hang();
    }
    if (is("status"))
        put_status(answer, status[draw(5)]);
    if (is("true-but-failed")) {
        put(answer, strlen(answer));
        exit(1);
    }
    if (is("true-but-dies")) {
        put(answer, strlen(answer));
        raise(SIGABRT);
    }
    if (is("spoiled"))
        put_spoiled(answer, 1 + draw(20), NULL);
    if (is("spoiled-once"))
        put_spoiled(answer, 400, NULL);
    if (is("spoiled-word"))
        put_spoiled(answer, 1 + draw(20), numbers[draw(8)]);
    if (is("true-and-more")) {
        put(answer, strlen(answer));
        put_noise(draw(10000));
    }
    if (is("slow"))
        for (const char *s = answer; *s; s++, pause_for(20))
            put(s, 1);
}

int
main(void)
{
    char *question;

    signal(SIGPIPE, SIG_DFL);
    read_fault();
    fault_before_the_question();
    question = take(0, TEXT_MOST);
    fault_of_resources();
    fault_of_nonsense(answer_lines(question));
    fault_of_truth(true_answer(question));
    return 0;
}
