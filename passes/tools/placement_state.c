/* placement_state: every limit of what is left is kept with the floors of the
   sections; each change leaves its undoing on a trail. */
#include "passes/tools/placement_state.h"

#include <stdlib.h>
#include <string.h>

/* ---- what does not change --------------------------------------------- */

typedef struct Edge {
    int64_t time;
    int item;
    bool start;
} Edge;

static int
by_edge(const void *a, const void *b)
{
    const Edge *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->start != y->start)
        return x->start ? 1 : -1;
    return x->item - y->item;
}

/* A section ends where an interval ends after one has started: within it the
   same intervals, or fewer, are alive. */
static void
cut_sections(FitSearch *s, const Interval *x)
{
    Edge *e = NEWN(s->arena, Edge, 2 * s->count + 1);
    bool open = false;
    int edges = 0;

    for (int i = 0; i < s->count; i++) {
        if (x[i].size == 0) /* lies anywhere */
            continue;
        e[edges++] = (Edge){x[i].lower, i, true};
        e[edges++] = (Edge){x[i].upper, i, false};
    }
    qsort(e, (size_t)edges, sizeof *e, by_edge);
    for (int i = 0; i < edges; i++) {
        if (e[i].start) {
            open = true;
            s->item[e[i].item].first = s->sections;
        } else {
            s->sections += open;
            open = false;
            s->item[e[i].item].last = s->sections;
        }
    }
}

static int *
seat(FitSearch *s, int i, int k)
{
    return &s->seat[s->seat_of[i] + k - s->item[i].first];
}

static void
list_members(FitSearch *s)
{
    int *at = NEWN(s->arena, int, s->sections + 2);

    s->member_of = NEWN(s->arena, int, s->sections + 2);
    s->seat_of = NEWN(s->arena, int, s->count + 2);
    for (int i = 0; i < s->count; i++) {
        for (int k = s->item[i].first; k < s->item[i].last; k++)
            s->member_of[k + 1]++;
        s->seat_of[i + 1] =
            s->seat_of[i] + s->item[i].last - s->item[i].first;
    }
    for (int k = 0; k < s->sections; k++)
        at[k + 1] = s->member_of[k + 1] += s->member_of[k];
    s->member = NEWN(s->arena, int, s->member_of[s->sections] + 1);
    s->seat = NEWN(s->arena, int, s->member_of[s->sections] + 1);
    for (int i = 0; i < s->count; i++)
        for (int k = s->item[i].first; k < s->item[i].last; k++) {
            *seat(s, i, k) = at[k];
            s->member[at[k]++] = i;
        }
}

static bool
meet(const Item *x, const Item *y)
{
    return x->first < y->last && y->first < x->last;
}

static void
list_neighbours(FitSearch *s)
{
    int *near = NULL;

    s->near_of = NEWN(s->arena, int, s->count + 2);
    for (int i = 0; i < s->count; i++) {
        for (int j = 0; j < s->count; j++)
            if (i != j && meet(&s->item[i], &s->item[j]))
                vec_push(s->arena, near, j);
        s->near_of[i + 1] = (int)vec_len(near);
    }
    s->near = near;
}

/* What leaves section k goes behind what is left there. */
static void
leave(FitSearch *s, int i, int k)
{
    int last = s->member_of[k] + --s->section[k].left, *mine = seat(s, i, k);
    int other = s->member[last];

    s->member[*mine] = other;
    *seat(s, other, k) = *mine;
    s->member[last] = i;
    *mine = last;
}

/* What was placed last comes back first: its seats are the first ones behind
   what is left. */
static void
unplace(FitSearch *s, int i)
{
    Item *x = &s->item[i];

    x->placed = false;
    for (int k = x->first; k < x->last; k++) {
        s->section[k].total += x->size;
        s->section[k].left++;
        s->section[k].crossing += k > x->first;
    }
}

/* Width, area and largest total of every item, from sections that are full. */
static void
find_keys(FitSearch *s, const Interval *x)
{
    s->key = arena_alloc(s->arena, (size_t)s->count + 1, sizeof *s->key);
    for (int i = 0; i < s->count; i++) {
        double width = (double)(x[i].upper - x[i].lower), total = 0;

        for (int k = s->item[i].first; k < s->item[i].last; k++)
            if ((double)s->section[k].total > total)
                total = (double)s->section[k].total;
        s->key[i][0] = width;
        s->key[i][1] = width * (double)x[i].size;
        s->key[i][2] = total;
    }
}

FitSearch *
fit_new(Arena *scratch, const Interval *x, int count)
{
    FitSearch *s = NEW(scratch, FitSearch);

    s->arena = scratch;
    s->count = count;
    s->item = NEWN(scratch, Item, count + 1);
    s->offset = NEWN(scratch, int64_t, count + 1);
    s->lower = NEWN(scratch, int64_t, count + 1);
    for (int i = 0; i < count; i++)
        s->item[i].size = x[i].size;
    cut_sections(s, x);
    list_members(s);
    list_neighbours(s);
    s->section = NEWN(scratch, Section, s->sections + 1);
    for (int i = 0; i < count; i++)
        unplace(s, i);
    find_keys(s, x);
    s->ranked = NEWN(scratch, Ranked, count + 1);
    return s;
}

/* ---- limits, with a trail to take them back ---------------------------- */

static void
save_item(FitSearch *s, int i)
{
    const Item *x = &s->item[i];

    vec_push(s->arena, s->undo,
             (Undo){UNDO_ITEM, i, x->resting, s->lower[i], x->deadline});
}

/* Item i no longer holds down the floors of its sections. */
static void
spoil_floors(FitSearch *s, int i)
{
    const Item *x = &s->item[i];
    int64_t lower = s->lower[i];

    for (int k = x->first; k < x->last; k++) {
        Section *p = &s->section[k];

        if (p->floor == lower && !p->stale) {
            p->stale = true;
            vec_push(s->arena, s->stale, k);
        }
    }
}

/* Nothing left is lower than the floor was. */
static int64_t
lowest_member(const FitSearch *s, int k)
{
    const Section *p = &s->section[k];
    const int *member = s->member + s->member_of[k];
    int64_t floor = INT64_MAX;

    for (int m = 0; m < p->left && floor > p->floor; m++)
        if (s->lower[member[m]] < floor)
            floor = s->lower[member[m]];
    return floor;
}

/* Finds the floors of stale sections again. False: some section is too low
   for what is left of it. */
static bool
settle(FitSearch *s)
{
    bool fits = true;

    while (vec_len(s->stale)) {
        int k = vec_pop(s->stale);
        Section *p = &s->section[k];

        p->stale = false;
        if (!fits || p->left == 0)
            continue;
        vec_push(s->arena, s->undo, (Undo){UNDO_FLOOR, k, false, p->floor, 0});
        p->floor = lowest_member(s, k);
        s->work += s->member_of[k + 1] - s->member_of[k];
        fits = p->floor <= s->height - p->total;
    }
    return fits;
}

void
fit_take_back(FitSearch *s, size_t mark)
{
    while (vec_len(s->undo) > mark) {
        Undo u = vec_pop(s->undo);

        if (u.kind == UNDO_FLOOR) {
            s->section[u.which].floor = u.value;
        } else if (u.kind == UNDO_PLACE) {
            unplace(s, u.which);
        } else {
            s->lower[u.which] = u.value;
            s->item[u.which].resting = u.resting;
            s->item[u.which].deadline = u.deadline;
        }
    }
}

/* ---- the two branches -------------------------------------------------- */

/* Whether something beside item i may still start below its deadline. */
static bool
can_be_met(const FitSearch *s, int i)
{
    for (int e = s->near_of[i]; e < s->near_of[i + 1]; e++) {
        int y = s->near[e];

        if (!s->item[y].placed && s->lower[y] < s->item[i].deadline)
            return true;
    }
    return false;
}

/* What placing item i means for y beside it. False: y cannot be placed. */
static bool
meet_placed(FitSearch *s, int i, int y)
{
    int64_t at = s->offset[i], top = at + s->item[i].size;
    Item *n = &s->item[y];
    bool owed = n->deadline != 0;

    if (top < s->lower[y] && !owed)
        return true;
    save_item(s, y);
    if (at < n->deadline)
        n->deadline = 0;
    else if (owed && !can_be_met(s, y))
        return false;
    if (top >= s->lower[y])
        n->resting = true;
    if (top > s->lower[y]) {
        spoil_floors(s, y);
        s->lower[y] = top;
    }
    return s->lower[y] <= s->height - n->size;
}

bool
fit_put(FitSearch *s, int i)
{
    Item *x = &s->item[i];
    bool fits = true;

    s->offset[i] = s->lower[i];
    x->placed = true;
    vec_push(s->arena, s->undo, (Undo){.kind = UNDO_PLACE, .which = i});
    for (int k = x->first; k < x->last; k++) {
        Section *p = &s->section[k];

        p->total -= x->size;
        leave(s, i, k);
        p->crossing -= k > x->first;
    }
    spoil_floors(s, i);
    s->work += s->near_of[i + 1] - s->near_of[i];
    for (int e = s->near_of[i]; fits && e < s->near_of[i + 1]; e++)
        if (!s->item[s->near[e]].placed)
            fits = meet_placed(s, i, s->near[e]);
    return settle(s) && fits;
}

bool
fit_lift(FitSearch *s, int i)
{
    Item *x = &s->item[i];
    int64_t first = INT64_MAX, rest = INT64_MAX;

    for (int e = s->near_of[i]; e < s->near_of[i + 1]; e++) {
        const Item *y = &s->item[s->near[e]];
        int64_t lower = s->lower[s->near[e]];

        if (y->placed)
            continue;
        if (lower < first)
            first = lower;
        if (lower + y->size < rest)
            rest = lower + y->size;
    }
    save_item(s, i);
    if (x->resting)
        x->deadline = s->lower[i] + x->size;
    if (rest > s->height - x->size ||
        (x->deadline != 0 && first >= x->deadline))
        return false;
    x->resting = false;
    spoil_floors(s, i);
    s->lower[i] = rest;
    return settle(s);
}

bool
fit_begin(FitSearch *s, int64_t height)
{
    vec_clear(s->undo);
    vec_clear(s->stale);
    s->height = height;
    s->random = 3;
    s->work = 0;
    memset(s->section, 0, ((size_t)s->sections + 1) * sizeof *s->section);
    for (int i = 0; i < s->count; i++) {
        Item *x = &s->item[i];

        s->lower[i] = x->deadline = 0;
        x->resting = true;
        unplace(s, i);
    }
    for (int k = 0; k < s->sections; k++)
        if (s->section[k].total > s->height)
            return false;
    return true;
}
