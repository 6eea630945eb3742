/* fuzz: see the header. */
#include "tests/fuzz/fuzz.h"

#include "ir/base/diag.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NODES_MOST = 200 };

static void
finding(const char *what, const char *text)
{
    fprintf(stderr, "%s\n%s\n", what, text ? text : "");
    abort();
}

bool
fuzz_guarded(FuzzWork *work, void *with)
{
    Arena *a = arena_new();
    volatile bool good = false;
    static Guard g; /* survives the jump */

    if (guarded(&g)) {
        work(a, with);
        raise_if_complained();
        guard_leave(&g);
        good = true;
    } else {
        if (g.status == ST_INTERNAL)
            finding("internal error", diag_text(&g));
        diag_free(&g);
    }
    arena_free(a);
    return good;
}

const char *
fuzz_file(const uint8_t *bytes, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd >= 0)
        close(fd);
    fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        finding("no file in memory", NULL);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

void
fuzz_round_trip(Arena *a, Module *m)
{
    const char *first = print_module(a, m), *second;
    Module *again = parse_module(a, first, "printed");

    if (!again || complaints())
        finding("what was printed is refused", first);
    second = print_module(a, again);
    if (strcmp(first, second) != 0)
        finding(first, second);
}

static bool
small_graph(const Graph *g)
{
    if (vec_len(g->order) > NODES_MOST)
        return false;
    for (size_t i = 1; i < vec_len(g->value); i++)
        if (type_elements(&g->value[i].type) > FUZZ_SMALL)
            return false;
    for (size_t i = 0; i < vec_len(g->order); i++)
        if (g->node[g->order[i]].body &&
            !small_graph(g->node[g->order[i]].body))
            return false;
    return true;
}

bool
fuzz_is_small(const Module *m)
{
    for (size_t i = 1; i < vec_len(m->store); i++)
        if (type_elements(&m->store[i].type) > FUZZ_SMALL)
            return false;
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (!small_graph(m->entry[i]))
            return false;
    return true;
}

char *
fuzz_text(Arena *a, const uint8_t *bytes, size_t size)
{
    char *text = NEWN(a, char, size + 1);

    if (size)
        memcpy(text, bytes, size);
    return text;
}
