/* save: write to a temporary file in the same folder with its bytes set aside,
   fsync, rename, fsync the folder, and only then drop older checkpoints. */
#include "runtime/save.h"

#include "runtime/progress.h"
#include "runtime/resume.h"
#include "runtime/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP      2
#define KEPT_MOST 4096
#define ENDING    ".safetensors"

static void
checkpoint_path(const RtSave *s, int64_t step, char path[RT_PATH_MOST])
{
    snprintf(path, RT_PATH_MOST, "%s/ckpt-%09lld" ENDING, s->folder,
             (long long)step);
}

/* The step of a checkpoint's file name, -1 for other names. *rest points
   behind the ending. */
static int64_t
step_of(const char *name, const char **rest)
{
    char *end;
    if (strncmp(name, "ckpt-", 5) || name[5] < '0' || name[5] > '9')
        return -1;
    errno = 0;
    long long step = strtoll(name + 5, &end, 10);
    if (errno || strncmp(end, ENDING, strlen(ENDING)))
        return -1;
    *rest = end + strlen(ENDING);
    return step;
}

static int
lock_folder(RtSave *s)
{
    char path[RT_PATH_MOST], holder[32] = "";
    snprintf(path, sizeof path, "%s/lock", s->folder);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock < 0)
        return rt_fail_file("create", path);
    if (flock(s->lock, LOCK_EX | LOCK_NB)) {
        ssize_t got = pread(s->lock, holder, sizeof holder - 1, 0);
        holder[got > 0 ? got : 0] = 0;
        holder[strcspn(holder, "\n")] = 0;
        return rt_fail(RT_ERROR_BUSY,
                       "%s: process %s trains with this "
                       "checkpoint folder; give another one",
                       s->folder, *holder ? holder : "(unknown)");
    }
    int length = snprintf(holder, sizeof holder, "%d\n", (int)getpid());
    if (ftruncate(s->lock, 0))
        return rt_fail_file("write", path);
    return rt_file_write(s->lock, path, holder, length);
}

/* Temporary files carry the process that wrote them. */
static void
remove_leftover(const RtSave *s, const char *name, const char *rest)
{
    char path[RT_PATH_MOST];
    if (strncmp(rest, ".tmp-", 5))
        return;
    long holder = strtol(rest + 5, NULL, 10);
    if (holder > 0 && holder != getpid() && !kill((pid_t)holder, 0))
        return;
    if (snprintf(path, sizeof path, "%s/%s", s->folder, name) <
        (int)sizeof path)
        unlink(path);
}

static int
ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int
list_folder(RtSave *s)
{
    DIR *folder = opendir(s->folder);
    if (!folder)
        return rt_fail_file("read", s->folder);
    for (struct dirent *e; (e = readdir(folder));) {
        const char *rest;
        int64_t step = step_of(e->d_name, &rest);
        if (step < 0)
            continue;
        if (*rest)
            remove_leftover(s, e->d_name, rest);
        else if (s->count < KEPT_MOST - 1)
            s->kept[s->count++] = step;
    }
    closedir(folder);
    qsort(s->kept, (size_t)s->count, sizeof *s->kept, ascending);
    return RT_OK;
}

static int
open_folder(RtSave *s)
{
    if (mkdir(s->folder, 0777) && errno != EEXIST)
        return rt_fail_file("make the folder", s->folder);
    RT_TRY(lock_folder(s));
    RT_TRY(list_folder(s));
    int64_t there = rt_file_free(s->folder);
    if (there < s->image.file_bytes)
        return rt_fail(RT_ERROR_FILE,
                       "%s: a checkpoint needs %lld bytes, the "
                       "disk has %lld left",
                       s->folder, (long long)s->image.file_bytes,
                       (long long)there);
    return RT_OK;
}

int
rt_save_open(RtSave *s, RtModel *m, const char *folder)
{
    *s = (RtSave){.model = m, .lock = -1};
    if (!*folder || strlen(folder) >= sizeof s->folder)
        return rt_fail(RT_ERROR_USAGE, "--checkpoint: not a usable path");
    snprintf(s->folder, sizeof s->folder, "%s", folder);
    int status = rt_image_make(&s->image, &s->region, m->program,
                               1u << RT_PARAM | 1u << RT_STATE);
    if (!status)
        status = rt_region_take(&s->region,
                                KEPT_MOST * (int64_t)sizeof *s->kept, &s->kept);
    if (!status)
        status = open_folder(s);
    if (status)
        rt_save_close(s);
    return status;
}

void
rt_save_close(RtSave *s)
{
    if (s->lock >= 0)
        close(s->lock);
    rt_region_drop(&s->region);
    s->lock = -1;
}

static void
drop_older(RtSave *s, int64_t step)
{
    char path[RT_PATH_MOST];
    int count = 0;
    for (int k = 0; k < s->count; k++)
        if (s->kept[k] != step)
            s->kept[count++] = s->kept[k];
    s->kept[count++] = step;
    qsort(s->kept, (size_t)count, sizeof *s->kept, ascending);
    int dropped = count > KEEP ? count - KEEP : 0;
    for (int k = 0; k < dropped; k++) {
        checkpoint_path(s, s->kept[k], path);
        unlink(path);
    }
    s->count = count - dropped;
    memmove(s->kept, s->kept + dropped, (size_t)s->count * sizeof *s->kept);
}

int
rt_save_write(RtSave *s, const RtMoment *at)
{
    const RtProgram *p = s->model->program;
    char notes[4096], model[800], optimizer[800], path[RT_PATH_MOST];
    rt_json_text(model, sizeof model, p->model);
    rt_json_text(optimizer, sizeof optimizer, p->optimizer);
    snprintf(notes, sizeof notes,
             "\"format\":\"snug-checkpoint 1\",\"model\":\"%s\","
             "\"optimizer\":\"%s\",\"model_hash\":\"%016llx\","
             "\"plan_hash\":\"%016llx\",\"step\":\"%lld\",\"steps\":\"%lld\","
             "\"epoch\":\"%lld\",\"position\":\"%lld\",\"rows\":\"%lld\","
             "\"batch\":\"%lld\",\"seed\":\"%llu\",\"shuffle\":\"%d\","
             "\"lr\":\"%.17g\",\"schedule\":\"%s\"",
             model, optimizer, (unsigned long long)p->model_hash,
             (unsigned long long)p->plan_hash, (long long)at->step,
             (long long)at->steps, (long long)at->epoch,
             (long long)at->position, (long long)at->rows, (long long)at->batch,
             (unsigned long long)at->seed, at->shuffle, at->rate, at->schedule);
    checkpoint_path(s, at->step, path);
    RT_TRY(rt_image_write(&s->image, s->model, &s->output, path, notes));
    drop_older(s, at->step);
    return RT_OK;
}

int
rt_save_resume(RtSave *s, RtMoment *at, bool *found)
{
    char path[RT_PATH_MOST];
    int listed = s->count;
    *found = false;
    for (int k = s->count - 1; k >= 0; k--) {
        checkpoint_path(s, s->kept[k], path);
        int status = rt_resume_read(s->model, path, at);
        if (!status) {
            *found = true;
            return RT_OK;
        }
        if (status != RT_ERROR_FILE)
            return status;
        rt_warn("%s; falling back to an older checkpoint", rt_message());
        s->count = k;
    }
    if (listed)
        return rt_fail(RT_ERROR_CHECKPOINT,
                       "%s: none of its %d checkpoints "
                       "can be used; start again with another folder",
                       s->folder, listed);
    return RT_OK;
}
