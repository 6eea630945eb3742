/* progress: one write() a redraw; no colours, so NO_COLOR and TERM=dumb ask for
   nothing that is not so already. */
#include "runtime/progress.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define LINE_SECONDS   2.0
#define COLUMNS_MOST   200

static bool drawn; /* a bar stands on the current line */

double
rt_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
put(const char *text, size_t length)
{
    while (length) {
        ssize_t done = write(STDERR_FILENO, text, length);
        if (done <= 0)
            return;
        text += done;
        length -= (size_t)done;
    }
}

static void say(const char *before, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void
say(const char *before, const char *format, va_list arguments)
{
    char line[1400];
    size_t used = (size_t)snprintf(line, sizeof line, "%s%s",
                                   drawn ? "\r\033[K" : "", before);
    int more =
        vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    used += more > 0 ? (size_t)more : 0;
    used = used > sizeof line - 2 ? sizeof line - 2 : used;
    line[used++] = '\n';
    drawn = false;
    put(line, used);
}

void
rt_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void
rt_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("warning: ", format, arguments);
    va_end(arguments);
}

void
rt_size_text(char to[24], int64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int k = 0;
    for (; k < 4 && value >= 1024; k++)
        value /= 1024;
    snprintf(to, 24, k ? "%.1f %s" : "%.0f %s", value, unit[k]);
}

static void
clock_text(char to[24], double seconds)
{
    long long s = seconds < 1e9 ? (long long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(to, 24, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(to, 24, "%02lld:%02lld", s / 60, s % 60);
}

void
rt_progress_start(RtProgress *p, int64_t first, int64_t steps,
                  int64_t per_epoch, int64_t arena_bytes, bool quiet)
{
    const char *term = getenv("TERM");
    bool dumb = !term || !strcmp(term, "dumb");
    *p = (RtProgress){.steps = steps,
                      .first = first,
                      .per_epoch = per_epoch,
                      .arena_bytes = arena_bytes,
                      .quiet = quiet};
    p->terminal = isatty(STDERR_FILENO) && !dumb;
    p->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    p->began = p->shown = rt_seconds();
}

static int
terminal_columns(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
        return 80;
    return w.ws_col < COLUMNS_MOST ? w.ws_col : COLUMNS_MOST;
}

/* `columns` cells, the last full one in eighths where the locale has them. */
static size_t
draw_bar(const RtProgress *p, char *to, int columns, double part)
{
    int eighths = (int)(part * columns * 8);
    size_t used = 0;
    for (int k = 0; k < columns; k++, eighths -= 8) {
        int full = eighths >= 8 ? 8 : eighths > 0 ? eighths : 0;
        if (!p->utf8 || !full) {
            to[used++] = full >= 4 ? '#' : ' ';
            continue;
        }
        to[used++] = '\xe2';
        to[used++] = '\x96';
        to[used++] = (char)(0x90 - full);
    }
    to[used] = 0;
    return used;
}

static void
draw(RtProgress *p, int64_t done, double loss, bool last)
{
    double now = rt_seconds(), spent = now - p->began;
    double pace = spent > 0 ? (double)(done - p->first) / spent : 0;
    double part = p->steps ? (double)done / (double)p->steps : 1;
    char left[64], right[128], bar[COLUMNS_MOST * 3 + 1], size[24], gone[24];
    char ahead[24], line[COLUMNS_MOST * 4 + 300];
    rt_size_text(size, p->arena_bytes);
    clock_text(gone, spent);
    clock_text(ahead, pace > 0 ? (double)(p->steps - done) / pace : 0);
    int64_t epoch = done ? (done - 1) / p->per_epoch + 1 : 1;
    int64_t epochs = (p->steps + p->per_epoch - 1) / p->per_epoch;
    int used = snprintf(left, sizeof left, "epoch %lld/%lld %3.0f%%",
                        (long long)epoch, (long long)epochs, part * 100);
    used += snprintf(
        right, sizeof right, "%lld/%lld [%s<%s, %.1fit/s, loss=%.4g, %s]",
        (long long)done, (long long)p->steps, gone, ahead, pace, loss, size);
    if (!p->terminal) {
        snprintf(line, sizeof line, "%s %s\n", left, right);
    } else {
        int room = terminal_columns() - used - 5;
        draw_bar(p, bar, room > 0 ? room : 0, part);
        snprintf(line, sizeof line, "\r%s |%s| %s\033[K%s", left, bar, right,
                 last ? "\n" : "");
        drawn = !last;
    }
    p->shown = now;
    put(line, strlen(line));
}

void
rt_progress_step(RtProgress *p, int64_t done, double loss)
{
    if (p->quiet)
        return;
    double wait = p->terminal ? REDRAW_SECONDS : LINE_SECONDS;
    if (rt_seconds() - p->shown >= wait)
        draw(p, done, loss, false);
}

void
rt_progress_end(RtProgress *p, int64_t done, double loss)
{
    if (!p->quiet && done > p->first)
        draw(p, done, loss, true);
}
