/* data: which array feeds which input, and the way of a row into the arena. */
#include "runtime/data.h"

#include "runtime/element.h"
#include "runtime/file.h"
#include "runtime/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES ((int64_t)64 << 10)

static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

int
rt_data_add(RtData *d, RtArray **place, const char *path, int fd)
{
    if (d->arrays == RT_ARRAYS_MOST)
        return rt_fail(RT_ERROR_DATA, "%s: more than %d arrays", path,
                       RT_ARRAYS_MOST);
    *place = &d->array[d->arrays++];
    **place = (RtArray){.name = "", .path = path, .fd = fd};
    return RT_OK;
}

static int
open_file(RtData *d, const char *path, const char *name, const RtEntry *e)
{
    if (ends_with(path, ".npy"))
        return rt_data_npy(d, path, name);
    if (*name)
        return rt_fail(RT_ERROR_USAGE, "%s=%s: only a .npy file takes a name",
                       name, path);
    if (ends_with(path, ".npz"))
        return rt_data_npz(d, path);
    if (ends_with(path, ".csv"))
        return rt_data_csv(d, path, e);
    if (ends_with(path, ".safetensors"))
        return rt_data_safetensors(d, path);
    int fd;
    int64_t bytes;
    RT_TRY(rt_file_open(path, &fd, &bytes));
    close(fd);
    return rt_fail(RT_ERROR_USAGE,
                   "%s: data are .npz, .npy, .csv or .safetensors", path);
}

int
rt_data_open(RtData *d, const char *spec, const RtEntry *e)
{
    *d = (RtData){.path = spec};
    for (const char *at = spec;;) {
        size_t length = strcspn(at, ",");
        char *path = rt_region_text(&d->region, at, (int64_t)length);
        if (!path)
            return RT_ERROR_MEMORY;
        char *equals = strchr(path, '='), *name = path + length;
        if (equals && !memchr(path, '/', (size_t)(equals - path))) {
            *equals = 0;
            name = path;
            path = equals + 1;
        }
        RT_TRY(open_file(d, path, name, e));
        if (!at[length])
            return RT_OK;
        at += length + 1;
    }
}

void
rt_data_close(RtData *d)
{
    for (int k = 0; k < d->arrays; k++) {
        bool seen = false;
        for (int j = 0; j < k; j++)
            seen |= d->array[j].fd == d->array[k].fd;
        if (!seen && d->array[k].fd >= 0)
            close(d->array[k].fd);
    }
    rt_region_drop(&d->region);
    *d = (RtData){0};
}

static bool
is_data(const RtPort *p)
{
    return p->role == RT_ROLE_DATA || p->role == RT_ROLE_LABELS;
}

/* Appends "name type[dims]" to text. */
static void
show_array(const RtArray *a, char *text, size_t most)
{
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, most - used, "%s%s %s[",
                             used ? ", " : "", *a->name ? a->name : "(unnamed)",
                             rt_element_name(a->type));
    for (int k = 0; k < a->rank && used < most; k++)
        used += (size_t)snprintf(text + used, most - used, "%s%lld",
                                 k ? "," : "", (long long)a->dim[k]);
    if (used < most)
        snprintf(text + used, most - used, "]");
}

static int
no_array(const RtData *d, const RtPort *p)
{
    char text[400] = "";
    for (int k = 0; k < d->arrays && strlen(text) < sizeof text - 2; k++)
        show_array(&d->array[k], text, sizeof text);
    return rt_fail(RT_ERROR_DATA,
                   "%s: no array for the input '%s'; there are: "
                   "%s",
                   d->path, p->name, text);
}

static const RtArray *
find_array(const RtData *d, const RtPort *p, int position)
{
    int unnamed = 0;
    for (int k = 0; k < d->arrays; k++)
        if (!strcmp(d->array[k].name, p->name))
            return &d->array[k];
    for (int k = 0; k < d->arrays; k++)
        if (!*d->array[k].name && unnamed++ == position)
            return &d->array[k];
    return NULL;
}

/* Equal shapes of a row, where dimensions of 1 do not count. */
static bool
same_row(const RtArray *a, const RtPort *p)
{
    int i = 1, j = 1;
    for (;;) {
        while (i < a->rank && a->dim[i] == 1)
            i++;
        while (j < p->rank && p->dim[j] == 1)
            j++;
        if (i >= a->rank || j >= p->rank)
            return i >= a->rank && j >= p->rank;
        if (a->dim[i++] != p->dim[j++])
            return false;
    }
}

static int
wrong_shape(const RtArray *a, const RtPort *p)
{
    char has[200] = "", needs[200] = "";
    RtArray wanted = {.name = "", .type = p->type, .rank = p->rank};
    memcpy(wanted.dim, p->dim, sizeof wanted.dim);
    show_array(a, has, sizeof has);
    show_array(&wanted, needs, sizeof needs);
    return rt_fail(RT_ERROR_DATA,
                   "%s: array %s does not fit the input '%s' %s "
                   "(the first dimension is free)",
                   a->path, has, p->name, strchr(needs, ' ') + 1);
}

static int
add_source(RtFeed *f, const RtArray *a, const RtPort *p)
{
    int64_t elements =
        p->rank < 1 ? 0 : rt_element_total(p->dim + 1, p->rank - 1, 1);
    int64_t stored =
        a->rank < 1 ? -1 : rt_element_total(a->dim + 1, a->rank - 1, 1);
    if (stored != elements || (!a->loose && !same_row(a, p)))
        return wrong_shape(a, p);
    if (f->sources && f->rows != a->dim[0])
        return rt_fail(RT_ERROR_DATA,
                       "%s: array '%s' has %lld rows, '%s' has "
                       "%lld",
                       a->path, a->name, (long long)a->dim[0],
                       f->source[0].array->name, (long long)f->rows);
    f->rows = a->dim[0];
    f->source[f->sources++] = (RtSource){p, a, elements};
    return RT_OK;
}

/* Small arrays are read once: a row then costs no system call. */
static int
hold_array(RtData *d, RtArray *a, int64_t *hold)
{
    char *place;
    int64_t last =
        rt_element_total(a->dim + 1, a->rank - 1, rt_element_bytes(a->type));
    int64_t bytes = (a->dim[0] - 1) * a->stride + last;
    if (a->held || a->dim[0] < 1 || bytes > *hold)
        return RT_OK;
    RT_TRY(rt_region_take(&d->region, bytes, &place));
    RT_TRY(rt_file_read(a->fd, a->path, place, bytes, a->offset));
    a->held = place;
    *hold -= bytes;
    return RT_OK;
}

int
rt_feed_open(RtFeed *f, RtData *d, const RtProgram *p, const RtEntry *e,
             int64_t *hold)
{
    int position = 0;
    *f = (RtFeed){.program = p, .batch = e->batch};
    for (int k = 0; k < e->inputs; k++) {
        const RtPort *port = &e->input[k];
        if (port->role == RT_ROLE_WEIGHT)
            f->weight = port;
        if (!is_data(port))
            continue;
        const RtArray *a = find_array(d, port, position++);
        if (!a)
            return no_array(d, port);
        if (f->sources == RT_ARRAYS_MOST)
            return rt_fail(RT_ERROR_PROGRAM, "too many inputs");
        RT_TRY(add_source(f, a, port));
    }
    if (!f->sources)
        return rt_fail(RT_ERROR_PROGRAM, "entry %s reads no data", e->name);
    if (f->rows < 1)
        return rt_fail(RT_ERROR_DATA, "%s: no rows", d->path);
    if (f->rows > UINT32_MAX)
        return rt_fail(RT_ERROR_DATA, "%s: more than 2^32 rows", d->path);
    for (int k = 0; k < d->arrays; k++)
        RT_TRY(hold_array(d, &d->array[k], hold));
    return rt_region_take(&d->region, BUFFER_BYTES, &f->buffer);
}

static int
flaw(const RtSource *s, RtFlaw what, int64_t row, int64_t element)
{
    const RtArray *a = s->array;
    const char *name = *a->name ? a->name : s->port->name;
    return rt_fail(RT_ERROR_DATA, "%s: array '%s', row %lld, element %lld %s",
                   a->path, name, (long long)row, (long long)element,
                   rt_flaw_text(what));
}

static int
check_labels(const RtFeed *f, const RtSource *s, const char *to, int64_t count,
             int64_t row)
{
    int64_t size = rt_element_bytes(s->port->type);
    for (int64_t k = 0; k < count; k++) {
        double label = rt_element_read(s->port->type, to + k * size);
        if (label < 0 || label >= (double)f->program->classes)
            return rt_fail(RT_ERROR_DATA,
                           "%s: array '%s', row %lld: label "
                           "%.17g is not in 0..%lld",
                           s->array->path,
                           *s->array->name ? s->array->name : s->port->name,
                           (long long)(row + k / s->elements), label,
                           (long long)f->program->classes - 1);
    }
    return RT_OK;
}

/* `count` elements from element `skip` of row `row` on; they may run on into
   the rows that follow if those are dense. */
static int
read_piece(RtFeed *f, const RtSource *s, char *to, int64_t row, int64_t skip,
           int64_t count)
{
    const RtArray *a = s->array;
    int64_t size = rt_element_bytes(a->type), bad = 0;
    int64_t at = row * a->stride + skip * size;
    const char *from = a->held ? a->held + at : f->buffer;
    if (!a->held) {
        char *target = a->type == s->port->type ? to : f->buffer;
        from = target;
        RT_TRY(
            rt_file_read(a->fd, a->path, target, count * size, a->offset + at));
    }
    RtFlaw what =
        rt_element_convert(s->port->type, to, a->type, from, count, &bad);
    if (what)
        return flaw(s, what, row + (skip + bad) / s->elements,
                    (skip + bad) % s->elements);
    if (s->port->role == RT_ROLE_LABELS && f->program->classes)
        return check_labels(f, s, to, count, row);
    return RT_OK;
}

static int
read_rows(RtFeed *f, const RtSource *s, char *to, int64_t row, int64_t rows)
{
    int64_t size = rt_element_bytes(s->port->type);
    int64_t piece = BUFFER_BYTES / 8, total = rows * s->elements;
    for (int64_t done = 0; done < total; done += piece) {
        int64_t count = total - done < piece ? total - done : piece;
        RT_TRY(read_piece(f, s, to + done * size, row, done, count));
    }
    return RT_OK;
}

static int
fill_source(RtFeed *f, const RtSource *s, char *arena, const uint32_t *row,
            int64_t first, int64_t count)
{
    char *to = arena + s->port->offset;
    int64_t bytes = s->elements * rt_element_bytes(s->port->type);
    bool dense =
        s->array->stride == s->elements * rt_element_bytes(s->array->type);
    if (!row && dense) {
        RT_TRY(read_rows(f, s, to, first, count));
    } else {
        for (int64_t k = 0; k < count; k++)
            RT_TRY(
                read_rows(f, s, to + k * bytes, row ? row[k] : first + k, 1));
    }
    for (int64_t k = count; k < f->batch; k++)
        memcpy(to + k * bytes, to, (size_t)bytes);
    return RT_OK;
}

int
rt_feed_batch(RtFeed *f, char *arena, const uint32_t *row, int64_t first,
              int64_t count)
{
    for (int k = 0; k < f->sources; k++)
        RT_TRY(fill_source(f, &f->source[k], arena, row, first, count));
    if (!f->weight)
        return RT_OK;
    int64_t size = rt_element_bytes(f->weight->type);
    for (int64_t k = 0; k < f->batch; k++)
        rt_element_write(f->weight->type, arena + f->weight->offset + k * size,
                         k < count);
    return RT_OK;
}
