/* map: a hash map from words to words (integers or pointers), in an arena. */
#ifndef SNUG_MAP_H
#define SNUG_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"

typedef struct Map Map;

Map *map_new(Arena *a);
void map_put(Map *m, uint64_t key, uint64_t value);
bool map_get(const Map *m, uint64_t key, uint64_t *value);

#define map_put_ptr(m, key, value)                                             \
    map_put((m), (uint64_t)(uintptr_t)(key), (value))
#define map_get_ptr(m, key, value)                                             \
    map_get((m), (uint64_t)(uintptr_t)(key), (value))

#endif
