/* data: named arrays in files, whose rows become the inputs of an entry, batch
   by batch. Rows are read where they lie (pread), so the memory for data is the
   batch in the arena, a small buffer, and a copy of arrays that are small. */
#ifndef SNUG_RT_DATA_H
#define SNUG_RT_DATA_H

#include "runtime/abi.h"
#include "runtime/memory.h"

#include <stdbool.h>
#include <stdint.h>

#define RT_ARRAYS_MOST 64

/* dim[0] rows, `stride` bytes from one to the next, dense within a row. */
typedef struct RtArray {
    const char *name; /* "" where the file names none */
    const char *path; /* for messages */
    RtType type;
    int rank;
    int64_t dim[8];
    int fd;
    int64_t offset, stride;
    const char *held; /* all rows, where the array is small */
    bool loose;       /* columns of a table: any shape of so many elements */
} RtArray;

typedef struct RtData {
    const char *path; /* as given, for messages */
    RtArray array[RT_ARRAYS_MOST];
    int arrays;
    RtRegion region;
} RtData;

/* Opens `spec`: a file, or several with commas between them; the ending (.npz,
   .npy, .csv, .safetensors) tells the format. `NAME=FILE` names the array of a
   .npy; unnamed ones go to the inputs of `e` in their order. */
int rt_data_open(RtData *d, const char *spec, const RtEntry *e);
void rt_data_close(RtData *d);

/* One more array; *place is the caller's to fill. */
int rt_data_add(RtData *d, RtArray **place, const char *path, int fd);

/* The readers, by ending. Each adds what the file holds. */
int rt_data_npy(RtData *d, const char *path, const char *name);
int rt_data_npz(RtData *d, const char *path);
int rt_data_csv(RtData *d, const char *path, const RtEntry *e);
int rt_data_safetensors(RtData *d, const char *path);

/* The header of an npy file that begins at `offset` of fd and has `bytes`
   bytes: fills type, shape, offset and stride of *a. */
int rt_npy_header(RtArray *a, int fd, const char *path, int64_t offset,
                  int64_t bytes);

/* What one input of an entry takes its rows from. */
typedef struct RtSource {
    const RtPort *port;
    const RtArray *array;
    int64_t elements; /* of a row */
} RtSource;

typedef struct RtFeed {
    const RtProgram *program;
    RtSource source[RT_ARRAYS_MOST];
    int sources;
    int64_t rows;
    int32_t batch;
    char *buffer;
    const RtPort *weight;
} RtFeed;

/* Finds an array for each data input of `e`. Arrays of at most *hold bytes in
   all are held in memory; *hold is what remains. */
int rt_feed_open(RtFeed *f, RtData *d, const RtProgram *p, const RtEntry *e,
                 int64_t *hold);

/* Fills the inputs with rows row[0..count), or, without `row`, with those from
   `first`. Where count is less than the batch the first row is repeated and the
   input `weight` is 0 there. */
int rt_feed_batch(RtFeed *f, char *arena, const uint32_t *row, int64_t first,
                  int64_t count);

#endif
