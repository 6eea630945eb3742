/* main: one command, many verbs; the guard behind which they run. */
#include "frontend/cli/commands.h"
#include "frontend/cli/config.h"
#include "frontend/cli/terminal.h"
#include "ir/base/diag.h"
#include "ir/base/output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct Verb {
    const char *name;
    int (*run)(const Args *args);
} Verb;

static const Verb verbs[] = {
#define VERB(name, arguments, doc) {#name, cmd_##name},
#define OPTION(name, argument, verbs, doc)
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
};

static int
run_verb(Arena *a, int argc, char **argv)
{
    Args args;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        print_version(a);
        return ST_OK;
    }
    args = options_parse(a, argc, argv);
    require_word(&args, OPT_color, NULL);
    if (option_on(&args, OPT_help)) {
        print_usage(args.verb);
        return ST_OK;
    }
    if (option_on(&args, OPT_config)) {
        const char *path = option(&args, OPT_config, NULL);

        config_take(&args, read_text(a, path), path);
    }
    require_outputs(&args);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, args.verb) == 0)
            return verbs[i].run(&args);
    UNREACHABLE();
}

/* A closed standard stream would give its number to the next file that is
   opened; in its place: one that refuses to be used. */
static void
hold_streams(void)
{
    static const int wrong_way[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", wrong_way[fd]);
}

int
main(int argc, char **argv)
{
    Arena *volatile arena = NULL;
    volatile int status = ST_OK;
    Guard guard;

    hold_streams();
    signal(SIGPIPE, SIG_IGN);
    color_messages(argc, argv);
    if (guarded(&guard)) {
        arena = arena_new();
        output_guard_signals();
        status = run_verb(arena, argc, argv);
        finish_stdout();
        raise_if_complained();
        guard_leave(&guard);
    } else {
        status = (int)diag_print(&guard, stderr);
    }
    arena_free(arena);
    return status;
}
