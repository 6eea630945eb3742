/* completion_zsh: a specification of _arguments for each verb. */
#include "frontend/cli/commands.h"
#include "frontend/cli/completion.h"
#include "frontend/cli/option_table.h"

static const char quote[] = "'\\''";

static void
add_value(Text *t, const Args *args, Option o)
{
    const char *const *words = option_words(args, o);

    text_add(t, ":%s:", option_rows[o].argument);
    if (words) {
        text_add(t, "(");
        add_joined(t, words, "\\");
        text_add(t, ")");
    } else if (option_names_file(o)) {
        text_add(t, "_files");
    }
}

static void
add_option(Text *t, const Args *args, Option o)
{
    bool value = option_takes_word(o);

    text_add(t, " \\\n            '%s%s%s[", option_repeats(o) ? "*" : "",
             option_spelled(t->arena, o), value ? "=" : "");
    add_single(t, option_rows[o].doc, quote, "[]\\");
    text_add(t, "]");
    if (value)
        add_value(t, args, o);
    text_add(t, "'");
}

static void
add_verb(Text *t, const Args *args, const VerbRow *v)
{
    const char *const *words = operand_words(args, v->name);

    text_add(t, "    %s)\n        _arguments", v->name);
    for (Option o = 0; o < OPT_COUNT; o++)
        if (option_of_verb(o, v->name))
            add_option(t, args, o);
    text_add(t, " \\\n            '*:%s:", words ? "word" : "file");
    if (words) {
        text_add(t, "(");
        add_joined(t, words, "\\");
        text_add(t, ")");
    } else {
        text_add(t, "_files");
    }
    text_add(t, "' ;;\n");
}

void
completion_zsh(Text *t, const Args *args)
{
    text_add(t,
             "#compdef snug\n# completion of snug %s for zsh\n_snug() {\n"
             "    local -a verbs\n    verbs=(\n",
             SNUG_VERSION);
    for (const VerbRow *v = verb_rows; v->name; v++) {
        text_add(t, "        '%s:", v->name);
        add_single(t, v->doc, quote, ":\\");
        text_add(t, "'\n");
    }
    text_add(t, "    )\n    if ((CURRENT == 2)); then\n"
                "        _describe verb verbs\n        return\n    fi\n"
                "    shift words\n    ((CURRENT--))\n"
                "    case $words[1] in\n");
    for (const VerbRow *v = verb_rows; v->name; v++)
        add_verb(t, args, v);
    text_add(t, "    esac\n}\nif [ \"$funcstack[1]\" = _snug ]; then\n"
                "    _snug \"$@\"\nelse\n    compdef _snug snug\nfi\n");
}
