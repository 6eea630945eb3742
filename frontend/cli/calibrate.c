/* calibrate: a program's own profile says what its kernels took. Each kernel's
   quickest run, scaled so that all of them make the median step, is free of
   what else the machine did meanwhile. */
#include "frontend/cli/calibrate.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/cli/commands.h"
#include "ir/base/diag.h"
#include "ir/base/output.h"
#include "ir/text.h"

enum { LONG = 8 };

static const double least_seconds = 1e-9; /* of the clock */

/* ---- running ------------------------------------------------------------ */

static void
run_program(const char *program, const char *log, int threads,
            const char *seconds)
{
    char count[16];
    pid_t child;
    int status;

    snprintf(count, sizeof count, "%d", threads);
    child = fork();
    if (child == 0) {
        execl(program, program, "--rehearse", seconds, "--profile", "--quiet",
              "--threads", count, "--log", log, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        raise_at((Loc){.file = program},
                 "cannot be run here: %s\na target that this machine has is "
                 "needed, and memory for a step of GPT-2's width",
                 child < 0 ? strerror(errno) : "it ended with a fault");
}

/* ---- its log ------------------------------------------------------------ */

static const char *
word(Arena *a, const json_t *line, const char *key)
{
    const char *s = json_string_value(json_object_get(line, key));
    Text t = text_new(a);

    text_add(&t, "%s", s ? s : "");
    return text_str(&t);
}

static double
number(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

static void
read_line(Arena *a, Measured *m, double **steps, const char *text)
{
    json_t *line = json_loads(text, 0, NULL);

    if (json_object_get(line, "profile"))
        vec_push(a, m->row,
                 (MeasuredRow){word(a, line, "profile"), word(a, line, "kind"),
                               number(line, "places"), number(line, "least"),
                               number(line, "flops"), number(line, "bytes")});
    else if (json_object_get(line, "step"))
        vec_push(a, *steps, number(line, "seconds"));
    json_decref(line);
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Makes the rows sum up to the median step. */
static void
scale(Measured *m, double *steps)
{
    double sum = 0;

    if (!vec_len(steps))
        return;
    qsort(steps, vec_len(steps), sizeof *steps, by_size);
    m->step = steps[vec_len(steps) / 2];
    for (size_t i = 0; i < vec_len(m->row); i++)
        sum += m->row[i].seconds;
    for (size_t i = 0; i < vec_len(m->row) && sum > 0; i++)
        m->row[i].seconds *= m->step / sum;
}

static Measured
measure_once(Arena *a, const char *folder, int threads, const char *seconds)
{
    Text program = text_new(a), log = text_new(a);
    double *steps = NULL;
    Measured m = {0};
    char *text;

    text_add(&program, "%s/net", folder);
    text_add(&log, "%s/log.jsonl", folder);
    output_temporary(a, log.s);
    run_program(program.s, log.s, threads, seconds);
    text = read_text(a, log.s);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        read_line(a, &m, &steps, line);
    scale(&m, steps);
    return m;
}

/* The better of two halves: where threads are put, and what else runs, is
   decided anew for each process. One is enough where a step alone takes many
   times as long as was asked for. */
Measured
measure_program(Arena *a, const char *folder, int threads, double seconds)
{
    char half[32];
    Measured first, second;

    snprintf(half, sizeof half, "%.9g", seconds / 2);
    first = measure_once(a, folder, threads, half);
    if (first.step > LONG * seconds)
        return first;
    second = measure_once(a, folder, threads, half);
    return first.step <= second.step ? first : second;
}

/* ---- figures ------------------------------------------------------------ */

static const MeasuredRow *
same_row(const Measured *m, const MeasuredRow *r)
{
    for (size_t i = 0; i < vec_len(m->row); i++)
        if (strcmp(m->row[i].name, r->name) == 0 &&
            strcmp(m->row[i].kind, r->kind) == 0)
            return &m->row[i];
    return NULL;
}

static double
positive(double seconds)
{
    return seconds > least_seconds ? seconds : least_seconds;
}

void
add_figures(Arena *a, Figures *f, const Measured *one, const Measured *many)
{
    for (size_t i = 0; i < vec_len(one->row); i++) {
        const MeasuredRow *r = &one->row[i], *other = same_row(many, r);
        Text kind = text_new(a);

        if (!other || r->places < 1 || !*r->kind)
            continue;
        text_add(&kind, "%s", r->kind);
        vec_push(a, f->row,
                 (Figure){kind.s,
                          {r->flops / r->places, r->bytes / r->places},
                          {positive(r->seconds / r->places),
                           positive(other->seconds / r->places)},
                          sort_of_kind(kind.s)});
    }
}
