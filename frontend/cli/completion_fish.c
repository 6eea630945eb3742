/* completion_fish: a line for each verb, each option of a verb, each list of
   operands. */
#include "frontend/cli/commands.h"
#include "frontend/cli/completion.h"
#include "frontend/cli/option_table.h"

static const char quote[] = "\\'";

static void
add_doc(Text *t, const char *doc)
{
    text_add(t, " -d '");
    add_single(t, doc, quote, "\\");
    text_add(t, "'\n");
}

static void
add_line(Text *t, const char *verb)
{
    text_add(t, "complete -c snug -n '__fish_seen_subcommand_from %s'", verb);
}

static void
add_option(Text *t, const Args *args, const char *verb, Option o)
{
    const char *const *words = option_words(args, o);

    add_line(t, verb);
    text_add(t, " -l %s", option_spelled(t->arena, o) + 2);
    if (o == OPT_output)
        text_add(t, " -s o");
    if (option_takes_word(o))
        text_add(t, option_names_file(o) ? " -r -F" : " -x");
    if (words) {
        text_add(t, " -a '");
        add_joined(t, words, "");
        text_add(t, "'");
    }
    add_doc(t, option_rows[o].doc);
}

void
completion_fish(Text *t, const Args *args)
{
    text_add(t, "# completion of snug %s for fish\ncomplete -c snug -f\n",
             SNUG_VERSION);
    for (const VerbRow *v = verb_rows; v->name; v++) {
        const char *const *words = operand_words(args, v->name);

        text_add(t, "complete -c snug -n __fish_use_subcommand -a %s", v->name);
        add_doc(t, v->doc);
        add_line(t, v->name);
        if (words) {
            text_add(t, " -a '");
            add_joined(t, words, "");
            text_add(t, "'\n");
        } else {
            text_add(t, " -F\n");
        }
        for (Option o = 0; o < OPT_COUNT; o++)
            if (option_of_verb(o, v->name))
                add_option(t, args, v->name, o);
    }
}
