/* ring: io_uring by its system calls, for reads and writes of files that run
   side by side. One thread uses a ring. */
#ifndef SNUG_RT_RING_H
#define SNUG_RT_RING_H

#include <stdbool.h>
#include <stdint.h>

struct io_uring_sqe;
struct io_uring_cqe;

/* A queue in the shared memory. */
typedef struct RtRingSide {
    unsigned *head, *tail, mask;
} RtRingSide;

typedef struct RtRing {
    int fd;
    unsigned put; /* not yet told to the kernel */
    RtRingSide ask, answer;
    char *shared;
    struct io_uring_sqe *sqe;
    uint64_t shared_bytes, sqe_bytes;
    const struct io_uring_cqe *cqe;
} RtRing;

/* 0, or what errno says where the kernel has no io_uring that will do or
   forbids it. At most `entries` requests may be under way. */
int rt_ring_open(RtRing *r, unsigned entries);
void rt_ring_close(RtRing *r);

/* Of the file at `offset`; `name` comes back with the answer. */
void rt_ring_put(RtRing *r, bool write, int fd, void *at, int64_t bytes,
                 int64_t offset, uint64_t name);
/* Tells the kernel what was put and sleeps until there is an answer: 0 or an
   error. */
int rt_ring_wait(RtRing *r);
/* The next answer: bytes, or an error as a negative number. */
bool rt_ring_take(RtRing *r, uint64_t *name, int *result);

#endif
