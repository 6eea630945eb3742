/* config_fuzz: bytes as a configuration, taken for every verb: what is taken
   is what the command line could have said. */
#include "frontend/cli/config.h"
#include "frontend/cli/option_table.h"
#include "ir/base/diag.h"
#include "ir/base/vec.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

typedef struct Given {
    const uint8_t *bytes;
    size_t size;
    const char *verb;
} Given;

static void
take(Arena *a, void *with)
{
    const Given *t = with;
    Args args = {.arena = a, .verb = t->verb};

    if (option_of_verb(OPT_dim, t->verb))
        vec_push(a, args.given[OPT_dim], "batch=1");
    config_take(&args, fuzz_text(a, t->bytes, t->size), "snug.toml");
    for (Option o = 0; o < OPT_COUNT; o++)
        if (args.given[o] && !option_of_verb(o, t->verb))
            abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (const VerbRow *v = verb_rows; v->name; v++) {
        Given t = {bytes, size, v->name};

        fuzz_guarded(take, &t);
    }
    return 0;
}
