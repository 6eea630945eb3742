/* vec: doubling; the old copy stays in its arena until that is freed. */
#include "ir/base/vec.h"

#include <string.h>

_Static_assert(sizeof(VecHead) == 16, "data behind the head stays aligned");

void *
vec_grow(Arena *a, void *v, size_t size)
{
    size_t len = vec_len(v);
    size_t cap = v ? VEC_HEAD(v)->cap : 0;
    VecHead *h;

    if (len < cap)
        return v;
    cap = cap ? 2 * cap : 8;
    h = arena_alloc(a, cap + (sizeof *h + size - 1) / size, size);
    h->len = len;
    h->cap = cap;
    if (v)
        memcpy(h + 1, v, len * size);
    return h + 1;
}
