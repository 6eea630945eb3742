/* manual: pages in the language of man(7), from the tables of verbs, options
   and manual.def. */
#include "frontend/cli/manual.h"

#include "frontend/cli/option_table.h"

#include <string.h>

static const Manual manuals[] = {
#define MANUAL(verb, description, examples) {#verb, description, examples},
#define VARIABLE(name, doc)
#define STATUS(number, doc)
#include "frontend/cli/manual.def"
#undef MANUAL
#undef VARIABLE
#undef STATUS
    {NULL, NULL, NULL}};

const Variable variables[] = {
#define MANUAL(verb, description, examples)
#define VARIABLE(name, doc) {#name, doc},
#define STATUS(number, doc)
#include "frontend/cli/manual.def"
#undef MANUAL
#undef VARIABLE
#undef STATUS
    {NULL, NULL}};

const ExitStatus exit_statuses[] = {
#define MANUAL(verb, description, examples)
#define VARIABLE(name, doc)
#define STATUS(number, doc) {number, doc},
#include "frontend/cli/manual.def"
#undef MANUAL
#undef VARIABLE
#undef STATUS
    {0, NULL}};

const Manual *
manual_of(const char *verb)
{
    for (const Manual *m = manuals; m->verb; m++)
        if (strcmp(m->verb, verb) == 0)
            return m;
    return NULL;
}

/* Words as they are: no line begins with a control character, and a hyphen is
   one that can be copied. */
static void
add_words(Text *t, const char *s)
{
    for (bool first = true; *s; s++) {
        if (first && (*s == '.' || *s == '\''))
            text_add(t, "\\&");
        first = *s == '\n';
        if (*s == '\\')
            text_add(t, "\\e");
        else if (*s == '-')
            text_add(t, "\\-");
        else if (*s == '`')
            text_add(t, "\\(ga");
        else if (*s == '\'')
            text_add(t, "\\(aq");
        else if (*s == '~')
            text_add(t, "\\(ti");
        else
            text_add_n(t, s, 1);
    }
}

/* A paragraph with a hanging head, which is bold. */
static void
add_item(Text *t, const char *head, const char *more, const char *doc)
{
    text_add(t, ".TP\n\\fB");
    add_words(t, head);
    text_add(t, "\\fR");
    if (*more) {
        text_add(t, " \\fI");
        add_words(t, more);
        text_add(t, "\\fR");
    }
    text_add(t, "\n");
    add_words(t, doc);
    text_add(t, "\n");
}

static void
add_options(Text *t, const char *verb)
{
    text_add(t, ".SH OPTIONS\n");
    for (Option o = 0; o < OPT_COUNT; o++)
        if (option_of_verb(o, verb))
            add_item(t, option_spelled(t->arena, o), option_rows[o].argument,
                     option_rows[o].doc);
}

static void
add_verbs(Text *t)
{
    text_add(t, ".SH VERBS\n");
    for (const VerbRow *v = verb_rows; v->name; v++)
        add_item(t, v->name, v->arguments, v->doc);
}

static void
add_ends(Text *t)
{
    text_add(t, ".SH EXIT STATUS\n");
    for (const ExitStatus *e = exit_statuses; e->doc; e++) {
        Text number = text_new(t->arena);

        text_add(&number, "%d", e->number);
        add_item(t, number.s, "", e->doc);
    }
    text_add(t, ".SH ENVIRONMENT\nAn option wins over a variable.\n");
    for (const Variable *v = variables; v->name; v++)
        add_item(t, v->name, "", v->doc);
}

static void
add_examples(Text *t, const char *examples)
{
    text_add(t, ".SH EXAMPLES\n.nf\n");
    add_words(t, examples);
    text_add(t, "\n.fi\n");
}

static void
add_see_also(Text *t, const char *verb)
{
    text_add(t, ".SH SEE ALSO\n");
    if (verb)
        text_add(t, ".BR snug (1)");
    for (const VerbRow *v = verb_rows; v->name && !verb; v++)
        text_add(t, "%s.BR snug\\-%s (1)", v == verb_rows ? "" : ",\n",
                 v->name);
    text_add(t, "\n");
}

static void
page_of_snug(Text *t)
{
    text_add(t,
             ".TH SNUG 1 \"\" \"snug %s\"\n"
             ".SH NAME\nsnug \\- compile ONNX models to training programs "
             "of known memory\n"
             ".SH SYNOPSIS\n.B snug\n.I VERB\n[\\fIoptions\\fR] "
             "[\\fIfiles\\fR]\n.SH DESCRIPTION\n",
             SNUG_VERSION);
    add_words(t, "Give it an ONNX model and a number of bytes; it gives back a "
                 "native program that trains the model in exactly that many "
                 "bytes, or says which bound forbids it. A verb says what is "
                 "to be done; each has a page of its own.\n");
    add_verbs(t);
    add_ends(t);
    add_examples(t, "snug compile model.onnx --memory 64MiB -o train\n"
                    "./train --data digits.npz --epochs 10 --checkpoint run");
    add_see_also(t, NULL);
}

void
manual_page(Text *t, const char *verb)
{
    const VerbRow *v = verb ? verb_row(verb) : NULL;
    const Manual *m = v ? manual_of(verb) : NULL;

    if (!v) {
        page_of_snug(t);
        return;
    }
    text_add(t, ".TH SNUG\\-%s 1 \"\" \"snug %s\"\n.SH NAME\nsnug\\-%s \\- ",
             verb, SNUG_VERSION, verb);
    add_words(t, v->doc);
    text_add(t, "\n.SH SYNOPSIS\n.B snug %s\n", verb);
    add_words(t, v->arguments);
    text_add(t, "\n[\\fIoptions\\fR]\n");
    if (m) {
        text_add(t, ".SH DESCRIPTION\n");
        add_words(t, m->description);
        text_add(t, "\n");
    }
    add_options(t, verb);
    add_ends(t);
    if (m)
        add_examples(t, m->examples);
    add_see_also(t, verb);
}
