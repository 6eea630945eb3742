/* cache_test: what was put is found again or nothing is: entries that are cut,
   changed, strange or of another key are as if they were not there. */
#include "codegen/cache.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ir/base/diag.h"
#include "tests/shell.h"

typedef struct Folder {
    Arena *arena;
    char path[64], kernels[80];
    Cache *cache;
} Folder;

static Folder
folder_new(void)
{
    Folder f = {.arena = arena_new(), .path = "/tmp/snug-cache-XXXXXX"};

    cr_assert(mkdtemp(f.path));
    snprintf(f.kernels, sizeof f.kernels, "%s/kernels", f.path);
    f.cache = cache_open(f.arena, f.path);
    return f;
}

static void
folder_free(Folder *f)
{
    shell("rm -rf %s", f->path);
    arena_free(f->arena);
}

static Text
text_of(const Folder *f, const char *s)
{
    Text t = text_new(f->arena);

    text_add(&t, "%s", s);
    return t;
}

static void
put(const Folder *f, const char *key, const char *value)
{
    Text k = text_of(f, key), v = text_of(f, value);

    cache_put(f->cache, &k, &v);
}

/* NULL: nothing. */
static const char *
get(const Folder *f, const char *key)
{
    Text k = text_of(f, key), found = text_new(f->arena);

    return cache_get(f->cache, &k, &found) ? text_str(&found) : NULL;
}

/* The only entry. */
static const char *
entry_path(const Folder *f)
{
    DIR *d = opendir(f->kernels);
    Text t = text_new(f->arena);
    struct dirent *e;

    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            text_add(&t, "%s/%s", f->kernels, e->d_name);
    closedir(d);
    return text_str(&t);
}

static int
entries(const Folder *f)
{
    DIR *d = opendir(f->kernels);
    struct dirent *e;
    int count = 0;

    while ((e = readdir(d)))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

Test(cache, what_was_put_is_found)
{
    Folder f = folder_new();

    cr_expect_null(get(&f, "a"));
    put(&f, "a", "one");
    put(&f, "b", "");
    cr_expect_str_eq(get(&f, "a"), "one");
    cr_expect_str_eq(get(&f, "b"), "");
    put(&f, "a", "two");
    cr_expect_str_eq(get(&f, "a"), "two");
    cr_expect_null(get(&f, ""));
    folder_free(&f);
}

Test(cache, without_a_folder_nothing_is_kept)
{
    Folder f = folder_new();

    f.cache = cache_open(f.arena, NULL);
    put(&f, "a", "one");
    cr_expect_null(get(&f, "a"));
    cache_trim(f.cache);
    f.cache = cache_open(f.arena, "/dev/null/none");
    put(&f, "a", "one");
    cr_expect_null(get(&f, "a"));
    folder_free(&f);
}

static size_t
read_entry(const char *path, char *bytes, size_t most)
{
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, most, file);

    fclose(file);
    return n;
}

static void
write_entry(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    cr_assert_eq(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

Test(cache, a_changed_byte_is_noticed)
{
    Folder f = folder_new();
    const char *path;
    char whole[256], changed[256];
    size_t n;

    put(&f, "key of it", "content of it");
    path = entry_path(&f);
    n = read_entry(path, whole, sizeof whole);
    for (size_t i = 0; i < n; i++) {
        memcpy(changed, whole, n);
        changed[i] ^= 1;
        write_entry(path, changed, n);
        cr_expect_null(get(&f, "key of it"), "byte %zu", i);
    }
    put(&f, "key of it", "made anew");
    cr_expect_str_eq(get(&f, "key of it"), "made anew");
    folder_free(&f);
}

Test(cache, a_cut_or_longer_entry_is_noticed)
{
    Folder f = folder_new();
    const char *path;
    char whole[256] = {0};
    size_t n;

    put(&f, "key of it", "content of it");
    path = entry_path(&f);
    n = read_entry(path, whole, sizeof whole);
    for (size_t i = 0; i <= n + 1; i++) {
        write_entry(path, whole, i);
        cr_expect_eq(!!get(&f, "key of it"), i == n, "%zu bytes", i);
    }
    folder_free(&f);
}

/* As if both keys had one digest. */
Test(cache, another_key_in_the_file_is_noticed)
{
    Folder f = folder_new();
    char whole[256];
    const char *path;
    size_t n;

    put(&f, "a", "one");
    n = read_entry(entry_path(&f), whole, sizeof whole);
    unlink(entry_path(&f));
    put(&f, "b", "two");
    path = entry_path(&f);
    write_entry(path, whole, n);
    cr_expect_null(get(&f, "b"));
    folder_free(&f);
}

Test(cache, strange_things_in_its_place_are_no_entries)
{
    Folder f = folder_new();
    const char *path;

    put(&f, "a", "one");
    path = entry_path(&f);
    cr_assert_eq(shell("mv %s %s.x && ln -s %s.x %s", path, path, path, path),
                 0);
    cr_expect_null(get(&f, "a"), "a link");
    cr_assert_eq(shell("rm %s && mkfifo %s", path, path), 0);
    cr_expect_null(get(&f, "a"), "a pipe");
    cr_assert_eq(shell("rm %s && mkdir %s", path, path), 0);
    cr_expect_null(get(&f, "a"), "a folder");
    put(&f, "a", "two");
    cr_expect_null(get(&f, "a"));
    cr_assert_eq(shell("rmdir %s", path), 0);
    put(&f, "a", "two");
    cr_expect_str_eq(get(&f, "a"), "two");
    folder_free(&f);
}

Test(cache, two_writers_leave_one_whole_entry)
{
    enum { WRITERS = 4, ROUNDS = 200 };
    Folder f = folder_new();
    int good = 0;

    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0) {
            for (int k = 0; k < ROUNDS; k++) {
                const char *found = get(&f, "a");

                if (found && strcmp(found, "the same") != 0)
                    _exit(1);
                put(&f, "a", "the same");
            }
            _exit(0);
        }
    for (int i = 0; i < WRITERS; i++) {
        int status = 1;

        wait(&status);
        good += status == 0;
    }
    cr_expect_eq(good, WRITERS);
    cr_expect_eq(entries(&f), 1);
    cr_expect_str_eq(get(&f, "a"), "the same");
    folder_free(&f);
}

static void
set_age(const char *path, long seconds)
{
    struct timespec t[2] = {{time(NULL) - seconds, 0},
                            {time(NULL) - seconds, 0}};

    cr_assert_eq(utimensat(AT_FDCWD, path, t, 0), 0);
}

Test(cache, the_oldest_go_when_it_is_full)
{
    Folder f = folder_new();
    char name[8];

    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        put(&f, name, name);
    }
    cr_assert_eq(shell("touch -d '1 hour ago' %s/*", f.kernels), 0);
    cr_expect_str_eq(get(&f, "3"), "3"); /* used now */
    put(&f, "new", "new");
    setenv("SNUG_CACHE_SIZE", "8192", 1); /* two blocks */
    cache_trim(f.cache);
    cr_expect_eq(entries(&f), 2);
    cr_expect_str_eq(get(&f, "3"), "3");
    cr_expect_str_eq(get(&f, "new"), "new");
    setenv("SNUG_CACHE_SIZE", "0", 1);
    cache_trim(f.cache);
    cr_expect_eq(entries(&f), 0);
    setenv("SNUG_CACHE_SIZE", "many", 1);
    put(&f, "a", "one");
    cache_trim(f.cache);
    cr_expect_str_eq(get(&f, "a"), "one");
    folder_free(&f);
}

Test(cache, what_dead_writers_left_goes)
{
    Folder f = folder_new();
    char old[128], young[128], other[128];

    snprintf(old, sizeof old, "%s/k-0.1.new", f.kernels);
    snprintf(young, sizeof young, "%s/k-1.2.new", f.kernels);
    snprintf(other, sizeof other, "%s/notes", f.kernels);
    write_entry(old, "", 0);
    write_entry(young, "", 0);
    write_entry(other, "", 0);
    set_age(old, 10000);
    set_age(other, 10000);
    put(&f, "a", "one");
    cache_trim(f.cache);
    cr_expect_neq(access(old, F_OK), 0);
    cr_expect_eq(access(young, F_OK), 0);
    cr_expect_eq(access(other, F_OK), 0, "not ours");
    folder_free(&f);
}

Test(cache, the_folder_is_found)
{
    Folder f = folder_new();
    Guard guard;
    char deep[128], snug[128];

    unsetenv("SNUG_CACHE");
    setenv("XDG_CACHE_HOME", f.path, 1);
    snprintf(snug, sizeof snug, "%s/snug", f.path);
    cr_expect_str_eq(cache_folder(f.arena, NULL), snug);
    setenv("XDG_CACHE_HOME", "not/absolute", 1);
    setenv("HOME", f.path, 1);
    snprintf(snug, sizeof snug, "%s/.cache/snug", f.path);
    cr_expect_str_eq(cache_folder(f.arena, NULL), snug);
    snprintf(deep, sizeof deep, "%s/a/b/c", f.path);
    setenv("SNUG_CACHE", deep, 1);
    cr_expect_str_eq(cache_folder(f.arena, NULL), deep);
    cr_expect_eq(access(deep, W_OK), 0);
    setenv("SNUG_CACHE", "/dev/null/none", 1);
    cr_expect_null(cache_folder(f.arena, NULL));
    if (guarded(&guard)) {
        cache_folder(f.arena, "/dev/null/none");
        cr_expect_fail("no problem");
    }
    diag_free(&guard);
    folder_free(&f);
}
