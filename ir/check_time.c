/* check_time: the columns under their rows, in 128 bits. */
#include "ir/check_time.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/check_step.h"
#include "ir/text.h"

__extension__ typedef __int128 Wide;

enum { STAGES_MOST = 16 };

static const int64_t number_most = INT64_C(1) << 60;

typedef struct Moment {
    NodeId node;
    bool *before, *behind;
    int64_t left; /* bytes for what is kept */
    Wide room;    /* its multiplier */
} Moment;

/* A value, and what is asked of its columns. */
typedef struct Thing {
    ValueId item;
    NodeId maker;
    int64_t cost[WAYS]; /* -1: not made that way */
    Wide keep[STAGES_MOST], again[STAGES_MOST];
    Wide made[STAGES_MOST][WAYS]; /* what `in` gives back */
} Thing;

typedef struct Proof {
    Arena *arena;
    const Module *m;
    const char *at; /* of the witness */
    Step step;
    int64_t budget, scale;
    Moment moment[STAGES_MOST];
    int stages;
    Thing *thing;   /* vector */
    Map *by_name;   /* as printed -> value */
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

/* ---- moments and values -------------------------------------------------- */

static int64_t
store_bytes(const Proof *p)
{
    int64_t align = p->step.align, bytes = 0;

    for (size_t i = 1; i < vec_len(p->m->store); i++)
        bytes += (type_bytes(&p->m->store[i].type) + align - 1) / align * align;
    return bytes; /* they lie side by side in a space: no overflow */
}

static bool
read_moment(Proof *p)
{
    Moment *x = &p->moment[p->stages];
    ValueId result = value_named(p);

    if (p->fault)
        return false;
    if (p->stages == STAGES_MOST)
        return wrong(p, "there are too many moments");
    x->node = value_at(p->step.g, result)->def;
    if (!x->node || node_at(p->step.g, x->node)->phase == 'r')
        return wrong(p, "a moment is no node's first run");
    x->before = step_before(&p->step, x->node);
    x->behind = step_behind(&p->step, x->node);
    if (x->before[x->node])
        return wrong(p, "the entry runs in a circle");
    if (p->stages && !x->before[p->moment[p->stages - 1].node])
        return wrong(p, "a moment is not behind the one before");
    x->left = p->budget - store_bytes(p) - step_beside(&p->step, x->node);
    p->stages++;
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
    x.maker = value_at(p->step.g, x.item)->def;
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

/* Has it been made by moment j? */
static bool
is_made(const Proof *p, const Thing *u, int64_t j)
{
    return !u->maker || p->moment[j].before[u->maker];
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

/* Does a node that first runs in stage j, or where `late` in a later one, read
   it? What is given out is read at the end. */
static bool
is_read(const Proof *p, const Thing *u, int64_t j, bool late)
{
    bool last = j + 1 == p->stages;

    if ((last || late) && step_is_output(&p->step, u->item))
        return true;
    for (size_t k = 0; k < vec_len(p->step.node); k++) {
        NodeId n = p->step.node[k];

        if (p->moment[j].behind[n] &&
            (last || late || n == p->moment[j + 1].node ||
             p->moment[j + 1].before[n]) &&
            reads(p, n, u->item))
            return true;
    }
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

static int64_t
read_stage(Proof *p)
{
    return number(p, p->stages - 1);
}

static Thing *
thing_at(Proof *p)
{
    int64_t i = number(p, (int64_t)vec_len(p->thing) - 1);

    return i < 0 ? NULL : &p->thing[i];
}

static bool
add_need(Proof *p, bool late)
{
    int64_t j = read_stage(p);
    Thing *u = thing_at(p);
    int64_t y = number(p, number_most);

    if (p->fault)
        return false;
    if (!is_made(p, u, j) || !is_read(p, u, j, late))
        return wrong(p, "a value is needed by nobody there");
    u->keep[j] += y;
    for (int64_t i = j; i < (late ? p->stages : j + 1); i++)
        u->again[i] += y;
    p->sum += y;
    return true;
}

static bool
add_in(Proof *p)
{
    int64_t j = read_stage(p), way, y;
    Thing *x = thing_at(p), *u;

    way = number(p, WAYS - 1);
    u = thing_at(p);
    y = number(p, number_most);
    if (p->fault)
        return false;
    if (!is_made(p, x, j) || !is_made(p, u, j) ||
        !made_from(p, x, (int)way, u))
        return wrong(p, "a value is not made from what is said");
    u->keep[j] += y;
    u->again[j] += y;
    x->made[j][way] += y;
    return true;
}

static bool
add_stay(Proof *p)
{
    int64_t j = number(p, p->stages - 2);
    Thing *u = thing_at(p);
    int64_t y = number(p, number_most);

    if (p->fault)
        return false;
    if (!is_made(p, u, j))
        return wrong(p, "a value stays that is not there yet");
    u->keep[j] += y;
    u->again[j] += y;
    u->keep[j + 1] -= y;
    return true;
}

static bool
add_room(Proof *p)
{
    int64_t j = read_stage(p), y = number(p, number_most);

    if (p->fault)
        return false;
    if (p->moment[j].room)
        return wrong(p, "a moment has room twice");
    p->moment[j].room = y;
    p->sum -= (Wide)y * p->moment[j].left;
    return true;
}

static bool
read_row(Proof *p)
{
    if (is_next(p, "need"))
        return add_need(p, false);
    if (is_next(p, "late"))
        return add_need(p, true);
    if (is_next(p, "in"))
        return add_in(p);
    if (is_next(p, "stay"))
        return add_stay(p);
    if (is_next(p, "room"))
        return add_room(p);
    return wrong(p, "a word is not understood");
}

/* ---- columns ------------------------------------------------------------- */

static bool
check_columns(Proof *p, const Thing *u, int j)
{
    Wide bytes = step_bytes(&p->step, u->item);

    if (reads(p, p->moment[j].node, u->item))
        bytes = 0; /* there in any case, and counted */
    if (u->keep[j] > p->moment[j].room * bytes)
        return wrong(p, "more is asked of a kept value than its bytes");
    for (int way = 0; way < WAYS; way++)
        if (u->cost[way] >= 0 &&
            u->again[j] - u->made[j][way] > (Wide)u->cost[way] * p->scale)
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

static bool
read_witness(Proof *p)
{
    if (!read_head(p, word(p)))
        return false;
    while (is_next(p, "at"))
        if (!read_moment(p))
            return false;
    if (p->stages == 0)
        return wrong(p, "it has no moment");
    while (is_next(p, "value"))
        if (!read_thing(p))
            return false;
    while (p->at[strspn(p->at, " ")])
        if (!read_row(p))
            return false;
    for (size_t i = 0; i < vec_len(p->thing); i++)
        for (int j = 0; j < p->stages; j++)
            if (!check_columns(p, &p->thing[i], j))
                return false;
    return true;
}

static int64_t
claimed(Proof *p, const char *key)
{
    const char *text = module_get(p->m, key);

    p->at = text ? text : "";
    return number(p, number_most);
}

const char *
check_time(Arena *a, const Module *m)
{
    Proof *p = NEW(a, Proof);
    const char *text = module_get(m, "time_witness");
    int64_t bound;

    if (!module_get(m, "time_bound") && !text)
        return NULL;
    p->arena = a;
    p->m = m;
    bound = claimed(p, "time_bound");
    p->budget = claimed(p, "budget");
    p->at = text ? text : "";
    if (!p->fault && read_witness(p) && p->sum < (Wide)bound * p->scale)
        (void)wrong(p, "the multipliers add up to less");
    return p->fault;
}
