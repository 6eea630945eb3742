/* file: every call that can be interrupted or do half its work is in a loop. */
#include "runtime/file.h"

#include "runtime/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ONE_CALL_MOST ((int64_t)1 << 30)

int
rt_file_open(const char *path, int *fd, int64_t *bytes)
{
    struct stat s;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0)
        return rt_fail_file("open", path);
    if (fstat(opened, &s) || !S_ISREG(s.st_mode)) {
        close(opened);
        return rt_fail(RT_ERROR_FILE, "%s: not a regular file", path);
    }
    *fd = opened;
    *bytes = s.st_size;
    return RT_OK;
}

int
rt_file_read(int fd, const char *path, void *to, int64_t bytes, int64_t offset)
{
    char *at = to;
    while (bytes > 0) {
        int64_t most = bytes < ONE_CALL_MOST ? bytes : ONE_CALL_MOST;
        ssize_t got = pread(fd, at, (size_t)most, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rt_fail_file("read", path);
        if (!got)
            return rt_fail(RT_ERROR_FILE, "%s: ends early, at byte %lld", path,
                           (long long)offset);
        at += got;
        offset += got;
        bytes -= got;
    }
    return RT_OK;
}

int
rt_file_write(int fd, const char *path, const void *from, int64_t bytes)
{
    const char *at = from;
    while (bytes > 0) {
        int64_t most = bytes < ONE_CALL_MOST ? bytes : ONE_CALL_MOST;
        ssize_t done = write(fd, at, (size_t)most);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return rt_fail_file("write", path);
        if (!done)
            return rt_fail(RT_ERROR_FILE, "%s: cannot write", path);
        at += done;
        bytes -= done;
    }
    return RT_OK;
}

int64_t
rt_file_free(const char *folder)
{
    struct statvfs s;
    int64_t bytes;
    if (statvfs(folder, &s) ||
        __builtin_mul_overflow((int64_t)s.f_bavail, (int64_t)s.f_frsize,
                               &bytes))
        return INT64_MAX;
    return bytes;
}

/* The folder of `path` ("." if it names none). */
static void
rt_file_folder(const char *path, char folder[RT_PATH_MOST])
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 1;
    if (slash == path)
        length = 1;
    snprintf(folder, RT_PATH_MOST, "%.*s", length, slash ? path : ".");
}

int
rt_file_temporary(int *fd, int64_t bytes)
{
    const char *folder = getenv("TMPDIR");
    char path[RT_PATH_MOST];
    folder = folder && *folder ? folder : "/tmp";
    int64_t there = rt_file_free(folder);
    if (bytes > there)
        return rt_fail(RT_ERROR_FILE,
                       "%s: the unpacked data need %lld bytes, "
                       "%lld are free; set TMPDIR to another disk",
                       folder, (long long)bytes, (long long)there);
    if (snprintf(path, sizeof path, "%s/snug-XXXXXX", folder) >=
        (int)sizeof path)
        return rt_fail(RT_ERROR_FILE, "TMPDIR is too long");
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return rt_fail_file("make a temporary file", folder);
    unlink(path);
    return RT_OK;
}

/* A file that is replaced keeps its mode and, where we may, its owner. */
static void
keep_mode(const RtOutput *o)
{
    struct stat s;
    if (stat(o->path, &s))
        return;
    if (fchown(o->fd, s.st_uid, s.st_gid) && errno != EPERM)
        return;
    fchmod(o->fd, s.st_mode & 07777);
}

static int
check_path(const char *path)
{
    struct stat s;
    if (!*path || strlen(path) >= RT_PATH_MOST)
        return rt_fail(RT_ERROR_FILE, "'%s': not a usable path", path);
    if (!stat(path, &s) && !S_ISREG(s.st_mode))
        return rt_fail(RT_ERROR_FILE, "%s: not a regular file", path);
    return RT_OK;
}

int
rt_output_probe(const char *path)
{
    char folder[RT_PATH_MOST];
    RT_TRY(check_path(path));
    rt_file_folder(path, folder);
    if (access(folder, W_OK | X_OK))
        return rt_fail_file("create", path);
    return RT_OK;
}

int
rt_output_open(RtOutput *o, const char *path, int64_t bytes)
{
    o->fd = -1;
    RT_TRY(check_path(path));
    snprintf(o->path, sizeof o->path, "%s", path);
    snprintf(o->temporary, sizeof o->temporary, "%s.tmp-%d", path,
             (int)getpid());
    o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd < 0)
        return rt_fail_file("create", o->temporary);
    keep_mode(o);
    int refused = bytes > 0 ? posix_fallocate(o->fd, 0, bytes) : 0;
    if (refused && refused != EOPNOTSUPP && refused != EINVAL) {
        errno = refused;
        int status = rt_fail(RT_ERROR_FILE,
                             "%s: cannot set aside %lld bytes: "
                             "%s",
                             path, (long long)bytes, strerror(refused));
        rt_output_drop(o);
        return status;
    }
    return RT_OK;
}

int
rt_output_write(RtOutput *o, const void *from, int64_t bytes)
{
    return rt_file_write(o->fd, o->path, from, bytes);
}

static int
sync_folder(const char *path)
{
    char folder[RT_PATH_MOST];
    rt_file_folder(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rt_fail_file("open", folder);
    int failed = fsync(fd);
    /* Some file systems cannot sync folders and say so. */
    if (failed && errno != EINVAL && errno != EROFS) {
        close(fd);
        return rt_fail_file("sync", folder);
    }
    close(fd);
    return RT_OK;
}

int
rt_output_commit(RtOutput *o)
{
    int status = RT_OK;
    if (fsync(o->fd) && errno != EINVAL)
        status = rt_fail_file("sync", o->path);
    if (close(o->fd) && !status)
        status = rt_fail_file("close", o->path);
    o->fd = -1;
    if (!status && rename(o->temporary, o->path))
        status = rt_fail_file("rename to", o->path);
    if (status)
        unlink(o->temporary);
    else
        status = sync_folder(o->path);
    return status;
}

void
rt_output_drop(RtOutput *o)
{
    if (o->fd < 0)
        return;
    close(o->fd);
    unlink(o->temporary);
    o->fd = -1;
}
