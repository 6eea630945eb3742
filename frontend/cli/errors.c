/* errors: `snug explain E0305` prints what error.def tells of a code. */
#include "frontend/cli/errors.h"

#include "frontend/cli/terminal.h"
#include "ir/base/diag.h"
#include "ir/base/error.h"

#include <stdio.h>

static void
print_part(const char *head, const char *text)
{
    printf("\n%s\n", head);
    print_wrapped(0, 2, text);
}

void
error_page(const char *code)
{
    const Error *e = error_named(code);

    if (!e)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0105) "there is no code %s\n`snug explain` lists them "
                              "all",
                     code);
    printf("%s: %s\n\n", e->code, e->title);
    print_wrapped(0, 0, e->cause);
    print_part("example:", e->example);
    print_part("remedy:", e->remedy);
}

void
error_list(void)
{
    for (int i = 0; i < ERROR_COUNT; i++)
        printf("%s  %s\n", errors[i].code, errors[i].title);
    printf("\n`snug explain CODE` has cause, example and remedy.\n");
}
