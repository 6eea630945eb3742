/* report_trace: the step as predicted, in the form of Chrome's trace viewer: a
   slice a kernel on a track a phase, the bytes alive as a counter. */
#include "passes/tools/report.h"

#include <inttypes.h>
#include <string.h>

#include "ir/cost.h"
#include "ir/describe.h"

/* The tracks: a letter of a phase each. */
static const char tracks[] = "fbrum";

static int
track_of(char phase)
{
    const char *at = strchr(tracks, phase);

    return at && *at ? (int)(at - tracks) + 1 : 1;
}

static void
add_name(Text *t, int process, int thread, const char *name)
{
    text_add(t, "{\"ph\": \"M\", \"pid\": %d, \"tid\": %d, \"name\": \"%s\", "
                "\"args\": {\"name\": ",
             process, thread, thread ? "thread_name" : "process_name");
    text_add_json(t, name);
    text_add(t, "}},\n");
}

static void
add_slice(Text *t, const Graph *g, NodeId id, int process, double start,
          double long_)
{
    const Node *n = node_at(g, id);

    text_add(t, "{\"ph\": \"X\", \"pid\": %d, \"tid\": %d, \"ts\": %.4f, "
                "\"dur\": %.4f, \"cat\": \"%s\", \"name\": ",
             process, track_of(n->phase), start, long_, phase_name(n->phase));
    text_add_json(t, node_title(g, id));
    text_add(t, ", \"args\": {\"kernel\": ");
    text_add_json(t, node_kind(t->arena, g, id) + 2); /* behind the phase */
    text_add(t, ", \"result\": ");
    text_add_json(t, value_at(g, n->out[0])->name);
    text_add(t, "}}");
}

/* Bytes alive at each node, by owner: rows of OWNERS. Stores are always
   there, read by the entry or not. */
static int64_t *
levels(Arena *a, Graph *g, int64_t align)
{
    const Facts *f = facts(g);
    size_t count = vec_len(g->order);
    Peak peak = find_peak(a, g, align);
    int64_t *level = NEWN(a, int64_t, (count + 1) * OWNERS);

    for (Owner o = 0; o < OWN_INPUTS; o++)
        level[o] = peak.bytes[o];
    for (size_t i = 1; i < vec_len(f->buffer); i++) {
        const Buffer *b = &f->buffer[i];
        int64_t bytes = round_up(b->bytes, align);
        Owner o;

        if (b->persistent || b->first > b->last ||
            b->space != module_arena(g->module))
            continue;
        o = buffer_owner(g, b);
        level[(size_t)b->first * OWNERS + o] += bytes;
        level[((size_t)b->last + 1) * OWNERS + o] -= bytes;
    }
    for (size_t k = OWNERS; k < (count + 1) * OWNERS; k++)
        level[k] += level[k - OWNERS];
    return level;
}

static void
add_counter(Text *t, const int64_t *level, int process, double at)
{
    text_add(t, ",\n{\"ph\": \"C\", \"pid\": %d, \"ts\": %.4f, \"name\": "
                "\"bytes\", \"args\": {",
             process, at);
    for (Owner o = 0; o < OWNERS; o++)
        text_add(t, "%s\"%s\": %" PRId64, o ? ", " : "", owner_name(o),
                 level[o]);
    text_add(t, "}}");
}

static void
add_entry(Text *t, Graph *g, int process, const Machine *machine)
{
    int64_t *level = levels(t->arena, g, machine->align);
    double at = 0;

    add_name(t, process, 0, g->name);
    for (int k = 0; tracks[k]; k++)
        add_name(t, process, k + 1, phase_name(tracks[k]));
    for (size_t k = 0; k < vec_len(g->order); k++) {
        double seconds = cost_seconds(g, g->order[k], machine).many;

        add_slice(t, g, g->order[k], process, at, 1e6 * seconds);
        add_counter(t, level + k * OWNERS, process, at);
        at += 1e6 * seconds;
        text_add(t, ",\n");
    }
}

void
report_trace(Text *t, Module *m, const Machine *machine)
{
    text_add(t, "{\"displayTimeUnit\": \"ms\", \"otherData\": {\"model\": ");
    text_add_json(t, m->name);
    text_add(t, ", \"target\": ");
    text_add_json(t, machine->name);
    text_add(t, ", \"times\": \"predicted\"},\n\"traceEvents\": [\n");
    for (size_t i = 0; i < vec_len(m->entry); i++)
        add_entry(t, m->entry[i], (int)i + 1, machine);
    add_name(t, 0, 0, "snug");
    t->len -= 2; /* the last comma */
    t->s[t->len] = 0;
    text_add(t, "\n]}\n");
}
