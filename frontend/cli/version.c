/* version: of snug and of the parts that it is made with. */
#include "codegen/target.h"
#include "frontend/cli/commands.h"
#include "frontend/cli/terminal.h"

#include <jansson.h>
#include <stdio.h>

void
print_version(Arena *a)
{
    Text targets = text_new(a);

    printf("snug %s\n"
           "LLVM %s, protobuf-c %s, jansson %s, zlib %s, GLPK %s\n"
           "licence: Apache-2.0 (snug-milp, the solver's helper program: "
           "GPL-3-or-later)\n",
           SNUG_VERSION, SNUG_LLVM_VERSION, SNUG_PROTOBUFC_VERSION,
           JANSSON_VERSION, SNUG_ZLIB_VERSION, SNUG_GLPK_VERSION);
    for (const char *const *name = target_names(); *name; name++)
        text_add(&targets, " %s", *name);
    print_wrapped(printf("targets:"), 9, text_str(&targets) + 1);
}
