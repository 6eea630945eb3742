/* rule_file: read at once; a pipe or a device is never waited for. */
#include "passes/tools/rule_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/base/diag.h"

enum { MOST_BYTES = 1 << 20 };

const char *
rule_file(Arena *a, const char *path, const char *what)
{
    Loc loc = {.file = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    ssize_t n = -1;

    if (fd < 0)
        raise_at(loc, "the %s cannot be opened: %s", what, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size <= MOST_BYTES) {
        text = NEWN(a, char, st.st_size + 1);
        n = read(fd, text, (size_t)st.st_size);
    }
    close(fd);
    if (n < 0 || strlen(text) != (size_t)n)
        raise_at(loc, "this is not a %s: it is no regular file of text up to "
                      "1 MiB", what);
    return text;
}
