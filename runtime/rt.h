/* rt: a compiled model as a library. C99 and C++; needs no other header.

       RtModel *m;
       rt_open(&m, &snug_program, NULL, 0, 0)          an arena of its own, or
       rt_open(&m, &snug_program, memory, bytes, 1)    yours: no mapping, no
                                                       threads beyond the caller
                                                       (a program with tiers
                                                       opens them all the same,
                                                       and waits for each move)
       rt_load(m, "train.safetensors")
       rt_set(m, "train", "input", pixels, bytes), rt_set(... "labels" ...)
       rt_step(m, 1e-3, &loss)                         one training step
       rt_run(m, "forward"), rt_get(m, "forward", "logits", to, bytes)
       rt_save(m, "trained.safetensors"), rt_close(m)

   Every call returns 0, or a status > 0 whose words are rt_message(). After
   rt_load() nothing allocates. A model is used by one thread at a time. */
#ifndef SNUG_RT_H
#define SNUG_RT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct RtProgram;
extern const struct RtProgram snug_program;

typedef struct RtModel RtModel;

/* Bytes and alignment of the arena that a program needs. */
int64_t rt_arena_size(const struct RtProgram *p);
int64_t rt_arena_align(const struct RtProgram *p);

/* `arena` NULL: mapped here. `threads` 0: as many as the program was planned
   for and the machine has. Parameters and states get their fill values. */
int rt_open(RtModel **made, const struct RtProgram *p, void *arena,
            int64_t arena_bytes, int threads);
/* The same with the folder for the file of a tier; NULL: the current one. */
int rt_open_spill(RtModel **made, const struct RtProgram *p, void *arena,
                  int64_t arena_bytes, int threads, const char *spill);
void rt_close(RtModel *m);

/* Tensors by name from a safetensors file: every parameter and constant that
   has no fill value must be there, with its type and shape. */
int rt_load(RtModel *m, const char *path);
/* The parameters into a safetensors file, replaced only when it is complete. */
int rt_save(RtModel *m, const char *path);

/* An input or output of the entry `entry`, as raw little-endian elements. */
int rt_set(RtModel *m, const char *entry, const char *input, const void *from,
           int64_t bytes);
int rt_get(const RtModel *m, const char *entry, const char *output, void *to,
           int64_t bytes);

/* Where reading or writing a tier fails, so does every later run: the tensors
   are those of half a step. */
int rt_run(RtModel *m, const char *entry);
/* Runs the entry `train` with this learning rate; *loss may be NULL. */
int rt_step(RtModel *m, double rate, double *loss);

const char *rt_message(void);

#ifdef __cplusplus
}
#endif

#endif
