/* data_csv: a table of numbers, read once and written as f64 rows to a file
   without a name, so that rows can be drawn in any order. The first line may
   name the columns. The target is the column `labels` (or `label`, `target`),
   else the last ones; the other columns, in their order, are the one data
   input. Fields may stand in quotes (RFC 4180). */
#include "runtime/data.h"
#include "runtime/element.h"
#include "runtime/file.h"
#include "runtime/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK        (32 << 10)
#define FIELD_MOST   256
#define COLUMNS_MOST 65536

typedef struct Table {
    const char *path;
    int fd, out;
    char *chunk;
    int64_t at, had, offset, bytes; /* in the chunk; in the file */
    char field[FIELD_MOST];
    int length;
    int64_t line, rows;
    int column, columns;   /* columns: 0 until the first line is over */
    int label;             /* a column that its name says is the target; -1 */
    int words, bad_column; /* fields of the first line that are no numbers */
    double *value;
} Table;

static int
next_char(Table *t, int *c)
{
    if (t->at == t->had) {
        int64_t left = t->bytes - t->offset;
        t->had = left < CHUNK ? left : CHUNK;
        t->at = 0;
        *c = -1;
        if (!t->had)
            return RT_OK;
        RT_TRY(rt_file_read(t->fd, t->path, t->chunk, t->had, t->offset));
        t->offset += t->had;
    }
    *c = (unsigned char)t->chunk[t->at++];
    return RT_OK;
}

static int
bad(const Table *t, const char *what)
{
    return rt_fail(RT_ERROR_DATA, "%s:%lld: column %d %s", t->path,
                   (long long)t->line, t->column + 1, what);
}

/* One field into t->field; *end is the character behind it: ',', '\n' or -1. */
static int
read_field(Table *t, int *end)
{
    bool quoted = false, was_quoted = false;
    int c;
    t->length = 0;
    for (;;) {
        RT_TRY(next_char(t, &c));
        if (c == '"') {
            quoted = !quoted;
            if (quoted && was_quoted)
                return bad(t, "has quotes inside a number");
            was_quoted = true;
            continue;
        }
        if (c == -1 || (!quoted && (c == ',' || c == '\n')))
            break;
        if (t->length == FIELD_MOST - 1)
            return bad(t, "is longer than 255 characters");
        t->field[t->length++] = (char)c;
    }
    while (t->length && strchr(" \r\t", t->field[t->length - 1]))
        t->length--;
    t->field[t->length] = 0;
    *end = c;
    return quoted ? bad(t, "has quotes without an end") : RT_OK;
}

static bool
is_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end;
}

static void
note_name(Table *t)
{
    static const char *const name[] = {"labels", "label", "target"};
    for (int k = 0; k < 3; k++)
        if (!strcmp(t->field, name[k]))
            t->label = t->column;
}

static int
take_field(Table *t)
{
    double value = 0;
    bool number = is_number(t->field, &value);
    if (t->column >= (t->columns ? t->columns : COLUMNS_MOST))
        return bad(t, "is one too many");
    if (t->line == 1 && !number) {
        t->words++;
        t->bad_column = t->column;
        note_name(t);
    } else if (!number) {
        return bad(t, *t->field ? "is not a number" : "is empty");
    }
    t->value[t->column++] = value;
    return RT_OK;
}

/* The target's columns go last, so that both parts of a row are dense. */
static int
write_row(Table *t)
{
    if (t->label >= 0) {
        double target = t->value[t->label];
        memmove(t->value + t->label, t->value + t->label + 1,
                (size_t)(t->columns - t->label - 1) * sizeof *t->value);
        t->value[t->columns - 1] = target;
    }
    t->rows++;
    return rt_file_write(t->out, t->path, t->value,
                         t->columns * (int64_t)sizeof *t->value);
}

static int
end_line(Table *t)
{
    if (!t->columns)
        t->columns = t->column;
    if (t->column != t->columns)
        return rt_fail(RT_ERROR_DATA,
                       "%s:%lld: %d columns, the first line has "
                       "%d",
                       t->path, (long long)t->line, t->column, t->columns);
    bool names = t->line == 1 && (t->label >= 0 || 2 * t->words > t->columns);
    t->column = 0;
    if (names)
        return RT_OK;
    t->column = t->bad_column;
    if (t->line == 1 && t->words)
        return bad(t, "is not a number");
    t->column = 0;
    return write_row(t);
}

static int
read_table(Table *t)
{
    int end = 0;
    for (t->line = 1; end >= 0; t->line++) {
        RT_TRY(read_field(t, &end));
        if (!t->length && end != ',')
            continue; /* an empty line */
        RT_TRY(take_field(t));
        while (end == ',') {
            RT_TRY(read_field(t, &end));
            RT_TRY(take_field(t));
        }
        RT_TRY(end_line(t));
    }
    return RT_OK;
}

static int64_t
row_elements(const RtPort *p)
{
    return p && p->rank > 0 ? rt_element_total(p->dim + 1, p->rank - 1, 1) : 0;
}

static int
add_columns(RtData *d, const Table *t, const RtPort *p, int64_t first,
            int64_t count)
{
    RtArray *a;
    RT_TRY(rt_data_add(d, &a, t->path, t->out));
    a->name = p->name;
    a->type = RT_F64;
    a->rank = 2;
    a->dim[0] = t->rows;
    a->dim[1] = count;
    a->offset = first * 8;
    a->stride = t->columns * (int64_t)8;
    a->loose = true;
    return RT_OK;
}

static int
add_arrays(RtData *d, const Table *t, const RtEntry *e)
{
    const RtPort *data = NULL, *labels = NULL;
    for (int k = 0; k < e->inputs; k++) {
        if (e->input[k].role == RT_ROLE_DATA && data)
            return rt_fail(RT_ERROR_DATA,
                           "%s: a table feeds one input, the "
                           "model has '%s' and '%s'; use .npz",
                           t->path, data->name, e->input[k].name);
        if (e->input[k].role == RT_ROLE_DATA)
            data = &e->input[k];
        if (e->input[k].role == RT_ROLE_LABELS)
            labels = &e->input[k];
    }
    int64_t last = row_elements(labels), first = row_elements(data);
    if (t->columns != first + last)
        return rt_fail(RT_ERROR_DATA,
                       "%s: %d columns, but the inputs need "
                       "%lld (%lld and %lld of the target)",
                       t->path, t->columns, (long long)(first + last),
                       (long long)first, (long long)last);
    if (data)
        RT_TRY(add_columns(d, t, data, 0, first));
    return labels ? add_columns(d, t, labels, first, last) : RT_OK;
}

static int
read_into(RtData *d, Table *t, RtRegion *scratch, const RtEntry *e)
{
    RT_TRY(rt_region_take(scratch, CHUNK, &t->chunk));
    RT_TRY(rt_region_take(scratch, COLUMNS_MOST * (int64_t)sizeof(double),
                          &t->value));
    RT_TRY(rt_file_temporary(&t->out, 0));
    RT_TRY(read_table(t));
    if (!t->rows)
        return rt_fail(RT_ERROR_DATA, "%s: no rows", t->path);
    return add_arrays(d, t, e);
}

int
rt_data_csv(RtData *d, const char *path, const RtEntry *e)
{
    Table t = {.path = path, .out = -1, .label = -1};
    RtRegion scratch = {0};
    int before = d->arrays;
    RT_TRY(rt_file_open(path, &t.fd, &t.bytes));
    int status = read_into(d, &t, &scratch, e);
    close(t.fd);
    if (t.out >= 0 && d->arrays == before)
        close(t.out);
    rt_region_drop(&scratch);
    return status;
}
