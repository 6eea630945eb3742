/* emit_key: what the machine code of a kernel follows from, as text: equal
   keys, equal code. */
#ifndef SNUG_EMIT_KEY_H
#define SNUG_EMIT_KEY_H

#include "codegen/emit.h"
#include "ir/base/str.h"

/* The part that all kernels share: this compiler, LLVM, target, machine. false
   where the compiler cannot read itself: nothing may be kept then. */
bool emit_key(const EmitOptions *o, Text *key);

/* A name for the kernel of this fingerprint that is the same in every model. */
const char *kernel_symbol(Arena *a, const char *fingerprint);

#endif
