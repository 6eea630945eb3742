/* statistics: what --pass-statistics tells of each pass: how many nodes, values
   and stores there were and are, and the bytes of the largest live set of an
   entry in the order as it is. */
#include "passes/pipeline_parts.h"

#include <inttypes.h>

static int64_t
largest_live_set(Arena *a, Graph *g, int64_t align)
{
    int64_t most = 0, *live = live_bytes(a, g, align);

    for (size_t k = 0; k < vec_len(g->order); k++)
        most = live[k] > most ? live[k] : most;
    return most;
}

Statistics
statistics_of(Arena *a, Module *m, int64_t align)
{
    Statistics s = {.stores = vec_len(m->store) - 1};

    for (size_t i = 0; i < vec_len(m->entry); i++) {
        Graph *g = m->entry[i];
        int64_t live = largest_live_set(a, g, align);

        s.nodes += vec_len(g->order);
        s.values += vec_len(g->value) - 1;
        s.live = live > s.live ? live : s.live;
    }
    return s;
}

void
statistics_head(FILE *to)
{
    fprintf(to, "%-16s %15s %15s %13s %29s\n", "pass", "nodes", "values",
            "stores", "largest live set, bytes");
}

/* A line of JSON; names of passes are words without quotes in them. */
void
statistics_json(FILE *to, const char *pass, Statistics x, Statistics y)
{
    fprintf(to,
            "{\"pass\": \"%s\", \"nodes\": [%zu, %zu], \"values\": [%zu, "
            "%zu], \"stores\": [%zu, %zu], \"live_bytes\": [%" PRId64
            ", %" PRId64 "]}\n",
            pass, x.nodes, y.nodes, x.values, y.values, x.stores, y.stores,
            x.live, y.live);
}

/* "12 -> 10", or the number alone. */
static const char *
change(Arena *a, int64_t before, int64_t after)
{
    Text t = text_new(a);

    text_add(&t, "%lld", (long long)before);
    if (before != after)
        text_add(&t, " -> %lld", (long long)after);
    return t.s;
}

void
statistics_tell(FILE *to, Arena *a, const char *pass, Statistics x,
                Statistics y)
{
    fprintf(to, "%-16s %15s %15s %13s %29s\n", pass,
            change(a, (int64_t)x.nodes, (int64_t)y.nodes),
            change(a, (int64_t)x.values, (int64_t)y.values),
            change(a, (int64_t)x.stores, (int64_t)y.stores),
            change(a, x.live, y.live));
}
