/* window_parts: what the pooling kernels share. Private to window*.c. */
#ifndef SNUG_WINDOW_PARTS_H
#define SNUG_WINDOW_PARTS_H

#include "codegen/kernels/window_last.h"

enum {
    LANES = 16,
    UNROLLED_TAPS = 16,
    POOL_AHEAD = 8192, /* bytes that are asked for before they are read */
};

int64_t pool_planes(const Pool *p);
LLVMValueRef pool_constant(Pool *p, int64_t x);
/* i * by + plus */
LLVMValueRef pool_scaled(Pool *p, LLVMValueRef i, int64_t by, int64_t plus);
LLVMValueRef pool_real(Pool *p, double x, int lanes);
LLVMValueRef pool_element(Pool *p, LLVMValueRef base, LLVMValueRef i);
/* a <= i < b as an i1 (or a vector of them) */
LLVMValueRef pool_between(Pool *p, LLVMValueRef i, LLVMValueRef a,
                          LLVMValueRef b);
/* i, i + step, ... as a vector */
LLVMValueRef pool_ramp(Pool *p, LLVMValueRef i, int64_t step);
/* Which of columns i, i + step, ... are in [0, limit), a row's length at most
 */
LLVMValueRef pool_lanes_below(Pool *p, LLVMValueRef i, int64_t step,
                              int64_t limit);
/* Which of tap (kh, kw) of windows (oh, ow ... ow + 15) lie inside. */
LLVMValueRef pool_taps_inside(Pool *p, LLVMValueRef oh, LLVMValueRef ow,
                              LLVMValueRef kh, LLVMValueRef kw);
/* All taps of the windows (oh, ow ... ow + 15) of the plane at `plane`, in the
   order (kh, kw): state is {y, count of taps or winner}. */
void pool_run_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh,
                   LLVMValueRef ow, LLVMValueRef *state);

/* Begins the kernel and its loop over units, as many to a tile as are worth
   one. */
void pool_begin(Pool *p, const char *name);
LLVMValueRef pool_units(Pool *p, Loop *l, int64_t units, int64_t work,
                        Lowered *out);
/* Plane i, or image i of `channels`, of this size. */
LLVMValueRef pool_plane(Pool *p, LLVMValueRef base, LLVMValueRef i,
                        const int64_t size[2], int64_t channels);
/* What 16 windows of a plane give to their taps, and (max) which tap is the
   winner: share[0], share[1]. x and g stand at their planes. */
void pool_share(Pool *p, LLVMValueRef x, LLVMValueRef g, LLVMValueRef oh,
                LLVMValueRef ow, LLVMValueRef share[2]);
/* The same of one window's 16 channels from `channel` on; at their images. */
void window_last_share(Pool *p, LLVMValueRef x, LLVMValueRef g, LLVMValueRef oh,
                       LLVMValueRef ow, LLVMValueRef channel,
                       LLVMValueRef share[2]);

/* Can each element of this gradient gather what windows give to it? */
bool window_gathers(Pool *p);
void lower_window_gather(Pool *p, const char *name, Lowered *out);

#endif
