/* calibrate_links: bytes a second to a second mapping and to a file, and back:
   the best of a few turns over memory, of one turn over a file that is written
   through to the disk and read from there. */
#include "frontend/cli/calibrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ir/base/diag.h"
#include "passes/pipeline.h"

enum { TURNS = 4, PIECE = 1 << 22, PIECES = 48 };

static char *
mapping(size_t bytes)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        raise_status(ST_INTERNAL, NOWHERE, "no memory for measuring: %s",
                     strerror(errno));
    memset(p, 1, bytes);
    return p;
}

static double
copy_rate(char *to, const char *from, size_t bytes)
{
    double best = 0;

    for (int i = 0; i < TURNS; i++) {
        double start = seconds_now(), rate;

        memcpy(to, from, bytes);
        rate = (double)bytes / (seconds_now() - start + 1e-9);
        best = rate > best ? rate : best;
    }
    return best;
}

static Link
host_link(void)
{
    size_t bytes = (size_t)PIECE * 16;
    char *a = mapping(bytes), *b = mapping(bytes);
    Link l = {copy_rate(b, a, bytes), copy_rate(a, b, bytes)};

    munmap(a, bytes);
    munmap(b, bytes);
    return l;
}

/* A file without a name, past the page cache where that is possible. */
static int
open_file(Arena *a, const char *folder)
{
    Text path = text_new(a);
    int fd, flags;

    text_add(&path, "%s/snug-XXXXXX", folder);
    fd = mkstemp(path.s);
    if (fd < 0)
        raise_at((Loc){.file = folder}, "no file can be made there: %s",
                 strerror(errno));
    unlink(path.s);
    flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_DIRECT);
    return fd;
}

static void
require_whole(ssize_t n, const char *folder)
{
    if (n != PIECE)
        raise_at((Loc){.file = folder},
                 "%d MiB cannot be written and read there: %s",
                 PIECES * (PIECE >> 20), n < 0 ? strerror(errno) : "disk full");
}

static Link
file_link(Arena *a, const char *folder)
{
    char *piece = mapping(PIECE);
    int fd = open_file(a, folder);
    double start = seconds_now(), middle;
    double bytes = (double)PIECES * PIECE;

    for (int i = 0; i < PIECES; i++)
        require_whole(pwrite(fd, piece, PIECE, (off_t)i * PIECE), folder);
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    middle = seconds_now();
    for (int i = 0; i < PIECES; i++)
        require_whole(pread(fd, piece, PIECE, (off_t)i * PIECE), folder);
    close(fd);
    munmap(piece, PIECE);
    return (Link){bytes / (middle - start + 1e-9),
                  bytes / (seconds_now() - middle + 1e-9)};
}

static void
add_link(Arena *a, Figures *f, const char *space, Link l)
{
    LinkFigure x = {space, NEW(a, Link)};

    *x.link = l;
    vec_push(a, f->link, x);
}

void
add_links(Arena *a, Figures *f, const char *folder)
{
    add_link(a, f, "host", host_link());
    add_link(a, f, "disk", file_link(a, folder));
}
