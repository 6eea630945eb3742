/* milp: a mixed-integer linear program in named rows and columns, minimised by
   the helper program snug-milp (GLPK) under limits. The solver's answer is
   never believed: it is rounded and checked row by row here. "Infeasible",
   "unbounded" and bounds are the word of a solver in floating point: fit to
   choose by, not to prove with. */
#ifndef SNUG_MILP_H
#define SNUG_MILP_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Milp Milp;

Milp *milp_new(Arena *a);
/* Names are for messages and dumps. Bounds may be -INFINITY and INFINITY. */
int milp_column(Milp *m, const char *name, double low, double high, double cost,
                bool integer);
int milp_row(Milp *m, const char *name, double low, double high);
/* The coefficient of a column in a row; each pair once. */
void milp_entry(Milp *m, int row, int column, double x);
/* A solution that is known (of every column): the search begins with it. */
void milp_start(Milp *m, const double *x);

typedef struct MilpLimits {
    const char *helper; /* NULL: $SNUG_MILP, or beside this program */
    int64_t nodes;      /* of the tree; 0: no limit */
    int64_t bytes;      /* of the helper; 0: 1 GiB */
    double seconds;     /* of the wall clock, a backstop; 0: 60 */
} MilpLimits;

typedef enum MilpStatus {
    MILP_NONE,       /* no answer: `why` says why */
    MILP_OPTIMAL,    /* as far as the solver can tell */
    MILP_FEASIBLE,   /* a solution, and a limit was hit */
    MILP_INFEASIBLE, /* as far as the solver can tell */
    MILP_UNBOUNDED   /* as far as the solver can tell */
} MilpStatus;

typedef struct MilpAnswer {
    MilpStatus status;
    double *x; /* NULL without a solution; integers are whole */
    double *price; /* of rows: cost for one more; NULL: not said */
    double cost, bound;
    const char *why;
} MilpAnswer;

MilpAnswer milp_solve(Milp *m, const MilpLimits *limits);

#endif
