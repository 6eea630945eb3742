/* link_header: the C interface of a library: the runtime's rt.h, which lies
   beside the runtime library, under the library's name. */
#include "codegen/link_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/str.h"

const char *
path_ending(Arena *a, const char *path, const char *ending)
{
    Text t = text_new(a);
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t n = dot && dot > (slash ? slash : path) ? (size_t)(dot - path)
                                                   : strlen(path);

    text_add(&t, "%.*s%s", (int)n, path, ending);
    return t.s;
}

static Text
read_text(Arena *a, const char *path)
{
    Text t = text_new(a);
    char part[4096];
    size_t got;
    FILE *f = fopen(path, "re");

    if (!f)
        raise_at((Loc){.file = path}, "cannot be read: %s", strerror(errno));
    while ((got = fread(part, 1, sizeof part, f)) > 0)
        text_add_n(&t, part, got);
    fclose(f);
    return t;
}

void
write_header(Arena *a, const char *folder, const char *path)
{
    Text from = text_new(a), text;
    const char *to = path_ending(a, path, ".h"), *base = strrchr(path, '/');
    FILE *f;

    text_add(&from, "%s/rt.h", folder);
    text = read_text(a, from.s);
    f = fopen(to, "we");
    if (!f)
        raise_at((Loc){.file = to}, "cannot be written: %s", strerror(errno));
    fprintf(f, "/* The interface of %s. */\n%s", base ? base + 1 : path,
            text_str(&text));
    if (ferror(f) | fclose(f))
        raise_at((Loc){.file = to}, "cannot be written: %s", strerror(errno));
}
