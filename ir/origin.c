/* origin: device, inode, size and time of change of each file. */
#include "ir/origin.h"

#include <errno.h>
#include <string.h>

static Origin
origin_of(Sym path, const struct stat *s)
{
    return (Origin){.path = path,
                    .device = (int64_t)s->st_dev,
                    .inode = (int64_t)s->st_ino,
                    .size = (int64_t)s->st_size,
                    .seconds = (int64_t)s->st_mtim.tv_sec,
                    .nanoseconds = (int64_t)s->st_mtim.tv_nsec};
}

static bool
same_origin(const Origin *a, const Origin *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

static const Origin *
origin_at(const Module *m, Sym path)
{
    for (size_t i = 0; i < vec_len(m->origin); i++)
        if (m->origin[i].path == path)
            return &m->origin[i];
    return NULL;
}

bool
origin_note(Module *m, const char *path, const struct stat *now)
{
    Origin is = origin_of(sym(m->syms, path), now);
    const Origin *was = origin_at(m, is.path);

    if (was)
        return same_origin(was, &is);
    vec_push(m->arena, m->origin, is);
    return true;
}

const char *
origin_fault(const Module *m, Sym path, int fd)
{
    const Origin *was = origin_at(m, path);
    struct stat now;
    Origin is;

    if (fstat(fd, &now) != 0)
        return strerror(errno);
    if (!S_ISREG(now.st_mode))
        return "not a regular file";
    is = origin_of(path, &now);
    return !was || same_origin(was, &is)
               ? NULL
               : "has changed since the model was read";
}
