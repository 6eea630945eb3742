/* recompute_chain: the recurrence of O. Beaumont, L. Eyraud-Dubois,
   J. Herrmann, A. Joly and A. Shilova, "Optimal checkpointing for
   heterogeneous chains", 2019, with several ways to hold a block. The seconds
   added for blocks i..j-1 in m slots of memory are the least of

     way o of block i:  o + best(i+1, j, m - bytes of o - edges of i)
     edges in front of k:  forward(i..k-1) + best(k, j, m - edges)
                           + best(i, k, m)

   where what is alive while the backward part of a block runs fits in m, and so
   does what is alive behind the last block before that begins (a head). That
   is about what a course takes: for how many slots it fits is found by halving,
   on courses written out. */
#include "passes/plan/recompute_chain.h"

#include <math.h>

#include "passes/plan/recompute_tree.h"

enum { BLOCKS_MOST = 64 };
enum { SLOTS = 500, HALVINGS = 9 };

typedef struct Chain {
    Arena *a;
    const Blocks *b;
    int count;
    int turn;           /* slots behind the last block */
    double slot;        /* bytes */
    float *best;        /* [from][to][slots] */
    int16_t *choice;    /* way >= 0; -k: edges in front of block k */
    double *forward;    /* seconds of making edges of blocks 0..i-1 */
} Chain;

static size_t
at(const Chain *c, int from, int to, int slots)
{
    return ((size_t)from * (size_t)(c->count + 1) + (size_t)to) * (SLOTS + 1) +
           (size_t)slots;
}

static int
slots_of(const Chain *c, int64_t bytes)
{
    double slots = ceil((double)bytes / c->slot);

    return slots < SLOTS + 1 ? (int)slots : SLOTS + 1;
}

/* ---- the table ----------------------------------------------------------- */

static double
best_of(const Chain *c, int from, int to, int slots)
{
    if (slots < 0 || (from == c->count && slots < c->turn))
        return HUGE_VAL;
    return from == to ? 0 : (double)c->best[at(c, from, to, slots)];
}

static void
offer(Chain *c, size_t cell, double seconds, int choice)
{
    if (seconds >= (double)c->best[cell])
        return;
    c->best[cell] = (float)seconds;
    c->choice[cell] = (int16_t)choice;
}

static void
try_ways(Chain *c, int from, int to)
{
    const Block *block = &c->b->block[from];
    int least =
        slots_of(c, block->work > block->peak ? block->work : block->peak);

    least = least < SLOTS / 2 ? least : SLOTS / 2; /* nothing else will do */
    for (size_t o = 0; o < vec_len(block->way) && o < INT16_MAX; o++) {
        const BlockWay *way = &block->way[o];
        int64_t bytes = way->bytes + (from + 1 < to ? block->edge_bytes : 0);
        int held = slots_of(c, bytes);

        for (int m = least; m <= SLOTS; m++)
            offer(c, at(c, from, to, m),
                  way->seconds + best_of(c, from + 1, to, m - held), (int)o);
    }
}

static void
try_edges(Chain *c, int from, int to)
{
    for (int k = from + 1; k < to; k++) {
        int held = slots_of(c, c->b->block[k - 1].edge_bytes);
        double again = c->forward[k] - c->forward[from];

        for (int m = held; m <= SLOTS; m++)
            offer(c, at(c, from, to, m),
                  again + best_of(c, k, to, m - held) +
                      best_of(c, from, k, m),
                  -k);
    }
}

static void
fill(Chain *c)
{
    size_t cells = at(c, c->count, c->count, SLOTS) + 1;

    c->best = NEWN(c->a, float, cells);
    c->choice = NEWN(c->a, int16_t, cells);
    for (size_t i = 0; i < cells; i++)
        c->best[i] = HUGE_VALF;
    for (int length = 1; length <= c->count; length++)
        for (int from = 0; from + length <= c->count; from++) {
            try_ways(c, from, from + length);
            try_edges(c, from, from + length);
        }
}

static const Tree *
tree_of(Arena *a, const Chain *c, int from, int to, int slots)
{
    Tree *t = NEW(a, Tree);
    int choice = c->choice[at(c, from, to, slots)];
    const Block *block;
    const BlockWay *way;
    int64_t bytes;

    t->from = from;
    t->to = to;
    if (choice < 0) {
        bytes = c->b->block[-choice - 1].edge_bytes;
        t->left = tree_of(a, c, from, -choice, slots);
        t->right = tree_of(a, c, -choice, to, slots - slots_of(c, bytes));
        return t;
    }
    block = &c->b->block[from];
    way = &block->way[choice];
    t->keep = way->keep;
    bytes = way->bytes + (from + 1 < to ? block->edge_bytes : 0);
    if (from + 1 < to)
        t->right = tree_of(a, c, from + 1, to, slots - slots_of(c, bytes));
    return t;
}

/* ---- how many slots fit -------------------------------------------------- */

/* The course for so many slots; false: there is none. */
static bool
write_slots(const Chain *chain, Course *c, int slots)
{
    Arena *scratch = arena_new();
    bool written = best_of(chain, 0, chain->count, slots) < HUGE_VAL &&
                   tree_write(scratch, c, chain->b,
                              tree_of(scratch, chain, 0, chain->count, slots));

    arena_free(scratch);
    return written;
}

/* More slots are faster: the most that fit; where none do, those with the
   lowest peak that was seen. */
static bool
search_slots(const Chain *chain, Course *c, int64_t goal)
{
    Course *trial = course_new(chain->a, c->of);
    Course *whole = course_new(chain->a, c->of);
    int low = 0, high = SLOTS + 1;
    int64_t lowest = INT64_MAX;

    course_copy(whole, c);
    for (int k = 0; k < HALVINGS && high - low > 1; k++) {
        int slots = (low + high) / 2;
        int64_t peak;

        course_copy(trial, whole);
        if (!write_slots(chain, trial, slots)) {
            low = slots;
            continue;
        }
        peak = course_peak(chain->a, trial);
        *(peak > goal ? &high : &low) = slots;
        if (peak > goal && peak >= lowest)
            continue;
        lowest = peak > goal ? peak : goal;
        course_copy(c, trial);
    }
    return lowest < INT64_MAX;
}

int
chain_joins(Arena *a, const Course *c, int *join)
{
    int count = blocks_find(a, c, 1)->count, joins = 0;
    int least = (count + BLOCKS_MOST - 1) / BLOCKS_MOST;

    for (int k = least; joins < JOINS_MOST && k > 0 && count / k >= 2; k++)
        join[joins++] = k;
    return joins;
}

bool
recompute_chain(Arena *a, Course *c, int64_t goal, int join)
{
    Chain chain = {.a = a};
    Blocks *b = blocks_find(a, c, join);
    int64_t room = goal - c->of->stores;

    if (room <= 0)
        return false;
    blocks_find_ways(a, b);
    chain.b = b;
    chain.count = b->count;
    chain.slot = 2 * (double)room / SLOTS;
    chain.forward = NEWN(a, double, b->count + 1);
    for (int i = 0; i < b->count; i++)
        chain.forward[i + 1] = chain.forward[i] + b->block[i].seconds;
    chain.turn = slots_of(&chain, b->turn);
    chain.turn = chain.turn < SLOTS / 2 ? chain.turn : SLOTS / 2;
    fill(&chain);
    return search_slots(&chain, c, goal);
}
