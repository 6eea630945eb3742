/* tensor: the bytes of parameters, states and constants, in the arena or in a
   tier. What is in memory is one piece; of a file there are many. */
#include "runtime/model.h"
#include "runtime/status.h"

#define PIECE ((int64_t)64 << 10)

static const RtPlace *
place_of(const RtModel *m, const RtTensor *t)
{
    return &m->tiers->place[t->tier + 1];
}

/* NULL: in a file. */
static char *
in_memory(const RtModel *m, const RtTensor *t)
{
    char *base = t->tier < 0 ? m->arena.base : place_of(m, t)->memory;
    return base ? base + t->offset : NULL;
}

int
rt_tensor_pass(const RtModel *m, const RtTensor *t, RtTake *take, void *to)
{
    char piece[PIECE];
    const char *here = in_memory(m, t);
    if (here)
        return take(to, here, t->bytes);
    for (int64_t at = 0; at < t->bytes; at += PIECE) {
        int64_t left = t->bytes - at;
        int64_t bytes = left < PIECE ? left : PIECE;
        RT_TRY(
            rt_spill_read(place_of(m, t)->spill, t->offset + at, piece, bytes));
        RT_TRY(take(to, piece, bytes));
    }
    return RT_OK;
}

int
rt_tensor_fill(const RtModel *m, const RtTensor *t, RtMake *make, void *from)
{
    char piece[PIECE];
    char *here = in_memory(m, t);
    if (here)
        return make(from, 0, here, t->bytes);
    for (int64_t at = 0; at < t->bytes; at += PIECE) {
        int64_t left = t->bytes - at;
        int64_t bytes = left < PIECE ? left : PIECE;
        RT_TRY(make(from, at, piece, bytes));
        RT_TRY(rt_spill_write(place_of(m, t)->spill, t->offset + at, piece,
                              bytes));
    }
    return RT_OK;
}
