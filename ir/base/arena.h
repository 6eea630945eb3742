/* arena: memory that is freed all at once; what it hands out is zeroed. */
#ifndef SNUG_ARENA_H
#define SNUG_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

/* A new empty arena. Raises "out of memory" (status 4) if there is none. */
Arena *arena_new(void);
void arena_free(Arena *a); /* NULL is allowed */

/* `count` things of `size` bytes, zeroed, aligned for any type. The product
   is checked; a request that cannot be met is raised, never NULL. */
void *arena_alloc(Arena *a, size_t count, size_t size);

/* Calls fn(p) when the arena is freed, last one first: for what is not
   memory (a FILE, a child process, a module of a library). */
void arena_defer(Arena *a, void (*fn)(void *), void *p);

#define NEW(a, T) ((T *)arena_alloc((a), 1, sizeof(T)))
#define NEWN(a, T, n) ((T *)arena_alloc((a), (size_t)(n), sizeof(T)))

#endif
