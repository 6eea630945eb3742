/* embedded: text files that the build puts into the program. */
#ifndef SNUG_EMBEDDED_H
#define SNUG_EMBEDDED_H

typedef struct Embedded {
    const char *name; /* file name without its ending */
    const char *text;
} Embedded;

extern const Embedded embedded_rules[]; /* passes/train/rules, NULL-ended */

#endif
