/* reduce: makes a graph smaller while a command says that it is still of
   interest. Every candidate is made from the text of the best so far, by one
   edit of a range that halves from the whole to a single one; what is not
   valid is no candidate. The same file and answers give the same result. */
#include "frontend/cli/reduce_edit.h"
#include "frontend/cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "ir/base/output.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/compact.h"

extern char **environ;

typedef struct Reduction {
    Arena *arena;
    const char *command; /* with the candidate as $1 */
    const char *head;    /* comments that open the file */
    const char *path;    /* of the candidate */
    const char *best;
    int tried;
} Reduction;

static void
write_candidate(const Reduction *r, const char *text)
{
    FILE *f = fopen(r->path, "we");
    bool bad = !f || fputs(r->head, f) < 0 || fputs(text, f) < 0;

    if ((f && fclose(f) != 0) || bad)
        raise_at((Loc){.file = r->path}, "cannot be written: %s",
                 strerror(errno));
}

static int
run_command(const Reduction *r)
{
    char *words[] = {(char[]){"sh"}, (char[]){"-c"},
                     (char *)(uintptr_t)r->command, (char[]){"sh"},
                     (char *)(uintptr_t)r->path, NULL};
    posix_spawn_file_actions_t quiet;
    pid_t child;
    int status = 0, error;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    error = posix_spawn(&child, "/bin/sh", &quiet, NULL, words, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (error)
        raise_status(ST_INPUT, NOWHERE, "cannot run '%s': %s", r->command,
                     strerror(error));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static bool
interesting(Reduction *r, const char *text)
{
    write_candidate(r, text);
    r->tried++;
    return run_command(r) == 0;
}

static Module *
parse_best(const Reduction *r, Arena *a)
{
    Module *m = parse_module(a, r->best, "the reduced graph");

    raise_if_complained();
    return m;
}

/* The text of the best after an edit, NULL: the edit changes nothing or leaves
   what is not valid. */
static const char *
edited(const Reduction *r, Arena *a, const Edit *e)
{
    const char *volatile text = NULL;
    Guard g;

    if (guarded(&g)) {
        Module *m = parse_best(r, a);

        if (edit_module(m, e)) {
            compact_module(m);
            if (verify_module(m))
                text = print_module(a, m);
        }
        guard_leave(&g);
    } else {
        diag_free(&g);
    }
    return text && strcmp(text, r->best) != 0 ? text : NULL;
}

/* True: the best is a smaller one now. */
static bool
try_edit(Reduction *r, const Edit *e)
{
    Arena *a = arena_new();
    const char *text = edited(r, a, e);
    bool better = text && interesting(r, text);
    Text kept = text_new(r->arena);

    if (better) {
        text_add(&kept, "%s", text);
        r->best = kept.s;
    }
    arena_free(a);
    return better;
}

static size_t
count(const Reduction *r, EditKind kind, size_t entry)
{
    Arena *a = arena_new();
    size_t n = edit_count(parse_best(r, a), kind, entry);

    arena_free(a);
    return n;
}

/* Ranges of half of what there is, of a quarter, down to one. */
static bool
try_ranges(Reduction *r, EditKind kind, size_t entry)
{
    size_t n = count(r, kind, entry);
    bool better = false;

    for (size_t size = n; size > 0; size /= 2)
        for (size_t from = 0; from < n;) {
            if (try_edit(r, &(Edit){kind, entry, from, size})) {
                better = true;
                n = count(r, kind, entry);
            } else {
                from += size;
            }
        }
    return better;
}

/* An edit that keeps the count may be possible for ever: each round must make
   the text shorter. */
static void
reduce(Reduction *r)
{
    size_t length;

    do {
        length = strlen(r->best);
        for (EditKind kind = 0; kind < EDITS; kind++)
            for (size_t e = 0; e == 0 || e < count(r, ED_ENTRY, 0); e++)
                try_ranges(r, kind, e);
    } while (strlen(r->best) < length);
}

static const char *
leading_comments(const Args *args, const char *path)
{
    size_t n = strlen(path);
    Text head = text_new(args->arena);
    const char *p;

    if (n < 5 || strcmp(path + n - 5, ".snug") != 0)
        return "";
    for (p = read_text(args->arena, path); *p == '#';) {
        size_t line = strcspn(p, "\n") + 1;

        text_add_n(&head, p, line);
        p += line;
    }
    return text_str(&head);
}

static size_t
all_nodes(const Reduction *r)
{
    size_t nodes = 0, entries = count(r, ED_ENTRY, 0);

    for (size_t e = 0; e < entries; e++)
        nodes += count(r, ED_DROP, e);
    return nodes;
}

int
reduce_file(const Args *args)
{
    const char *path = args->operand[0];
    Text command = text_new(args->arena), result = text_new(args->arena);
    Reduction r = {.arena = args->arena};
    size_t before;

    text_add(&command, "%s \"$1\"", option(args, OPT_reduce, ""));
    r.command = command.s;
    r.best = print_module(r.arena, load_model(args, path));
    r.head = leading_comments(args, path);
    r.path = output_temporary_file(r.arena, ".snug");
    before = all_nodes(&r);
    if (!interesting(&r, r.best))
        raise_at((Loc){.file = path},
                 E(E0604) "is not of interest itself: '%s' does not end with "
                          "status 0",
                 option(args, OPT_reduce, ""));
    reduce(&r);
    fprintf(stderr, "%zu nodes of %zu are left, %d graphs were tried\n",
            all_nodes(&r), before, r.tried);
    text_add(&result, "%s%s", r.head, r.best);
    write_text(r.arena, option(args, OPT_output, "-"), result.s);
    return ST_OK;
}
