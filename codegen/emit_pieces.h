/* emit_pieces: the literal bytes of the ONNX skeleton, what they repeat told
   once. */
#ifndef SNUG_EMIT_PIECES_H
#define SNUG_EMIT_PIECES_H

#include "ir/base/str.h"
#include "ir/base/vec.h"
#include "ir/piece.h"

/* A part of the skeleton: bytes of the pool, or a hole for a store. */
typedef struct Span {
    int64_t start, length;
    uint32_t store; /* index into module->store; 0: of the pool */
} Span;

/* The same bytes as the pieces, in order. */
typedef struct Spans {
    Text pool;
    Span *span; /* vector */
} Spans;

Spans spans_of(Arena *a, const Piece *piece, int pieces);

#endif
