/* runtime_test_faults: every system call of a checkpoint fails once, and a
   process dies before every one of them; and allocations are counted. The calls
   are caught by defining them here, before the C library's. */
#include "runtime/train.h"
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(runtime_faults, .init = enter_folder, .fini = leave_folder);

#define RUN "--data both.npz --steps 24 --quiet "

static long calls, fault_at; /* 0: none */
static int fault_errno;      /* 0: the process dies instead */

/* True if this call is the one that fails. */
static bool
is_faulty(void)
{
    if (++calls != fault_at)
        return false;
    if (!fault_errno)
        kill(getpid(), SIGKILL);
    errno = fault_errno;
    return true;
}

ssize_t
write(int fd, const void *from, size_t bytes)
{
    if (fd > 2 && is_faulty())
        return -1;
    return syscall(SYS_write, fd, from, bytes);
}

int
fsync(int fd)
{
    return is_faulty() ? -1 : (int)syscall(SYS_fsync, fd);
}

int
rename(const char *from, const char *to)
{
    if (is_faulty())
        return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *path)
{
    return is_faulty() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
posix_fallocate(int fd, off_t offset, off_t bytes)
{
    if (is_faulty())
        return fault_errno;
    return syscall(SYS_fallocate, fd, 0, offset, bytes) ? errno : 0;
}

int
ftruncate(int fd, off_t bytes)
{
    return is_faulty() ? -1 : (int)syscall(SYS_ftruncate, fd, bytes);
}

static int
child_run(const char *line, long at, int error)
{
    pid_t child = fork();
    if (!child) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        calls = 0;
        fault_at = at;
        fault_errno = error;
        int status = run(&linear_filled, line);
        _exit(fault_at > calls ? 77 : rt_exit_status(status));
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
compare_resumed(long n, int error)
{
    cr_assert_eq(run(&linear_filled, RUN "--checkpoint d --resume --save "
                                         "again.safetensors"),
                 RT_OK, "call %ld, errno %d: %s", n, error, rt_message());
    cr_expect(same_files("whole.safetensors", "again.safetensors"),
              "call %ld, errno %d", n, error);
    cr_assert_eq(system("rm -rf d"), 0);
}

static void
fail_each(int error)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, RUN "--save whole.safetensors"), RT_OK);
    for (long n = 1; n < 1000; n++) {
        int status = child_run(RUN "--checkpoint d --every 8", n, error);
        if (status == 77) {
            cr_expect_gt(n, 25);
            return;
        }
        cr_expect(status == (error ? 1 : -SIGKILL) || (error && status == 0),
                  "call %ld: status %d", n, status);
        compare_resumed(n, error);
    }
    cr_expect_fail("the run never ends");
}

Test(runtime_faults, death_before_each_call)
{
    fail_each(0);
}

Test(runtime_faults, each_call_has_no_space)
{
    fail_each(ENOSPC);
}

Test(runtime_faults, each_call_has_a_broken_disk)
{
    fail_each(EIO);
}

Test(runtime_faults, each_call_is_over_quota)
{
    fail_each(EDQUOT);
}

static long allocations;

#ifdef __SANITIZE_ADDRESS__
int __sanitizer_install_malloc_and_free_hooks(
    void (*taken)(const volatile void *, size_t),
    void (*released)(const volatile void *));

static void
count_allocation(const volatile void *place, size_t bytes)
{
    (void)place, (void)bytes;
    allocations++;
}

static void
count_release(const volatile void *place)
{
    (void)place;
}

static void
count_from_now(void)
{
    __sanitizer_install_malloc_and_free_hooks(count_allocation, count_release);
}
#else
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *place, size_t bytes);

void *
malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *
realloc(void *place, size_t bytes)
{
    allocations++;
    return __libc_realloc(place, bytes);
}

static void
count_from_now(void)
{
}
#endif

static long after_first, after_last, steps_seen;

static void
watch_step(void)
{
    after_last = allocations;
    if (!steps_seen++)
        after_first = allocations;
}

/* With data, shuffling, evaluation, a log and checkpoints all going on. */
Test(runtime_faults, nothing_allocates_after_the_first_step)
{
    int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
    write_rows(50);
    dup2(null, STDERR_FILENO);
    count_from_now();
    linear_watch = watch_step;
    int status = run(&linear_filled,
                     "--data both.npz --eval both.npz --epochs "
                     "300 --threads 2 --checkpoint d --every 100 --log l.jsonl "
                     "--schedule cosine,warmup=10 --profile");
    dup2(kept, STDERR_FILENO);
    cr_assert_eq(status, RT_OK, "%s", rt_message());
    cr_expect_eq(steps_seen, 1800);
    cr_expect_gt(after_first, 0);
    cr_expect_eq(after_last, after_first, "%ld allocations after step 1",
                 after_last - after_first);
}
