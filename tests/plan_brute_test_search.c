/* plan_brute_test_search: Dijkstra's search over what has run and what of it is
   alive. Each node is in one of three states, so a graph of n nodes has 3^n.
   Only what runs again costs: what runs once runs once in every schedule.
   Bytes count as a sum: no placement of the same schedule takes less. */
#include "tests/plan_brute_test.h"

#include <math.h>
#include <stdlib.h>

#include "ir/base/diag.h"

typedef struct Entry {
    double seconds;
    int done, live; /* sets of nodes */
} Entry;

typedef struct Brute {
    const BruteGraph *g;
    int64_t room, pushed;
    int *ternary;  /* set -> the sum of 3^i of its members */
    double *least; /* state -> seconds */
    Entry *heap;
    size_t count, slots;
    int outputs; /* set */
} Brute;

static int64_t
bytes_of(const Brute *b, int live)
{
    int64_t bytes = 0;

    for (int i = 0; i < b->g->nodes; i++)
        bytes += live >> i & 1 ? b->g->node[i].bytes : 0;
    return bytes;
}

/* Less time first; then what has come further. */
static bool
is_before(const Entry *x, const Entry *y)
{
    return x->seconds < y->seconds ||
           (x->seconds <= y->seconds && __builtin_popcount((unsigned)x->done) >
                                            __builtin_popcount(
                                                (unsigned)y->done));
}

static void
push(Brute *b, Entry e)
{
    size_t k = b->count++;

    if (b->count > b->slots) {
        b->slots *= 2;
        b->heap = realloc(b->heap, b->slots * sizeof *b->heap);
        ASSERT(b->heap);
    }
    while (k > 0 && is_before(&e, &b->heap[(k - 1) / 2])) {
        b->heap[k] = b->heap[(k - 1) / 2];
        k = (k - 1) / 2;
    }
    b->heap[k] = e;
    b->pushed++;
}

static Entry
pop(Brute *b)
{
    Entry first = b->heap[0], last = b->heap[--b->count];
    size_t k = 0;

    while (2 * k + 1 < b->count) {
        size_t c = 2 * k + 1;

        if (c + 1 < b->count && is_before(&b->heap[c + 1], &b->heap[c]))
            c++;
        if (is_before(&last, &b->heap[c]))
            break;
        b->heap[k] = b->heap[c];
        k = c;
    }
    b->heap[k] = last;
    return first;
}

static double *
least_of(const Brute *b, int done, int live)
{
    return &b->least[b->ternary[done] + b->ternary[live]];
}

static void
reach(Brute *b, int done, int live, double seconds)
{
    double *least = least_of(b, done, live);

    if (seconds >= *least)
        return;
    *least = seconds;
    push(b, (Entry){seconds, done, live});
}

/* Node i runs beside what is alive; its result may take an operand's bytes. */
static void
run_node(Brute *b, const Entry *e, int i)
{
    const BruteNode *n = &b->g->node[i];
    int64_t bytes = bytes_of(b, e->live);
    double seconds = e->seconds + (e->done >> i & 1 ? n->again : 0);
    int bit = 1 << i;

    for (int k = 0; k < BRUTE_IN; k++)
        if (n->operand[k] >= 0 && !(e->live >> n->operand[k] & 1))
            return;
    if (bytes + n->bytes <= b->room)
        reach(b, e->done | bit, e->live | bit, seconds);
    for (int k = 0; k < BRUTE_IN && n->map; k++) {
        int from = n->operand[k];

        if (from >= 0 && b->g->node[from].bytes == n->bytes &&
            !(b->outputs >> from & 1))
            reach(b, e->done | bit, (e->live & ~(1 << from)) | bit, seconds);
    }
}

static Brute
brute_new(const BruteGraph *g, int64_t room)
{
    Brute b = {.g = g, .room = room, .slots = 1024};
    size_t states = 1;

    for (int i = 0; i < g->nodes; i++)
        states *= 3;
    b.ternary = calloc((size_t)1 << g->nodes, sizeof *b.ternary);
    b.least = malloc(states * sizeof *b.least);
    b.heap = malloc(b.slots * sizeof *b.heap);
    ASSERT(b.ternary && b.least && b.heap);
    for (size_t k = 0; k < states; k++)
        b.least[k] = HUGE_VAL;
    for (int set = 0; set < 1 << g->nodes; set++)
        for (int i = g->nodes - 1; i >= 0; i--)
            b.ternary[set] = 3 * b.ternary[set] + (set >> i & 1);
    for (int i = 0; i < g->nodes; i++)
        b.outputs |= g->node[i].output << i;
    return b;
}

double
brute_least(const BruteGraph *g, int64_t room, int64_t *states)
{
    Brute b = brute_new(g, room);
    int all = (1 << g->nodes) - 1;
    double found = -1;

    reach(&b, 0, 0, 0);
    while (b.count && found < 0) {
        Entry e = pop(&b);

        if (e.seconds > *least_of(&b, e.done, e.live))
            continue;
        if (e.done == all && (e.live & b.outputs) == b.outputs)
            found = e.seconds;
        for (int i = 0; i < g->nodes; i++) {
            if (!(e.live >> i & 1))
                run_node(&b, &e, i);
            else if (!(b.outputs >> i & 1))
                reach(&b, e.done, e.live & ~(1 << i), e.seconds);
        }
    }
    *states = b.pushed;
    free(b.ternary);
    free(b.least);
    free(b.heap);
    return found;
}
