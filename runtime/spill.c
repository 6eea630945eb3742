/* spill: reading and writing past the page cache (O_DIRECT) takes a fifteenth
   of the processor's time and leaves the memory alone; where the file system
   has it not, or the plan does not keep to blocks, the cache is told to forget
   (docs/program.md has the figures). */
#include "runtime/spill.h"

#include "runtime/file.h"
#include "runtime/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGING ((int64_t)64 << 10)

static int64_t
whole_blocks(int64_t bytes)
{
    return (bytes + RT_SPILL_BLOCK - 1) / RT_SPILL_BLOCK * RT_SPILL_BLOCK;
}

int
rt_spill_staging(RtRegion *r, int64_t bytes, char **place)
{
    char *raw;
    RT_TRY(rt_region_take(r, bytes + RT_SPILL_BLOCK, &raw));
    *place = raw + whole_blocks((intptr_t)raw) - (intptr_t)raw;
    return RT_OK;
}

static int
refuse(const char *folder, const char *doing, int error)
{
    return rt_fail(RT_ERROR_FILE,
                   "%s: cannot %s the file of a tier: %s; --spill DIR names "
                   "another folder",
                   folder, doing, strerror(error));
}

/* O_TMPFILE is not of every file system. */
static int
make_file(RtSpill *s)
{
    char path[RT_PATH_MOST];
    s->fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return RT_OK;
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
        return refuse(s->folder, "make", errno);
    if (snprintf(path, sizeof path, "%s/snug-XXXXXX", s->folder) >=
        (int)sizeof path)
        return refuse(s->folder, "make", ENAMETOOLONG);
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0)
        return refuse(s->folder, "make", errno);
    unlink(path);
    return RT_OK;
}

static int
set_aside(const RtSpill *s, int64_t bytes)
{
    int64_t there = rt_file_free(s->folder);
    if (bytes > there)
        return rt_fail(RT_ERROR_FILE,
                       "%s: the file of a tier needs %lld bytes, the disk has "
                       "%lld left; --spill DIR names another folder",
                       s->folder, (long long)bytes, (long long)there);
    int failed = posix_fallocate(s->fd, 0, bytes);
    if (!failed || failed == EOPNOTSUPP || failed == EINVAL)
        return RT_OK;
    return refuse(s->folder, "set aside the bytes of", failed);
}

/* How memory must lie; where the kernel does not say, a block will do. */
static int64_t
memory_alignment(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx x = {0};
    if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) &&
        x.stx_mask & STATX_DIOALIGN && x.stx_dio_mem_align &&
        x.stx_dio_offset_align <= RT_SPILL_BLOCK)
        return x.stx_dio_mem_align;
#endif
    (void)fd;
    return RT_SPILL_BLOCK;
}

/* Tried on the first block, which nobody has written yet. */
static bool
goes_direct(const RtSpill *s)
{
    int flags = fcntl(s->fd, F_GETFL);
    if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_DIRECT))
        return false;
    if (pwrite(s->fd, s->staging, RT_SPILL_BLOCK, 0) == RT_SPILL_BLOCK &&
        pread(s->fd, s->staging, RT_SPILL_BLOCK, 0) == RT_SPILL_BLOCK)
        return true;
    fcntl(s->fd, F_SETFL, flags);
    return false;
}

int
rt_spill_open(RtSpill *s, RtRegion *r, const char *folder, int64_t bytes,
              bool aligned)
{
    *s = (RtSpill){.fd = -1, .folder = folder};
    if (bytes < 0 || bytes > INT64_MAX - RT_SPILL_BLOCK)
        return rt_fail(RT_ERROR_PROGRAM, "a tier of %lld bytes",
                       (long long)bytes);
    RT_TRY(rt_spill_staging(r, STAGING, &s->staging));
    RT_TRY(make_file(s));
    int status = set_aside(s, whole_blocks(bytes ? bytes : 1));
    if (status) {
        rt_spill_close(s);
        return status;
    }
    s->memory = memory_alignment(s->fd);
    s->direct = aligned && s->memory <= RT_SPILL_BLOCK && goes_direct(s);
    return RT_OK;
}

int
rt_spill_map(RtSpill *s, int64_t bytes)
{
    return rt_memory_map_file(&s->rows, s->folder, s->fd, bytes);
}

void
rt_spill_close(RtSpill *s)
{
    rt_arena_unmap(&s->rows);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

int
rt_spill_fail(const RtSpill *s, const char *doing, int error)
{
    return rt_fail(RT_ERROR_FILE, "%s: cannot %s the file of a tier: %s",
                   s->folder, doing, strerror(error));
}

void
rt_spill_forget(const RtSpill *s, int64_t offset, int64_t bytes)
{
    if (!s->direct)
        posix_fadvise(s->fd, offset, bytes, POSIX_FADV_DONTNEED);
}

/* `span` bytes of the staging memory; what is written may be more than is
   meant, to the end of a block. */
static int
stage(const RtSpill *s, bool write, int64_t offset, int64_t span)
{
    for (int64_t done = 0; done < span;) {
        size_t left = (size_t)(span - done);
        ssize_t n = write
                        ? pwrite(s->fd, s->staging + done, left, offset + done)
                        : pread(s->fd, s->staging + done, left, offset + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rt_spill_fail(s, write ? "write" : "read", n ? errno : EIO);
        done += n;
    }
    rt_spill_forget(s, offset, span);
    return RT_OK;
}

int
rt_spill_read(const RtSpill *s, int64_t offset, void *to, int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += STAGING) {
        int64_t part = bytes - at < STAGING ? bytes - at : STAGING;
        RT_TRY(stage(s, false, offset + at,
                     s->direct ? whole_blocks(part) : part));
        memcpy((char *)to + at, s->staging, (size_t)part);
    }
    return RT_OK;
}

int
rt_spill_write(const RtSpill *s, int64_t offset, const void *from,
               int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += STAGING) {
        int64_t part = bytes - at < STAGING ? bytes - at : STAGING;
        memcpy(s->staging, (const char *)from + at, (size_t)part);
        RT_TRY(
            stage(s, true, offset + at, s->direct ? whole_blocks(part) : part));
    }
    return RT_OK;
}
