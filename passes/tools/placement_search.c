/* placement_search: depth first over canonical placements: no interval could
   be lowered into a gap below it. Intervals are placed by rising offset; the
   one that may lie lowest either lies there, or rests on one that is placed
   later. What has not been placed yet keeps a lower limit of its offset; where
   the lowest limit of a section of time plus all that is left of it passes the
   height, the branch is dead. Where nothing that is left crosses a moment, the
   two sides are searched one after the other, and a side that fails is not
   tried again. Where to go on is chosen in two ways and ties are broken in
   four, in turn, with growing shares of nodes; later turns shake the ranks, so
   that no early mistake lasts.

   The idea of canonical placements, section floors, splitting and turns is
   that of M. D. Moffitt, "MiniMalloc", ASPLOS 2023. */
#include "passes/tools/placement_search.h"

#include "passes/tools/placement_state.h"

#include <stdlib.h>

enum {
    WAYS = 4,           /* of breaking ties */
    FIRST_SHARE = 1000, /* nodes of the first turns, at the least */
    SAME_SHARE = 64,    /* turns, until the share grows by a quarter */
    WORK_OF_NODE = 4096 /* items looked at that count as one node more */
};

/* How ties are broken: W width in time, A area, T the largest total of the
   sections that it is alive in; the largest goes first. */
static const char ways[WAYS][KEYS + 1] = {"TWA", "WAT", "TAW", "AWT"};

/* ---- the search --------------------------------------------------------- */

/* Of x and y, the one that goes first; -1 is none. */
static int
lower_of(const FitSearch *s, int x, int y)
{
    if (x < 0 || s->lower[y] < s->lower[x] ||
        (s->lower[y] == s->lower[x] && s->item[y].rank < s->item[x].rank))
        return y;
    return x;
}

/* The lower of `best` and what is left of section k. */
static int
lowest_of_section(const FitSearch *s, int k, int best)
{
    for (int m = 0; m < s->section[k].left; m++)
        best = lower_of(s, best, s->member[s->member_of[k] + m]);
    return best;
}

/* What lies lowest of what is left in the sections [from, to); -1: nothing
   is. */
static int
lowest(const FitSearch *s, int from, int to)
{
    int64_t floor = INT64_MAX;
    int best = -1;

    for (int k = from; k < to; k++)
        if (s->section[k].left && s->section[k].floor < floor)
            floor = s->section[k].floor;
    for (int k = from; k < to; k++)
        if (s->section[k].left && s->section[k].floor == floor)
            best = lowest_of_section(s, k, best);
    return best;
}

/* The section with the least room to spare; of several, the fullest. */
static int
tightest_section(const FitSearch *s, int from, int to)
{
    int64_t least = INT64_MAX;
    int best = -1;

    for (int k = from; k < to; k++) {
        const Section *p = &s->section[k];
        int64_t room = s->height - p->floor - p->total;

        if (p->left == 0 || room > least ||
            (room == least && p->total <= s->section[best].total))
            continue;
        best = k;
        least = room;
    }
    return best;
}

/* What lies lowest in the tightest section; if something beside it lies lower,
   that, and so on down: only what nothing is below may be placed. */
static int
lowest_of_tightest(const FitSearch *s, int from, int to)
{
    int k = tightest_section(s, from, to), next;

    if (k < 0)
        return -1;
    for (;; k = next) {
        int i = lowest_of_section(s, k, -1);

        next = k;
        for (int j = s->item[i].first; j < s->item[i].last; j++)
            if (s->section[j].floor < s->section[next].floor)
                next = j;
        if (next == k)
            return i;
    }
}

/* The next cut behind `from`: where nothing that is left crosses. */
static int
piece_end(const FitSearch *s, int from, int to)
{
    int end = from + 1;

    while (end < to && s->section[end].crossing)
        end++;
    return end;
}

static FitAnswer solve(FitSearch *s, int from, int to);

/* Solves [from, to) piece by piece, cut where nothing that is left crosses. */
static FitAnswer
solve_pieces(FitSearch *s, int from, int to)
{
    FitAnswer answer = FIT_FOUND;

    while (from < to && answer == FIT_FOUND) {
        int end = piece_end(s, from, to);

        answer = solve(s, from, end);
        from = end;
    }
    return answer;
}

static FitAnswer
solve(FitSearch *s, int from, int to)
{
    for (;;) {
        size_t mark = vec_len(s->undo);
        int i = s->tightest_first ? lowest_of_tightest(s, from, to)
                                  : lowest(s, from, to);

        if (i < 0)
            return FIT_FOUND;
        s->nodes -= 1 + s->work / WORK_OF_NODE;
        s->work = s->work % WORK_OF_NODE + to - from;
        if (s->nodes < 0)
            return FIT_OUT;
        if (s->item[i].resting) {
            if (fit_put(s, i)) {
                FitAnswer answer = solve_pieces(s, from, to);

                if (answer != FIT_NONE)
                    return answer;
            }
            fit_take_back(s, mark);
        }
        if (!fit_lift(s, i))
            return FIT_NONE;
    }
}

/* ---- turns ------------------------------------------------------------- */

static int
by_key(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;

    for (int k = 0; k < KEYS; k++)
        if (x->key[k] != y->key[k])
            return x->key[k] > y->key[k] ? -1 : 1;
    return x->item - y->item;
}

/* From 1 to 1.5, the same ones every time. */
static double
shake(FitSearch *s)
{
    return 1 + placement_draw(&s->random) / 2;
}

static void
rank_items(FitSearch *s, const char *way, bool shaken)
{
    for (int i = 0; i < s->count; i++) {
        Ranked *r = &s->ranked[i];

        r->item = i;
        for (int k = 0; k < KEYS; k++)
            r->key[k] = s->key[i][way[k] == 'W'   ? 0
                                  : way[k] == 'A' ? 1
                                                  : 2] *
                        (shaken ? shake(s) : 1);
    }
    qsort(s->ranked, (size_t)s->count, sizeof *s->ranked, by_key);
    for (int i = 0; i < s->count; i++)
        s->item[s->ranked[i].item].rank = i;
}

/* One piece, in one way after the other. */
static FitAnswer
solve_in_turns(FitSearch *s, int from, int to, int64_t *nodes)
{
    size_t mark = vec_len(s->undo);
    int64_t share = 2 * s->count > FIRST_SHARE ? 2 * s->count : FIRST_SHARE;

    for (int turn = 0; *nodes > 0; turn++) {
        int64_t given = share < *nodes ? share : *nodes;
        FitAnswer answer;

        rank_items(s, ways[turn % WAYS], turn >= 2 * WAYS);
        s->tightest_first = turn / WAYS % 2;
        s->nodes = given;
        answer = solve(s, from, to);
        *nodes -= given - s->nodes;
        if (answer != FIT_OUT)
            return answer;
        fit_take_back(s, mark);
        if ((turn + 1) % SAME_SHARE == 0)
            share += share / 4;
    }
    return FIT_OUT;
}

FitAnswer
fit_below(FitSearch *s, Interval *x, int64_t height, int64_t *nodes)
{
    FitAnswer answer = FIT_FOUND;

    if (!fit_begin(s, height))
        return FIT_NONE;
    for (int from = 0; from < s->sections && answer == FIT_FOUND;) {
        int end = piece_end(s, from, s->sections);

        answer = solve_in_turns(s, from, end, nodes);
        from = end;
    }
    for (int i = 0; i < s->count && answer == FIT_FOUND; i++)
        x[i].offset = s->offset[i];
    return answer;
}
