/* llvm: LLVM's C API, wrapped once: one compilation unit and what every
   emitter needs of it. */
#ifndef SNUG_LLVM_H
#define SNUG_LLVM_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "ir/base/str.h"
#include "ir/graph.h"
#include "ir/machine.h"

/* One LLVM module under construction, in one process, on one thread. */
typedef struct Unit {
    Arena *arena;
    const Machine *machine;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMTargetMachineRef target;
    LLVMTypeRef f32, f64, i1, i8, i16, i32, i64, ptr, void_;
    int lanes; /* f32 lanes that are emitted as one value: 16 (split by LLVM
                  where registers are narrower) */
    const struct Threads *threads; /* that lanes are (codegen/threads.h); NULL:
                                      they lie side by side in a register */
    int64_t shared_bytes; /* of a block of threads, for the kernel at hand */
} Unit;

/* triple NULL: the host's. cpu: LLVM's name of the CPU; "native": the host's,
   with its features (then `features` is not read). */
Unit *unit_new(Arena *a, const Machine *m, const char *triple,
               const char *cpu, const char *features, const char *name);
void unit_free(Unit *u);
void unit_optimize(Unit *u); /* verifies before */
void unit_write(Unit *u, bool assembly, const char *path);
void unit_add_object(Unit *u, Text *object); /* the machine code's bytes */
/* The processor that unit_new makes code for, in words. */
void unit_add_processor(Text *t, const char *cpu, const char *features);
/* Does the target's CPU have this feature, by LLVM's name of it? */
bool unit_has(Unit *u, const char *feature);
LLVMTypeRef unit_type(Unit *u, DType d);              /* scalar; i1 is i8, a
                                     narrow float the integer of its size */
LLVMTypeRef unit_vector(Unit *u, DType d, int lanes); /* lanes 1, or lanes that
                                     are threads: scalar */

/* An internal function `void name(ptr arena, ptr offset, i64 begin, i64 end,
   i64 worker)` (RtKernel of runtime/abi.h), builder at its entry block; of
   threads: `void name(ptr arena, ptr offset)`. */
LLVMValueRef unit_kernel(Unit *u, const char *name);
/* In a kernel: arena + offset[i], loaded in the entry block. */
LLVMValueRef kernel_pointer(Unit *u, LLVMValueRef kernel, int i);

/* An internal function `void name(ptr ..., i64 ...)` for a part of kernels,
   builder at its entry block; and a call of one. */
LLVMValueRef unit_part(Unit *u, const char *name, int pointers, int integers);
void unit_call(Unit *u, LLVMValueRef part, int count, LLVMValueRef *args);

/* for (i = from; i < to; i += step) { ... }: returns i, builder in the body;
   loop_end closes it, builder behind it. Up to `carried` values pass from
   round to round: loop_phi(l, k) inside, loop_next(l, k, v) before the end;
   behind the loop loop_phi(l, k) is the final value. */
typedef struct Loop {
    LLVMBasicBlockRef head, body, exit, before;
    LLVMValueRef i, to, step;
    LLVMValueRef phi[64], next[64];
    int carried;
} Loop;
LLVMValueRef loop_begin(Unit *u, Loop *l, LLVMValueRef from, LLVMValueRef to,
                        int64_t step, int carried,
                        const LLVMValueRef *initial);
void loop_end(Unit *u, Loop *l);

static inline LLVMValueRef
loop_phi(const Loop *l, int k)
{
    return l->phi[k];
}

static inline void
loop_next(Loop *l, int k, LLVMValueRef v)
{
    l->next[k] = v;
}

LLVMValueRef const_i64(Unit *u, int64_t x);
/* pointer + index * bytes */
LLVMValueRef address(Unit *u, LLVMValueRef pointer, LLVMValueRef index,
                     int64_t bytes);
LLVMValueRef load(Unit *u, LLVMTypeRef t, LLVMValueRef p, unsigned align);
void store(Unit *u, LLVMValueRef v, LLVMValueRef p, unsigned align);
/* Some lanes only, the rest reads as 0: those of a <lanes x i1>, or the first
   `count` (i64, may be >= lanes). */
LLVMValueRef load_where(Unit *u, DType d, int lanes, LLVMValueRef p,
                        LLVMValueRef mask);
LLVMValueRef load_masked(Unit *u, DType d, int lanes, LLVMValueRef p,
                         LLVMValueRef count);
void store_masked(Unit *u, DType d, int lanes, LLVMValueRef v, LLVMValueRef p,
                  LLVMValueRef count);
enum { CACHE_LINE = 64, PAST_CACHES = 8 << 20 /* bytes too many for them */ };
/* A store past the caches, for whole cache lines of what is too large for
   them: the lines are not read first. Others see it
   behind stores_past_end. */
void store_past(Unit *u, LLVMValueRef v, LLVMValueRef p);
void stores_past_end(Unit *u);
/* Brings the line at p to the nearest cache, if it can be read. */
void ask_line(Unit *u, LLVMValueRef p);
/* No load or store is moved across this place, by any pass. */
void memory_fence(Unit *u);
LLVMValueRef splat(Unit *u, LLVMValueRef scalar, int lanes);
/* The intrinsic `name` of one overloaded type. */
LLVMValueRef intrinsic(Unit *u, const char *name, LLVMTypeRef overload,
                       int count, LLVMValueRef *args);
/* A block at the end of the function that is being built. */
LLVMBasicBlockRef block_new(Unit *u, const char *name);
/* Room on the stack, made once at the entry of the function. */
LLVMValueRef stack_room(Unit *u, LLVMTypeRef t, int64_t count, unsigned align);
/* a < b ? a : b of two i64 */
LLVMValueRef least(Unit *u, LLVMValueRef a, LLVMValueRef b);

#endif
