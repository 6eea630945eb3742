/* data_safetensors: every tensor of the file is an array of its name. */
#include "runtime/data.h"
#include "runtime/element.h"
#include "runtime/safetensors.h"
#include "runtime/status.h"

#include <string.h>
#include <unistd.h>

static int
add_all(RtData *d, const RtSafetensors *s, int fd)
{
    for (int k = 0; k < s->count; k++) {
        const RtStored *t = &s->stored[k];
        RtArray *a;
        if (t->rank < 1)
            continue;
        RT_TRY(rt_data_add(d, &a, s->path, fd));
        a->name = rt_region_text(&d->region, t->name, (int64_t)strlen(t->name));
        if (!a->name)
            return RT_ERROR_MEMORY;
        a->type = t->type;
        a->rank = t->rank;
        memcpy(a->dim, t->dim, sizeof a->dim);
        a->offset = t->offset;
        a->stride = rt_element_total(t->dim + 1, t->rank - 1,
                                     rt_element_bytes(t->type));
        if (a->stride < 0)
            return rt_fail(RT_ERROR_DATA,
                           "%s: tensor '%s': a shape that no "
                           "file can hold",
                           s->path, t->name);
    }
    return RT_OK;
}

int
rt_data_safetensors(RtData *d, const char *path)
{
    RtSafetensors s;
    RT_TRY(rt_safetensors_open(&s, path));
    int before = d->arrays;
    int status = add_all(d, &s, s.fd);
    if (d->arrays > before)
        s.fd = -1; /* the arrays read from it; rt_data_close() closes it */
    rt_safetensors_close(&s);
    return status;
}
