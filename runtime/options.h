/* options: the command line of a training program as a struct. */
#ifndef SNUG_RT_OPTIONS_H
#define SNUG_RT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct RtOption {
    bool given;
    const char *text;
    int64_t count; /* COUNT, SEED, the index of a CHOICE */
    double number;
} RtOption;

typedef struct RtOptions {
#define OPTION(field, kind, name, argument, help) RtOption field;
#include "runtime/option.def"
#undef OPTION
} RtOptions;

int rt_options_read(RtOptions *o, int argc, char **argv);
/* The help text on stdout. */
void rt_options_help(const char *program);

#endif
