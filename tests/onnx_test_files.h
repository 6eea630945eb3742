/* onnx_test_files: models from files and bytes, imported under a guard, and
   run by the interpreter. */
#ifndef SNUG_TESTS_ONNX_FILES_H
#define SNUG_TESTS_ONNX_FILES_H

#include "frontend/onnx/import.h"
#include "ir/eval.h"

#include <stddef.h>

typedef struct Imported {
    Arena *arena;
    Module *module; /* NULL: there were problems */
    char *problems; /* malloc'ed; NULL: there were none */
} Imported;

/* Imports, verifies, prints, parses and prints again: what differs is a
   problem as well. */
Imported import_path(const char *path, const DimBinding *dim, int dims);
/* The same for bytes that become model.onnx here. */
Imported import_bytes(const void *bytes, size_t size);
void imported_free(Imported *m);

/* The module's `forward` on these inputs; a tensor for each output. NULL and
   problems where it fails. */
Tensor *run_forward(Imported *m, const Tensor *in);

/* Every element differs by at most `bound` times the larger of 1 and the
   expected one; equal infinities and NaNs are equal. */
bool close_to(const Tensor *got, const Tensor *expected, double bound,
              double *worst);

typedef struct Bytes {
    unsigned char *at;
    size_t size;
} Bytes;

Bytes read_whole(Arena *a, const char *path); /* asserts that it can */
void write_whole(const char *path, const void *bytes, size_t size);

/* A new folder for the test, entered; left and removed with what it holds. */
void enter_folder(void);
void leave_folder(void);
/* From the root of the source, wherever the test is. */
const char *source_path(Arena *a, const char *relative);

#endif
