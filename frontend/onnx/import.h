/* import: an ONNX file into a module of stage model. */
#ifndef SNUG_IMPORT_H
#define SNUG_IMPORT_H

#include "ir/graph.h"
#include "ir/piece.h"

/* A binding of --dim: batch=64. */
typedef struct DimBinding {
    const char *name;
    int64_t size;
} DimBinding;

/* Reads, checks and lowers `path`. All problems are complained, then raised.
   Parameters are floating initializers that are trained; they and other large
   tensors become stores with INIT_FILE (file and offset, not copied). The
   entry is `forward`; where a node acts differently in training (dropout, batch
   normalization) there is a second one, `forward_train`, which the loss pass
   takes for training. */
Module *import_onnx(Arena *a, const char *path, const DimBinding *dim,
                    int dims);

/* The names of the dimensions that --dim can bind, NULL-ended. Raises. */
const char **onnx_dims(Arena *a, const char *path);

/* The trained model as pieces: the imported file with holes where the
   parameters' raw data stand; external data becomes inline. None if that is
   more than an ONNX file or a program can hold. Raises. */
Piece *export_pieces(Arena *a, Module *m, const char *path, int *count);

#endif
