/* options: GNU long options, --name=value and --name value, `--`; - and _ in
   names are the same; abbreviations are not accepted. */
#include "frontend/cli/options.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <stdio.h>
#include <string.h>

typedef struct VerbRow {
    const char *name, *arguments, *doc;
} VerbRow;

typedef struct OptionRow {
    const char *name, *argument, *verbs, *doc;
} OptionRow;

static const VerbRow verbs[] = {
#define VERB(name, arguments, doc) {#name, arguments, doc},
#define OPTION(name, argument, verbs, doc)
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
};

static const OptionRow options[OPT_COUNT] = {
#define VERB(name, arguments, doc)
#define OPTION(name, argument, verbs, doc) {#name, argument, verbs, doc},
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static bool
has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

/* Option names are written with '-' outside and '_' in the table. */
static bool
same_name(const char *row, const char *text, size_t n)
{
    if (strlen(row) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (row[i] != (text[i] == '-' ? '_' : text[i]))
            return false;
    return true;
}

static const char *
spelled(const char *row, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", row);
    for (char *p = buffer; *p; p++)
        if (*p == '_')
            *p = '-';
    return buffer;
}

bool
verb_exists(const char *verb)
{
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, verb) == 0)
            return true;
    return false;
}

static void
unknown_verb(const char *verb)
{
    const char *names[VERBS + 1] = {0}, *near;

    for (int i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    near = nearest_name(verb, names);
    raise_status(ST_USAGE, NOWHERE,
                 "snug: there is no verb '%s'%s%s%s; see "
                 "snug help",
                 verb, near ? ", did you mean '" : "", near ? near : "",
                 near ? "'?" : "");
}

static void
unknown_option(const Args *args, const char *text, size_t n, int dashes)
{
    const char *names[OPT_COUNT + 1] = {0}, *near;
    char word[64], row[64];
    int count = 0;

    for (int i = 0; i < OPT_COUNT; i++)
        if (has_word(options[i].verbs, args->verb))
            names[count++] = options[i].name;
    snprintf(word, sizeof word, "%.*s", (int)n, text);
    for (char *p = word; *p; p++)
        *p = *p == '-' ? '_' : *p;
    near = nearest_name(word, names);
    raise_status(ST_USAGE, NOWHERE,
                 "snug %s: there is no option %.*s%s%s%s; see "
                 "snug help %s",
                 args->verb, (int)n + dashes, text - dashes,
                 near ? ", did you mean --" : "",
                 near ? spelled(near, row, sizeof row) : "", near ? "?" : "",
                 args->verb);
}

static Option
find_option(const Args *args, const char *text, size_t n)
{
    for (Option o = 0; o < OPT_COUNT; o++)
        if (same_name(options[o].name, text, n) &&
            has_word(options[o].verbs, args->verb))
            return o;
    unknown_option(args, text, n, 2);
    return 0;
}

/* One option at argv[i]; returns the index of the last word it took. */
static int
take_option(Args *args, int argc, char **argv, int i)
{
    const char *text = argv[i] + 2, *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const char *value = equals ? equals + 1 : NULL;
    Option o;

    if (argv[i][1] != '-') {
        if (strcmp(argv[i], "-o") != 0 && strcmp(argv[i], "-h") != 0)
            unknown_option(args, argv[i] + 1, strlen(argv[i] + 1), 1);
        text = argv[i][1] == 'o' ? "output" : "help";
        n = strlen(text);
        value = NULL;
    }
    o = find_option(args, text, n);
    if (!*options[o].argument && value)
        raise_status(ST_USAGE, NOWHERE, "snug %s: --%.*s takes no value",
                     args->verb, (int)n, text);
    if (*options[o].argument && *options[o].argument != '[' && !value) {
        if (++i >= argc)
            raise_status(ST_USAGE, NOWHERE, "snug %s: --%.*s wants %s",
                         args->verb, (int)n, text, options[o].argument);
        value = argv[i];
    }
    vec_push(args->arena, args->given[o], value ? value : "");
    return i;
}

Args
options_parse(Arena *a, int argc, char **argv)
{
    Args args = {.arena = a, .verb = argc > 1 ? argv[1] : "help"};
    bool only_operands = false;

    if (strcmp(args.verb, "--help") == 0 || strcmp(args.verb, "-h") == 0)
        args.verb = "help";
    if (!verb_exists(args.verb))
        unknown_verb(args.verb);
    for (int i = 2; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || !argv[i][1])
            vec_push(a, args.operand, argv[i]);
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else
            i = take_option(&args, argc, argv, i);
    }
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

void
expect_operands(const Args *args, int count)
{
    if ((int)vec_len(args->operand) != count)
        raise_status(ST_USAGE, NOWHERE,
                     "snug %s: %d file%s expected, %d given; see "
                     "snug help %s",
                     args->verb, count, count == 1 ? "" : "s",
                     (int)vec_len(args->operand), args->verb);
}

static void
print_overview(void)
{
    printf("usage: snug VERB ...\n"
           "Compiles ONNX models to native training programs that use "
           "exactly the\nmemory that was planned.\n\n");
    for (int i = 0; i < VERBS; i++)
        printf("  %-8s %s\n", verbs[i].name, verbs[i].doc);
    printf("\n`snug help VERB` has its options; `snug help passes`, `rules`, "
           "`targets` and\n`snug help OP` the rest. `snug --version` the "
           "versions.\n\nexamples:\n"
           "  snug compile model.onnx --memory 64MiB -o train\n"
           "  ./train --data digits.npz --epochs 10 --checkpoint run\n"
           "  snug plan model.onnx --json\n"
           "  snug opt --passes=fold,cse model.onnx -o -\n");
}

/* The doc in a column of its own, within 80. */
static void
print_wrapped(const char *left, const char *doc)
{
    enum { COLUMN = 25, WIDTH = 80 - COLUMN };

    printf("  %-*s", COLUMN - 2, left);
    while (strlen(doc) >= WIDTH) {
        int n = WIDTH - 1;

        while (n > 0 && doc[n] != ' ')
            n--;
        if (!n)
            break;
        printf("%.*s\n%*s", n, doc, COLUMN, "");
        doc += n + 1;
    }
    printf("%s\n", doc);
}

void
print_usage(const char *verb)
{
    if (!verb) {
        print_overview();
        return;
    }
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, verb) == 0)
            printf("usage: snug %s %s [options]\n%s\n\n", verb,
                   verbs[i].arguments, verbs[i].doc);
    for (int i = 0; i < OPT_COUNT; i++) {
        char name[64], left[96];

        if (!has_word(options[i].verbs, verb))
            continue;
        snprintf(left, sizeof left, "--%s %s",
                 spelled(options[i].name, name, sizeof name),
                 options[i].argument);
        print_wrapped(left, options[i].doc);
    }
}
