/* log: records gather in a buffer of fixed size. */
#include "runtime/log.h"

#include "runtime/events.h"
#include "runtime/status.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MOST 512
#define CSV_HEAD    "step,epoch,loss,lr,seconds\n"

static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* The step of a record; -1 for the head of a CSV, the summary, broken lines. */
static int64_t
step_of(const RtLog *l, const char *line)
{
    bool json = l->form == RT_LOG_JSON;
    if (json && strncmp(line, "{\"step\":", 8))
        return -1;
    const char *digits = json ? line + 8 : line;
    char *end;
    long long step = strtoll(digits, &end, 10);
    return end == digits || *end != ',' ? -1 : step;
}

/* The length of the part of the file whose records are of steps <= step. */
static int
find_end_of_lines(RtLog *l, int64_t bytes, int64_t step, int64_t *end)
{
    char line[RECORD_MOST];
    int64_t at = 0;
    int length = 0;
    *end = 0;
    while (at < bytes) {
        int64_t got = bytes - at < RT_LOG_BYTES ? bytes - at : RT_LOG_BYTES;
        RT_TRY(rt_file_read(l->fd, l->path, l->text, got, at));
        for (int64_t k = 0; k < got; k++) {
            if (length < RECORD_MOST - 1)
                line[length++] = l->text[k];
            if (l->text[k] != '\n')
                continue;
            line[length] = 0;
            length = 0;
            int64_t has = step_of(l, line);
            bool head = l->form == RT_LOG_CSV && !strcmp(line, CSV_HEAD);
            if (head || (has >= 0 && has <= step))
                *end = at + k + 1;
        }
        at += got;
    }
    return RT_OK;
}

/* The same of events, up to the first damaged one. */
static int
find_end_of_events(RtLog *l, int64_t bytes, int64_t step, int64_t *end)
{
    *end = 0;
    while (*end < bytes) {
        int64_t got =
            bytes - *end < RT_EVENT_MOST ? bytes - *end : RT_EVENT_MOST;
        int64_t has, length;
        RT_TRY(rt_file_read(l->fd, l->path, l->text, got, *end));
        length = rt_event_read(l->text, got, &has);
        if (!length || has > step)
            break;
        *end += length;
    }
    return RT_OK;
}

static double
wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void
begin_file(RtLog *l)
{
    if (l->form == RT_LOG_EVENTS) {
        l->used = rt_event_head(l->text, wall_seconds());
    } else if (l->form == RT_LOG_CSV) {
        memcpy(l->text, CSV_HEAD, strlen(CSV_HEAD));
        l->used = (int64_t)strlen(CSV_HEAD);
    }
}

static int
continue_file(RtLog *l, int64_t step)
{
    off_t bytes = lseek(l->fd, 0, SEEK_END);
    int64_t end = 0;
    if (bytes < 0)
        return rt_fail_file("read", l->path);
    if (step)
        RT_TRY(l->form == RT_LOG_EVENTS
                   ? find_end_of_events(l, bytes, step, &end)
                   : find_end_of_lines(l, bytes, step, &end));
    if (ftruncate(l->fd, end) || lseek(l->fd, end, SEEK_SET) < 0)
        return rt_fail_file("cut", l->path);
    if (!end)
        begin_file(l);
    return RT_OK;
}

/* One file of a fixed name, which a resumed run finds again. */
static int
choose_events(RtLog *l)
{
    size_t n = strlen(l->path);
    struct stat st;
    if (mkdir(l->path, 0777) && (stat(l->path, &st) || !S_ISDIR(st.st_mode)))
        return rt_fail_file("create", l->path);
    if (snprintf(l->events, sizeof l->events, "%s%sevents.out.tfevents.snug",
                 l->path,
                 l->path[n - 1] == '/' ? "" : "/") >= (int)sizeof l->events)
        return rt_fail(RT_ERROR_USAGE, "--log: the name of the folder is too "
                                       "long");
    l->path = l->events;
    l->form = RT_LOG_EVENTS;
    return RT_OK;
}

static int
choose_form(RtLog *l)
{
    struct stat st;
    if (ends_with(l->path, "/") ||
        (stat(l->path, &st) == 0 && S_ISDIR(st.st_mode)))
        return choose_events(l);
    l->form = ends_with(l->path, ".jsonl") ? RT_LOG_JSON : RT_LOG_CSV;
    if (l->form == RT_LOG_CSV && !ends_with(l->path, ".csv"))
        return rt_fail(RT_ERROR_USAGE,
                       "--log %s: the ending must be .csv, .jsonl, or / for "
                       "a folder of TensorBoard",
                       l->path);
    return RT_OK;
}

int
rt_log_open(RtLog *l, const char *path, int64_t step)
{
    l->path = path;
    l->used = 0;
    l->fd = -1;
    if (!path)
        return RT_OK;
    RT_TRY(choose_form(l));
    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (l->fd < 0)
        return rt_fail_file("create", l->path);
    return continue_file(l, step);
}

int
rt_log_flush(RtLog *l)
{
    int64_t bytes = l->used;
    if (!l->path || !bytes)
        return RT_OK;
    l->used = 0;
    return rt_file_write(l->fd, l->path, l->text, bytes);
}

static void
number_text(const RtLog *l, char to[40], double value)
{
    if (isfinite(value))
        snprintf(to, 40, "%.9g", value);
    else
        snprintf(to, 40, "%s",
                 l->form == RT_LOG_JSON ? "null"
                 : isnan(value)         ? "nan"
                 : value > 0            ? "inf"
                                        : "-inf");
}

int
rt_log_step(RtLog *l, const RtLogStep *s)
{
    char loss_text[40], stalled[40] = "";
    if (!l->path)
        return RT_OK;
    if (l->used > RT_LOG_BYTES - RECORD_MOST)
        RT_TRY(rt_log_flush(l));
    number_text(l, loss_text, s->loss);
    if (s->stalled >= 0)
        snprintf(stalled, sizeof stalled, ",\"stalled\":%.9f", s->stalled);
    char *to = l->text + l->used;
    if (l->form == RT_LOG_EVENTS) {
        RtScalar scalar[] = {{"loss", s->loss},
                             {"lr", s->rate},
                             {"epoch", (double)s->epoch},
                             {"seconds", s->seconds},
                             {"stalled", s->stalled}};
        l->used += rt_event_scalars(to, wall_seconds(), s->step,
                                    s->stalled < 0 ? 4 : 5, scalar);
    } else if (l->form == RT_LOG_JSON)
        l->used += snprintf(to, RECORD_MOST,
                            "{\"step\":%lld,\"epoch\":%lld,\"loss\":%s,"
                            "\"lr\":%.9g,\"seconds\":%.9f%s}\n",
                            (long long)s->step, (long long)s->epoch, loss_text,
                            s->rate, s->seconds, stalled);
    else
        l->used += snprintf(to, RECORD_MOST, "%lld,%lld,%s,%.9g,%.9f\n",
                            (long long)s->step, (long long)s->epoch, loss_text,
                            s->rate, s->seconds);
    return RT_OK;
}

int
rt_log_record(RtLog *l, const char *text, int64_t length)
{
    if (!l->path || l->form != RT_LOG_JSON)
        return RT_OK;
    RT_TRY(rt_log_flush(l));
    return rt_file_write(l->fd, l->path, text, length);
}

int
rt_log_end(RtLog *l, const RtSummary *s)
{
    char extra[120] = "", tiers[120] = "";
    if (!l->path)
        return RT_OK;
    if (l->used > RT_LOG_BYTES - RECORD_MOST)
        RT_TRY(rt_log_flush(l));
    if (s->accuracy >= 0)
        snprintf(extra, sizeof extra, ",\"eval_loss\":%.9g,\"accuracy\":%.9g",
                 isfinite(s->loss) ? s->loss : -1, s->accuracy);
    if (s->stalled >= 0)
        snprintf(tiers, sizeof tiers,
                 ",\"host_bytes\":%lld,\"disk_bytes\":%lld,"
                 "\"stalled_seconds\":%.6f",
                 (long long)s->host_bytes, (long long)s->disk_bytes,
                 s->stalled);
    if (l->form == RT_LOG_EVENTS && s->accuracy >= 0) {
        RtScalar scalar[] = {{"eval/loss", s->loss},
                             {"eval/accuracy", s->accuracy}};
        l->used += rt_event_scalars(l->text + l->used, wall_seconds(), s->steps,
                                    2, scalar);
    }
    if (l->form == RT_LOG_JSON)
        l->used += snprintf(l->text + l->used, RECORD_MOST,
                            "{\"summary\":true,\"arena_bytes\":%lld,"
                            "\"arena_touched_bytes\":%lld,"
                            "\"peak_rss_bytes\":%lld,\"steps\":%lld,"
                            "\"seconds\":%.6f,"
                            "\"predicted_seconds\":%.9g%s%s}\n",
                            (long long)s->arena_bytes,
                            (long long)s->arena_touched_bytes,
                            (long long)s->peak_rss_bytes, (long long)s->steps,
                            s->seconds, s->predicted, tiers, extra);
    return rt_log_flush(l);
}

void
rt_log_close(RtLog *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
