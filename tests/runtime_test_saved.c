/* runtime_test_saved: checkpoints that are interrupted, damaged or of another
   run; what is resumed has the bits of the unbroken run. */
#include "runtime/digest.h"
#include "runtime/resume.h"
#include "runtime/train.h"
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(runtime_saved, .init = enter_folder, .fini = leave_folder);

#define STEPS 60
#define RUN   "--data both.npz --steps 60 --schedule cosine,warmup=5 --quiet "
#define LAST  "d/ckpt-000000060.safetensors"

static void
pause_for(double seconds)
{
    struct timespec t = {(time_t)seconds,
                         (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

/* A child that runs the command; the parent's pid of it. */
static pid_t
start(const char *line, double delay)
{
    pid_t child = fork();
    if (child)
        return child;
    char text[500], name[] = "train", *word[32], *rest = text;
    int count = 0;
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    snprintf(text, sizeof text, "%s", line);
    word[count++] = name;
    for (char *w; (w = strtok_r(rest, " ", &rest));)
        word[count++] = w;
    linear_delay = delay;
    _exit(rt_command(&linear_filled, count, word));
}

static int
finish(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
reference(void)
{
    write_rows(50);
    cr_assert_eq(run(&linear_filled, RUN "--save whole.safetensors"), RT_OK,
                 "%s", rt_message());
}

static void
resume_and_compare(const char *name)
{
    cr_assert_eq(run(&linear_filled, RUN "--checkpoint d --resume --save "
                                         "again.safetensors"),
                 RT_OK, "%s: %s", name, rt_message());
    cr_expect(same_files("whole.safetensors", "again.safetensors"), "%s", name);
}

Test(runtime_saved, kill_at_any_time_changes_no_bit)
{
    reference();
    srand(1);
    for (int k = 0; k < 20; k++) {
        char name[20];
        pid_t child = start(RUN "--checkpoint d --every 3 --resume", 5e-4);
        pause_for(rand() % 1000 * 4e-5);
        kill(child, SIGKILL);
        finish(child);
        snprintf(name, sizeof name, "kill %d", k);
        if (k % 3 == 2) {
            resume_and_compare(name);
            cr_assert_eq(system("rm -r d"), 0);
        }
    }
    resume_and_compare("last");
}

static void
stop_by(int signal_number, int exit_status)
{
    pid_t child = start(RUN "--checkpoint d --resume", 5e-3);
    pause_for(0.1);
    kill(child, signal_number);
    cr_expect_eq(finish(child), exit_status);
}

Test(runtime_saved, signals_save_and_resume)
{
    reference();
    stop_by(SIGINT, 130);
    stop_by(SIGTERM, 143);
    resume_and_compare("signals");
    pid_t child = start(RUN, 1.0);
    pause_for(0.2);
    kill(child, SIGINT);
    pause_for(0.05);
    kill(child, SIGINT);
    cr_expect_eq(finish(child), 130);
}

Test(runtime_saved, two_are_kept_and_the_log_goes_on)
{
    reference();
    cr_assert_eq(run(&linear_filled, RUN "--log whole.csv"), RT_OK);
    cr_assert_eq(run(&linear_filled,
                     "--data both.npz --steps 20 --schedule "
                     "cosine,warmup=5 --quiet --checkpoint d --every 7 --log "
                     "l.csv"),
                 RT_OK);
    cr_expect_not(file_exists("d/ckpt-000000007.safetensors"));
    cr_expect(file_exists("d/ckpt-000000014.safetensors"));
    cr_expect(file_exists("d/ckpt-000000020.safetensors"));
    unlink("d/ckpt-000000020.safetensors");
    cr_assert_eq(run(&linear_filled, RUN "--checkpoint d --resume --log l.csv"),
                 RT_OK);
    Bytes log = read_whole("l.csv");
    int lines = 0;
    for (int64_t k = 0; k < log.count; k++)
        lines += log.at[k] == '\n';
    cr_expect_eq(lines, STEPS + 1);
}

Test(runtime_saved, one_run_at_a_time)
{
    reference();
    pid_t child = start(RUN "--checkpoint d", 0.05);
    char words[60];
    pause_for(0.2);
    snprintf(words, sizeof words, "process %d trains with", (int)child);
    refused(&linear_filled, RUN "--checkpoint d --resume", RT_ERROR_BUSY, words,
            "second run");
    kill(child, SIGKILL);
    finish(child);
    resume_and_compare("after the first");
    refused(&linear_filled, RUN "--checkpoint d", RT_ERROR_CHECKPOINT,
            "holds checkpoints of a run (to step 60); give --resume", "again");
    refused(&linear_filled, RUN "--checkpoint no/such/folder", RT_ERROR_FILE,
            "cannot make the folder", "no parent");
    refused(&linear_filled, RUN "--checkpoint both.npz", RT_ERROR_FILE,
            "both.npz/lock", "a file");
}

Test(runtime_saved, leftovers_of_the_dead_are_removed)
{
    char name[100];
    reference();
    pid_t child = start("--version", 0);
    finish(child);
    mkdir("d", 0777);
    snprintf(name, sizeof name, "d/ckpt-000000005.safetensors.tmp-%d",
             (int)child);
    write_file(name, "half", 4);
    write_file("d/ckpt-000000006.safetensors.tmp-1", "half", 4);
    write_file("d/notes.txt", "mine", 4);
    resume_and_compare("leftovers");
    cr_expect_not(file_exists(name));
    cr_expect(file_exists("d/ckpt-000000006.safetensors.tmp-1"));
    cr_expect(file_exists("d/notes.txt"));
}

/* No byte can be written: the run goes on, says so, and ends with status 1. */
Test(runtime_saved, full_disk)
{
    struct rlimit small = {512, 512}, none = {RLIM_INFINITY, RLIM_INFINITY};
    reference();
    getrlimit(RLIMIT_FSIZE, &none);
    small.rlim_max = none.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    refused(&linear_filled, RUN "--checkpoint d --every 9", RT_ERROR_FILE,
            "the last checkpoint was not written", "full disk");
    refused(&linear_filled, RUN "--save out.safetensors", RT_ERROR_FILE,
            "out.safetensors: cannot set aside", "full disk, weights");
    setrlimit(RLIMIT_FSIZE, &none);
    cr_expect_not(file_exists("out.safetensors"));
    resume_and_compare("after the full disk");
}

static Bytes
one_checkpoint(void)
{
    reference();
    cr_assert_eq(run(&linear_filled, RUN "--checkpoint d --every 30"), RT_OK);
    return read_whole(LAST);
}

static int
read_back(const RtProgram *p, const Bytes *b)
{
    RtModel *m;
    RtMoment at;
    write_file("c.safetensors", b->at, b->count);
    cr_assert_eq(rt_open(&m, p, NULL, 0, 1), RT_OK);
    int status = rt_resume_read(m, "c.safetensors", &at);
    rt_close(m);
    return status;
}

Test(runtime_saved, every_prefix_is_refused)
{
    Bytes b = one_checkpoint();
    for (int64_t k = 0; k < b.count;
         k += k < 600 || k > b.count - 200 ? 1 : 37) {
        Bytes part = {b.at, k};
        cr_expect_eq(read_back(&linear_filled, &part), RT_ERROR_FILE, "%d",
                     (int)k);
    }
    cr_expect_eq(read_back(&linear_filled, &b), RT_OK, "%s", rt_message());
    put(&b, "", 1);
    cr_expect_eq(read_back(&linear_filled, &b), RT_ERROR_FILE);
}

Test(runtime_saved, every_bit_is_guarded)
{
    Bytes b = one_checkpoint();
    RtModel *m;
    RtMoment at;
    cr_assert_eq(rt_open(&m, &linear_filled, NULL, 0, 1), RT_OK);
    write_file("c.safetensors", b.at, b.count);
    int fd = open("c.safetensors", O_RDWR);
    for (int64_t bit = 0; bit < b.count * 8; bit++) {
        char flipped = (char)(b.at[bit / 8] ^ 1 << bit % 8);
        cr_assert_eq(pwrite(fd, &flipped, 1, bit / 8), 1);
        cr_expect_eq(rt_resume_read(m, "c.safetensors", &at), RT_ERROR_FILE,
                     "bit %d", (int)bit);
        cr_assert_eq(pwrite(fd, b.at + bit / 8, 1, bit / 8), 1);
    }
    cr_expect_eq(rt_resume_read(m, "c.safetensors", &at), RT_OK);
    rt_close(m);
    close(fd);
}

/* Gives changed bytes a digest that fits, as an attacker or a bug would. */
static void
seal(Bytes *b)
{
    RtDigest d;
    char digits[33];
    memset(b->at + rt_digest_place(), '0', 32);
    rt_digest_begin(&d);
    rt_digest_add(&d, b->at, b->count);
    rt_digest_end(&d, digits);
    memcpy(b->at + rt_digest_place(), digits, 32);
}

static Bytes
copy_of(Bytes b)
{
    Bytes c = {0};
    put(&c, b.at, b.count);
    return c;
}

/* `from` becomes `to`, of the same length, in the header. */
static const struct {
    const char *from, *to;
    int status;
    const char *words;
} edit[] = {
    {"snug-checkpoint 1", "snug-checkpoint 2", RT_ERROR_CHECKPOINT,
     "another format"},
    {"\"optimizer\":\"momentum\"", "\"optimizer\":\"nesterov\"",
     RT_ERROR_CHECKPOINT, "another optimizer: 'nesterov', this program has"},
    {"\"optimizer\"", "\"optimizes\"", RT_ERROR_CHECKPOINT, "optimizer"},
    {"\"model_hash\":\"0", "\"model_hash\":\"1", RT_ERROR_CHECKPOINT, "(hash)"},
    {"\"plan_hash\":\"0", "\"plan_hash\":\"1", RT_OK, ""},
    {"\"step\":\"60\"", "\"step\":\"-6\"", RT_ERROR_CHECKPOINT, "'step'"},
    {"\"step\":\"60\"", "\"step\":\"6x\"", RT_ERROR_CHECKPOINT, "'step'"},
    {"\"step\":\"60\"", "\"stop\":\"60\"", RT_ERROR_CHECKPOINT, "'step'"},
    {"\"rows\":", "\"cows\":", RT_ERROR_CHECKPOINT, "'rows'"},
    {"\"seed\":", "\"sees\":", RT_ERROR_CHECKPOINT, "a note of the run"},
    {"\"schedule\":", "\"schedules:", RT_ERROR_FILE, "not a safetensors"},
    {"\"fc.bias\"", "\"fc.bios\"", RT_ERROR_CHECKPOINT, "no tensor 'fc.bias'"},
    {"\"fc.weight.m\"", "\"fc.weight.v\"", RT_ERROR_CHECKPOINT,
     "no tensor 'fc.weight.m'"},
    {"\"fc.weight.m\"", "\"fc.weight\"  ", RT_ERROR_FILE, "stands twice"},
    {"\"shape\":[5,3]", "\"shape\":[3,5]", RT_ERROR_CHECKPOINT,
     "tensor 'fc.weight' is F32[3,5], the program needs F32[5,3]"},
    {"\"dtype\":\"F32\"", "\"dtype\":\"I32\"", RT_ERROR_CHECKPOINT, "I32[5,3]"},
    {"\"dtype\":\"F32\"", "\"dtype\":\"F64\"", RT_ERROR_FILE,
     "its shape needs 120"},
    {"[0,60]", "[0,61]", RT_ERROR_FILE, "needs 60"},
    {"\"shape\":[5,3]", "\"shape\":[15] ", RT_ERROR_CHECKPOINT, "F32[15]"},
    {"__metadata__", "__metadota__", RT_ERROR_FILE, "safetensors"}};

Test(runtime_saved, edited_checkpoints_are_refused)
{
    Bytes whole = one_checkpoint();
    for (size_t k = 0; k < sizeof edit / sizeof *edit; k++) {
        Bytes b = copy_of(whole);
        char *at =
            memmem(b.at, (size_t)b.count, edit[k].from, strlen(edit[k].from));
        cr_assert(at, "%s", edit[k].from);
        memcpy(at, edit[k].to, strlen(edit[k].to));
        seal(&b);
        int status = read_back(&linear_filled, &b);
        cr_expect_eq(status, edit[k].status, "%s: %d, %s", edit[k].to, status,
                     rt_message());
        cr_expect(!status || strstr(rt_message(), edit[k].words), "%s: %s",
                  edit[k].to, rt_message());
    }
}

/* Two tensors of the same size change places: only the digest can tell. */
Test(runtime_saved, swapped_tensors_are_noticed)
{
    Bytes b = one_checkpoint();
    char kept[60], *weight = b.at + b.count - 140, *speed = weight + 72;
    memcpy(kept, weight, 60);
    memcpy(weight, speed, 60);
    memcpy(speed, kept, 60);
    cr_expect_eq(read_back(&linear_filled, &b), RT_ERROR_FILE);
    cr_expect(strstr(rt_message(), "digest"));
}

Test(runtime_saved, other_models_are_refused)
{
    one_checkpoint();
    refused(&linear_plain, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "another optimizer: 'momentum', this program has 'sgd'", "plain");
    refused(&linear_wide, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "the program needs F32[3,5]", "wide");
    refused(&linear_hash, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "another model or rule", "hash");
    write_rows(40);
    refused(&linear_filled, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "its run had 50 rows", "data");
}

Test(runtime_saved, damaged_ones_are_passed_over)
{
    Bytes b = one_checkpoint();
    b.at[b.count - 1] ^= 1;
    write_file(LAST, b.at, b.count);
    resume_and_compare("newest damaged");
    write_file("d/ckpt-000000054.safetensors", "", 0);
    write_file(LAST, "", 0);
    refused(&linear_filled, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "none of its 2 checkpoints can be used", "both");
    unlink(LAST);
    mkdir(LAST, 0777);
    refused(&linear_filled, RUN "--checkpoint d --resume", RT_ERROR_CHECKPOINT,
            "none of its 2", "a folder");
}

/* A run without enough address space is refused before its first step. */
Test(runtime_saved, too_little_memory)
{
    struct rlimit kept, small;
    RtArena a;
#ifdef __SANITIZE_ADDRESS__
    cr_skip("the sanitizer's shadow needs the address space");
#endif
    getrlimit(RLIMIT_AS, &kept);
    small = kept;
    small.rlim_cur = (rlim_t)256 << 20;
    setrlimit(RLIMIT_AS, &small);
    for (int64_t mebibytes = 1024; mebibytes >= 250; mebibytes -= 50) {
        cr_expect_eq(rt_arena_map(&a, mebibytes << 20, 64), RT_ERROR_MEMORY);
        cr_expect(strstr(rt_message(), "the arena needs"));
    }
    setrlimit(RLIMIT_AS, &kept);
}
