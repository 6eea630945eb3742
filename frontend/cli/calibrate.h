/* calibrate: the programs of `snug calibrate` run, and their logs read. */
#ifndef SNUG_CALIBRATE_H
#define SNUG_CALIBRATE_H

#include "ir/cost.h"
#include "ir/timeline.h"

/* A kernel of one run of the program. */
typedef struct MeasuredRow {
    const char *name, *kind;
    double places, seconds; /* nodes that run it; of all of them */
    double flops, bytes;
} MeasuredRow;

typedef struct Measured {
    double step;      /* the median of the steps, in seconds */
    MeasuredRow *row; /* vector */
} Measured;

/* Runs FOLDER/net for so many seconds in all. Raises if it cannot be run. */
Measured measure_program(Arena *a, const char *folder, int threads,
                         double seconds);

/* A figure for each kernel of two runs of one program. */
void add_figures(Arena *a, Figures *f, const Measured *one,
                 const Measured *many);

/* The rates to a second mapping of memory and to a file in the folder. */
void add_links(Arena *a, Figures *f, const char *folder);

#endif
