/* memory: regions are lists of calloc() blocks, the arena is one mmap().
   The fill pattern is a NaN as f32 and as f64, and no value that a program is
   likely to leave at the end of its arena. */
#include "runtime/memory.h"

#include "runtime/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define HUGE_PAGE ((int64_t)2 << 20)
#define PATTERN   0x7ffda5a5u

typedef struct RtBlock {
    struct RtBlock *before;
    alignas(16) char bytes[];
} RtBlock;

int
rt_region_take(RtRegion *r, int64_t bytes, void *place)
{
    RtBlock *block = NULL;
    if (bytes >= 0 && (uint64_t)bytes < SIZE_MAX / 2)
        block = calloc(1, sizeof *block + (size_t)bytes);
    if (!block)
        return rt_fail(RT_ERROR_MEMORY, "out of memory: %lld bytes asked for",
                       (long long)bytes);
    block->before = r->last;
    r->last = block;
    void *start = block->bytes;
    memcpy(place, &start, sizeof start);
    return RT_OK;
}

char *
rt_region_text(RtRegion *r, const char *text, int64_t length)
{
    char *copy = NULL;
    if (rt_region_take(r, length + 1, &copy))
        return NULL;
    memcpy(copy, text, (size_t)length);
    return copy;
}

void
rt_region_drop(RtRegion *r)
{
    while (r->last) {
        RtBlock *before = r->last->before;
        free(r->last);
        r->last = before;
    }
}

/* The number behind `key` in a small text file; -1 without one. Without a key:
   the number that the file begins with. */
static int64_t
number_in(const char *path, const char *key)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return -1;
    text[got] = 0;
    const char *at = key ? strstr(text, key) : text;
    if (!at)
        return -1;
    at += key ? strlen(key) : 0;
    char *end;
    long long value = strtoll(at, &end, 10);
    return end == at ? -1 : value;
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
available_to_group(void)
{
    int64_t most = number_in("/sys/fs/cgroup/memory.max", NULL);
    int64_t used = number_in("/sys/fs/cgroup/memory.current", NULL);
    if (most < 0 || used < 0)
        return INT64_MAX;
    /* Cached file pages count as used and are given back on demand. */
    int64_t cache = number_in("/sys/fs/cgroup/memory.stat", "\nfile ");
    used -= cache > 0 ? least(cache, used) : 0;
    return used < most ? most - used : 0;
}

static int64_t
available_to_process(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    int64_t pages = number_in("/proc/self/statm", NULL);
    int64_t used = pages < 0 ? 0 : pages * sysconf(_SC_PAGESIZE);
    int64_t most =
        limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
    return used < most ? most - used : 0;
}

/* Bytes that the process can still take: the least of RLIMIT_AS, the control
   group and what the machine has. INT64_MAX if nothing says. */
static int64_t
rt_memory_available(void)
{
    int64_t machine = number_in("/proc/meminfo", "MemAvailable:");
    machine = machine < 0 ? INT64_MAX : machine * 1024;
    return least(machine, least(available_to_group(), available_to_process()));
}

int64_t
rt_memory_peak(void)
{
    /* ru_maxrss counts the parent's pages before exec: the second choice. */
    int64_t peak = number_in("/proc/self/status", "VmHWM:");
    if (peak >= 0)
        return peak * 1024;
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss * 1024;
}

static int64_t
round_up(int64_t bytes, int64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static void
fill(char *at, int64_t bytes)
{
    const uint32_t pattern = PATTERN;
    int64_t k = 0;
    for (; k + 4 <= bytes; k += 4)
        memcpy(at + k, &pattern, 4);
    memcpy(at + k, &pattern, (size_t)(bytes - k));
}

static int
refuse(const char *what, int64_t bytes, int64_t there)
{
    return rt_fail(RT_ERROR_MEMORY,
                   "not enough memory: the %s needs %lld bytes, %lld are "
                   "available; free some, raise the limit, or compile again "
                   "with a smaller --memory",
                   what, (long long)bytes, (long long)there);
}

int
rt_arena_map(RtArena *a, int64_t bytes, int64_t align)
{
    return rt_memory_map(a, "arena", bytes, align);
}

int
rt_memory_map(RtArena *a, const char *what, int64_t bytes, int64_t align)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t there = rt_memory_available();
    if (bytes < 0 || bytes > INT64_MAX / 4 || align > HUGE_PAGE)
        return rt_fail(RT_ERROR_PROGRAM,
                       "the program asks for %lld bytes as its %s",
                       (long long)bytes, what);
    if (bytes > there)
        return refuse(what, bytes, there);
    int64_t mapped = round_up(bytes ? bytes : 1, page);
    int64_t whole = mapped + HUGE_PAGE + page;
    char *start = mmap(NULL, (size_t)whole, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return refuse(what, bytes, there);
    int64_t skip = round_up((int64_t)(intptr_t)start, HUGE_PAGE) -
                   (int64_t)(intptr_t)start;
    char *base = start + skip;
    if (skip)
        munmap(start, (size_t)skip);
    if (HUGE_PAGE > skip)
        munmap(base + mapped + page, (size_t)(HUGE_PAGE - skip));
    if (mprotect(base, (size_t)mapped, PROT_READ | PROT_WRITE)) {
        munmap(base, (size_t)(mapped + page));
        return refuse(what, bytes, there);
    }
    madvise(base, (size_t)mapped, MADV_HUGEPAGE);
    fill(base, mapped);
    *a = (RtArena){base, bytes, mapped};
    return RT_OK;
}

/* Its pages are no memory that must be there: only the address space counts. */
int
rt_memory_map_file(RtArena *a, const char *folder, int fd, int64_t bytes)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t mapped = round_up(bytes ? bytes : 1, page);
    char *base = mmap(NULL, (size_t)(mapped + page), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return refuse("address space", mapped + page, available_to_process());
    if (mmap(base, (size_t)mapped, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        int error = errno;
        munmap(base, (size_t)(mapped + page));
        return rt_fail(RT_ERROR_FILE,
                       "%s: cannot map the file of a tier, which tables are "
                       "read in: %s; --spill DIR names another folder",
                       folder, strerror(error));
    }
    madvise(base, (size_t)mapped, MADV_RANDOM);
    *a = (RtArena){base, bytes, mapped};
    return RT_OK;
}

void
rt_arena_unmap(RtArena *a)
{
    if (a->mapped)
        munmap(a->base, (size_t)(a->mapped + sysconf(_SC_PAGESIZE)));
    *a = (RtArena){0};
}

int64_t
rt_arena_touched(const RtArena *a, int64_t align)
{
    const uint32_t pattern = PATTERN;
    int64_t end = a->bytes / 4 * 4;
    while (end && !memcmp(a->base + end - 4, &pattern, 4))
        end -= 4;
    end = round_up(end, align > 0 ? align : 1);
    return end < a->bytes ? end : a->bytes;
}

bool
rt_arena_whole(const RtArena *a)
{
    const uint32_t pattern = PATTERN;
    for (int64_t k = round_up(a->bytes, 4); k < a->mapped; k += 4)
        if (memcmp(a->base + k, &pattern, 4))
            return false;
    return true;
}
