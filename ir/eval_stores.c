/* eval_stores: the initial content of parameters, states and constants. */
#include "ir/eval.h"
#include "ir/origin.h"
#include "ir/philox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool
refuse(const Module *m, const Store *s, const char *what, const char *why)
{
    complain((Loc){.file = m->file, .node = s->name}, "%s%s%s", what,
             *why ? ": " : "", why);
    return false;
}

/* Does the open file hold the bytes of the store? */
static bool
file_fits(const Module *m, const Store *s, int fd)
{
    const char *fault = origin_fault(m, s->init.path, fd);
    off_t size = fault ? 0 : lseek(fd, 0, SEEK_END);

    if (fault)
        return refuse(m, s, s->init.path, fault);
    return (s->init.offset >= 0 && s->init.offset <= size &&
            type_bytes(&s->type) <= size - s->init.offset) ||
           refuse(m, s, s->init.path, "too short for this tensor");
}

static bool
read_bytes(const Module *m, const Store *s, int fd, Tensor *t)
{
    int64_t bytes = type_bytes(&s->type), done = 0;

    while (done < bytes) {
        ssize_t got = pread(fd, (char *)t->data + done, (size_t)(bytes - done),
                            s->init.offset + done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return refuse(m, s, s->init.path,
                          got ? strerror(errno) : "ends too early");
        done += got;
    }
    return true;
}

static bool
init_file(Arena *a, const Module *m, const Store *s, Tensor *t)
{
    int fd = open(s->init.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return refuse(m, s, s->init.path, strerror(errno));
    ok = file_fits(m, s, fd);
    if (ok) {
        *t = tensor_new(a, s->type);
        ok = read_bytes(m, s, fd, t) && file_fits(m, s, fd);
    }
    close(fd);
    return ok;
}

static bool
init_store(Arena *a, const Module *m, const Store *s, Tensor *t)
{
    int64_t count = type_elements(&s->type);

    if (s->init.kind == INIT_FILE)
        return init_file(a, m, s, t);
    *t = tensor_new(a, s->type);
    switch (s->init.kind) {
    case INIT_FILL:
        for (int64_t i = 0; i < count; i++)
            tensor_set(t, i, s->init.fill);
        return true;
    case INIT_LIST:
        if (vec_len(s->init.list) != (size_t)count)
            return refuse(m, s,
                          "the list does not have as many elements as "
                          "the tensor",
                          "");
        for (int64_t i = 0; i < count; i++)
            tensor_set(t, i, s->init.list[i]);
        return true;
    case INIT_RANDOM:
        for (int64_t i = 0; i < count; i++) {
            double u = philox_uniform(s->init.seed, (uint64_t)i);

            tensor_set(t, i, (2 * u - 1) * s->init.fill);
        }
        return true;
    case INIT_FILE: break;
    }
    UNREACHABLE();
}

bool
eval_init_stores(Arena *a, const Module *m, Stores *s)
{
    size_t count = vec_len(m->store);
    bool ok = true;

    s->tensor = NEWN(a, Tensor, count + 1);
    for (size_t i = 1; i < count; i++)
        ok = init_store(a, m, &m->store[i], &s->tensor[i]) && ok;
    return ok;
}
