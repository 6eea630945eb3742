/* weights: everything is checked before the first byte is read. */
#include "runtime/weights.h"

#include "runtime/element.h"
#include "runtime/file.h"
#include "runtime/image.h"
#include "runtime/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
show_shape(char *to, size_t most, RtType type, const int64_t *dim, int rank)
{
    size_t used = (size_t)snprintf(to, most, "%s[", rt_element_name(type));
    for (int k = 0; k < rank && used < most; k++)
        used += (size_t)snprintf(to + used, most - used, "%s%lld", k ? "," : "",
                                 (long long)dim[k]);
    if (used < most)
        snprintf(to + used, most - used, "]");
}

int
rt_weights_check(const RtSafetensors *s, const RtTensor *t)
{
    const RtStored *f = rt_safetensors_find(s, t->name);
    char has[200], needs[200];
    if (!f)
        return rt_fail(RT_ERROR_WEIGHTS,
                       "%s: no tensor '%s'; the file is of "
                       "another model",
                       s->path, t->name);
    if (!strcmp(rt_element_name(f->type), rt_element_name(t->type)) &&
        f->rank == t->rank && f->bytes == t->bytes &&
        !memcmp(f->dim, t->dim, (size_t)t->rank * sizeof *t->dim))
        return RT_OK;
    show_shape(has, sizeof has, f->type, f->dim, f->rank);
    show_shape(needs, sizeof needs, t->type, t->dim, t->rank);
    return rt_fail(RT_ERROR_WEIGHTS,
                   "%s: tensor '%s' is %s, the program needs "
                   "%s",
                   s->path, t->name, has, needs);
}

typedef struct Source {
    const RtSafetensors *file;
    int64_t offset;
} Source;

static int
read_piece(void *from, int64_t at, char *to, int64_t bytes)
{
    const Source *s = from;
    return rt_file_read(s->file->fd, s->file->path, to, bytes, s->offset + at);
}

int
rt_weights_read(RtModel *m, const RtSafetensors *s, const RtTensor *t)
{
    Source from = {s, rt_safetensors_find(s, t->name)->offset};
    return rt_tensor_fill(m, t, read_piece, &from);
}

static bool
is_required(const RtTensor *t, bool trained)
{
    if (trained)
        return t->kind == RT_PARAM || rt_is_statistic(t);
    return t->init == RT_INIT_FILE;
}

static bool
is_read(const RtSafetensors *s, const RtTensor *t, bool trained)
{
    if (t->kind == RT_STATE && !rt_is_statistic(t))
        return false;
    return is_required(t, trained) || rt_safetensors_find(s, t->name);
}

static int
load_all(RtModel *m, const RtSafetensors *s, bool trained)
{
    const RtProgram *p = m->program;
    for (int k = 0; k < p->tensors; k++)
        if (is_read(s, &p->tensor[k], trained))
            RT_TRY(rt_weights_check(s, &p->tensor[k]));
    for (int k = 0; k < p->tensors; k++)
        if (is_read(s, &p->tensor[k], trained))
            RT_TRY(rt_weights_read(m, s, &p->tensor[k]));
    return RT_OK;
}

int
rt_weights_load(RtModel *m, const char *path, bool trained)
{
    RtSafetensors s;
    RT_TRY(rt_safetensors_open(&s, path));
    int status = load_all(m, &s, trained);
    rt_safetensors_close(&s);
    return status;
}

static bool
needs_file(const RtProgram *p)
{
    for (int k = 0; k < p->tensors; k++)
        if (is_required(&p->tensor[k], false))
            return true;
    return false;
}

bool
rt_weights_has_constants(const RtProgram *p)
{
    for (int k = 0; k < p->tensors; k++)
        if (p->tensor[k].kind == RT_CONST && is_required(&p->tensor[k], false))
            return true;
    return false;
}

int
rt_weights_initial(RtModel *m)
{
    char path[RT_PATH_MOST];
    if (!needs_file(m->program))
        return RT_OK;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return rt_fail_file("find the program", "/proc/self/exe");
    path[length] = 0;
    char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    if (snprintf(path + folder, sizeof path - folder, "%s",
                 m->program->weights) >= (int)(sizeof path - folder))
        return rt_fail(RT_ERROR_FILE, "the path of the weights is too long");
    if (access(path, R_OK))
        return rt_fail(RT_ERROR_WEIGHTS,
                       "%s: cannot read the initial weights; "
                       "they belong beside the program (or give --load FILE)",
                       path);
    return rt_weights_load(m, path, false);
}

int
rt_load(RtModel *m, const char *path)
{
    return rt_weights_load(m, path, false);
}

int
rt_save(RtModel *m, const char *path)
{
    RtRegion r = {0};
    RtImage image;
    RtOutput output;
    int status =
        rt_image_make(&image, &r, m->program,
                      1u << RT_PARAM | 1u << RT_CONST | 1u << RT_STATE);
    if (!status)
        status = rt_image_write(&image, m, &output, path,
                                "\"format\":\"snug-weights 1\"");
    rt_region_drop(&r);
    return status;
}
