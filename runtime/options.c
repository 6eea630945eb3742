/* options: one loop over the table; abbreviations are not accepted, a word that
   is nearly an option is named. */
#include "runtime/options.h"

#include "runtime/status.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR      2 /* edits */
#define WORD_MOST 32

typedef enum Kind { TEXT, COUNT, SEED, NUMBER, FLAG, CHOICE } Kind;

typedef struct Row {
    size_t place;
    Kind kind;
    const char *name, *argument, *help;
} Row;

static const Row row[] = {
#define OPTION(field, kind, name, argument, help) \
    {offsetof(RtOptions, field), kind, name, argument, help},
#include "runtime/option.def"
#undef OPTION
};

#define ROWS ((int)(sizeof row / sizeof *row))

static int
smallest(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance of two short words. */
static int
distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b), line[WORD_MOST + 1];
    if (n > WORD_MOST || m > WORD_MOST)
        return WORD_MOST;
    for (int j = 0; j <= m; j++)
        line[j] = j;
    for (int i = 1; i <= n; i++) {
        int corner = line[0];
        line[0] = i;
        for (int j = 1; j <= m; j++) {
            int kept = line[j];
            line[j] = smallest(line[j] + 1, line[j - 1] + 1,
                               corner + (a[i - 1] != b[j - 1]));
            corner = kept;
        }
    }
    return line[m];
}

static int
unknown(const char *word)
{
    const char *best = NULL;
    int least = NEAR + 1;
    for (int k = 0; k < ROWS; k++) {
        int d = distance(word, row[k].name);
        if (d < least) {
            least = d;
            best = row[k].name;
        }
    }
    if (best)
        return rt_fail(RT_ERROR_USAGE,
                       "no option --%s; did you mean --%s? "
                       "(--help lists all)",
                       word, best);
    return rt_fail(RT_ERROR_USAGE, "no option --%s; --help lists all", word);
}

static int
read_choice(const Row *r, RtOption *o, const char *text)
{
    size_t length = strlen(text);
    int index = 0;
    for (const char *at = r->argument;; index++) {
        size_t word = strcspn(at, "|");
        if (word == length && !memcmp(at, text, word)) {
            o->count = index;
            return RT_OK;
        }
        if (!at[word])
            break;
        at += word + 1;
    }
    return rt_fail(RT_ERROR_USAGE, "--%s: '%s' is not one of %s", r->name, text,
                   r->argument);
}

static int
read_count(const Row *r, RtOption *o, const char *text)
{
    char *end;
    errno = 0;
    o->count = strtoll(text, &end, 10);
    if (end == text || *end || errno || o->count < (r->kind == COUNT) ||
        o->count > INT64_MAX / 2)
        return rt_fail(RT_ERROR_USAGE, "--%s: '%s' is not a whole number >= %d",
                       r->name, text, r->kind == COUNT);
    return RT_OK;
}

static int
read_value(const Row *r, RtOption *o, const char *text)
{
    char *end;
    o->text = text;
    switch (r->kind) {
    case COUNT:
    case SEED: return read_count(r, o, text);
    case NUMBER:
        o->number = strtod(text, &end);
        if (end == text || *end || !isfinite(o->number) || o->number <= 0)
            return rt_fail(RT_ERROR_USAGE, "--%s: '%s' is not a number > 0",
                           r->name, text);
        return RT_OK;
    case CHOICE: return read_choice(r, o, text);
    default:
        return *text ? RT_OK : rt_fail(RT_ERROR_USAGE, "--%s: empty", r->name);
    }
}

static const Row *
find_row(const char *name, size_t length)
{
    for (int k = 0; k < ROWS; k++)
        if (strlen(row[k].name) == length && !memcmp(row[k].name, name, length))
            return &row[k];
    return NULL;
}

/* One option at argv[*k]; takes the next word where it needs it. */
static int
read_option(RtOptions *o, int argc, char **argv, int *k)
{
    const char *word = argv[*k] + 2;
    size_t length = strcspn(word, "=");
    const Row *r = find_row(word, length);
    if (!r)
        return unknown(word);
    RtOption *option = (RtOption *)(void *)((char *)o + r->place);
    if (option->given && r->kind != FLAG)
        return rt_fail(RT_ERROR_USAGE, "--%s stands twice", r->name);
    option->given = true;
    if (r->kind == FLAG && word[length])
        return rt_fail(RT_ERROR_USAGE, "--%s takes no value", r->name);
    if (r->kind == FLAG)
        return RT_OK;
    if (word[length])
        return read_value(r, option, word + length + 1);
    if (*k + 1 >= argc)
        return rt_fail(RT_ERROR_USAGE, "--%s needs %s", r->name, r->argument);
    return read_value(r, option, argv[++*k]);
}

static int
check_together(const RtOptions *o)
{
    if (o->help.given || o->version.given || o->memory_report.given)
        return RT_OK;
    if (o->epochs.given && o->steps.given)
        return rt_fail(RT_ERROR_USAGE, "--epochs and --steps: give one");
    if (o->resume.given && !o->checkpoint.given)
        return rt_fail(RT_ERROR_USAGE, "--resume needs --checkpoint DIR");
    if (o->every.given && !o->checkpoint.given)
        return rt_fail(RT_ERROR_USAGE, "--every needs --checkpoint DIR");
    if (o->resume.given && o->load.given)
        return rt_fail(RT_ERROR_USAGE, "--resume and --load: give one");
    if (o->rehearse.given && (o->data.given || o->eval.given))
        return rt_fail(RT_ERROR_USAGE, "--rehearse takes no --data or --eval");
    if (!o->data.given && !o->eval.given && !o->dry_run.given &&
        !o->save.given && !o->export_onnx.given && !o->rehearse.given)
        return rt_fail(RT_ERROR_USAGE, "--data FILE is missing; --help lists "
                                       "all options");
    if (!o->data.given &&
        (o->checkpoint.given || o->steps.given || o->epochs.given))
        return rt_fail(RT_ERROR_USAGE, "training needs --data FILE");
    return RT_OK;
}

int
rt_options_read(RtOptions *o, int argc, char **argv)
{
    *o = (RtOptions){0};
    for (int k = 1; k < argc; k++) {
        if (!strcmp(argv[k], "-h"))
            o->help.given = true;
        else if (!strcmp(argv[k], "--") && k + 1 == argc)
            break;
        else if (!strncmp(argv[k], "--", 2) && argv[k][2])
            RT_TRY(read_option(o, argc, argv, &k));
        else
            return rt_fail(RT_ERROR_USAGE,
                           "'%s': options begin with --; "
                           "--help lists all",
                           argv[k]);
    }
    return check_together(o);
}

void
rt_options_help(const char *program)
{
    printf("usage: %s --data FILE [--eval FILE] [--epochs N] [option ...]\n\n",
           program);
    for (int k = 0; k < ROWS; k++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", row[k].name, row[k].argument);
        if (strlen(left) < 22)
            printf("  %-21s %s\n", left, row[k].help);
        else
            printf("  %s\n  %-21s %s\n", left, "", row[k].help);
    }
    printf("\nThe learning rate of step t of T is --lr times the factors of "
           "--schedule:\n"
           "  constant 1, linear 1 - t/T, cosine (1 + cos(pi t/T)) / 2,\n"
           "  warmup=N min(1, (t + 1)/N).\n"
           "Status: 0 done, 1 the input is at fault, 2 wrong usage, 4 internal "
           "error,\n"
           "  130 or 143 stopped by a signal, after saving if there is "
           "--checkpoint.\n"
           "Environment: TMPDIR has what npz members unpack to; TERM=dumb: no "
           "bar;\n  SNUG_IO=uring|threads: how the file of a tier is read and "
           "written.\n\n"
           "  %s --data digits.npz --epochs 10 --schedule cosine\n"
           "  %s --data digits.npz --epochs 10 --checkpoint run --resume\n",
           program, program);
}
