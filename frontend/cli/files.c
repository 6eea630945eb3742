/* files: models by their ending, texts in and out. */
#include "frontend/cli/commands.h"
#include "frontend/onnx/import.h"
#include "ir/base/output.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MOST = 1 << 30 };

static void
close_file(void *p)
{
    fclose(p);
}

static FILE *
open_regular(Arena *a, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *f;

    if (fd < 0 || fstat(fd, &st) < 0)
        raise_at((Loc){.file = path}, E(E0201) "cannot be read: %s",
                 strerror(errno));
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        raise_at((Loc){.file = path}, E(E0203) "is not a regular file");
    }
    f = fdopen(fd, "rb");
    if (!f)
        raise_status(ST_INTERNAL, (Loc){.file = path}, "%s", strerror(errno));
    arena_defer(a, close_file, f);
    return f;
}

char *
read_text(Arena *a, const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : open_regular(a, path);
    Text t = text_new(a);
    char buffer[4096];
    size_t n;

    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0) {
        if (memchr(buffer, 0, n))
            raise_at((Loc){.file = path},
                     E(E0400) "is not text: it holds a NUL byte");
        if (t.len + n > TEXT_MOST)
            raise_at((Loc){.file = path},
                     E(E0400) "is larger than 1 GiB of text");
        text_add_n(&t, buffer, n);
    }
    if (ferror(f))
        raise_at((Loc){.file = path}, E(E0201) "cannot be read: %s",
                 strerror(errno));
    text_add_n(&t, "", 0);
    return t.s;
}

static void
cannot_write(const char *path)
{
    raise_at((Loc){.file = path}, E(E0202) "cannot be written: %s",
             strerror(errno));
}

/* A reader that went away (head) is no fault. */
void
finish_stdout(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    bool bad = ferror(stdout) != 0;

    errno = 0;
    bad = fflush(stdout) != 0 || bad;
    if (!bad || errno == EPIPE || (poll(&p, 1, 0) > 0 && (p.revents & POLLERR)))
        return;
    raise_at(NOWHERE, E(E0202) "the standard output cannot be written: %s",
             errno ? strerror(errno) : "is its disk full?");
}

static void
write_to(const char *path, const char *mode, const char *text,
         const char *asked)
{
    FILE *f = fopen(path, mode);
    bool bad;

    if (!f)
        cannot_write(asked);
    bad = fputs(text, f) < 0;
    if (fclose(f) != 0 || bad)
        cannot_write(asked);
}

void
write_text(Arena *a, const char *path, const char *text)
{
    Text temporary = text_new(a);

    if (strcmp(path, "-") == 0) {
        fputs(text, stdout);
        finish_stdout();
        return;
    }
    if (output_is_stream(path)) {
        write_to(path, "we", text, path);
        return;
    }
    path = output_file(a, path);
    text_add(&temporary, "%s.tmp-%d", path, (int)getpid());
    output_temporary(a, temporary.s);
    write_to(temporary.s, "we", text, path);
    if (rename(temporary.s, path) != 0)
        cannot_write(path);
}

/* A name that cannot be written is said before the work, not behind it. */
void
require_outputs(const Args *args)
{
    static const Option named[] = {OPT_output, OPT_report, OPT_html, OPT_trace,
                                   OPT_dot};

    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const char *path = option(args, named[i], NULL);

        if (path && *path && strcmp(path, "-") != 0 && !output_is_stream(path))
            output_file(args->arena, path);
    }
}

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static DimBinding *
dim_bindings(const Args *args)
{
    DimBinding *dims = NULL;

    for (size_t i = 0; i < vec_len(args->given[OPT_dim]); i++) {
        const char *text = args->given[OPT_dim][i];
        const char *equals = strchr(text, '=');
        char *end = NULL;
        long long size;
        Text name = text_new(args->arena);

        errno = 0;
        size = equals ? strtoll(equals + 1, &end, 10) : 0;
        if (!equals || equals == text || *end || size < 1 || errno)
            raise_status(
                ST_USAGE, NOWHERE,
                E(E0107) "--dim %s: NAME=SIZE expected, with a size of at "
                         "least 1, as in --dim batch=64",
                text);
        text_add_n(&name, text, (size_t)(equals - text));
        vec_push(args->arena, dims, (DimBinding){name.s, size});
    }
    return dims;
}

static Module *
parse_file(const Args *args, const char *path)
{
    Module *m = parse_module(args->arena, read_text(args->arena, path), path);

    if (m)
        verify_module(m);
    raise_if_complained();
    return m;
}

Module *
load_model(const Args *args, const char *path)
{
    DimBinding *dims = dim_bindings(args);
    double start = seconds_now();
    Module *m;

    if (ends_with(path, ".snug") || strcmp(path, "-") == 0)
        return parse_file(args, path);
    if (!ends_with(path, ".onnx"))
        raise_at((Loc){.file = path},
                 E(E0205) "is neither .onnx nor .snug by its name");
    m = import_onnx(args->arena, path, dims, (int)vec_len(dims));
    if (option_on(args, OPT_time_passes))
        tell_seconds("(import)", start);
    return m;
}
