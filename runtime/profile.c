/* profile: rows are gathered from the steps' seconds, those of one kernel
   together, in memory that was taken before the first step. */
#include "runtime/profile.h"

#include "runtime/image.h"
#include "runtime/progress.h"
#include "runtime/status.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MOST  60 /* rows of the table; the others are one line */
#define WORDS_MOST  90
#define RECORD_MOST 2048

double
rt_predicted(const RtProgram *p, double one, double many, int workers)
{
    if (workers < 2 || p->many < 2)
        return one;
    if (workers >= p->many)
        return many;
    double now = 1.0 / workers, all = 1.0 / p->many;
    return many + (one - many) * (now - all) / (1 - all);
}

int
rt_profile_open(RtProfile *p, RtRegion *r, const RtProgram *program,
                const RtEntry *e, int workers)
{
    p->program = program;
    p->workers = workers;
    RT_TRY(
        rt_region_take(r, e->steps * (int64_t)sizeof *p->seconds, &p->seconds));
    RT_TRY(rt_region_take(r, e->steps * (int64_t)sizeof *p->least, &p->least));
    RT_TRY(rt_region_take(r, e->steps * (int64_t)sizeof *p->row, &p->row));
    p->entry = e;
    return RT_OK;
}

static int
by_kernel(const void *a, const void *b)
{
    const RtProfileRow *x = a, *y = b;
    uintptr_t left = (uintptr_t)x->step->kernel;
    uintptr_t right = (uintptr_t)y->step->kernel;
    if (left != right)
        return left < right ? -1 : 1;
    if (x->step->move && x->step->move->wait != y->step->move->wait)
        return x->step->move->wait ? 1 : -1;
    return (x->step > y->step) - (x->step < y->step);
}

/* All starts of moves are one row, all waits another. */
static bool
same_work(const RtStep *a, const RtStep *b)
{
    if (a->kernel != b->kernel)
        return false;
    return !a->move || a->move->wait == b->move->wait;
}

static int
by_seconds(const void *a, const void *b)
{
    const RtProfileRow *x = a, *y = b;
    if (x->seconds > y->seconds || x->seconds < y->seconds)
        return x->seconds > y->seconds ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

static void
add(RtProfileRow *to, const RtProfileRow *from)
{
    to->places += from->places;
    to->seconds += from->seconds;
    to->least += from->least;
    to->predicted += from->predicted;
    to->flops += from->flops;
    to->bytes += from->bytes;
}

/* A row a node: its steps follow one another. */
static void
gather_nodes(RtProfile *p)
{
    const RtEntry *e = p->entry;
    p->rows = 0;
    for (int k = 0; k < e->steps; k++) {
        const RtStep *s = &e->step[k];
        bool more = k && s[-1].node == s->node;
        double predicted =
            rt_predicted(p->program, s->seconds, s->seconds_many, p->workers);
        RtProfileRow row = {s,         !more,    p->seconds[k], p->least[k],
                            predicted, s->flops, s->bytes};
        if (more)
            add(&p->row[p->rows - 1], &row);
        else
            p->row[p->rows++] = row;
    }
}

void
rt_profile_sort(RtProfile *p)
{
    int rows = 0;
    if (!p->entry)
        return;
    gather_nodes(p);
    qsort(p->row, (size_t)p->rows, sizeof *p->row, by_kernel);
    for (int k = 0; k < p->rows; k++)
        if (rows && same_work(p->row[rows - 1].step, p->row[k].step))
            add(&p->row[rows - 1], &p->row[k]);
        else
            p->row[rows++] = p->row[k];
    p->rows = rows;
    qsort(p->row, (size_t)p->rows, sizeof *p->row, by_seconds);
}

void
rt_profile_add(RtProfile *p, int step, double seconds)
{
    p->seconds[step] += seconds;
    if (!p->runs || seconds < p->least[step])
        p->least[step] = seconds;
}

int
rt_profile_log(const RtProfile *p, RtLog *l)
{
    char text[RECORD_MOST], name[200], kind[200], sources[1000];
    for (int k = 0; k < p->rows; k++) {
        const RtProfileRow *r = &p->row[k];
        rt_json_text(name, sizeof name, r->step->name);
        rt_json_text(kind, sizeof kind, r->step->kind);
        rt_json_text(sources, sizeof sources, r->step->sources);
        int length = snprintf(
            text, sizeof text,
            "{\"profile\":\"%s\",\"kind\":\"%s\",\"sources\":\"%s\","
            "\"places\":%lld,\"runs\":%lld,\"seconds\":%.9f,"
            "\"least\":%.9f,\"predicted\":%.9g,\"flops\":%.9g,"
            "\"bytes\":%.9g}\n",
            name, kind, sources, (long long)r->places, (long long)p->runs,
            r->seconds, r->least, r->predicted, r->flops, r->bytes);
        RT_TRY(rt_log_record(l, text, length));
    }
    return RT_OK;
}

static void
print_row(const RtProfile *p, const RtProfileRow *r, double all,
          const char *words, const char *sources)
{
    double seconds = r->seconds / (double)p->runs;
    double per_second = seconds > 0 ? 1e-9 / seconds : 0;
    rt_note("%5.1f %% %10.4f %10.4f %7lld %8.1f %7.1f  %.40s %.*s",
            all > 0 ? r->seconds / all * 100 : 0, seconds * 1e3,
            r->predicted * 1e3, (long long)r->places, r->flops * per_second,
            r->bytes * per_second, words, WORDS_MOST, sources);
}

void
rt_profile_print(const RtProfile *p)
{
    RtProfileRow all = {0}, rest = {0};
    if (!p->runs)
        return;
    for (int k = 0; k < p->rows; k++)
        add(k < SHOWN_MOST ? &all : &rest, &p->row[k]);
    add(&all, &rest);
    rt_note("profile of %s: %lld runs, %d kernels; ms, predicted ms and places "
            "are of one run",
            p->entry->name, (long long)p->runs, p->rows);
    rt_note("%7s %10s %10s %7s %8s %7s  %s", "share", "ms", "predicted",
            "places", "GF/s", "GB/s", "kind and nodes (of the first place)");
    for (int k = 0; k < p->rows && k < SHOWN_MOST; k++)
        print_row(p, &p->row[k], all.seconds, p->row[k].step->kind,
                  *p->row[k].step->sources ? p->row[k].step->sources
                                           : p->row[k].step->name);
    if (rest.places)
        print_row(p, &rest, all.seconds, "others", "");
    print_row(p, &all, all.seconds, "in all", "");
}
