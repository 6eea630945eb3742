/* check_time: the columns under their rows, in 128 bits. */
#include "ir/check_time.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/check_step.h"
#include "ir/text.h"

__extension__ typedef __int128 Wide;

static const int64_t number_most = INT64_C(1) << 60;

/* A value, and what is asked of its columns. */
typedef struct Thing {
    ValueId item;
    int64_t cost[WAYS]; /* -1: not made that way */
    Wide asked;         /* of K and of every R */
    Wide made[WAYS];    /* what `in` gives back */
} Thing;

typedef struct Proof {
    Arena *arena;
    const Module *m;
    const char *at; /* of the witness */
    Step step;
    int64_t budget, scale, room;
    NodeId *last; /* vector: a case for each that may be the last of them */
    NodeId node; /* of the moment */
    bool *before, *behind;
    Thing *thing; /* vector */
    Map *by_name; /* as printed -> value */
    Wide sum;
    const char *fault;
} Proof;

static bool
wrong(Proof *p, const char *what)
{
    if (!p->fault)
        p->fault = what;
    return false;
}

/* ---- words --------------------------------------------------------------- */

/* The next word; quotes may hold spaces. Empty at the end. */
static Sym
word(Proof *p)
{
    const char *from = p->at + strspn(p->at, " "), *to = from;
    bool quoted = false;

    for (; *to && (quoted || *to != ' '); to++) {
        if (*to == '"')
            quoted = !quoted;
        else if (*to == '\\' && to[1])
            to++;
    }
    p->at = to;
    return sym_n(p->m->syms, from, (size_t)(to - from));
}

static bool
is_next(Proof *p, const char *what)
{
    const char *before = p->at;

    if (strcmp(word(p), what) == 0)
        return true;
    p->at = before;
    return false;
}

static bool
is_ahead(Proof *p, const char *what)
{
    const char *before = p->at;
    bool is = is_next(p, what);

    p->at = before;
    return is;
}

/* A number from 0 to `most`; a fault is -1. */
static int64_t
number(Proof *p, int64_t most)
{
    const char *text = word(p);
    char *end;
    long long x = strtoll(text, &end, 10);

    if (end != text && !*end && x >= 0 && x <= most)
        return x;
    (void)wrong(p, "a number is missing or out of range");
    return -1;
}

static ValueId
value_named(Proof *p)
{
    uint64_t found;

    if (map_get_ptr(p->by_name, word(p), &found))
        return (ValueId)found;
    (void)wrong(p, "a value is named that is not in the entry");
    return 0;
}

static void
name_values(Proof *p)
{
    const Graph *g = p->step.g;

    p->by_name = map_new(p->arena);
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        Text t = text_new(p->arena);

        print_value_name(&t, value_at(g, v)->name);
        map_put_ptr(p->by_name, sym(p->m->syms, text_str(&t)), v);
    }
}

/* ---- the moment and the values ------------------------------------------- */

/* Of the arena. */
static int64_t
store_bytes(const Proof *p)
{
    int64_t align = p->step.align, bytes = 0;

    for (size_t i = 1; i < vec_len(p->m->store); i++)
        if (p->m->store[i].place.space == p->m->space[0].name)
            bytes += round_up(type_bytes(&p->m->store[i].type), align);
    return bytes; /* they lie side by side in a space: no overflow */
}

/* A node by a result of it; 0: a fault. */
static NodeId
read_node(Proof *p)
{
    ValueId result = value_named(p);
    NodeId n = result ? value_at(p->step.g, result)->def : 0;

    if (n && node_at(p->step.g, n)->phase != 'r')
        return n;
    (void)wrong(p, "the moment is no node's first run");
    return 0;
}

/* The last of several: the others have run, and what they hang on. */
static void
add_before(Proof *p)
{
    for (size_t i = 0; i < vec_len(p->last); i++) {
        const bool *before = step_before(&p->step, p->last[i]);

        if (p->last[i] == p->node)
            continue;
        p->before[p->last[i]] = true;
        for (size_t n = 0; n < vec_len(p->step.g->node); n++)
            p->before[n] |= before[n];
    }
}

static bool
read_moment(Proof *p)
{
    int64_t left;

    p->node = is_next(p, "at") ? read_node(p) : 0;
    if (!p->node)
        return wrong(p, "it has no moment");
    p->before = step_before(&p->step, p->node);
    p->behind = step_behind(&p->step, p->node);
    add_before(p);
    if (p->before[p->node])
        return wrong(p, "the entry runs in a circle");
    left = p->budget - store_bytes(p) - step_beside(&p->step, p->node);
    p->room = is_next(p, "room") ? number(p, number_most) : -1;
    if (p->room < 0)
        return wrong(p, "it has no room");
    p->sum = -(Wide)p->room * left;
    return true;
}

static int64_t
read_cost(Proof *p)
{
    return is_next(p, "-") ? -1 : number(p, number_most);
}

static bool
read_thing(Proof *p)
{
    Thing x = {.item = value_named(p)};
    ValueId *in;

    if (p->fault)
        return false;
    for (size_t i = 0; i < vec_len(p->thing); i++)
        if (p->thing[i].item == x.item)
            return wrong(p, "a value is listed twice");
    if (p->step.item[x.item] != x.item)
        return wrong(p, "a value is listed that has no bytes of its own");
    for (int way = 0; way < WAYS; way++) {
        bool is = step_way(&p->step, x.item, way, &in);

        x.cost[way] = read_cost(p);
        if (x.cost[way] >= 0 && !is)
            return wrong(p, "a value is made in a way that there is not");
        if (x.cost[way] < 0 && is && !step_is_once(&p->step, x.item))
            return wrong(p, "a way to make a value again has no cost");
    }
    vec_push(p->arena, p->thing, x);
    return !p->fault;
}

/* ---- rows ---------------------------------------------------------------- */

/* Has it been made by then? */
static bool
is_made(const Proof *p, const Thing *u)
{
    NodeId maker = value_at(p->step.g, u->item)->def;

    return !maker || p->before[maker];
}

static bool
reads(const Proof *p, NodeId n, ValueId item)
{
    const Node *x = node_at(p->step.g, n);

    for (int i = 0; i < x->nin; i++)
        if (p->step.item[x->in[i]] == item)
            return true;
    return false;
}

/* What is given out is read at the end. */
static bool
is_read(const Proof *p, const Thing *u)
{
    if (step_is_output(&p->step, u->item))
        return true;
    for (size_t k = 0; k < vec_len(p->step.node); k++)
        if (p->behind[p->step.node[k]] &&
            reads(p, p->step.node[k], u->item))
            return true;
    return false;
}

static bool
made_from(Proof *p, const Thing *x, int way, const Thing *u)
{
    ValueId *in;

    if (!step_way(&p->step, x->item, way, &in))
        return false;
    for (size_t i = 0; i < vec_len(in); i++)
        if (in[i] == u->item)
            return true;
    return false;
}

static Thing *
thing_at(Proof *p)
{
    int64_t i = number(p, (int64_t)vec_len(p->thing) - 1);

    return i < 0 ? NULL : &p->thing[i];
}

static bool
add_need(Proof *p)
{
    Thing *u = thing_at(p);
    int64_t y = number(p, number_most);

    if (p->fault)
        return false;
    if (!is_made(p, u) || !is_read(p, u))
        return wrong(p, "a value is needed by nobody");
    u->asked += y;
    p->sum += y;
    return true;
}

/* All ways that read it give back what is asked of it. */
static bool
add_in(Proof *p)
{
    Thing *x = thing_at(p), *u = thing_at(p);
    int64_t y = number(p, number_most);
    bool any = false;

    if (p->fault)
        return false;
    for (int way = 0; way < WAYS; way++)
        if (made_from(p, x, way, u)) {
            x->made[way] += y;
            any = true;
        }
    if (!any || !is_made(p, x) || !is_made(p, u))
        return wrong(p, "a value is not made from what is said");
    u->asked += y;
    return true;
}

/* The next value of a way on which each is made from the one before. */
static Thing *
add_next(Proof *p, const Thing *from, int64_t *index)
{
    NodeId maker;
    Thing *to;

    *index = number(p, (int64_t)vec_len(p->thing) - 1);
    to = *index < 0 ? NULL : &p->thing[*index];
    maker = to ? value_at(p->step.g, to->item)->def : 0;
    if (!p->fault && (!step_is_sum(&p->step, to->item) ||
                      !reads(p, maker, from->item)))
        (void)wrong(p, "a sum is not made from what is said");
    return to;
}

static bool
add_sum(Proof *p)
{
    int64_t count = number(p, (int64_t)vec_len(p->step.node)), y;
    int64_t *index = NEWN(p->arena, int64_t, (count > 0 ? count : 0) + 1);
    Thing *u = thing_at(p), *last = u;

    if (!p->fault && !is_made(p, u))
        return wrong(p, "what is added is not there");
    for (int64_t i = 0; i < count && !p->fault; i++)
        last = add_next(p, last, &index[i]);
    y = number(p, number_most);
    if (p->fault)
        return false;
    if (!is_read(p, last))
        return wrong(p, "a sum is needed by nobody");
    u->asked += y;
    for (int64_t i = 0; i < count; i++)
        p->thing[index[i]].asked += y;
    p->sum += y;
    return true;
}

static bool
read_row(Proof *p)
{
    if (is_next(p, "need"))
        return add_need(p);
    if (is_next(p, "in"))
        return add_in(p);
    if (is_next(p, "sum"))
        return add_sum(p);
    return wrong(p, "a word is not understood");
}

/* ---- columns ------------------------------------------------------------- */

static bool
check_columns(Proof *p, const Thing *u)
{
    Wide bytes = step_bytes(&p->step, u->item);

    if (reads(p, p->node, u->item))
        bytes = 0; /* there in any case, and counted */
    if (u->asked > p->room * bytes)
        return wrong(p, "more is asked of a kept value than its bytes");
    for (int way = 0; way < WAYS; way++)
        if (u->cost[way] >= 0 &&
            u->asked - u->made[way] > (Wide)u->cost[way] * p->scale)
            return wrong(p, "more is asked of a way to make a value again "
                            "than it costs");
    return true;
}

static bool
read_head(Proof *p, const char *entry)
{
    const Module *m = p->m;
    const Graph *g = NULL;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (strcmp(m->entry[i]->name, entry) == 0)
            g = m->entry[i];
    if (!g || vec_len(m->space) == 0 || m->space[0].align < 1)
        return wrong(p, "it is about no entry of the plan");
    p->scale = number(p, number_most);
    p->step = step_of(p->arena, g, m->space[0].align);
    name_values(p);
    return p->step.fault ? wrong(p, p->step.fault) : !p->fault;
}

/* Nodes of which one runs last, whichever: a case for each, in this order. */
static bool
read_last(Proof *p)
{
    int64_t count;

    if (!is_next(p, "last"))
        return true;
    count = number(p, (int64_t)vec_len(p->step.node));
    for (int64_t i = 0; i < count && !p->fault; i++)
        vec_push(p->arena, p->last, read_node(p));
    return !p->fault && (count > 0 || wrong(p, "none of no nodes is last"));
}

static bool
read_case(Proof *p)
{
    p->thing = NULL;
    if (!read_moment(p))
        return false;
    while (is_next(p, "value"))
        if (!read_thing(p))
            return false;
    while (p->at[strspn(p->at, " ")] && !is_ahead(p, "at"))
        if (!read_row(p))
            return false;
    for (size_t i = 0; i < vec_len(p->thing); i++)
        if (!check_columns(p, &p->thing[i]))
            return false;
    return true;
}

/* Every case holds for what is claimed. */
static bool
read_witness(Proof *p, int64_t bound)
{
    size_t cases;

    if (!read_head(p, word(p)) || !read_last(p))
        return false;
    cases = vec_len(p->last) ? vec_len(p->last) : 1;
    for (size_t i = 0; i < cases; i++) {
        if (!read_case(p))
            return false;
        if (p->last && p->node != p->last[i])
            return wrong(p, "a case is about another node");
        if (p->sum < (Wide)bound * p->scale)
            return wrong(p, "the multipliers add up to less");
    }
    return !p->at[strspn(p->at, " ")] || wrong(p, "a case is too many");
}

static int64_t
claimed(Proof *p, const char *key)
{
    const char *text = module_get(p->m, key);

    p->at = text ? text : "";
    return number(p, number_most);
}

static bool
moves_anything(const Module *m)
{
    for (size_t i = 0; i < vec_len(m->entry); i++)
        for (size_t k = 0; k < vec_len(m->entry[i]->order); k++)
            if (node_at(m->entry[i], m->entry[i]->order[k])->op == OP_transfer)
                return true;
    return false;
}

const char *
check_time(Arena *a, const Module *m)
{
    Proof *p = NEW(a, Proof);
    const char *text = module_get(m, "time_witness");
    int64_t bound;

    if (!module_get(m, "time_bound") && !text)
        return NULL;
    if (moves_anything(m))
        return "values leave the arena, which it knows nothing of";
    p->arena = a;
    p->m = m;
    bound = claimed(p, "time_bound");
    p->budget = claimed(p, "budget");
    p->at = text ? text : "";
    if (!p->fault)
        (void)read_witness(p, bound);
    return p->fault;
}
