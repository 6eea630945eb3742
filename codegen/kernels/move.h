/* move: what the files of the moves share: a box of elements that goes from
   one stride pattern to another. */
#ifndef SNUG_MOVE_H
#define SNUG_MOVE_H

#include "codegen/kernels/kernels.h"

typedef struct Box {
    int rank;
    int64_t dim[MAXRANK + 1], from[MAXRANK + 1], to[MAXRANK + 1];
    int64_t from_start, to_start; /* elements */
    int from_slot, to_slot;
    bool fill; /* with `value` instead */
    double value;
    bool unless_there; /* nothing moves where both sides are the same bytes */
    bool turned;   /* moved in blocks of its last two axes (move_turned) */
    int64_t units; /* all axes but the last, or all blocks */
} Box;

typedef struct Move {
    Unit *u;
    DType dtype;
    bool large; /* the result: whole lines of it go past the caches */
    LLVMValueRef kernel;
} Move;

/* Element offsets, on both sides, of a unit of the axes [0, axes). */
void move_find(Move *m, const Box *b, int axes, LLVMValueRef unit,
               LLVMValueRef *from, LLVMValueRef *to);

/* move_turned.c: boxes dense along different axes on the two sides. Turns the
   axes so that the last two are those, and sets units, if b is one. */
bool box_turn(Box *b);
void move_turned(Move *m, const Box *b, LLVMValueRef unit, LLVMValueRef from,
                 LLVMValueRef to);

#endif
