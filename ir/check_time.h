/* check_time: verifies what a plan claims of the time of every schedule.

   meta time_bound, picoseconds: no schedule of the entry in `budget` bytes runs
   nodes again for less in all, if a value that is gone is made again by its
   node, without the other results, or by the part of its group behind them, at
   the costs that the plan states. meta time_witness proves it by weak duality:

     ENTRY SCALE [last COUNT RESULT..]
     {at RESULT room Y {value NAME WHOLE PART}
      {need U Y} {in X U Y} {sum COUNT U S.. Y}}

   Of the nodes of `last` one runs last, whichever: there is a case for each, in
   this order, in which all others have run for the first time; the claim is no
   more than the least of the cases. Without `last` there is one case.

   WHOLE and PART are picoseconds to make the value again that way; -: it is
   not. At the moment when the node of RESULT runs for the first time, each
   value made before is kept (K) or not; from then on it is made again (R, by
   each way) or not. The rows, each with its multiplier Y / SCALE >= 0:
     need  K[U] + R[U] >= 1             U is read behind that node
     sum   K[U] + R[U] + K[S].. >= 1    U is added to the first of COUNT sums,
                                        each goes on in the next, and the last
                                        is read behind that node: what of them
                                        has not run yet reads the one before
     in    K[U] + R[U] - R[X] >= 0      R of all ways that make X from U: one
                                        of them is enough
     room  - sum of bytes * K >= - what the budget leaves at that moment
   The multipliers hold if no column costs less than what they ask of it; they
   then prove their sum. All in integers. */
#ifndef SNUG_CHECK_TIME_H
#define SNUG_CHECK_TIME_H

#include "ir/graph.h"

/* NULL: it is not claimed, or it holds; else what is wrong. */
const char *check_time(Arena *a, const Module *m);

#endif
