/* schedule: a comma-separated list of factors. */
#include "runtime/schedule.h"

#include "runtime/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static int
is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(text, word, length);
}

static int
add_factor(RtSchedule *s, const char *text, size_t length)
{
    if (is_word(text, length, "constant"))
        return RT_OK;
    if (is_word(text, length, "linear")) {
        s->linear++;
        return RT_OK;
    }
    if (is_word(text, length, "cosine")) {
        s->cosine++;
        return RT_OK;
    }
    if (length > 7 && !memcmp(text, "warmup=", 7) && !s->warmup) {
        char *end;
        s->warmup = strtoll(text + 7, &end, 10);
        if (end == text + length && s->warmup > 0 &&
            s->warmup < (int64_t)1 << 40)
            return RT_OK;
    }
    return rt_fail(RT_ERROR_USAGE,
                   "--schedule: '%.*s': expected constant, linear, cosine or "
                   "one warmup=N, with commas between them",
                   (int)(length < 100 ? length : 100), text);
}

int
rt_schedule_parse(RtSchedule *s, const char *text)
{
    *s = (RtSchedule){0};
    for (;;) {
        size_t length = strcspn(text, ",");
        RT_TRY(add_factor(s, text, length));
        if (!text[length])
            return RT_OK;
        text += length + 1;
    }
}

double
rt_schedule_factor(const RtSchedule *s, int64_t step, int64_t steps)
{
    double part = steps > 0 ? (double)step / (double)steps : 0;
    double factor = 1;
    part = part > 1 ? 1 : part;
    for (int k = 0; k < s->linear; k++)
        factor *= 1 - part;
    for (int k = 0; k < s->cosine; k++)
        factor *= (1 + cos(PI * part)) / 2;
    if (step + 1 < s->warmup)
        factor *= (double)(step + 1) / (double)s->warmup;
    return factor;
}
