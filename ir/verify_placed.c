/* verify_placed: places are where the stage promises them. Overlaps are found
   by a sweep over time: a segment tree over the buffers, sorted by address,
   holds the highest end of those alive; a newcomer asks it for the part below
   its own end. n log n. */
#include "ir/verify_placed.h"

#include "ir/facts.h"

#include <stdlib.h>
#include <string.h>

/* A buffer with bytes, as a rectangle of time and address. */
typedef struct Box {
    int64_t from, to; /* addresses; to is exclusive */
    int first, last;
    Sym space, name;
} Box;

typedef struct Sweep {
    const Graph *g;
    const Box *box;   /* sorted by space and address */
    size_t leaves;    /* a power of two */
    int64_t *highest; /* of the tree's nodes: largest `to` alive, 0: none */
} Sweep;

static Loc
module_loc(const Module *m)
{
    return (Loc){.file = m->file};
}

static const Space *
find_space(const Module *m, Sym name)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].name == name)
            return &m->space[i];
    return NULL;
}

static void
check_spaces(const Module *m)
{
    for (size_t i = 0; i < vec_len(m->space); i++) {
        const Space *s = &m->space[i];

        if (s->size < 0 || s->align < 1 || (s->align & (s->align - 1)))
            complain(module_loc(m),
                     "space %s: its size must not be negative, "
                     "its alignment a power of two",
                     s->name);
        for (size_t j = 0; j < i; j++)
            if (m->space[j].name == s->name)
                complain(module_loc(m), "space %s is there twice", s->name);
    }
}

static void
check_place(const Module *m, Loc loc, Sym name, const Type *t, const Place *p)
{
    int64_t bytes = type_bytes(t);
    const Space *s = find_space(m, p->space);

    if (bytes == 0)
        return;
    if (!p->space)
        complain(loc, "%%%s has no place", name);
    else if (!s)
        complain(loc, "%%%s is in the space %s, which there is not", name,
                 p->space);
    else if (p->offset < 0 || bytes > s->size || p->offset > s->size - bytes)
        complain(loc,
                 "%%%s: @%s+%lld and its %lld bytes are outside of the "
                 "%lld of the space",
                 name, s->name, (long long)p->offset, (long long)bytes,
                 (long long)s->size);
    else if (p->offset & (s->align - 1))
        complain(loc, "%%%s: @%s+%lld is not aligned to %lld", name, s->name,
                 (long long)p->offset, (long long)s->align);
}

static bool
same_place(const Place *a, const Place *b)
{
    return a->space == b->space && a->offset == b->offset;
}

/* Of `with`, v has the bytes that are so far ahead. */
static void
check_shared(const Graph *g, NodeId id, ValueId v, ValueId with, int64_t ahead)
{
    const Value *x = value_at(g, v), *y = value_at(g, with);
    Place there = y->place;

    if (type_bytes(&x->type) == 0)
        return;
    if (__builtin_add_overflow(there.offset, ahead, &there.offset) ||
        !same_place(&x->place, &there))
        complain(graph_loc(g, id),
                 "%%%s has the bytes of %%%s, but not its "
                 "place",
                 x->name, y->name);
}

static void
check_space(const Graph *g, Loc loc, ValueId v)
{
    const Value *x = value_at(g, v);
    Sym space = graph_space(g, v);

    if (type_bytes(&x->type) && find_space(g->module, x->place.space) &&
        x->place.space != space)
        complain(loc, "%%%s is in the space %s, but lies in %s", x->name,
                 x->place.space, space);
}

static void
check_node_places(const Graph *g, NodeId id)
{
    const Node *n = node_at(g, id);

    for (int i = 0; i < n->nout; i++) {
        const Value *x = value_at(g, n->out[i]);

        check_place(g->module, graph_loc(g, id), x->name, &x->type, &x->place);
        check_space(g, graph_loc(g, id), n->out[i]);
        if (x->over)
            check_shared(g, id, n->out[i], x->over, 0);
        else if (i == 0 && node_is_view(n))
            check_shared(g, id, n->out[i], n->in[0], node_ahead(g, id));
    }
}

static void
check_places(const Graph *g)
{
    const Module *m = g->module;

    for (size_t i = 0; i < vec_len(g->input); i++) {
        const Value *x = value_at(g, g->input[i]);

        check_place(m, module_loc(m), x->name, &x->type, &x->place);
        check_space(g, module_loc(m), g->input[i]);
    }
    for (size_t v = 1; v < vec_len(g->value); v++) {
        const Value *x = value_at(g, (ValueId)v);

        if (x->kind == V_STORE &&
            !same_place(&x->place, &m->store[x->store].place))
            complain(module_loc(m), "%%%s is not at its store's place in %s",
                     x->name, g->name);
    }
    for (size_t k = 0; k < vec_len(g->order); k++)
        check_node_places(g, g->order[k]);
}

static int
compare_boxes(const void *a, const void *b)
{
    const Box *x = a, *y = b;
    int by_space = strcmp(x->space, y->space);

    if (by_space)
        return by_space;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Of every store, read here or not, and of every other buffer. */
static Box *
find_boxes(Arena *a, Graph *g)
{
    const Facts *f = facts(g);
    const Module *m = g->module;
    int end = (int)vec_len(g->order) - 1;
    Box *box = NULL;

    for (size_t i = 1; i < vec_len(m->store); i++) {
        const Store *s = &m->store[i];
        int64_t at = s->place.offset, bytes = type_bytes(&s->type);

        if (bytes)
            vec_push(a, box,
                     (Box){at, at + bytes, 0, end, s->place.space, s->name});
    }
    for (size_t b = 1; b < vec_len(f->buffer); b++) {
        const Buffer *x = &f->buffer[b];
        const Value *v = value_at(g, x->root);

        if (!x->persistent && x->bytes && x->last >= x->first)
            vec_push(a, box,
                     (Box){v->place.offset, v->place.offset + x->bytes,
                           x->first, x->last, v->place.space, v->name});
    }
    if (box)
        qsort(box, vec_len(box), sizeof *box, compare_boxes);
    return box;
}

static void
set_alive(Sweep *s, size_t i, int64_t to)
{
    size_t node = s->leaves + i;

    s->highest[node] = to;
    for (node /= 2; node; node /= 2) {
        int64_t l = s->highest[2 * node], r = s->highest[2 * node + 1];

        s->highest[node] = l > r ? l : r;
    }
}

/* The first box in [0, below) that is alive and ends above `address` in the
   same space, or `below`. Spaces are told apart by the caller's range. */
static size_t
find_above(const Sweep *s, size_t node, size_t low, size_t width, size_t from,
           size_t below, int64_t address)
{
    size_t found;

    if (low >= below || low + width <= from || s->highest[node] <= address)
        return below;
    if (width == 1)
        return low;
    found = find_above(s, 2 * node, low, width / 2, from, below, address);
    if (found < below)
        return found;
    return find_above(s, 2 * node + 1, low + width / 2, width / 2, from, below,
                      address);
}

static void
check_newcomer(const Sweep *s, size_t i, size_t space_from, size_t space_to)
{
    const Box *x = &s->box[i], *y;
    size_t low = i + 1, high = space_to, other;

    while (low < high) { /* the first box that begins at or above x's end */
        size_t middle = low + (high - low) / 2;

        if (s->box[middle].from < x->to)
            low = middle + 1;
        else
            high = middle;
    }
    other = find_above(s, 1, 0, s->leaves, space_from, low, x->from);
    if (other == low)
        return;
    y = &s->box[other];
    complain(module_loc(s->g->module),
             "%s: %%%s (@%s+%lld, %lld bytes) and %%%s (+%lld, %lld bytes) "
             "live at once and overlap",
             s->g->name, x->name, x->space, (long long)x->from,
             (long long)(x->to - x->from), y->name, (long long)y->from,
             (long long)(y->to - y->from));
}

/* For each box the range of those in its space. */
static void
find_spaces(const Box *box, size_t *from, size_t *to)
{
    for (size_t i = 0, end; i < vec_len(box); i = end) {
        end = i;
        while (end < vec_len(box) && box[end].space == box[i].space)
            end++;
        for (size_t j = i; j < end; j++) {
            from[j] = i;
            to[j] = end;
        }
    }
}

/* Boxes by the position at which they begin (or, shifted by one, end): CSR. */
static size_t *
by_time(Arena *a, const Box *box, size_t steps, bool ends, size_t **of)
{
    size_t *list = NEWN(a, size_t, vec_len(box) + 1);

    *of = NEWN(a, size_t, steps + 3);
    for (size_t i = 0; i < vec_len(box); i++)
        (*of)[(ends ? box[i].last + 1 : box[i].first) + 2]++;
    for (size_t k = 2; k < steps + 3; k++)
        (*of)[k] += (*of)[k - 1];
    for (size_t i = 0; i < vec_len(box); i++)
        list[(*of)[(ends ? box[i].last + 1 : box[i].first) + 1]++] = i;
    return list;
}

static void
check_overlaps(Arena *a, Graph *g)
{
    Box *box = find_boxes(a, g);
    size_t steps = vec_len(g->order), *born_at, *dead_at;
    size_t *born = by_time(a, box, steps, false, &born_at);
    size_t *dead = by_time(a, box, steps, true, &dead_at);
    size_t *from = NEWN(a, size_t, vec_len(box) + 1);
    size_t *to = NEWN(a, size_t, vec_len(box) + 1);
    Sweep s = {.g = g, .box = box, .leaves = 1};

    find_spaces(box, from, to);
    while (s.leaves < vec_len(box))
        s.leaves *= 2;
    s.highest = NEWN(a, int64_t, 2 * s.leaves);
    for (size_t k = 0; k < steps; k++) {
        for (size_t i = dead_at[k]; i < dead_at[k + 1]; i++)
            set_alive(&s, dead[i], 0);
        for (size_t i = born_at[k]; i < born_at[k + 1]; i++) {
            check_newcomer(&s, born[i], from[born[i]], to[born[i]]);
            set_alive(&s, born[i], box[born[i]].to);
        }
    }
}

void
verify_placed(Arena *scratch, Module *m)
{
    int before = complaints();

    check_spaces(m);
    for (size_t i = 1; i < vec_len(m->store); i++)
        check_place(m, module_loc(m), m->store[i].name, &m->store[i].type,
                    &m->store[i].place);
    for (size_t i = 0; i < vec_len(m->entry) && complaints() == before; i++)
        check_places(m->entry[i]);
    for (size_t i = 0; i < vec_len(m->entry) && complaints() == before; i++)
        check_overlaps(scratch, m->entry[i]);
}
