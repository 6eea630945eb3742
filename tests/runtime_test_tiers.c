/* runtime_test_tiers: a program whose states lie beside the arena trains to the
   bits of the one that has them in it, saves and resumes what the other saved,
   tells what it waited for, and stops where a tier fails. The calls that fail
   are caught by defining them here, before the C library's. */
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(runtime_tiers, .init = enter_folder, .fini = leave_folder);

#define RUN "--data both.npz --steps 24 --quiet "

/* ---- calls that fail ----------------------------------------------------- */

typedef enum Fault { NONE, ERROR, SHORT } Fault;

static long calls, fault_at; /* 0: none */
static int fault_errno;      /* 0: half of the bytes */

static Fault
fault_now(void)
{
    if (++calls != fault_at)
        return NONE;
    errno = fault_errno;
    return fault_errno ? ERROR : SHORT;
}

ssize_t
pwrite(int fd, const void *from, size_t bytes, off_t offset)
{
    Fault f = fault_now();
    if (f == ERROR)
        return -1;
    return syscall(SYS_pwrite64, fd, from, f == SHORT ? bytes / 2 : bytes,
                   offset);
}

ssize_t
pread(int fd, void *to, size_t bytes, off_t offset)
{
    Fault f = fault_now();
    if (f == ERROR)
        return -1;
    return syscall(SYS_pread64, fd, to, f == SHORT ? bytes / 2 : bytes, offset);
}

/* 77: the run had fewer calls. */
static int
child_run(const char *line, long at, int error)
{
    pid_t child = fork();
    if (!child) {
        if (!freopen("err", "w", stderr))
            _exit(2);
        calls = 0;
        fault_at = at;
        fault_errno = error;
        int status = run(&linear_tiered, line);
        fprintf(stderr, "%s\n", status ? rt_message() : "");
        fflush(stderr);
        _exit(fault_at > calls ? 77 : rt_exit_status(status));
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool
said(const char *words)
{
    Bytes b = read_whole("err");
    put(&b, "", 1);
    return strstr(b.at, words);
}

/* A run that a call of its tiers stopped goes on from its checkpoint. */
static void
compare_resumed(long n)
{
    fault_at = 0;
    cr_assert_eq(run(&linear_tiered, RUN "--checkpoint d --resume --save "
                                         "again.safetensors"),
                 RT_OK, "call %ld: %s", n, rt_message());
    cr_expect(same_files("whole.safetensors", "again.safetensors"), "call %ld",
              n);
}

static void
fail_each(int error, bool harmless)
{
    int stopped = 0;
    setenv("SNUG_IO", "threads", 1);
    write_rows(50);
    cr_assert_eq(run(&linear_filled, RUN "--save whole.safetensors"), RT_OK);
    for (long n = 1; n < 400; n += 3) {
        int status = child_run(RUN "--checkpoint d --every 8 --resume --save "
                                   "now.safetensors",
                               n, error);
        if (status == 77)
            break;
        cr_expect(status == 0 || (!harmless && status == 1),
                  "call %ld, errno %d: status %d", n, error, status);
        stopped += status != 0 && said("; stopped, nothing is saved of it");
        compare_resumed(n);
        cr_assert_eq(system("rm -rf d"), 0);
    }
    cr_expect(harmless ? !stopped : stopped > 10, "errno %d: %d stops", error,
              stopped);
}

Test(runtime_tiers, stop_where_the_disk_fails)
{
    fail_each(EIO, false);
}

Test(runtime_tiers, go_on_after_interruptions_and_half_calls)
{
    fail_each(EINTR, true);
}

/* ---- the same bits ------------------------------------------------------- */

static void
expect_whole(const char *line)
{
    cr_expect_eq(run(&linear_tiered, line), RT_OK, "%s: %s", line,
                 rt_message());
    cr_expect(same_files("whole.safetensors", "t.safetensors"), "%s", line);
}

Test(runtime_tiers, train_to_the_same_bits)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, RUN "--save whole.safetensors"), RT_OK);
    for (int k = 0; k < 2; k++) {
        if (k)
            setenv("SNUG_IO", "threads", 1);
        expect_whole(RUN "--save t.safetensors");
        expect_whole(RUN "--save t.safetensors --threads 1 --spill /tmp");
        expect_whole(RUN "--save t.safetensors --threads 4 --spill .");
    }
}

Test(runtime_tiers, resume_what_another_plan_saved)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, RUN "--save whole.safetensors"), RT_OK);
    cr_assert_eq(run(&linear_filled, "--data both.npz --steps 11 --quiet "
                                     "--checkpoint a"),
                 RT_OK);
    expect_whole(RUN "--checkpoint a --resume --save t.safetensors");
    cr_assert_eq(run(&linear_tiered, "--data both.npz --steps 11 --quiet "
                                     "--checkpoint b"),
                 RT_OK);
    cr_assert_eq(
        run(&linear_filled, RUN "--checkpoint b --resume --save t.safetensors"),
        RT_OK);
    cr_expect(same_files("whole.safetensors", "t.safetensors"));
}

/* ---- what is told -------------------------------------------------------- */

static bool
holds(const char *path, const char *words)
{
    Bytes b = read_whole(path);
    put(&b, "", 1);
    return strstr(b.at, words);
}

Test(runtime_tiers, tell_what_they_waited_for)
{
    write_rows(50);
    cr_assert_eq(run(&linear_tiered, RUN "--log log.jsonl --profile"), RT_OK);
    cr_expect(holds("log.jsonl", ",\"stalled\":0."));
    cr_expect(holds("log.jsonl", ",\"host_bytes\":64,\"disk_bytes\":8192,"
                                 "\"stalled_seconds\":"));
    cr_expect(holds("log.jsonl", "\"kind\":\"m transfer\""));
    cr_assert_eq(run(&linear_filled, RUN "--log log.jsonl"), RT_OK);
    cr_expect_not(holds("log.jsonl", "stalled"));
}

Test(runtime_tiers, refuse_a_folder_that_is_not_there)
{
    write_rows(50);
    refused(&linear_tiered, RUN "--spill absent", RT_ERROR_FILE,
            "absent: cannot make the file of a tier", "no folder");
    refused(&linear_tiered, RUN "--spill both.npz", RT_ERROR_FILE,
            "Not a directory", "a file");
}
