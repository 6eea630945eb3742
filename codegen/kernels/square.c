/* square: transposes by rounds of swapping blocks across the diagonal, twice as
   large each time. */
#include "codegen/kernels/square.h"

/* lane i of the result: x's or y's lane, in halves of `half` lanes: the low
   (high: upper) half of each pair of halves from x, then from y. */
static LLVMValueRef
interleave(Unit *u, LLVMValueRef x, LLVMValueRef y, int lanes, int half,
           bool high)
{
    LLVMValueRef pick[64];

    for (int i = 0; i < lanes; i++) {
        int pair = i / (2 * half), in = i % (2 * half);
        int from = pair * 2 * half + in % half + (high ? half : 0);

        pick[i] = LLVMConstInt(
            u->i32, (unsigned long long)(in < half ? from : from + lanes),
            false);
    }
    return LLVMBuildShuffleVector(u->b, x, y,
                                  LLVMConstVector(pick, (unsigned)lanes), "");
}

void
square_transpose(Unit *u, LLVMValueRef *row, int lanes)
{
    for (int half = 1; half < lanes; half *= 2)
        for (int i = 0; i < lanes; i++) {
            LLVMValueRef x = row[i], y = row[i + half];

            row[i] = interleave(u, x, y, lanes, half, false);
            row[i + half] = interleave(u, x, y, lanes, half, true);
            if ((i + 1) % half == 0)
                i += half;
        }
}
