/* emit: a placed module into an object file, LLVM text or assembly. */
#ifndef SNUG_EMIT_H
#define SNUG_EMIT_H

#include "codegen/llvm.h"
#include "ir/piece.h"

typedef enum EmitKind { EMIT_LLVM, EMIT_ASM, EMIT_OBJECT } EmitKind;

typedef struct EmitOptions {
    const Machine *machine;
    const char *target;  /* as the user wrote it */
    const char *weights; /* file name of the initial weights, in the program */
    const Piece *piece;
    int pieces;
    const char *cache; /* folder of kernels that were made before, or NULL */
} EmitOptions;

/* Writes `path` (temporary file, renamed when whole). Runs LLVM in forked
   workers; problems are raised. */
void emit_module(const Module *m, const EmitOptions *o, EmitKind kind,
                 const char *path);

/* The machine of a target name ("native", "x86-64-v3", ...); raised if there is
   none, with those that exist. */
const Machine *target_machine(Arena *a, const char *target);

#endif
