/* completion_bash: three lists and a function that looks into them. `=` breaks
   words in bash, so --emit=so comes as three. */
#include "frontend/cli/commands.h"
#include "frontend/cli/completion.h"
#include "frontend/cli/option_table.h"

static const char function[] =
    "_snug() {\n"
    "    local verb=${COMP_WORDS[1]} at=$COMP_CWORD\n"
    "    local word=${COMP_WORDS[at]} before=${COMP_WORDS[at-1]} list\n"
    "    if [ \"$word\" = = ]; then\n"
    "        word=\n"
    "    elif [ \"$before\" = = ]; then\n"
    "        before=${COMP_WORDS[at-2]}\n"
    "    fi\n"
    "    COMPREPLY=()\n"
    "    if [ \"$at\" -eq 1 ]; then\n"
    "        list=$_snug_verbs\n"
    "    elif [ \"$before\" = -o ]; then\n"
    "        list=FILES\n"
    "    else\n"
    "        case $before in\n"
    "        --*) list=$(_snug_words \"$before\") ;;\n"
    "        esac\n"
    "    fi\n"
    "    if [ -z \"$list\" ]; then\n"
    "        case $word in\n"
    "        -*) list=$(_snug_options \"$verb\") ;;\n"
    "        *) list=$(_snug_operands \"$verb\") ;;\n"
    "        esac\n"
    "    fi\n"
    "    case $list in\n"
    "    FILES)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        while IFS= read -r list; do COMPREPLY+=(\"$list\")\n"
    "        done < <(compgen -f -- \"$word\") ;;\n"
    "    VALUE) ;;\n"
    "    *)\n"
    "        while IFS= read -r list; do COMPREPLY+=(\"$list\")\n"
    "        done < <(compgen -W \"$list\" -- \"$word\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _snug snug\n";

static void
add_options_of_verbs(Text *t)
{
    text_add(t, "_snug_options() {\n    case $1 in\n");
    for (const VerbRow *v = verb_rows; v->name; v++) {
        const char **names = option_names(t->arena, v->name);

        text_add(t, "    %s) echo \"", v->name);
        add_joined(t, names, "");
        text_add(t, "\" ;;\n");
    }
    text_add(t, "    esac\n}\n");
}

static void
add_words_of_options(Text *t, const Args *args)
{
    text_add(t, "_snug_words() {\n    case $1 in\n");
    for (Option o = 0; o < OPT_COUNT; o++) {
        const char *const *words = option_words(args, o);

        if (!option_takes_word(o))
            continue;
        text_add(t, "    %s) echo \"", option_spelled(t->arena, o));
        if (words)
            add_joined(t, words, "");
        else
            text_add(t, "%s", option_names_file(o) ? "FILES" : "VALUE");
        text_add(t, "\" ;;\n");
    }
    text_add(t, "    esac\n}\n");
}

static void
add_operands(Text *t, const Args *args)
{
    text_add(t, "_snug_operands() {\n    case $1 in\n");
    for (const VerbRow *v = verb_rows; v->name; v++) {
        const char *const *words = operand_words(args, v->name);

        if (!words)
            continue;
        text_add(t, "    %s) echo \"", v->name);
        add_joined(t, words, "");
        text_add(t, "\" ;;\n");
    }
    text_add(t, "    *) echo FILES ;;\n    esac\n}\n");
}

void
completion_bash(Text *t, const Args *args)
{
    text_add(t, "# completion of snug %s for bash\n_snug_verbs=\"",
             SNUG_VERSION);
    add_joined(t, verb_names(t->arena), "");
    text_add(t, "\"\n");
    add_options_of_verbs(t);
    add_words_of_options(t, args);
    add_operands(t, args);
    text_add(t, "%s", function);
}
