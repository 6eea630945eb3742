/* opt: passes on textual IR, textual IR out. */
#include "frontend/cli/commands.h"
#include "ir/text.h"

#include <stdio.h>
#include <string.h>

/* A leading comment of a crash file and the option that it stands for. */
typedef struct Note {
    const char *start;
    Option option;
} Note;

static const Note notes[] = {
    {"# run: ", OPT_passes},
    {"# memory: ", OPT_memory},
    {"# target: ", OPT_target},
    {"# plugin: ", OPT_load_pass_plugin},
};

/* What the line says, unless the command line says otherwise. */
static void
read_note(Args *args, const Args *given, const char *line, size_t n)
{
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        size_t start = strlen(notes[i].start);
        Text t = text_new(args->arena);

        if (n < start || strncmp(line, notes[i].start, start) != 0 ||
            option(given, notes[i].option, NULL))
            continue;
        text_add_n(&t, line + start, n - start);
        vec_push(args->arena, args->given[notes[i].option], t.s);
    }
}

/* The command line together with the comments that open the file. */
static Args
with_notes(const Args *given)
{
    const char *path = given->operand[0], *p;
    Args args = *given;

    if (strcmp(path, "-") == 0)
        raise_status(ST_USAGE, NOWHERE, "--run-reproducer wants a file");
    p = read_text(given->arena, path);
    if (strncmp(p, notes[0].start, strlen(notes[0].start)) != 0)
        raise_at((Loc){.file = path},
                 E(E0604) "does not begin with `# run: PASSES`, so there is "
                          "nothing to run again\nname them with --passes");
    while (*p == '#') {
        size_t n = strcspn(p, "\n");

        read_note(&args, given, p, n);
        p += n + (p[n] == '\n');
    }
    return args;
}

int
cmd_opt(const Args *args)
{
    Args own = *args;
    Module *m;

    if (option_on(args, OPT_list_passes)) {
        PipelineOptions o = {0};

        expect_operands(args, 0);
        pass_tools(args, &o);
        pipeline_list(stdout, o.plugged);
        return ST_OK;
    }
    expect_operands(args, 1);
    if (option_on(args, OPT_reduce))
        return reduce_file(args);
    if (option_on(args, OPT_run_reproducer))
        own = with_notes(args);
    m = load_model(&own, own.operand[0]);
    run_passes(&own, m, "");
    write_text(own.arena, option(&own, OPT_output, "-"),
               print_module(own.arena, m));
    return ST_OK;
}
