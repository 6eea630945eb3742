/* figures: the text of measured kernels: a head, lines of links, then a line a
   kernel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/timeline.h"

enum { NUMBERS = 4, WORKERS_MOST = 4096 };

static const char *const head = "snug figures 1";

typedef struct Reader {
    Arena *arena;
    const char *path, *at;
    int line;
} Reader;

static Loc
here(const Reader *r)
{
    return (Loc){.file = r->path, .line = r->line};
}

/* The next line, copied; NULL behind the last one. */
static char *
next_line(Reader *r)
{
    size_t length = strcspn(r->at, "\n");
    char *line;

    if (!*r->at)
        return NULL;
    line = NEWN(r->arena, char, length + 1);
    memcpy(line, r->at, length);
    r->at += length + (r->at[length] == '\n');
    r->line++;
    return line;
}

/* What stands behind the word `name` at the beginning of the line. */
static char *
field(Reader *r, const char *name)
{
    char *line = next_line(r);
    size_t length = strlen(name);

    if (!line || strncmp(line, name, length) != 0 || line[length] != ' ')
        raise_at(here(r), "'%s ...' expected\n`snug calibrate -o FILE` writes "
                          "such a file",
                 name);
    return line + length + 1;
}

static double
number(const Reader *r, char **at)
{
    char *end;
    double x = strtod(*at, &end);

    if (end == *at || *end != ' ' || !isfinite(x) || x < 0)
        raise_at(here(r), "four numbers >= 0 expected, then the kernel's kind");
    *at = end + 1;
    return x;
}

/* kernels FINGERPRINT: files of older versions have none */
static bool
read_kernels(Figures *f, const char *line)
{
    static const char word[] = "kernels ";

    if (f->kernels || strncmp(line, word, sizeof word - 1) != 0)
        return false;
    f->kernels = line + sizeof word - 1;
    return true;
}

/* link SPACE AWAY BACK, in bytes a second */
static bool
read_link(Reader *r, Figures *f, const char *line)
{
    LinkFigure x = {.link = NEW(r->arena, Link)};
    char *space = NEWN(r->arena, char, strlen(line) + 1), rest;

    if (strncmp(line, "link ", 5) != 0)
        return false;
    if (sscanf(line, "link %s %lf %lf%c", space, &x.link->away, &x.link->back,
               &rest) != 3 ||
        !isfinite(x.link->away) || !isfinite(x.link->back) ||
        x.link->away <= 0 || x.link->back <= 0)
        raise_at(here(r), "'link SPACE AWAY BACK' expected, two rates above 0 "
                          "in bytes a second");
    x.space = space;
    vec_push(r->arena, f->link, x);
    return true;
}

static void
read_row(Reader *r, Figures *f, char *at)
{
    double x[NUMBERS];

    for (int i = 0; i < NUMBERS; i++)
        x[i] = number(r, &at);
    if (x[2] <= 0 || x[3] <= 0 || !*at)
        raise_at(here(r), "seconds > 0 and the kernel's kind expected");
    vec_push(r->arena, f->row,
             (Figure){at, {x[0], x[1]}, {x[2], x[3]}, sort_of_kind(at)});
}

Figures *
figures_parse(Arena *a, const char *text, const char *path)
{
    Reader r = {a, path, text, 0};
    Figures *f = NEW(a, Figures);
    char *line = next_line(&r);

    if (!line || strcmp(line, head) != 0)
        raise_at(here(&r), "the first line is not '%s'\n`snug calibrate -o "
                           "FILE` writes such a file",
                 head);
    f->target = field(&r, "target");
    if (!machine_named(f->target))
        raise_at(here(&r), "no machine '%s'\n`snug help targets` lists them",
                 f->target);
    f->workers = atoi(field(&r, "workers"));
    if (f->workers < 1 || f->workers > WORKERS_MOST)
        raise_at(here(&r), "workers are 1 to %d", WORKERS_MOST);
    while ((line = next_line(&r)))
        if (!read_kernels(f, line) && !read_link(&r, f, line))
            read_row(&r, f, line);
    return f;
}

const char *
figures_print(Arena *a, const Figures *f)
{
    Text t = text_new(a);

    text_add(&t, "%s\ntarget %s\nworkers %d\n", head, f->target, f->workers);
    if (f->kernels)
        text_add(&t, "kernels %s\n", f->kernels);
    for (size_t i = 0; i < vec_len(f->link); i++)
        text_add(&t, "link %s %.4g %.4g\n", f->link[i].space,
                 f->link[i].link->away, f->link[i].link->back);
    for (size_t i = 0; i < vec_len(f->row); i++) {
        const Figure *row = &f->row[i];

        text_add(&t, "%.6g %.6g %.4g %.4g %s\n", row->cost.flops,
                 row->cost.bytes, row->took.one, row->took.many, row->kind);
    }
    return text_str(&t);
}
