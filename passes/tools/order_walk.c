/* order_walk: steps forth and back, users and ancestors. */
#include "passes/tools/order_walk.h"

#include <string.h>

void
walk_begin(Arena *scratch, const OrderProblem *p, Walk *w)
{
    w->p = p;
    w->left = NEWN(scratch, int, p->buffers + 1);
    w->live = 0;
    for (int b = 0; b < p->buffers; b++) {
        w->left[b] = p->buffer[b].touches;
        if (p->buffer[b].from_start)
            w->live += p->buffer[b].bytes;
    }
}

int64_t
walk_peak(const Walk *w, int node)
{
    const OrderProblem *p = w->p;
    int64_t bytes = w->live;

    for (uint32_t t = p->touch_of[node]; t < p->touch_of[node + 1]; t++) {
        const OrderBuffer *b = &p->buffer[p->touch[t]];

        if (w->left[p->touch[t]] == b->touches && !b->from_start)
            bytes += b->bytes;
    }
    return bytes;
}

int64_t
walk_after(const Walk *w, int node)
{
    const OrderProblem *p = w->p;
    int64_t bytes = walk_peak(w, node);

    for (uint32_t t = p->touch_of[node]; t < p->touch_of[node + 1]; t++)
        if (w->left[p->touch[t]] == 1 && !p->buffer[p->touch[t]].to_end)
            bytes -= p->buffer[p->touch[t]].bytes;
    return bytes;
}

void
walk_step(Walk *w, int node)
{
    const OrderProblem *p = w->p;

    w->live = walk_after(w, node);
    for (uint32_t t = p->touch_of[node]; t < p->touch_of[node + 1]; t++)
        w->left[p->touch[t]]--;
}

void
walk_back(Walk *w, int node, int64_t live)
{
    const OrderProblem *p = w->p;

    for (uint32_t t = p->touch_of[node]; t < p->touch_of[node + 1]; t++)
        w->left[p->touch[t]]++;
    w->live = live;
}

void
order_users(Arena *scratch, const OrderProblem *p, uint32_t **of,
            uint32_t **user)
{
    uint32_t edges = p->need_of[p->nodes];
    uint32_t *at = NEWN(scratch, uint32_t, p->nodes + 2);

    *of = NEWN(scratch, uint32_t, p->nodes + 2);
    *user = NEWN(scratch, uint32_t, edges + 1);
    for (uint32_t e = 0; e < edges; e++)
        (*of)[p->need[e] + 1]++;
    for (int n = 0; n < p->nodes; n++)
        (*of)[n + 1] += (*of)[n];
    memcpy(at, *of, ((size_t)p->nodes + 1) * sizeof *at);
    for (int n = 0; n < p->nodes; n++)
        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++)
            (*user)[at[p->need[e]]++] = (uint32_t)n;
}

uint64_t *
order_ancestors(Arena *scratch, const OrderProblem *p)
{
    size_t words = ((size_t)p->nodes + 63) / 64;
    uint64_t *set = NEWN(scratch, uint64_t, (size_t)p->nodes * words + 1);

    for (int n = 0; n < p->nodes; n++) {
        uint64_t *own = set + (size_t)n * words;

        for (uint32_t e = p->need_of[n]; e < p->need_of[n + 1]; e++) {
            const uint64_t *other = set + (size_t)p->need[e] * words;

            for (size_t i = 0; i < words; i++)
                own[i] |= other[i];
            own[p->need[e] / 64] |= 1ull << p->need[e] % 64;
        }
    }
    return set;
}
