/* map: open addressing, linear probing, at most half full. */
#include "ir/base/map.h"

typedef struct Slot {
    uint64_t key, value;
    bool used;
} Slot;

struct Map {
    Arena *arena;
    Slot *slot;
    size_t cap, count;
};

Map *
map_new(Arena *a)
{
    Map *m = NEW(a, Map);

    m->arena = a;
    m->cap = 16;
    m->slot = NEWN(a, Slot, m->cap);
    return m;
}

static Slot *
find(Slot *slot, size_t cap, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h ^ h >> 32) & (cap - 1);

    while (slot[i].used && slot[i].key != key)
        i = (i + 1) & (cap - 1);
    return &slot[i];
}

static void
grow(Map *m)
{
    size_t cap = 2 * m->cap;
    Slot *slot = NEWN(m->arena, Slot, cap);

    for (size_t i = 0; i < m->cap; i++)
        if (m->slot[i].used)
            *find(slot, cap, m->slot[i].key) = m->slot[i];
    m->slot = slot;
    m->cap = cap;
}

void
map_put(Map *m, uint64_t key, uint64_t value)
{
    Slot *s;

    if (2 * (m->count + 1) > m->cap)
        grow(m);
    s = find(m->slot, m->cap, key);
    m->count += !s->used;
    *s = (Slot){key, value, true};
}

bool
map_get(const Map *m, uint64_t key, uint64_t *value)
{
    const Slot *s = find(m->slot, m->cap, key);

    if (s->used)
        *value = s->value;
    return s->used;
}
