/* main: one command, many verbs; the guard behind which they run. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/commands.h"
#include "ir/base/diag.h"

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
    Args args = options_parse(a, argc, argv);

    if (option_on(&args, OPT_help)) {
        print_usage(args.verb);
        return ST_OK;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, args.verb) == 0)
            return verbs[i].run(&args);
    UNREACHABLE();
}

int
main(int argc, char **argv)
{
    Arena *volatile arena = NULL;
    volatile int status = ST_OK;
    Guard guard;

    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("snug %s\nlicence: Apache-2.0 (snug-milp, the solver's helper "
               "program: GPL-3-or-later)\n",
               SNUG_VERSION);
        return ST_OK;
    }
    if (guarded(&guard)) {
        arena = arena_new();
        status = run_verb(arena, argc, argv);
        raise_if_complained();
        guard_leave(&guard);
    } else {
        status = (int)diag_print(&guard, stderr);
    }
    arena_free(arena);
    return status;
}
