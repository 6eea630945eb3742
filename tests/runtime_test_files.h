/* runtime_test_files: a folder for each test, files made byte by byte, and runs
   of the program of runtime_test_linear.c. */
#ifndef SNUG_TESTS_RUNTIME_FILES_H
#define SNUG_TESTS_RUNTIME_FILES_H

#include "runtime/abi.h"
#include "runtime/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes that grow, in a room that is never emptied: a test is a process. */
typedef struct Bytes {
    char *at;
    int64_t count;
} Bytes;

void put(Bytes *b, const void *from, int64_t count);
void put_text(Bytes *b, const char *text);
void put_number(Bytes *b, uint64_t value, int bytes);

/* Makes a new folder and enters it; the test leaves it behind empty-handed. */
void enter_folder(void);
void leave_folder(void);

void write_file(const char *path, const void *from, int64_t count);
Bytes read_whole(const char *path);
bool file_exists(const char *path);
bool same_files(const char *a, const char *b);

/* An npy file: version 1 with this dictionary and `count` bytes behind it. */
Bytes npy_bytes(const char *dictionary, const void *from, int64_t count);
/* safetensors: the length and the header, then `count` zero bytes. */
Bytes safetensors_bytes(const char *header, int64_t count);

/* x.npy f32[rows,5], y.npy i64[rows], both.npz, table.csv, both.safetensors:
   the same separable rows. */
void write_rows(int rows);

/* A stored zip of two members. */
Bytes zip_bytes(const char *first, Bytes a, const char *second, Bytes b);

/* Reads the words of `line` as options and runs. */
int run(const RtProgram *p, const char *line);
/* run() must be refused with this status and a message with `words` in it. */
void refused(const RtProgram *p, const char *line, int status,
             const char *words, const char *name);

#endif
