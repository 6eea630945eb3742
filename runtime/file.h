/* file: whole reads and writes, and output files that appear only when they are
   complete: a temporary file in the same folder, fsync, rename, fsync of the
   folder. */
#ifndef SNUG_RT_FILE_H
#define SNUG_RT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define RT_PATH_MOST 4096

/* Opens a regular file; *bytes is its size. */
int rt_file_open(const char *path, int *fd, int64_t *bytes);
/* Reads exactly `bytes`; a file that ends before is a failure. */
int rt_file_read(int fd, const char *path, void *to, int64_t bytes,
                 int64_t offset);
int rt_file_write(int fd, const char *path, const void *from, int64_t bytes);
/* A file without a name in TMPDIR, gone when closed. Refused where `bytes` are
   more than the disk has. */
int rt_file_temporary(int *fd, int64_t bytes);
/* Free bytes of the disk that holds `folder`; INT64_MAX if unknown. */
int64_t rt_file_free(const char *folder);

typedef struct RtOutput {
    char path[RT_PATH_MOST], temporary[RT_PATH_MOST + 32];
    int fd;
} RtOutput;

/* Refused if no file can be made at `path`: said before the work, not after. */
int rt_output_probe(const char *path);
/* `bytes` > 0 are set aside at once, so that a full disk is known early. */
int rt_output_open(RtOutput *o, const char *path, int64_t bytes);
int rt_output_write(RtOutput *o, const void *from, int64_t bytes);
int rt_output_commit(RtOutput *o);
void rt_output_drop(RtOutput *o);

#endif
