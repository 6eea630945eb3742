/* placement_entry: the buffers of an entry as intervals. */
#include "passes/tools/placement_entry.h"

#include "ir/facts.h"

Interval *
placement_intervals(Graph *g, Arena *scratch, Sym space, int64_t align,
                    uint32_t **buffer)
{
    const Facts *f = facts(g);
    Interval *x = NULL;

    for (size_t b = 0; b < vec_len(f->buffer); b++) {
        const Buffer *p = &f->buffer[b];

        if (p->persistent || p->bytes == 0 || p->space != space)
            continue;
        vec_push(scratch, x,
                 (Interval){p->first, p->last < p->first ? p->first + 1
                                                         : p->last + 1,
                            round_up(p->bytes, align), 0});
        vec_push(scratch, *buffer, (uint32_t)b);
    }
    return x;
}
