/* forms: what a grid of threads is emitted for. */
#ifndef SNUG_FORMS_H
#define SNUG_FORMS_H

#include "codegen/threads.h"

/* NVPTX: one instruction or two each. */
extern const Threads cuda_threads;

/* The host: calls of functions that a runner of grids supplies,
       i32 grid_thread(), grid_block(), grid_blocks()
       i32 grid_exchange(i32 word, i32 distance)
       void grid_meet(), grid_meet_all()
       ptr grid_shared(i64 offset) */
extern const Threads called_threads;

#endif
