/* archive: the format of ar(5): a mark, then for each member a head of 60
   characters and the content, padded to an even length. */
#include "codegen/archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/diag.h"

static void
write_failed(const char *path)
{
    raise_at((Loc){.file = path}, "cannot be written: %s", strerror(errno));
}

static void
write_member(FILE *f, int number, const Text *object)
{
    char name[16];

    snprintf(name, sizeof name, "%d.o/", number);
    fprintf(f, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "644",
            object->len);
    fwrite(text_str(object), 1, object->len, f);
    if (object->len % 2)
        fputc('\n', f);
}

void
write_archive(const char *path, int count, const Text *object)
{
    FILE *f = fopen(path, "we");

    if (!f)
        write_failed(path);
    fputs("!<arch>\n", f);
    for (int i = 0; i < count; i++)
        write_member(f, i, &object[i]);
    if (fflush(f) != 0 || ferror(f)) {
        int error = errno;

        fclose(f);
        errno = error;
        write_failed(path);
    }
    if (fclose(f) != 0)
        write_failed(path);
}
