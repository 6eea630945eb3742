/* piece: a part of the trained model's ONNX file: literal bytes, or the content
   of a store, which the program fills in. */
#ifndef SNUG_PIECE_H
#define SNUG_PIECE_H

#include <stdint.h>

typedef struct Piece {
    const void *bytes;
    int64_t length;
    uint32_t store; /* index into module->store; 0: literal */
} Piece;

#endif
