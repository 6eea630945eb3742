/* options: GNU long options, --name=value and --name value, `--`; - and _ in
   names are the same; abbreviations are not accepted. */
#include "frontend/cli/options.h"

#include "frontend/cli/option_table.h"
#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"
#include "passes/pipeline.h"

#include <string.h>

static void
unknown_verb(Arena *a, const char *verb)
{
    raise_status(ST_USAGE, NOWHERE,
                 E(E0101) "there is no verb '%s'%s; see snug help", verb,
                 did_you_mean(a, ", ", verb, verb_names(a)));
}

static void
unknown_option(const Args *args, const char *word)
{
    Arena *a = args->arena;

    raise_status(ST_USAGE, NOWHERE,
                 E(E0102) "there is no option %s%s; see snug help %s", word,
                 did_you_mean(a, ", ", word, option_names(a, args->verb)),
                 args->verb);
}

/* The option of a word without its value. */
static Option
find_option(const Args *args, const char *word)
{
    static const struct {
        const char *word;
        Option option;
    } shorts[] = {{"-o", OPT_output}, {"-h", OPT_help}, {"-v", OPT_verbose}};
    Option o = OPT_COUNT;

    if (word[1] == '-')
        o = option_named(args->verb, word + 2, strlen(word + 2));
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++)
        if (strcmp(shorts[i].word, word) == 0 &&
            option_of_verb(shorts[i].option, args->verb))
            o = shorts[i].option;
    if (o == OPT_COUNT)
        unknown_option(args, word);
    return o;
}

/* The word up to its '='. */
static const char *
name_of(Arena *a, const char *word)
{
    Text t = text_new(a);

    text_add_n(&t, word, word[1] == '-' ? strcspn(word, "=") : strlen(word));
    return t.s;
}

/* One option at argv[i]; returns the index of the last word it took. */
static int
take_option(Args *args, int argc, char **argv, int i)
{
    const char *name = name_of(args->arena, argv[i]);
    const char *equals = argv[i] + strlen(name);
    const char *value = *equals ? equals + 1 : NULL;
    Option o = find_option(args, name);

    if (!option_takes_value(o) && value)
        raise_status(ST_USAGE, NOWHERE, E(E0103) "%s takes no value", name);
    if (option_takes_word(o) && !value) {
        if (++i >= argc)
            raise_status(ST_USAGE, NOWHERE, E(E0103) "%s wants %s", name,
                         option_rows[o].argument);
        value = argv[i];
    }
    vec_push(args->arena, args->given[o], value ? value : "");
    return i;
}

static void
check_volume(const Args *args)
{
    if (option_on(args, OPT_quiet) && option_on(args, OPT_verbose))
        raise_status(ST_USAGE, NOWHERE,
                     E(E0108) "--quiet and --verbose: one of them only");
}

Args
options_parse(Arena *a, int argc, char **argv)
{
    Args args = {.arena = a, .verb = argc > 1 ? argv[1] : "help"};
    bool only_operands = false;

    if (strcmp(args.verb, "--help") == 0 || strcmp(args.verb, "-h") == 0)
        args.verb = "help";
    if (!verb_exists(args.verb))
        unknown_verb(a, args.verb);
    for (int i = 2; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || !argv[i][1])
            vec_push(a, args.operand, argv[i]);
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else
            i = take_option(&args, argc, argv, i);
    }
    check_volume(&args);
    return args;
}

const char *
option(const Args *args, Option o, const char *otherwise)
{
    return args->given[o] ? vec_last(args->given[o]) : otherwise;
}

bool
option_on(const Args *args, Option o)
{
    return args->given[o] != NULL;
}

int64_t
bytes_given(const Args *args, Option o)
{
    const char *text = option(args, o, NULL);
    int64_t bytes = 0;

    if (text && (!parse_bytes(text, &bytes) || !bytes))
        raise_status(ST_USAGE, NOWHERE,
                     E(E0106) "%s %s: a size %s expected, as in 64MiB, 1.5G "
                              "or 1000000",
                     option_spelled(args->arena, o), text,
                     bytes ? "below 2^63 bytes" : "of at least 1 byte");
    return bytes;
}

void
expect_operands(const Args *args, int count)
{
    if ((int)vec_len(args->operand) != count)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0104) "%d file%s expected, %d given; see snug help "
                              "%s",
                     count, count == 1 ? "" : "s", (int)vec_len(args->operand),
                     args->verb);
}
