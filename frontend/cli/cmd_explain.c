/* explain: what a code of a message means. */
#include "frontend/cli/commands.h"
#include "frontend/cli/errors.h"

int
cmd_explain(const Args *args)
{
    if (!args->operand)
        error_list();
    for (size_t i = 0; i < vec_len(args->operand); i++) {
        if (i)
            putchar('\n');
        error_page(args->operand[i]);
    }
    return ST_OK;
}
