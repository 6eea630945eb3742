/* link: the system's compiler driver joins what the compiler made with the
   runtime library; nothing half-written stays. */
#include "codegen/link.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/link_parts.h"
#include "ir/base/diag.h"
#include "ir/base/output.h"
#include "ir/base/str.h"

enum { MOST_ARGUMENTS = 256, MOST_WORDS = 4000 };

extern char **environ;

void
command_add(Command *c, const char *format, ...)
{
    Text t = text_new(c->arena);
    char part[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    text_add(&t, "%s", part);
    ASSERT(c->count < MOST_ARGUMENTS - 1);
    vec_push(c->arena, c->argument, t.s);
    c->count++;
}

static const char *
tool(const char *variable, const char *otherwise)
{
    const char *chosen = getenv(variable);

    return chosen && *chosen ? chosen : otherwise;
}

/* $CC may hold words: "ccache gcc". */
Command
command_new(Arena *a, const char *variable, const char *otherwise)
{
    Command c = {.arena = a};
    const char *s = tool(variable, otherwise);

    while (*s) {
        size_t n = strcspn(s, " ");

        if (n)
            command_add(&c, "%.*s", (int)n, s);
        s += n + (s[n] == ' ');
    }
    return c;
}

/* What it wrote, cut to what helps. */
static Text
read_words(Arena *a, int fd)
{
    Text t = text_new(a);
    char part[1024];
    ssize_t got;

    while ((got = read(fd, part, sizeof part)) != 0) {
        if (got < 0 && errno != EINTR)
            break;
        if (got > 0 && t.len < MOST_WORDS)
            text_add_n(&t, part, (size_t)got);
    }
    while (t.len && t.s[t.len - 1] == '\n')
        t.s[--t.len] = 0;
    return t;
}

/* In a group of its own, with the signals that we hold let through: what ends
   us leaves the child alone, which then removes its temporary files itself. */
static int
spawn(Command *c, pid_t *child, int words, const sigset_t *mask)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    vec_push(c->arena, c->argument, NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, words, 1);
    posix_spawn_file_actions_adddup2(&actions, words, 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, mask);
    error = posix_spawnp(child, c->argument[0], &actions, &attributes,
                         c->argument, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void
raise_missing(const Command *c, int error)
{
    raise_status(ST_INPUT, NOWHERE, E(E0702) "cannot run '%s': %s\n%s",
                 c->argument[0], strerror(error),
                 c->remedy ? c->remedy
                           : "install a C compiler and linker (gcc and "
                             "binutils), or name one in CC");
}

/* The words of another program, each line indented. */
static _Noreturn void
raise_failed(const Command *c, const Text *words)
{
    Text t = text_new(c->arena);

    for (const char *s = text_str(words); *s; s += *s == '\n') {
        size_t n = strcspn(s, "\n");

        text_add(&t, "\n  %.*s", (int)n, s);
        s += n;
    }
    raise_status(ST_INPUT, NOWHERE, E(E0703) "'%s' failed%s", c->argument[0],
                 text_str(&t));
}

/* Its status, or -1 and errno where it cannot be started. */
static int
spawn_and_wait(Command *c, const int *pipes, Text *words, const sigset_t *mask)
{
    int status = 0, error;
    pid_t child;

    error = spawn(c, &child, pipes[1], mask);
    close(pipes[1]);
    if (!error)
        *words = read_words(c->arena, pipes[0]);
    close(pipes[0]);
    while (!error && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    errno = error;
    return error ? -1 : status;
}

Text
command_run(Command *c, const char *made)
{
    sigset_t before;
    int pipes[2], status, error;
    Text words;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        raise_status(ST_INTERNAL, NOWHERE, "no pipe: %s", strerror(errno));
    output_hold_signals(&before);
    status = spawn_and_wait(c, pipes, &words, &before);
    error = errno;
    output_release_signals(&before);
    if (status < 0)
        raise_missing(c, error);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        unlink(made);
        raise_failed(c, &words);
    }
    return words;
}

Command
compiler_new(Arena *a, const Tools *t)
{
    Command c = command_new(a, "CC", t->compiler);

    c.remedy = t->remedy;
    return c;
}

const char *
path_near(Arena *a, const char *dir, const char *name)
{
    Text t = text_new(a);

    text_add(&t, "%s/%s", dir, name);
    return text_str(&t);
}

/* What the runtime itself needs; zlib is inside it. */
static void
add_libraries(Command *c)
{
    command_add(c, "-lm");
    command_add(c, "-pthread");
}

char *
beside(Arena *a, const char *path, const char *ending)
{
    Text t = text_new(a);

    text_add(&t, "%s.%d%s", path, (int)getpid(), ending);
    output_temporary(a, t.s);
    return t.s;
}

static void
settle(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        raise_at((Loc){.file = to}, "cannot be written: %s", strerror(errno));
}

void
join_objects(Arena *a, const char *archive, const char *path)
{
    Command c = command_new(a, "CC", "cc");
    char *made = beside(a, path, ".join");

    command_add(&c, "-nostdlib");
    command_add(&c, "-r");
    command_add(&c, "-o");
    command_add(&c, "%s", made);
    command_add(&c, "-Wl,--whole-archive");
    command_add(&c, "%s", archive);
    command_add(&c, "-Wl,--no-whole-archive");
    command_run(&c, made);
    settle(made, path);
}

static void
link_program(Arena *a, const Tools *t, const char *object, const char *made)
{
    Command c = compiler_new(a, t);

    command_add(&c, "-o");
    command_add(&c, "%s", made);
    command_add(&c, "%s", object);
    command_add(&c, "%s/libsnug_rt_main.a", t->folder);
    command_add(&c, "%s/libsnug_rt.a", t->folder);
    command_add(&c, "-Wl,--gc-sections");
    command_add(&c, "-s");
    add_libraries(&c);
    command_run(&c, made);
}

/* What the linker lets out of a shared library: nothing of zlib, which the
   program that loads it may have too. */
static const char *
version_script(Arena *a, const char *made)
{
    char *path = beside(a, made, ".map");
    FILE *f = fopen(path, "we");

    if (!f)
        raise_at((Loc){.file = path}, "cannot be written: %s",
                 strerror(errno));
    fputs("{ global: rt_*; snug_program; local: *; };\n", f);
    if (fclose(f) != 0)
        raise_at((Loc){.file = path}, "cannot be written: %s",
                 strerror(errno));
    return path;
}

static void
link_shared(Arena *a, const Tools *t, const char *object, const char *made,
            const char *name)
{
    Command c = compiler_new(a, t);
    const char *slash = strrchr(name, '/');

    command_add(&c, "-shared");
    /* what is linked with it asks for it by this name, in any folder */
    command_add(&c, "-Xlinker");
    command_add(&c, "-soname=%s", slash ? slash + 1 : name);
    command_add(&c, "-Wl,-Bsymbolic"); /* zlib's archive is not PIC */
    command_add(&c, "-o");
    command_add(&c, "%s", made);
    command_add(&c, "%s", object);
    command_add(&c, "-Wl,--whole-archive");
    command_add(&c, "%s/libsnug_rt.a", t->folder);
    command_add(&c, "-Wl,--no-whole-archive");
    command_add(&c, "-Wl,--version-script=%s", version_script(a, made));
    command_add(&c, "-s");
    add_libraries(&c);
    command_run(&c, made);
}

/* The name in an archive is the file's: the same in every run. */
static char *
member_path(Arena *a, const char *made)
{
    char *folder = beside(a, made, ".d");
    Text t = text_new(a);

    if (mkdir(folder, 0700) != 0)
        raise_at((Loc){.file = folder}, "cannot be made: %s",
                 strerror(errno));
    text_add(&t, "%s/model.o", folder);
    output_temporary(a, t.s);
    return t.s;
}

/* Only the interface stays visible. */
static void
hide_names(Arena *a, const Tools *t, const char *object)
{
    Command c = command_new(a, "OBJCOPY", t->objcopy);

    command_add(&c, "--wildcard");
    command_add(&c, "--keep-global-symbol=rt_*");
    command_add(&c, "--keep-global-symbol=snug_program");
    command_add(&c, "%s", object);
    command_run(&c, object);
}

/* One object with the runtime inside, alone in the archive. */
static void
link_static(Arena *a, const Tools *t, const char *object, char *made)
{
    Command c = compiler_new(a, t), ar = command_new(a, "AR", t->archiver);
    char *whole = member_path(a, made);

    command_add(&c, "-nostdlib");
    command_add(&c, "-r");
    command_add(&c, "-o");
    command_add(&c, "%s", whole);
    command_add(&c, "%s", object);
    command_add(&c, "-Wl,--whole-archive");
    command_add(&c, "%s/libsnug_rt.a", t->folder);
    command_add(&c, "-Wl,--no-whole-archive");
    command_run(&c, whole);
    hide_names(a, t, whole);
    command_add(&ar, "rcsD");
    command_add(&ar, "%s", made);
    command_add(&ar, "%s", whole);
    command_run(&ar, made);
}

static char *
tool_name(Arena *a, const Target *t, const char *name)
{
    Text s = text_new(a);

    text_add(&s, "%s-%s", t->tools, name);
    return s.s;
}

static const char *
remedy_for(Arena *a, const Target *t)
{
    Text s = text_new(a);

    text_add(&s,
             "--target %s is linked by a cross compiler: install %s, or name "
             "one in CC\n--emit obj needs none",
             t->name, t->packages);
    return s.s;
}

const Tools *
link_tools(Arena *a, const char *target, const char *cache)
{
    const Target *t = target_named(target);
    Tools *tools = NEW(a, Tools);

    if (!target_foreign(t)) {
        *tools = (Tools){t, "cc", "ar", "objcopy", NULL, runtime_folder(a)};
        return tools;
    }
    *tools = (Tools){t,
                     tool_name(a, t, "gcc"),
                     tool_name(a, t, "ar"),
                     tool_name(a, t, "objcopy"),
                     remedy_for(a, t),
                     NULL};
    tools->folder = runtime_made(a, tools, cache);
    return tools;
}

void
link_object(Arena *a, const Tools *t, const char *object, LinkKind kind,
            const char *path, const char *name)
{
    char *made = beside(a, path, ".link");

    if (kind == LINK_PROGRAM)
        link_program(a, t, object, made);
    else if (kind == LINK_SHARED)
        link_shared(a, t, object, made, name);
    else
        link_static(a, t, object, made);
    settle(made, path);
}

void
link_header(Arena *a, const char *path)
{
    write_header(a, runtime_folder(a), path);
}
