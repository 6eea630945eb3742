/* vec: growable arrays in an arena; the length lies in front of the data.
   Use: `int *v = NULL; vec_push(a, v, 3); for (size_t i = 0; i < vec_len(v);
   i++) ...`. A NULL pointer is the empty vector. */
#ifndef SNUG_VEC_H
#define SNUG_VEC_H

#include <stddef.h>

#include "ir/base/arena.h"

typedef struct VecHead {
    size_t len, cap;
} VecHead;

#define VEC_HEAD(v) ((VecHead *)(void *)(v)-1)
#define vec_len(v)                                                             \
    ((v) ? ((const VecHead *)(const void *)(v))[-1].len : (size_t)0)
#define vec_clear(v) ((void)((v) && (VEC_HEAD(v)->len = 0)))
#define vec_pop(v) ((v)[--VEC_HEAD(v)->len])
#define vec_last(v) ((v)[vec_len(v) - 1])
#define vec_push(a, v, ...)                                                    \
    ((v) = vec_grow((a), (v), sizeof *(v)),                                    \
     (v)[VEC_HEAD(v)->len++] = (__VA_ARGS__))

/* The vector with room for one more element; it may have moved. */
void *vec_grow(Arena *a, void *v, size_t size);

#endif
