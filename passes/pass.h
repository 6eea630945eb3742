/* pass: what a pass is. A pass is one file, one row of pass.def, one folder of
   goldens, all of one name. It rewrites the module; it never calls another
   pass, computes a fact by hand, or prints. */
#ifndef SNUG_PASS_H
#define SNUG_PASS_H

#include "ir/facts.h"
#include "ir/machine.h"

typedef struct PassOption {
    const char *name;
    char kind; /* i int, b bytes ("64MiB"), f float, s text */
    const char *text; /* the value as written; the default if not given */
    bool asked; /* by --set or --method: not by default, nor by choice */
} PassOption;

enum { MAX_PASS_OPTIONS = 12 };

typedef struct PassRun {
    Module *m;
    const Machine *machine;
    Arena *scratch; /* freed after the pass */
    PassOption option[MAX_PASS_OPTIONS];
    int options;
    int64_t budget; /* of the whole pipeline (--memory), 0: none */
    bool trial;     /* a refusal need not say what would fit */
    const void *plugged; /* of a plugin's pass: its own row; else NULL */
} PassRun;

/* Options are parsed and checked by the runner; an option that the row does not
   have is an internal error here. */
int64_t opt_int(const PassRun *r, const char *name);
/* How far to search: of a trial a rough answer is asked for. */
int64_t opt_limit(const PassRun *r, const char *name);
int64_t opt_bytes(const PassRun *r, const char *name);
double opt_float(const PassRun *r, const char *name);
const char *opt_text(const PassRun *r, const char *name);
/* Is the value what the user asked for, in a plan that is made in earnest? Then
   it should do something, or say why not. */
bool opt_asked(const PassRun *r, const char *name);

typedef void PassFunction(PassRun *r);

#define PASS(name, from, to, guards, options, doc) PassFunction pass_##name;
#include "passes/pass.def"
#undef PASS

#endif
