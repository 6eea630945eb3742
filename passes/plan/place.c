/* place: an address for every value. One arena serves all entries: stores lie
   at the bottom, at one place in every entry; above them each entry places its
   own buffers. The arena is as large as the largest entry needs, which is
   placed first; the others need only fit below it. What lies in other spaces is
   placed there in the same way. */
#include "passes/pass.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/check_time.h"
#include "passes/tools/placement_entry.h"

/* Buffers whose search gets all of its nodes. */
enum { MANY_BUFFERS = 64 };

/* Of other spaces: what direct reads and writes of files want. */
enum { PAGE = 4096 };

/* What the plan of the module comes to. */
typedef struct Totals {
    int64_t stores, height, bound;
    const char *bound_entry;
    int64_t bound_at;
    bool proven;
} Totals;

static int64_t
place_stores(Module *m, Sym space, int64_t align)
{
    Sym arena = sym(m->syms, "dev");
    int64_t at = 0;

    for (size_t i = 1; i < vec_len(m->store); i++) {
        Sym home = m->store[i].place.space;

        if ((home ? home : arena) != space)
            continue;
        m->store[i].place = (Place){space, at};
        at += round_up(type_bytes(&m->store[i].type), align);
    }
    return at;
}

/* A text can have parts that begin anywhere. */
static void
require_aligned(const Graph *g, ValueId v, int64_t ahead, int64_t align)
{
    const Value *x = value_at(g, v);

    if (ahead % align && x->def && type_bytes(&x->type))
        raise_at(graph_loc(g, x->def),
                 "%%%s would begin %" PRId64 " bytes behind the value that it "
                 "is a part of, but values are aligned to %" PRId64
                 "\nhint: a slice is copied and may begin anywhere",
                 x->name, ahead, align);
}

/* Every value lies where its buffer does, or so far behind. */
static void
write_places(Graph *g, Sym space, int64_t base, int64_t align,
             const Interval *x, const uint32_t *buffer, Arena *scratch)
{
    const Facts *f = facts(g);
    int64_t *offset = NEWN(scratch, int64_t, vec_len(f->buffer) + 1);

    for (size_t i = 0; i < vec_len(x); i++)
        offset[buffer[i]] = base + x[i].offset;
    for (size_t v = 1; v < vec_len(g->value); v++) {
        const Buffer *b = &f->buffer[f->buffer_of[v]];
        const Value *root = value_at(g, b->root);

        if (b->space != space)
            continue;
        require_aligned(g, (ValueId)v, f->ahead[v], align);
        g->value[v].place = (Place){
            space, (b->persistent ? g->module->store[root->store].place.offset
                                  : offset[f->buffer_of[v]]) +
                       f->ahead[v]};
    }
}

/* A node takes the longer the more buffers there are: time is limited, not
   their product. */
static int64_t
search_nodes(int64_t most, size_t buffers)
{
    return buffers <= MANY_BUFFERS ? most
                                   : most / (int64_t)buffers * MANY_BUFFERS;
}

static void
place_entry(PassRun *r, Graph *g, Sym space, Totals *t)
{
    int64_t align = r->machine->align, at = 0;
    uint32_t *buffer = NULL;
    Interval *x = placement_intervals(g, r->scratch, space, align, &buffer);
    int64_t nodes = search_nodes(opt_limit(r, "nodes"), vec_len(x)), enough;
    Placement p;

    enough = placement_bound(r->scratch, x, (int)vec_len(x), &at);
    enough = t->height > enough ? t->height : enough;
    p = placement_solve(r->scratch, x, (int)vec_len(x), enough, nodes);
    if (r->budget && t->stores + p.height > r->budget && !p.proven)
        p = placement_solve(r->scratch, x, (int)vec_len(x),
                            r->budget - t->stores, nodes);
    log_line("place", "%s: height %" PRId64 " bound %" PRId64 " nodes %" PRId64,
             g->name, p.height, p.bound, p.nodes);
    if (p.bound > t->bound && vec_len(g->order)) {
        t->bound = p.bound;
        t->bound_entry = g->name;
        t->bound_at = at;
    }
    if (p.height > t->height)
        t->height = p.height;
    write_places(g, space, t->stores, align, x, buffer, r->scratch);
}

/* The node at which the most bytes are alive. */
static const char *
bound_node(const Module *m, const Totals *t)
{
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        if (g->name == t->bound_entry && vec_len(g->order))
            return value_at(g, node_at(g, g->order[t->bound_at])->out[0])
                ->name;
    }
    return "";
}

static void
refuse(const PassRun *r, const Totals *t)
{
    Arena *a = r->scratch;
    int64_t bound = t->stores + t->bound, peak = t->stores + t->height;

    module_set_number(r->m, "least", peak); /* for who tries another budget */
    if (r->budget < bound)
        raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                     "no plan fits in %s: %s (%" PRId64
                     " bytes) are alive at once at node '%s' of entry %s, "
                     "%s of them weights and state\nhint: --memory %" PRId64
                     " would fit; a smaller batch needs less",
                     format_bytes(a, r->budget), format_bytes(a, bound), bound,
                     bound_node(r->m, t), t->bound_entry,
                     format_bytes(a, t->stores), peak);
    raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                 "no plan was found in %s: the best takes %" PRId64
                 " bytes, and the bound is %" PRId64
                 "\nhint: --memory %" PRId64 " would fit",
                 format_bytes(a, r->budget), peak, bound, peak);
}

/* A text can claim anything of its order; what this plan disproves goes. */
static void
check_order_claim(Module *m, int64_t bound)
{
    const char *order = module_get(m, "order");
    const char *text = module_get(m, "order_bound");
    char *end = NULL;
    int64_t least = text ? strtoll(text, &end, 10) : -1;
    bool optimal = order && strncmp(order, "optimal", 7) == 0;

    if ((text && (*end || least < 0 || least > bound)) ||
        (optimal && least != bound)) {
        module_unset(m, "order");
        module_unset(m, "order_bound");
    }
}

/* A bound on time is claimed only where the checker verifies it. */
static void
check_time_claim(PassRun *r)
{
    const char *fault = check_time(r->scratch, r->m);

    if (!fault)
        return;
    log_line("place", "the bound on time goes: %s", fault);
    module_unset(r->m, "time_bound");
    module_unset(r->m, "time_witness");
}

static void
tell(PassRun *r, const Totals *t)
{
    Text at = text_new(r->scratch);

    text_add(&at, "%s:%" PRId64, t->bound_entry, t->bound_at);
    module_unset(r->m, "bound");
    module_unset(r->m, "bound_at");
    module_unset(r->m, "budget");
    check_order_claim(r->m, t->bound < 0 ? -1 : t->stores + t->bound);
    module_set_number(r->m, "peak", t->stores + t->height);
    if (t->bound >= 0) { /* some entry has nodes */
        module_set_number(r->m, "bound", t->stores + t->bound);
        module_set(r->m, "bound_at", at.s);
    }
    if (r->budget)
        module_set_number(r->m, "budget", r->budget);
    check_time_claim(r);
}

/* The entry that needs the most at once. */
static size_t
largest_entry(PassRun *r)
{
    int64_t most = -1;
    size_t largest = 0;

    for (size_t i = 0; i < vec_len(r->m->entry); i++) {
        int64_t *live =
            live_bytes(r->scratch, r->m->entry[i], r->machine->align);

        for (size_t k = 0; k < vec_len(live); k++)
            if (live[k] > most) {
                most = live[k];
                largest = i;
            }
    }
    return largest;
}

/* ---- other spaces -------------------------------------------------------- */

static void
add_space(Module *m, Sym name)
{
    for (size_t i = 0; i < vec_len(m->space); i++)
        if (m->space[i].name == name)
            return;
    vec_push(m->arena, m->space, (Space){name, 0, PAGE});
}

/* In the order in which they are met, behind the arena. */
static void
find_spaces(Module *m)
{
    Sym arena = sym(m->syms, "dev");

    for (size_t i = 1; i < vec_len(m->store); i++)
        if (m->store[i].place.space)
            add_space(m, m->store[i].place.space);
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Facts *f = facts(m->entry[i]);

        for (size_t b = 1; b < vec_len(f->buffer); b++)
            if (f->buffer[b].space != arena)
                add_space(m, f->buffer[b].space);
    }
}

static void
require_room(const PassRun *r, const Space *s)
{
    Text key = text_new(r->scratch);
    const char *room;

    text_add(&key, "budget.%s", s->name);
    room = module_get(r->m, text_str(&key));
    if (room && strtoll(room, NULL, 10) < s->size)
        raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                     "no plan was found in the %s bytes of space %s: what "
                     "lies there takes %" PRId64 " bytes at once\nhint: give "
                     "it as much, or a larger --memory",
                     room, s->name, s->size);
}

static void
place_space(PassRun *r, Space *s)
{
    int64_t stores = place_stores(r->m, s->name, s->align), height = 0;

    for (size_t i = 0; i < vec_len(r->m->entry); i++) {
        Graph *g = r->m->entry[i];
        uint32_t *buffer = NULL;
        Interval *x =
            placement_intervals(g, r->scratch, s->name, s->align, &buffer);
        int64_t nodes = search_nodes(opt_limit(r, "nodes"), vec_len(x));
        Placement p = placement_solve(r->scratch, x, (int)vec_len(x), height,
                                      nodes);

        height = p.height > height ? p.height : height;
        write_places(g, s->name, stores, s->align, x, buffer, r->scratch);
    }
    s->size = stores + height;
    require_room(r, s);
}

void
pass_place(PassRun *r)
{
    Module *m = r->m;
    Sym space = sym(m->syms, "dev");
    Totals t = {.bound_entry = "", .bound = -1};
    size_t largest;

    vec_clear(m->space);
    t.stores = place_stores(m, space, r->machine->align);
    largest = largest_entry(r);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        place_entry(r, m->entry[(largest + i) % vec_len(m->entry)], space, &t);
    if (r->budget && t.stores + t.height > r->budget)
        refuse(r, &t);
    vec_push(m->arena, m->space,
             (Space){space, t.stores + t.height, r->machine->align});
    find_spaces(m);
    for (size_t i = 1; i < vec_len(m->space); i++)
        place_space(r, &m->space[i]);
    tell(r, &t);
}
