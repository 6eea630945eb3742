/* memory: the only door to the system's memory. A region holds what lives as
   long as its owner; the arena is one mapping made before the first step. */
#ifndef SNUG_RT_MEMORY_H
#define SNUG_RT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Zero is an empty region. */
typedef struct RtRegion {
    struct RtBlock *last;
} RtRegion;

/* Zeroed bytes that live until rt_region_drop(). *place receives them. */
int rt_region_take(RtRegion *r, int64_t bytes, void *place);
/* A copy of `length` characters and a NUL; NULL without memory. */
char *rt_region_text(RtRegion *r, const char *text, int64_t length);
void rt_region_drop(RtRegion *r);

typedef struct RtArena {
    char *base;
    int64_t bytes;  /* as planned: what may be used */
    int64_t mapped; /* rounded up to pages; 0: the caller's memory */
} RtArena;

/* Maps `bytes` at a multiple of 2 MiB with an inaccessible page behind and
   fills them with a signalling pattern, so that lack of memory shows now and a
   read of what nobody wrote gives NaN. Refused, with the bytes that are needed
   and those that there are, where the limits of the process or the machine
   forbid it. */
int rt_arena_map(RtArena *a, int64_t bytes, int64_t align);
/* The same for memory that the messages call `what`. */
int rt_memory_map(RtArena *a, const char *what, int64_t bytes, int64_t align);
/* A file of at least so many bytes, written through, of which pages come as
   they are touched and go when memory is short. */
int rt_memory_map_file(RtArena *a, const char *folder, int fd, int64_t bytes);
void rt_arena_unmap(RtArena *a);
/* The offset behind the last byte that was ever written, rounded up to `align`
   as the plan rounds. */
int64_t rt_arena_touched(const RtArena *a, int64_t align);
/* False if somebody wrote between the planned end and the end of the page. */
bool rt_arena_whole(const RtArena *a);

/* The largest resident size of the process so far, in bytes. */
int64_t rt_memory_peak(void);

#endif
