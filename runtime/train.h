/* train: a whole run, from opening the program to the closing line. */
#ifndef SNUG_RT_TRAIN_H
#define SNUG_RT_TRAIN_H

#include "runtime/abi.h"
#include "runtime/options.h"

int rt_train(const RtProgram *p, const RtOptions *o);

/* main() of a training program: reads the options, runs, prints what went
   wrong; returns the exit status. */
int rt_command(const RtProgram *p, int argc, char **argv);

#endif
