/* resume: the digest first (any bit that differs is found there), then what the
   checkpoint says it is, then every tensor, and only then the reading. */
#include "runtime/resume.h"

#include "runtime/digest.h"
#include "runtime/status.h"
#include "runtime/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (16 << 10)

/* Zeroes what part of the digits lies in the chunk, keeping them. */
static void
take_digits(char *chunk, int64_t at, int64_t bytes, char *digits)
{
    int64_t place = rt_digest_place();
    for (int64_t k = 0; k < RT_DIGEST_DIGITS; k++) {
        if (place + k < at || place + k >= at + bytes)
            continue;
        digits[k] = chunk[place + k - at];
        chunk[place + k - at] = '0';
    }
}

static int
check_digest(const RtSafetensors *s)
{
    char chunk[CHUNK], has[33] = "", needs[33];
    RtDigest d;
    rt_digest_begin(&d);
    for (int64_t at = 0; at < s->file_bytes; at += CHUNK) {
        int64_t left = s->file_bytes - at, bytes = left < CHUNK ? left : CHUNK;
        RT_TRY(rt_file_read(s->fd, s->path, chunk, bytes, at));
        take_digits(chunk, at, bytes, has);
        rt_digest_add(&d, chunk, bytes);
    }
    rt_digest_end(&d, needs);
    if (memcmp(has, needs, RT_DIGEST_DIGITS))
        return rt_fail(RT_ERROR_FILE, "%s: damaged: its digest does not match",
                       s->path);
    return RT_OK;
}

static int
other_model(const RtSafetensors *s, const char *what, const char *has,
            const char *needs)
{
    return rt_fail(RT_ERROR_CHECKPOINT,
                   "%s: a checkpoint with another %s: '%s'"
                   ", this program has '%s'",
                   s->path, what, has ? has : "(none)", needs);
}

static int
check_note(const RtSafetensors *s, const char *key, const char *what,
           const char *text)
{
    char needs[800];
    const char *has = rt_safetensors_note(s, key);
    snprintf(needs, sizeof needs, "%s", text);
    if (has && !strcmp(has, needs))
        return RT_OK;
    return other_model(s, what, has, needs);
}

static const RtTensor *
find_tensor(const RtProgram *p, const char *name)
{
    for (int k = 0; k < p->tensors; k++)
        if (p->tensor[k].kind != RT_CONST && !strcmp(p->tensor[k].name, name))
            return &p->tensor[k];
    return NULL;
}

static int
check_tensors(const RtProgram *p, const RtSafetensors *s)
{
    for (int k = 0; k < p->tensors; k++)
        if (p->tensor[k].kind != RT_CONST && rt_weights_check(s, &p->tensor[k]))
            return rt_fail(RT_ERROR_CHECKPOINT, "%s", rt_message());
    for (int k = 0; k < s->count; k++)
        if (!find_tensor(p, s->stored[k].name))
            return rt_fail(RT_ERROR_CHECKPOINT,
                           "%s: holds a tensor '%s' that "
                           "this program does not have",
                           s->path, s->stored[k].name);
    return RT_OK;
}

/* What is compared is told from the outside in: format, optimizer, tensors, and
   the hash for what none of them shows. */
static int
check_model(const RtProgram *p, const RtSafetensors *s)
{
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)p->model_hash);
    RT_TRY(check_note(s, "format", "format", "snug-checkpoint 1"));
    RT_TRY(check_note(s, "optimizer", "optimizer", p->optimizer));
    RT_TRY(check_tensors(p, s));
    return check_note(s, "model_hash", "model or rule (hash)", hash);
}

static int
read_count(const RtSafetensors *s, const char *key, int64_t *value)
{
    const char *text = rt_safetensors_note(s, key);
    char *end;
    *value = text ? strtoll(text, &end, 10) : -1;
    if (*value < 0 || *end)
        return rt_fail(RT_ERROR_CHECKPOINT,
                       "%s: its note '%s' is missing or "
                       "no number",
                       s->path, key);
    return RT_OK;
}

static int
read_moment(const RtSafetensors *s, RtMoment *at)
{
    const char *seed = rt_safetensors_note(s, "seed");
    const char *rate = rt_safetensors_note(s, "lr");
    const char *schedule = rt_safetensors_note(s, "schedule");
    int64_t shuffle;
    RT_TRY(read_count(s, "step", &at->step));
    RT_TRY(read_count(s, "steps", &at->steps));
    RT_TRY(read_count(s, "epoch", &at->epoch));
    RT_TRY(read_count(s, "position", &at->position));
    RT_TRY(read_count(s, "rows", &at->rows));
    RT_TRY(read_count(s, "batch", &at->batch));
    RT_TRY(read_count(s, "shuffle", &shuffle));
    if (!seed || !rate || !schedule || strlen(schedule) >= sizeof at->schedule)
        return rt_fail(RT_ERROR_CHECKPOINT, "%s: a note of the run is missing",
                       s->path);
    at->shuffle = shuffle != 0;
    at->seed = strtoull(seed, NULL, 10);
    at->rate = strtod(rate, NULL);
    strcpy(at->schedule, schedule);
    return RT_OK;
}

static int
read_all(RtModel *m, const RtSafetensors *s, RtMoment *at)
{
    RtMoment moment = {0};
    RT_TRY(check_digest(s));
    RT_TRY(check_model(m->program, s));
    RT_TRY(read_moment(s, &moment));
    for (int k = 0; k < m->program->tensors; k++)
        if (m->program->tensor[k].kind != RT_CONST)
            RT_TRY(rt_weights_read(m, s, &m->program->tensor[k]));
    *at = moment;
    return RT_OK;
}

int
rt_resume_read(RtModel *m, const char *path, RtMoment *at)
{
    RtSafetensors s;
    RT_TRY(rt_safetensors_open(&s, path));
    int status = read_all(m, &s, at);
    rt_safetensors_close(&s);
    return status;
}
