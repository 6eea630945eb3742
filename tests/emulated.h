/* emulated: programs for other processors, each linked with target_runner and
   run by qemu's user mode on a file that holds the arena. */
#ifndef SNUG_TESTS_EMULATED_H
#define SNUG_TESTS_EMULATED_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codegen/target.h"
#include "runtime/abi.h"
#include "tests/expect.h"
#include "tests/shell.h"

/* What a test that wants `target` is compiled for: $SNUG_TEST_TARGET has the
   last word. */
static inline const char *
test_target(const char *target)
{
    return getenv("SNUG_TEST_TARGET") ? getenv("SNUG_TEST_TARGET") : target;
}

static inline void
emulated_link(const Target *t, const char *object, const char *runner)
{
    int status = shell("%s-gcc -O1 -I%s -o %s %s/tests/target_runner.c %s -lm",
                       t->tools, TEST_SOURCE_DIR, runner, TEST_SOURCE_DIR,
                       object);

    cr_assert_eq(status, 0, "%s-gcc failed", t->tools);
}

static inline void
emulated_write(const char *path, const char *memory, size_t bytes)
{
    FILE *f = fopen(path, "wb");

    cr_assert(f && fwrite(memory, 1, bytes, f) == bytes, "%s", path);
    cr_assert_eq(fclose(f), 0, "%s", path);
}

static inline void
emulated_read(const char *path, char *memory, size_t bytes)
{
    FILE *f = fopen(path, "rb");

    cr_assert(f && fread(memory, 1, bytes, f) == bytes, "%s", path);
    cr_assert_eq(fgetc(f), EOF, "%s is longer than the arena", path);
    fclose(f);
}

/* The arena at `memory` after the steps of the entry. */
static inline void
emulated_run(const Target *t, const char *runner, char *memory, size_t bytes,
             int entry, unsigned long long seed)
{
    char path[] = "/tmp/snug-arena-XXXXXX";
    int status;

    close(mkstemp(path));
    emulated_write(path, memory, bytes);
    status = shell("qemu-%s -L /usr/%s %s %s %d %llu", t->machine, t->tools,
                   runner, path, entry, seed);
    cr_assert_eq(status, 0, "entry %d: qemu-%s ended with %d", entry,
                 t->machine, status);
    emulated_read(path, memory, bytes);
    unlink(path);
}

#endif
