/* spill: the file of a tier. It has no name from the first moment on, so it is
   gone with the program however that ends, and its bytes are set aside before
   the first step. */
#ifndef SNUG_RT_SPILL_H
#define SNUG_RT_SPILL_H

#include "runtime/memory.h"

/* What the disk reads and writes past the page cache: whole blocks. */
#define RT_SPILL_BLOCK 4096

typedef struct RtSpill {
    int fd;
    const char *folder;
    bool direct;    /* past the page cache: blocks, and at memory like this: */
    int64_t memory; /* a multiple of so many bytes */
    char *staging;  /* for what is read and written between steps */
    RtArena rows;   /* the file as memory, where kernels touch rows of it */
} RtSpill;

/* `aligned`: all that is ever read or written begins at a block. */
int rt_spill_open(RtSpill *s, RtRegion *r, const char *folder, int64_t bytes,
                  bool aligned);
void rt_spill_close(RtSpill *s);
/* Maps the file, which does not go past the page cache: what is read, written
   and touched there is the same. */
int rt_spill_map(RtSpill *s, int64_t bytes);

/* While nothing else is under way; `offset` is as rt_spill_open() was told. */
int rt_spill_read(const RtSpill *s, int64_t offset, void *to, int64_t bytes);
int rt_spill_write(const RtSpill *s, int64_t offset, const void *from,
                   int64_t bytes);
/* These bytes are not needed in the page cache. */
void rt_spill_forget(const RtSpill *s, int64_t offset, int64_t bytes);

/* The failure of a read or write, from errno's `error`. */
int rt_spill_fail(const RtSpill *s, const char *doing, int error);

/* Memory of the region at a multiple of the block. */
int rt_spill_staging(RtRegion *r, int64_t bytes, char **place);

#endif
