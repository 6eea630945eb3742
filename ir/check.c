/* check: plans are checked from nothing but the module.

   One walk over an entry's order tells for each buffer when it lives: a buffer
   belongs to an owner, the value that had its bytes first. Overlaps are found
   by a sweep over addresses: those that are alive at one address must follow
   each other in time, so a newcomer looks at its predecessor in time only;
   predecessors come from a bit set (check_bits.h). n log n, for the sort. */
#include "ir/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/check_bits.h"
#include "ir/check_moves.h"
#include "ir/check_over.h"
#include "ir/check_time.h"

typedef struct Checker {
    Arena *arena;
    const Module *m;
    FILE *report;
    int64_t faults, largest; /* largest live set */
    int64_t at_witness;      /* live set at bound_at; -1: not come there */
} Checker;

/* One entry. */
typedef struct Lives {
    const Graph *g;
    int end;          /* last position */
    ValueId *owner;   /* ValueId -> who had these bytes first */
    ValueId *content; /* ValueId -> whose elements these bytes hold */
    int *taken;       /* content -> 1 + position at which it is overwritten */
    ValueId *taker;   /* content -> by whom */
    bool *made;
    int *first, *last; /* owner -> */
    int64_t *bytes;    /* owner -> */
    int64_t *ahead;    /* ValueId -> bytes of the owner in front of it */
} Lives;

/* What occupies addresses for some time. */
typedef struct Block {
    Sym name, space;
    int64_t from, to; /* addresses, `to` exclusive */
    int first, last;  /* positions, inclusive */
} Block;

typedef struct Event {
    int64_t address;
    bool begins; /* ends come first */
    uint32_t block;
} Event;

static void tell(const Checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void fault(Checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(const Checker *c, const char *format, ...)
{
    va_list args;

    if (!c->report)
        return;
    va_start(args, format);
    vfprintf(c->report, format, args);
    va_end(args);
}

static void
fault(Checker *c, const char *format, ...)
{
    va_list args;

    c->faults++;
    if (!c->report)
        return;
    fputs("fault: ", c->report);
    va_start(args, format);
    vfprintf(c->report, format, args);
    va_end(args);
    fputc('\n', c->report);
}

static Lives
new_lives(Arena *a, const Graph *g)
{
    size_t count = vec_len(g->value);
    Lives l = {.g = g,
               .end = (int)vec_len(g->order) - 1,
               .owner = NEWN(a, ValueId, count),
               .content = NEWN(a, ValueId, count),
               .taken = NEWN(a, int, count),
               .taker = NEWN(a, ValueId, count),
               .made = NEWN(a, bool, count),
               .first = NEWN(a, int, count),
               .last = NEWN(a, int, count),
               .bytes = NEWN(a, int64_t, count),
               .ahead = NEWN(a, int64_t, count)};

    for (ValueId v = 1; v < count; v++) {
        const Value *x = value_at(g, v);

        l.owner[v] = l.content[v] = v;
        l.bytes[v] = type_bytes(&x->type);
        l.made[v] = x->kind != V_TEMP;
        l.last[v] = x->kind == V_STORE ? l.end : 0;
    }
    return l;
}

/* Does n put what was the last to be written there, at the same address, with
   nothing between its first byte and its last that is not its own? In every
   step, that is. */
static bool
is_there(const Lives *l, const Node *n)
{
    const Graph *g = l->g;
    const Type *x = &value_at(g, n->in[0])->type, *p;
    int64_t stride[MAXRANK], first = 0, last = 0;

    if (n->op != OP_put || value_at(g, n->out[0])->over != n->in[0] ||
        n->when || node_at(g, value_at(g, n->in[1])->def)->when ||
        l->taker[l->content[n->in[0]]] != n->in[1] ||
        l->owner[n->in[0]] != l->owner[n->in[1]])
        return false;
    p = &value_at(g, n->in[1])->type;
    type_strides(x, stride);
    for (int i = 0; i < x->rank; i++) {
        first += node_list(n, "starts")[i] * stride[i];
        last += (node_list(n, "starts")[i] + p->dim[i] - 1) * stride[i];
    }
    return last - first == type_elements(p) - 1 &&
           first * dtype_bytes(x->dtype) ==
               l->ahead[n->in[1]] - l->ahead[n->in[0]];
}

static void
read_value(Checker *c, Lives *l, ValueId v, int k, const char *by)
{
    ValueId owner = l->owner[v], content = l->content[v];
    const Graph *g = l->g;

    if (!l->made[v])
        fault(c, "%s:%d: %s reads %%%s, which is made later", g->name, k, by,
              g->value[v].name);
    else if (l->taken[content] && l->taken[content] <= k)
        fault(c, "%s:%d: %s reads %%%s after %%%s took its bytes", g->name, k,
              by, g->value[v].name, g->value[l->taker[content]].name);
    if (k > l->last[owner])
        l->last[owner] = k;
}

static void
take_bytes(Checker *c, Lives *l, ValueId v, ValueId from, int k)
{
    const Node *n = node_at(l->g, value_at(l->g, v)->def);
    ValueId content = l->content[from], owner = l->owner[from];
    const Graph *g = l->g;

    if (!l->made[from])
        fault(c, "%s:%d: %%%s takes the bytes of %%%s, which is made later",
              g->name, k, g->value[v].name, g->value[from].name);
    if (is_there(l, n)) {
        l->taken[l->content[n->in[1]]] = k + 1;
        l->taker[l->content[n->in[1]]] = v;
    } else if (l->taken[content]) {
        fault(c, "%s:%d: %%%s takes the bytes of %%%s after %%%s took them",
              g->name, k, g->value[v].name, g->value[from].name,
              g->value[l->taker[content]].name);
    }
    l->taken[content] = k + 1;
    l->taker[content] = v;
    l->owner[v] = owner;
    l->ahead[v] = l->ahead[from];
}

/* Shows the bytes of the operand, or those of a part of it. */
static void
show_bytes(Checker *c, Lives *l, const Node *n, int k)
{
    const Graph *g = l->g;
    ValueId v = n->out[0], from = n->in[0];
    const Type *x = &value_at(g, from)->type;
    int64_t ahead = 0;

    l->owner[v] = l->owner[from];
    l->content[v] = l->content[from];
    if (n->op == OP_part &&
        (__builtin_mul_overflow(node_int(n, "at"), dtype_bytes(x->dtype),
                                &ahead) ||
         ahead < 0 || ahead > type_bytes(x) - type_bytes(&g->value[v].type))) {
        fault(c, "%s:%d: %%%s is no part of %%%s", g->name, k, g->value[v].name,
              g->value[from].name);
        ahead = 0;
    }
    l->ahead[v] = l->ahead[from] + ahead;
}

/* Whatever the node reads of the bytes that its result i takes. */
static void
check_reads(Checker *c, const Lives *l, const Node *n, int i, int k)
{
    const Graph *g = l->g;
    ValueId over = value_at(g, n->out[i])->over, owner = l->owner[over];
    int64_t ahead = l->ahead[over];

    for (int in = 0; in < n->nin; in++)
        if (l->owner[n->in[in]] == owner &&
            (l->ahead[n->in[in]] != ahead || !check_over(g, n, in, i)) &&
            !is_there(l, n))
            fault(c, "%s:%d: %%%s is written over %%%s before that is read",
                  g->name, k, g->value[n->out[i]].name,
                  g->value[n->in[in]].name);
}

static void
make_value(Checker *c, Lives *l, const Node *n, int i, int k)
{
    ValueId v = n->out[i];
    const Value *x = value_at(l->g, v);
    ValueId owner;

    if (l->made[v])
        fault(c, "%s:%d: %%%s is made twice", l->g->name, k, x->name);
    l->made[v] = true;
    l->first[v] = k;
    if (x->over) {
        check_reads(c, l, n, i, k);
        take_bytes(c, l, v, x->over, k);
    } else if (i == 0 && n->nin && node_is_view(n)) {
        show_bytes(c, l, n, k);
    }
    owner = l->owner[v];
    if (l->bytes[v] > l->bytes[owner])
        l->bytes[owner] = l->bytes[v];
    if (k > l->last[owner])
        l->last[owner] = k;
}

static Lives
find_lives(Checker *c, const Graph *g)
{
    Lives l = new_lives(c->arena, g);

    for (int k = 0; k <= l.end; k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin; i++)
            if (i > 0 || !is_there(&l, n))
                read_value(c, &l, n->in[i], k, g->value[n->out[0]].name);
        if (n->when)
            read_value(c, &l, n->when, k, g->value[n->out[0]].name);
        for (int i = 0; i < n->nout; i++)
            make_value(c, &l, n, i, k);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        read_value(c, &l, g->output[i], l.end + 1, "an output");
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (l.last[v] > l.end)
            l.last[v] = l.end;
    return l;
}

static const Space *
space_of(const Module *m, Sym name)
{
    const Space *s = m->space;

    while (s < m->space + vec_len(m->space) && s->name != name)
        s++;
    return s < m->space + vec_len(m->space) ? s : NULL;
}

/* Adds a block if it lies properly in its space. */
static void
add_block(Checker *c, Block **blocks, const char *entry, Sym name,
          const Place *p, int64_t bytes, int first, int last)
{
    const Space *s = space_of(c->m, p->space);

    if (bytes == 0)
        return;
    if (!s)
        fault(c, "%s: %%%s has no place in a space of the module", entry, name);
    else if (p->offset < 0 || p->offset > s->size ||
             s->size - p->offset < bytes)
        fault(c,
              "%s: %%%s, %" PRId64 " bytes at @%s+%" PRId64
              ", leaves the space of %" PRId64,
              entry, name, bytes, s->name, p->offset, s->size);
    else if (s->align < 1 || p->offset % s->align)
        fault(c, "%s: %%%s at @%s+%" PRId64 " is not aligned to %" PRId64,
              entry, name, s->name, p->offset, s->align);
    else
        vec_push(
            c->arena, *blocks,
            (Block){name, s->name, p->offset, p->offset + bytes, first, last});
}

/* Its own place is where its bytes are, and kernels count on its alignment. */
static void
check_own(Checker *c, const Lives *l, ValueId v, const Place *owner)
{
    const Value *x = value_at(l->g, v);
    const Space *s = space_of(c->m, owner->space);
    int64_t at = 0;

    if (!l->made[v] || type_bytes(&x->type) == 0)
        return;
    if (__builtin_add_overflow(owner->offset, l->ahead[v], &at) ||
        x->place.space != owner->space || x->place.offset != at)
        fault(c, "%s: %%%s is not where its bytes are: @%s+%" PRId64,
              l->g->name, x->name, owner->space ? owner->space : "?", at);
    if (s && l->ahead[v] % s->align)
        fault(c, "%s: %%%s begins %" PRId64 " bytes behind %%%s, which is not "
                 "aligned to %" PRId64,
              l->g->name, x->name, l->ahead[v],
              value_at(l->g, l->owner[v])->name, s->align);
}

/* Every store, read in this entry or not, then the owners that are none. */
static Block *
find_blocks(Checker *c, const Lives *l)
{
    const Graph *g = l->g;
    Block *blocks = NULL;

    for (size_t i = 1; i < vec_len(c->m->store); i++) {
        const Store *s = &c->m->store[i];

        add_block(c, &blocks, g->name, s->name, &s->place, type_bytes(&s->type),
                  0, l->end);
    }
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        const Value *x = value_at(g, v);
        const Place *own = &value_at(g, l->owner[v])->place;

        if (x->kind == V_STORE)
            own = &c->m->store[x->store].place;
        else if (l->owner[v] == v && l->made[v])
            add_block(c, &blocks, g->name, x->name, own, l->bytes[v],
                      l->first[v], l->last[v]);
        check_own(c, l, v, own);
    }
    return blocks;
}

static int
compare_events(const void *a, const void *b)
{
    const Event *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->begins != y->begins)
        return x->begins ? 1 : -1;
    return x->block < y->block ? -1 : x->block > y->block;
}

static Event *
events_in(Checker *c, const Block *block, Sym space)
{
    Event *e = NULL;

    for (size_t i = 0; i < vec_len(block); i++) {
        if (block[i].space != space)
            continue;
        vec_push(c->arena, e, (Event){block[i].from, true, (uint32_t)i});
        vec_push(c->arena, e, (Event){block[i].to, false, (uint32_t)i});
    }
    if (e)
        qsort(e, vec_len(e), sizeof *e, compare_events);
    return e;
}

static void
report_overlap(Checker *c, const Lives *l, const Block *x, const Block *y)
{
    fault(c,
          "%s: %%%s (@%s+%" PRId64 ", %" PRId64
          " bytes, %d to %d) and %%%s (@%s"
          "+%" PRId64 ", %" PRId64 " bytes, %d to %d) share bytes",
          l->g->name, x->name, x->space, x->from, x->to - x->from, x->first,
          x->last, y->name, y->space, y->from, y->to - y->from, y->first,
          y->last);
}

static void
check_overlaps(Checker *c, const Lives *l, const Block *block, Sym space)
{
    Event *e = events_in(c, block, space);
    BitSet alive = bits_new(c->arena, (size_t)l->end + 1);
    uint32_t *at = NEWN(c->arena, uint32_t, l->end + 1);

    for (size_t i = 0; i < vec_len(e); i++) {
        const Block *x = &block[e[i].block];
        int64_t before;

        if (!e[i].begins) {
            if (at[x->first] == e[i].block)
                bits_remove(&alive, (uint64_t)x->first);
            continue;
        }
        before = bits_last(&alive, (uint64_t)x->last);
        if (before != BITS_NONE && block[at[before]].last >= x->first) {
            report_overlap(c, l, &block[at[before]], x);
            continue;
        }
        at[x->first] = e[i].block;
        bits_add(&alive, (uint64_t)x->first);
    }
}

static int64_t
rounded(int64_t bytes, int64_t align)
{
    return bytes % align ? bytes + (align - bytes % align) : bytes;
}

/* Is this entry and position the one that bound_at names? */
static bool
is_witness(const Checker *c, const char *entry, int position)
{
    const char *at = module_get(c->m, "bound_at");
    size_t n = strlen(entry);
    char number[16];

    snprintf(number, sizeof number, "%d", position);
    return at && strncmp(at, entry, n) == 0 && at[n] == ':' &&
           strcmp(at + n + 1, number) == 0;
}

/* Bytes alive at each position, in the space that `peak` is about. */
static void
sum_lives(Checker *c, const Lives *l, const Block *block, const Space *s)
{
    int64_t *change = NEWN(c->arena, int64_t, l->end + 2), now = 0;

    for (size_t i = 0; i < vec_len(block); i++) {
        int64_t bytes = rounded(block[i].to - block[i].from, s->align);

        if (block[i].space != s->name)
            continue;
        change[block[i].first] += bytes;
        change[block[i].last + 1] -= bytes;
    }
    for (int k = 0; k <= l->end; k++) {
        now += change[k];
        if (now > c->largest)
            c->largest = now;
        if (is_witness(c, l->g->name, k))
            c->at_witness = now;
    }
}

static void
add_faults(Checker *c, const char **text)
{
    for (size_t i = 0; i < vec_len(text); i++)
        fault(c, "%s", text[i]);
}

static void
check_entry(Checker *c, const Graph *g)
{
    Lives l;
    Block *block;

    if (vec_len(g->order) == 0)
        return;
    l = find_lives(c, g);
    block = find_blocks(c, &l);
    for (size_t i = 0; i < vec_len(c->m->space); i++)
        check_overlaps(c, &l, block, c->m->space[i].name);
    sum_lives(c, &l, block, &c->m->space[0]);
    add_faults(c, check_moves(c->arena, g));
}

/* A number of meta; -1: not claimed. */
static int64_t
claimed(Checker *c, const char *key)
{
    const char *text = module_get(c->m, key);
    char *end;
    long long x;

    if (!text)
        return -1;
    x = strtoll(text, &end, 10);
    if (end != text && !*end && x >= 0)
        return x;
    fault(c, "meta %s=\"%s\" is no number of bytes", key, text);
    return -1;
}

static void
check_order_claim(Checker *c, int64_t bound)
{
    const char *order = module_get(c->m, "order");
    int64_t least = claimed(c, "order_bound");

    if (least > bound && bound >= 0)
        fault(c,
              "order_bound %" PRId64 " is above the bound %" PRId64
              " that this order reaches",
              least, bound);
    if (order && strncmp(order, "optimal", 7) == 0 && least != bound)
        fault(c,
              "the order is called optimal, but order_bound %" PRId64
              " is not the bound %" PRId64,
              least, bound);
}

static void
check_claims(Checker *c)
{
    int64_t size = c->m->space[0].size, peak = claimed(c, "peak");
    int64_t bound = claimed(c, "bound"), budget = claimed(c, "budget");
    const char *at = module_get(c->m, "bound_at");

    if (peak >= 0 && peak != size)
        fault(c, "the peak %" PRId64 " is not the size %" PRId64 " of space %s",
              peak, size, c->m->space[0].name);
    if (budget > 0 && size > budget)
        fault(c, "%" PRId64 " bytes are more than the budget of %" PRId64, size,
              budget);
    if (bound >= 0 && c->at_witness < 0)
        fault(c, "the bound has no witness: bound_at=\"%s\" is no position",
              at ? at : "");
    else if (bound >= 0 && bound != c->at_witness)
        fault(c, "at %s %" PRId64 " bytes are alive, not the bound %" PRId64,
              at, c->at_witness, bound);
    check_order_claim(c, bound);
    add_faults(c, check_capacities(c->arena, c->m));
}

static void
check_time_claim(Checker *c)
{
    const char *wrong = c->faults ? NULL : check_time(c->arena, c->m);

    if (wrong)
        fault(c, "time_bound is not proven by time_witness: %s", wrong);
}

static void
write_verdict(Checker *c)
{
    int64_t size = c->m->space[0].size;

    if (c->faults) {
        tell(c, "the plan does not hold: %" PRId64 " fault%s\n", c->faults,
             c->faults == 1 ? "" : "s");
        return;
    }
    tell(c, "the plan holds: %" PRId64 " bytes, %zu entries\n", size,
         vec_len(c->m->entry));
    if (c->at_witness >= 0)
        tell(c,
             "bound of this order: %" PRId64 " bytes alive at %s, "
             "recomputed; gap %" PRId64 " bytes\n",
             c->at_witness, module_get(c->m, "bound_at"), size - c->at_witness);
    else
        tell(c,
             "no bound is claimed; the largest live set has "
             "%" PRId64 " bytes\n",
             c->largest);
    if (module_get(c->m, "time_bound"))
        tell(c, "bound on time: no schedule in the budget runs nodes again for "
                "less than %s ps, verified\n",
             module_get(c->m, "time_bound"));
}

bool
check_plan(const Module *m, FILE *report)
{
    Checker c = {
        .arena = arena_new(), .m = m, .report = report, .at_witness = -1};
    bool ok = m->stage == ST_PLACED && vec_len(m->space) > 0;

    for (size_t i = 0; i < vec_len(m->space); i++)
        ok &= m->space[i].align > 0 && m->space[i].size >= 0;
    if (!ok) {
        fault(&c, "this is no plan: stage placed and at least one space, of a "
                  "size and an alignment, are needed");
        tell(&c, "the plan does not hold: 1 fault\n");
        arena_free(c.arena);
        return false;
    }
    for (size_t i = 0; i < vec_len(m->entry); i++)
        check_entry(&c, m->entry[i]);
    check_claims(&c);
    check_time_claim(&c);
    write_verdict(&c);
    arena_free(c.arena);
    return c.faults == 0;
}
