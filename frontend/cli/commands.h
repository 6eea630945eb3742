/* commands: a verb is a function of one file, cmd_VERB.c. */
#ifndef SNUG_COMMANDS_H
#define SNUG_COMMANDS_H

#include "frontend/cli/options.h"
#include "ir/graph.h"
#include "passes/pipeline.h"

#define VERB(name, arguments, doc) int cmd_##name(const Args *args);
#define OPTION(name, argument, verbs, doc)
#include "frontend/cli/option.def"
#undef VERB
#undef OPTION

/* A model by its ending: .onnx is imported, .snug (or - ) parsed. Raises. */
Module *load_model(const Args *args, const char *path);

/* Runs --passes, or what is left of the default pipeline at this stage. */
void run_passes(const Args *args, Module *m, const char *otherwise);
const char *passes_left(const Module *m);
const Machine *machine_of(const Args *args);

/* What --print-before, -after, -changed, --opt-bisect-limit, --crash-dir and
   --load-pass-plugin say. */
void pass_tools(const Args *args, PipelineOptions *o);
/* --reduce of opt. */
int reduce_file(const Args *args);

/* Where the figures of this machine are kept: --machine, else
   $XDG_CONFIG_HOME/snug/machine or ~/.config/snug/machine; NULL: nowhere. */
const char *machine_file(const Args *args);
/* Predictions go by that file if it is there; one that was named must be. */
void use_machine_file(const Args *args);

/* No plan leaves without the independent checker's word: raises status 4 with
   its verdict if it refuses. */
void require_good_plan(const Args *args, const Module *m);

/* A model with its plan, checked: what is not planned yet runs the passes that
   are left. Raises. */
Module *placed_model(const Args *args, const char *path);

/* `plan diff A B`: 0 equal, 1 different. */
int plan_diff(const Args *args);

/* The words that an option takes, NULL-ended; NULL: they are not of a list. */
const char *const *option_words(const Args *args, Option o);
/* Raises status 2 unless the value of an option is one of its words. */
void require_word(const Args *args, Option o, const char *otherwise);
/* The verbs and topics of `snug help`, NULL-ended. */
const char **help_topics(Arena *a);

/* Versions of snug and of what it is made with. */
void print_version(Arena *a);

/* Writes text to path (- : stdout), by a temporary file and a rename. */
void write_text(Arena *a, const char *path, const char *text);
/* Raises where what -o, --report, --html, --trace or --dot names cannot be
   written. */
void require_outputs(const Args *args);
/* Raises if what was printed could not be written. */
void finish_stdout(void);
/* The whole of a regular file (- : stdin), NUL-terminated; raises. */
char *read_text(Arena *a, const char *path);

#endif
