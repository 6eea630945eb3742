/* check_moves: places as the text has them are all that counts. A transfer is
   under way from its position to that of its wait. */
#include "ir/check_moves.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Moves {
    Arena *arena;
    const Graph *g;
    NodeId *transfer; /* ValueId under way -> the transfer; 0: it is not */
    const char **fault;
} Moves;

static void fault(Moves *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
fault(Moves *c, const char *format, ...)
{
    Text t = text_new(c->arena);
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_add(&t, "%s: %s", c->g->name, text);
    vec_push(c->arena, c->fault, text_str(&t));
}

static Sym
name(const Moves *c, ValueId v)
{
    return value_at(c->g, v)->name;
}

/* In a space behind the first? What has no bytes is nowhere. */
static bool
is_elsewhere(const Moves *c, ValueId v)
{
    const Value *x = value_at(c->g, v);
    const Module *m = c->g->module;

    for (size_t i = 1; i < vec_len(m->space); i++)
        if (x->place.space == m->space[i].name)
            return type_bytes(&x->type) > 0;
    return false;
}

static bool
same_space(const Moves *c, ValueId v, Sym space)
{
    const Value *x = value_at(c->g, v);

    return type_bytes(&x->type) == 0 || x->place.space == space;
}

static void
begin(Moves *c, const Node *n)
{
    ValueId x = n->in[0], t = n->out[0];

    c->transfer[t] = value_at(c->g, t)->def;
    if (!same_space(c, t, n->attr[0].s))
        fault(c, "%%%s is not in %s, where its transfer goes", name(c, t),
              n->attr[0].s);
    if (type_bytes(&value_at(c->g, x)->type) &&
        is_elsewhere(c, x) == is_elsewhere(c, t))
        fault(c, "%%%s is moved to %s: not from or to %s", name(c, x),
              n->attr[0].s, c->g->module->space[0].name);
    if (c->transfer[x])
        fault(c, "%%%s is moved while it is under way", name(c, x));
}

static void
end(Moves *c, const Node *n)
{
    ValueId t = n->in[0];
    NodeId from = c->transfer[t];

    c->transfer[t] = 0;
    if (!from)
        fault(c, "%%%s waits for %%%s, which is not under way",
              name(c, n->out[0]), name(c, t));
    else if (node_at(c->g, from)->in[0] != n->in[1])
        fault(c, "%%%s waits for the transfer of %%%s, but says %%%s",
              name(c, n->out[0]), name(c, node_at(c->g, from)->in[0]),
              name(c, n->in[1]));
    if (value_at(c->g, n->out[0])->over != t)
        fault(c, "%%%s is not where %%%s has come", name(c, n->out[0]),
              name(c, t));
}

/* The place of a store? */
static bool
is_stored(const Moves *c, ValueId v)
{
    return value_at(c->g, graph_root(c->g, v))->kind == V_STORE;
}

/* Does the kernel find this operand, or result behind them, by its rows, where
   a store lies? What it reads so, gather's first operand, has its rows in
   front; what it writes so, scatter's third, gets its result. */
static bool
by_rows(const Moves *c, const Node *n, int i)
{
    bool sets = n->op == OP_scatter && n->nin >= 3 && n->nout >= 1 &&
                strcmp(node_text(n, "op"), "set") == 0 && !n->when;

    if (n->op != OP_gather && !sets)
        return false;
    if (node_int(n, "axis") != 0)
        return false;
    if (n->op == OP_gather)
        return i == 0 && is_stored(c, n->in[0]);
    return (i == 2 || i == n->nin) && is_stored(c, n->in[2]) &&
           value_at(c->g, n->out[0])->over == n->in[2];
}

static void
work(Moves *c, const Node *n)
{
    for (int i = 0; i < n->nin + n->nout; i++) {
        ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];

        if (c->transfer[v])
            fault(c, "%%%s is used while it is under way", name(c, v));
        else if (is_elsewhere(c, v) && !by_rows(c, n, i))
            fault(c, "%%%s is used in %s, where no kernel works", name(c, v),
                  value_at(c->g, v)->place.space);
    }
}

const char **
check_moves(Arena *a, const Graph *g)
{
    Moves c = {a, g, NEWN(a, NodeId, vec_len(g->value)), NULL};

    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        if (n->op == OP_transfer)
            begin(&c, n);
        else if (n->op == OP_wait)
            end(&c, n);
        else
            work(&c, n);
    }
    for (size_t i = 0; i < vec_len(g->output); i++)
        if (is_elsewhere(&c, g->output[i]))
            fault(&c, "the output %%%s is in another space",
                  name(&c, g->output[i]));
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (c.transfer[v])
            fault(&c, "nobody waits for %%%s", name(&c, v));
    return c.fault;
}

const char **
check_capacities(Arena *a, const Module *m)
{
    const char **faults = NULL;

    for (size_t i = 1; i < vec_len(m->space); i++) {
        const Space *s = &m->space[i];
        Text key = text_new(a), t = text_new(a);
        const char *claim;

        text_add(&key, "budget.%s", s->name);
        claim = module_get(m, text_str(&key));
        if (!claim || strtoll(claim, NULL, 10) >= s->size)
            continue;
        text_add(&t, "%" PRId64 " bytes in %s are more than the %s there are",
                 s->size, s->name, claim);
        vec_push(a, faults, text_str(&t));
    }
    return faults;
}
