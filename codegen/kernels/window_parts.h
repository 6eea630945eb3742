/* window_parts: what the pooling kernels of planes share. Private to window*.c.
 */
#ifndef SNUG_WINDOW_PARTS_H
#define SNUG_WINDOW_PARTS_H

#include "codegen/kernels/window_last.h"

enum { LANES = 16, UNROLLED_TAPS = 16 };

int64_t pool_planes(const Pool *p);
LLVMValueRef pool_constant(Pool *p, int64_t x);
/* i * by + plus */
LLVMValueRef pool_scaled(Pool *p, LLVMValueRef i, int64_t by, int64_t plus);
LLVMValueRef pool_real(Pool *p, double x, int lanes);
LLVMValueRef pool_element(Pool *p, LLVMValueRef base, LLVMValueRef i);
/* a <= i < b as an i1 (or a vector of them) */
LLVMValueRef pool_between(Pool *p, LLVMValueRef i, LLVMValueRef a,
                          LLVMValueRef b);
/* i, i + step, ... as a vector of i64 */
LLVMValueRef pool_ramp(Pool *p, LLVMValueRef i, int64_t step);
/* All taps of the windows (oh, ow ... ow + 15) of the plane at `plane`, in the
   order (kh, kw): state is {y, count of taps or winner}. */
void pool_run_taps(Pool *p, LLVMValueRef plane, LLVMValueRef oh,
                   LLVMValueRef ow, LLVMValueRef *state);

#endif
