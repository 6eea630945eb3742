/* pass: the options of a pass, as it asks for them. */
#include "passes/pass.h"

#include <stdlib.h>
#include <string.h>

#include "ir/base/diag.h"
#include "passes/pipeline.h"

static const PassOption *
option_of(const PassRun *r, const char *name, char kind)
{
    for (int i = 0; i < r->options; i++)
        if (strcmp(r->option[i].name, name) == 0) {
            ASSERT(r->option[i].kind == kind);
            return &r->option[i];
        }
    internal_error(__FILE__, __LINE__, name);
}

int64_t
opt_int(const PassRun *r, const char *name)
{
    return strtoll(option_of(r, name, 'i')->text, NULL, 10);
}

int64_t
opt_bytes(const PassRun *r, const char *name)
{
    int64_t bytes = 0;

    ASSERT(parse_bytes(option_of(r, name, 'b')->text, &bytes));
    return bytes;
}

double
opt_float(const PassRun *r, const char *name)
{
    return strtod(option_of(r, name, 'f')->text, NULL);
}

const char *
opt_text(const PassRun *r, const char *name)
{
    return option_of(r, name, 's')->text;
}
