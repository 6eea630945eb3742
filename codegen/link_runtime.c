/* link_runtime: the runtime library that programs are linked with: the host's
   lies ready; for another architecture it is made of the runtime's sources and
   kept in the user's cache, under a name that follows from all that went in. */
#define XXH_INLINE_ALL
#include "codegen/link_parts.h"

#include <xxhash.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/base/diag.h"
#include "ir/base/output.h"

/* As the host's is built. */
static const char *const flags[] = {
    "-std=c17", "-O2", "-D_GNU_SOURCE", "-DSNUG_VERSION=\"" SNUG_VERSION "\"",
    "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-ffunction-sections",
    "-fdata-sections"};

enum { FLAGS = sizeof flags / sizeof *flags };

/* ---- what lies beside the executable ------------------------------------ */

/* The first of `near`, NULL-terminated and seen from the executable, that holds
   the file. */
static const char *
folder_with(Arena *a, const char *const *near, const char *file)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n > 0 ? n : 0] = 0;
    if (strrchr(self, '/'))
        *strrchr(self, '/') = 0;
    for (size_t i = 0; near[i]; i++) {
        const char *dir = path_near(a, self, near[i]);

        if (access(path_near(a, dir, file), R_OK) == 0)
            return dir;
    }
    raise_status(ST_INPUT, NOWHERE,
                 "%s of the runtime is not beside %s\nname the folder of the "
                 "runtime library in SNUG_RUNTIME",
                 file, self);
}

static const char *
given_folder(void)
{
    const char *given = getenv("SNUG_RUNTIME");

    return given && *given ? given : NULL;
}

/* $SNUG_RUNTIME, or where it is installed, or the build tree. */
const char *
runtime_folder(Arena *a)
{
    static const char *const near[] = {"../lib/snug", "../lib", "lib",
                                       "../../lib", NULL};
    const char *given = given_folder();

    return given ? given : folder_with(a, near, "libsnug_rt.a");
}

static const char *
source_folder(Arena *a)
{
    static const char *const near[] = {"../share/snug", "share/snug",
                                       "../../share/snug", NULL};

    return folder_with(a, near, "runtime/abi.h");
}

/* ---- the key ------------------------------------------------------------ */

static int
by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The files of the folder, as paths, in the order of their names. */
static const char **
files_of(Arena *a, const char *folder)
{
    const char **file = NULL;
    DIR *d = opendir(folder);
    struct dirent *e;

    if (!d)
        raise_at((Loc){.file = folder}, "cannot be read: %s", strerror(errno));
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            vec_push(a, file, path_near(a, folder, e->d_name));
    closedir(d);
    if (vec_len(file))
        qsort(file, vec_len(file), sizeof *file, by_name);
    return file;
}

static void
digest_file(XXH3_state_t *key, const char *path)
{
    char part[4096];
    size_t got;
    FILE *f = fopen(path, "re");

    if (!f)
        raise_at((Loc){.file = path}, "cannot be read: %s", strerror(errno));
    while ((got = fread(part, 1, sizeof part, f)) > 0)
        XXH3_64bits_update(key, part, got);
    fclose(f);
}

static void
digest_folder(Arena *a, XXH3_state_t *key, const char *folder)
{
    const char **file = files_of(a, folder);

    for (size_t i = 0; i < vec_len(file); i++) {
        const char *name = strrchr(file[i], '/');

        XXH3_64bits_update(key, name, strlen(name) + 1);
        digest_file(key, file[i]);
    }
}

/* What the compiler says of itself. */
static Text
ask(Arena *a, const Tools *t, const char *question)
{
    Command c = compiler_new(a, t);

    command_add(&c, "%s", question);
    return command_run(&c, "");
}

/* A compiler for another architecture would fill the cache with what no
   program can use. */
static void
require_architecture(Arena *a, const Tools *t)
{
    Text made_for = ask(a, t, "-dumpmachine");
    size_t n = strcspn(t->target->triple, "-");

    if (strncmp(text_str(&made_for), t->target->triple, n) != 0 ||
        text_str(&made_for)[n] != '-')
        raise_status(ST_INPUT, NOWHERE,
                     "the compiler named in CC makes code for %s\n%s",
                     text_str(&made_for), t->remedy);
}

static unsigned long long
key_of(Arena *a, const Tools *t, const char *sources)
{
    Text version = ask(a, t, "--version");
    XXH3_state_t key; /* here it is aligned as it must be */

    XXH3_64bits_reset(&key);
    XXH3_64bits_update(&key, text_str(&version), version.len + 1);
    for (int i = 0; i < FLAGS; i++)
        XXH3_64bits_update(&key, flags[i], strlen(flags[i]) + 1);
    digest_folder(a, &key, path_near(a, sources, "runtime"));
    digest_folder(a, &key, path_near(a, sources, "include"));
    return XXH3_64bits_digest(&key);
}

/* ---- making it ---------------------------------------------------------- */

static char *
inside(Arena *a, const char *folder, const char *name)
{
    Text t = text_new(a);

    text_add(&t, "%s/%s", folder, name);
    output_temporary(a, t.s);
    return t.s;
}

/* The sources (those with `main`, or the others) as one object in an archive
   of its own. */
static void
make_archive(Arena *a, const Tools *t, const char *sources, bool main,
             const char *folder)
{
    const char **file = files_of(a, path_near(a, sources, "runtime"));
    char *object = inside(a, folder, main ? "main.o" : "runtime.o");
    char *made =
        inside(a, folder, main ? "libsnug_rt_main.a" : "libsnug_rt.a");
    Command c = compiler_new(a, t), ar = command_new(a, "AR", t->archiver);

    for (int i = 0; i < FLAGS; i++)
        command_add(&c, "%s", flags[i]);
    command_add(&c, "-I%s", sources);
    command_add(&c, "-I%s/include", sources);
    command_add(&c, "-nostdlib");
    command_add(&c, "-r");
    command_add(&c, "-o");
    command_add(&c, "%s", object);
    for (size_t i = 0; i < vec_len(file); i++)
        if (strcmp(strrchr(file[i], '.'), ".c") == 0 &&
            !!strstr(file[i], "/rt_main.c") == main)
            command_add(&c, "%s", file[i]);
    command_run(&c, object);
    command_add(&ar, "rcsD");
    command_add(&ar, "%s", made);
    command_add(&ar, "%s", object);
    command_run(&ar, made);
    unlink(object);
}

static void
make_both(Arena *a, const Tools *t, const char *sources, const char *folder)
{
    make_archive(a, t, sources, false, folder);
    make_archive(a, t, sources, true, folder);
}

static bool
is_made(Arena *a, const char *folder)
{
    return access(path_near(a, folder, "libsnug_rt.a"), R_OK) == 0 &&
           access(path_near(a, folder, "libsnug_rt_main.a"), R_OK) == 0;
}

/* What is left of a runtime whose archives somebody has removed. */
static void
clear(Arena *a, const char *folder)
{
    unlink(path_near(a, folder, "libsnug_rt.a"));
    unlink(path_near(a, folder, "libsnug_rt_main.a"));
    rmdir(folder);
}

/* Made beside and renamed: who comes second takes what the first has made. */
static void
make_kept(Arena *a, const Tools *t, const char *sources, const char *folder)
{
    char *made = beside(a, folder, ".new");

    if (mkdir(made, 0700) != 0)
        raise_at((Loc){.file = made}, "cannot be made: %s", strerror(errno));
    make_both(a, t, sources, made);
    if (rename(made, folder) == 0 || is_made(a, folder))
        return;
    clear(a, folder);
    if (rename(made, folder) != 0)
        raise_at((Loc){.file = folder}, "cannot be written: %s",
                 strerror(errno));
}

const char *
runtime_made(Arena *a, const Tools *t, const char *cache)
{
    const char *sources, *folder = given_folder();
    Text name = text_new(a);

    if (folder)
        return folder;
    sources = source_folder(a);
    require_architecture(a, t);
    if (!cache) {
        folder = output_temporary_folder(a);
        make_both(a, t, sources, folder);
        return folder;
    }
    text_add(&name, "%s/runtime-%s-%016llx", cache, t->target->name,
             key_of(a, t, sources));
    if (!is_made(a, name.s))
        make_kept(a, t, sources, name.s);
    return name.s;
}
