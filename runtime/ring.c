/* ring: two queues in memory that is shared with the kernel; an entry is
   written first and the tail that shows it after. A kernel is taken that maps
   both queues at once and has the plain read and write (Linux 5.6). */
#include "runtime/ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEEDED (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_RW_CUR_POS)

static void *
map(int fd, uint64_t bytes, off_t what)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, fd, what);
    return at == MAP_FAILED ? NULL : at;
}

static void
find_sides(RtRing *r, const struct io_uring_params *p)
{
    char *at = r->shared;
    unsigned *array = (void *)(at + p->sq_off.array);
    r->ask.head = (void *)(at + p->sq_off.head);
    r->ask.tail = (void *)(at + p->sq_off.tail);
    r->ask.mask = p->sq_entries - 1;
    r->answer.head = (void *)(at + p->cq_off.head);
    r->answer.tail = (void *)(at + p->cq_off.tail);
    r->answer.mask = p->cq_entries - 1;
    r->cqe = (void *)(at + p->cq_off.cqes);
    for (unsigned k = 0; k < p->sq_entries; k++)
        array[k] = k;
}

static int
map_all(RtRing *r, const struct io_uring_params *p)
{
    uint64_t ask = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    uint64_t answer =
        p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    if ((p->features & NEEDED) != NEEDED)
        return ENOSYS;
    r->shared_bytes = ask > answer ? ask : answer;
    r->shared = map(r->fd, r->shared_bytes, IORING_OFF_SQ_RING);
    r->sqe_bytes = p->sq_entries * sizeof *r->sqe;
    r->sqe = map(r->fd, r->sqe_bytes, IORING_OFF_SQES);
    if (!r->shared || !r->sqe)
        return ENOMEM;
    find_sides(r, p);
    return 0;
}

int
rt_ring_open(RtRing *r, unsigned entries)
{
    struct io_uring_params p = {0};
    *r = (RtRing){.fd = -1};
    r->fd = (int)syscall(SYS_io_uring_setup, entries, &p);
    if (r->fd < 0)
        return errno;
    int failed = map_all(r, &p);
    if (failed)
        rt_ring_close(r);
    return failed;
}

void
rt_ring_close(RtRing *r)
{
    if (r->shared)
        munmap(r->shared, r->shared_bytes);
    if (r->sqe)
        munmap(r->sqe, r->sqe_bytes);
    if (r->fd >= 0)
        close(r->fd);
    *r = (RtRing){.fd = -1};
}

void
rt_ring_put(RtRing *r, bool write, int fd, void *at, int64_t bytes,
            int64_t offset, uint64_t name)
{
    unsigned tail = *r->ask.tail;
    struct io_uring_sqe *e = &r->sqe[tail & r->ask.mask];
    memset(e, 0, sizeof *e);
    e->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
    e->fd = fd;
    e->addr = (uint64_t)(uintptr_t)at;
    e->len = (uint32_t)bytes;
    e->off = (uint64_t)offset;
    e->user_data = name;
    __atomic_store_n(r->ask.tail, tail + 1, __ATOMIC_RELEASE);
    r->put++;
}

int
rt_ring_wait(RtRing *r)
{
    long told = syscall(SYS_io_uring_enter, r->fd, r->put, 1u,
                        IORING_ENTER_GETEVENTS, NULL, 0);
    if (told < 0)
        return errno == EINTR || errno == EAGAIN || errno == EBUSY ? 0 : errno;
    r->put -= (unsigned)told;
    return 0;
}

bool
rt_ring_take(RtRing *r, uint64_t *name, int *result)
{
    unsigned head = *r->answer.head;
    if (head == __atomic_load_n(r->answer.tail, __ATOMIC_ACQUIRE))
        return false;
    const struct io_uring_cqe *e = &r->cqe[head & r->answer.mask];
    *name = e->user_data;
    *result = e->res;
    __atomic_store_n(r->answer.head, head + 1, __ATOMIC_RELEASE);
    return true;
}
