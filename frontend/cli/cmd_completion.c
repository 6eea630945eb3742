/* completion: `snug completion SHELL` prints the script of a shell. */
#include "frontend/cli/commands.h"
#include "frontend/cli/completion.h"
#include "frontend/cli/option_table.h"
#include "ir/base/error.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*print)(Text *t, const Args *args);
} shells[] = {{"bash", completion_bash},
              {"zsh", completion_zsh},
              {"fish", completion_fish}};

static const char *const shell_names[] = {"bash", "zsh", "fish", NULL};

const char *const *
operand_words(const Args *args, const char *verb)
{
    const char **codes = NULL;

    if (strcmp(verb, "help") == 0)
        return help_topics(args->arena);
    if (strcmp(verb, "completion") == 0)
        return shell_names;
    if (strcmp(verb, "explain") != 0)
        return NULL;
    for (int i = 0; i < ERROR_COUNT; i++)
        vec_push(args->arena, codes, errors[i].code);
    vec_push(args->arena, codes, NULL);
    return codes;
}

bool
option_names_file(Option o)
{
    const char *argument = option_rows[o].argument;

    return strncmp(argument, "FILE", 4) == 0 || strcmp(argument, "DIR") == 0;
}

void
add_joined(Text *t, const char *const *words, const char *escape)
{
    for (int i = 0; words[i]; i++) {
        text_add(t, "%s", i ? " " : "");
        for (const char *s = words[i]; *s; s++)
            text_add(t, "%s%c", *s == ':' ? escape : "", *s);
    }
}

void
add_single(Text *t, const char *s, const char *quote, const char *special)
{
    for (; *s; s++)
        if (*s == '\'')
            text_add(t, "%s", quote);
        else
            text_add(t, "%s%c", strchr(special, *s) ? "\\" : "", *s);
}

int
cmd_completion(const Args *args)
{
    Text t = text_new(args->arena);

    expect_operands(args, 1);
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, args->operand[0]) == 0) {
            shells[i].print(&t, args);
            fputs(t.s, stdout);
            return ST_OK;
        }
    raise_status(
        ST_USAGE, NOWHERE,
        E(E0105) "bash, zsh or fish expected, there is no '%s'%s",
        args->operand[0],
        did_you_mean(args->arena, "\n", args->operand[0], shell_names));
}
