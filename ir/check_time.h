/* check_time: verifies what a plan claims of the time of every schedule.

   meta time_bound, picoseconds: no schedule of the entry in `budget` bytes runs
   nodes again for less in all, if a value that is gone is made again by its
   node, without the other results, or by the part of its group behind them, at
   the costs that the plan states. meta time_witness proves it by weak duality:

     ENTRY SCALE   moments: {at RESULT}, each node behind the one before
     {value NAME WHOLE PART}        picoseconds to make it again; -: it is not
     {need J U Y} {late J U Y} {in J X WAY U Y} {stay J U Y} {room J Y}

   At moment J, when that node runs for the first time, each value is kept
   (K) or not; in stage J, from then until the next moment, it is made again (R,
   by each way) or not. The rows, each with its multiplier Y / SCALE >= 0:
     need  K[J,U] + R[J,U] >= 1            read first in stage J
     late  K[J,U] + R[J,U] + R[J+1,U] + ... >= 1   read first in J or later
     in    K[J,U] + R[J,U] - R[J,X,WAY] >= 0       X is made from U that way
     stay  K[J,U] + R[J,U] - K[J+1,U] >= 0
     room  - sum of bytes * K[J] >= - what the budget leaves at moment J
   The multipliers hold if no column costs less than what they ask of it; they
   then prove their sum. All in integers. */
#ifndef SNUG_CHECK_TIME_H
#define SNUG_CHECK_TIME_H

#include "ir/graph.h"

/* NULL: it is not claimed, or it holds; else what is wrong. */
const char *check_time(Arena *a, const Module *m);

#endif
