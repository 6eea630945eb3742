/* usage: the pages of --help, from the tables. */
#include "frontend/cli/manual.h"
#include "frontend/cli/option_table.h"
#include "frontend/cli/terminal.h"

#include <stdio.h>
#include <string.h>

static void
print_overview(void)
{
    printf("usage: snug VERB ...\n"
           "Compiles ONNX models to native training programs that use "
           "exactly the\nmemory that was planned.\n\n");
    for (const VerbRow *v = verb_rows; v->name; v++)
        print_wrapped(printf("  %s", v->name), 13, v->doc);
    printf("\n`snug help VERB` has its options; `snug help passes`, `rules`, "
           "`targets`,\n`environment` and `snug help OP` the rest. `snug "
           "--version` the versions,\n`snug explain CODE` what a message "
           "means.\n\nexamples:\n"
           "  snug compile model.onnx --memory 64MiB -o train\n"
           "  ./train --data digits.npz --epochs 10 --checkpoint run\n"
           "  snug plan model.onnx --json\n"
           "  snug opt --passes=fold,cse model.onnx -o -\n");
}

static void
print_examples(const char *verb)
{
    const Manual *m = manual_of(verb);

    if (!m)
        return;
    printf("\nexamples:\n");
    for (const char *s = m->examples; *s; s += *s == '\n') {
        int n = (int)strcspn(s, "\n");

        printf("  %.*s\n", n, s);
        s += n;
    }
}

void
print_usage(const char *verb)
{
    const VerbRow *v = verb ? verb_row(verb) : NULL;
    Arena *a;

    if (!v) {
        print_overview();
        return;
    }
    printf("usage: snug %s%s%s [options]\n%s\n\n", verb,
           *v->arguments ? " " : "", v->arguments, v->doc);
    a = arena_new();
    for (Option o = 0; o < OPT_COUNT; o++)
        if (option_of_verb(o, verb))
            print_wrapped(printf("  %s %s", option_spelled(a, o),
                                 option_rows[o].argument),
                          25, option_rows[o].doc);
    arena_free(a);
    print_examples(verb);
}
