/* embedded: text files that the build puts into the program. */
#ifndef SNUG_EMBEDDED_H
#define SNUG_EMBEDDED_H

typedef struct Embedded {
    const char *name; /* file name without its ending */
    const char *text;
} Embedded;

/* NULL-ended: passes/train/rules, passes/simplify/rules, ir/figures,
   frontend/cli/calibrate, frontend/cli/page and codegen/python. */
extern const Embedded embedded_rules[], embedded_rewrites[];
extern const Embedded embedded_figures[], embedded_nets[], embedded_page[];
extern const Embedded embedded_python[];

#endif
