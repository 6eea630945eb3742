/* method_join: a pass keeps the last value that an option is given, so what
   an earlier statement has asked for would be lost without a word. */
#include "frontend/cli/method_join.h"
#include "frontend/cli/method.h"

#include <stdbool.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

/* Between two values that an option can have both; NULL: it has one. */
static const char *
between(const char *setting)
{
    if (strncmp(setting, "codec.as=", strlen("codec.as=")) == 0)
        return " ";
    if (strncmp(setting, "optimizer.set=", strlen("optimizer.set=")) == 0)
        return ";";
    return NULL;
}

static void
join(Arena *a, const char ***set, const char *more)
{
    size_t name = strcspn(more, "=") + 1;
    Text both = text_new(a);

    for (size_t i = 0; i < vec_len(*set); i++) {
        const char *old = (*set)[i];

        if (strncmp(old, more, name) != 0)
            continue;
        if (strcmp(old, more) == 0)
            return;
        if (!between(more))
            raise_status(ST_USAGE, NOWHERE,
                         E(E0108) "--method: %s and %s are asked for at once\n"
                                  "leave one of them out",
                         old, more);
        text_add(&both, "%s%s%s", old, between(more), more + name);
        (*set)[i] = text_str(&both);
        return;
    }
    vec_push(a, *set, more);
}

const char **
method_join(Arena *a, const char *const *lines)
{
    const char **each = NULL, **set = NULL;

    for (size_t i = 0; i < vec_len(lines); i++) {
        size_t before = vec_len(each);

        method_settings(a, lines[i], &each);
        if (vec_len(each) == before)
            raise_status(ST_USAGE, NOWHERE,
                         E(E0105) "--method '%s': no method is named\n"
                                  "`snug help methods` lists them; without "
                                  "--method all goes as the model says",
                         lines[i]);
    }
    for (size_t i = 0; i < vec_len(each); i++)
        join(a, &set, each[i]);
    return set;
}

const char *
setting_of(const char *const *set, const char *option)
{
    size_t n = strlen(option);

    for (size_t i = vec_len(set); i-- > 0;)
        if (strncmp(set[i], option, n) == 0 && set[i][n] == '=')
            return set[i] + n + 1;
    return NULL;
}
