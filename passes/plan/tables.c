/* tables: stores of which a step touches some rows get their home in another
   space, and kernels read and write those rows there. It stands in front of all
   that counts bytes, so a budget is planned without them. */
#include "ir/tables.h"

#include "ir/base/diag.h"
#include "ir/text.h"
#include "passes/pass.h"

#include <inttypes.h>
#include <string.h>

/* ---- why there is none --------------------------------------------------- */

/* The first that takes a store otherwise than by rows; node 0: an output. */
typedef struct Taker {
    const Graph *g;
    NodeId node;
    bool found;
} Taker;

static bool
is_of(const Graph *g, ValueId v, uint32_t store)
{
    return v && store_below(g, v) == store;
}

static bool
takes_whole(const Graph *g, const Node *n, uint32_t store)
{
    bool whole = is_of(g, n->when, store), rows = false;

    for (int i = 0; i < n->nin; i++)
        if (is_of(g, n->in[i], store)) {
            whole |= !works_in_place(g, n, i);
            rows |= works_in_place(g, n, i);
        }
    for (int i = 0; i < n->nout; i++)
        whole |= is_of(g, n->out[i], store) && !rows;
    return whole;
}

static Taker
taker_of(const Module *m, uint32_t store)
{
    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (size_t k = 0; k < vec_len(g->order); k++)
            if (takes_whole(g, node_at(g, g->order[k]), store))
                return (Taker){g, g->order[k], true};
        for (size_t k = 0; k < vec_len(g->output); k++)
            if (is_of(g, g->output[k], store))
                return (Taker){g, 0, true};
    }
    return (Taker){0};
}

/* Stores of which some node takes rows, the largest; 0: there is none. */
static uint32_t
largest_gathered(const Module *m)
{
    uint32_t largest = 0;
    int64_t most = 0;

    for (size_t i = 0; i < vec_len(m->entry); i++) {
        const Graph *g = m->entry[i];

        for (size_t k = 0; k < vec_len(g->order); k++) {
            const Node *n = node_at(g, g->order[k]);
            uint32_t s = n->nin && works_in_place(g, n, 0)
                             ? store_below(g, n->in[0])
                             : 0;

            if (!s || type_bytes(&m->store[s].type) <= most)
                continue;
            largest = s;
            most = type_bytes(&m->store[s].type);
        }
    }
    return largest;
}

static bool
is_update(const Taker *t)
{
    return t->node && node_at(t->g, t->node)->phase == 'u';
}

static const char *
taker_text(Arena *a, const Module *m, const Taker *t)
{
    const char *rule = module_get(m, "optimizer");
    Text s = text_new(a);
    const Node *n;

    if (!t->node) {
        text_add(&s, "it is an output of the entry %s", t->g->name);
        return text_str(&s);
    }
    n = node_at(t->g, t->node);
    if (is_update(t))
        text_add(&s, "it is trained, and its update (%.*s) takes every row",
                 rule ? (int)strcspn(rule, " ") : 4, rule ? rule : "none");
    else
        text_add(&s, "'%s' (%s) of the entry %s takes all of it",
                 n->source ? n->source : value_at(t->g, n->out[0])->name,
                 op_info(n->op)->name, t->g->name);
    return text_str(&s);
}

static _Noreturn void
refuse(const PassRun *r)
{
    const Module *m = r->m;
    uint32_t s = largest_gathered(m);
    Taker t = taker_of(m, s);
    const char *bytes =
        s ? format_bytes(r->scratch, type_bytes(&m->store[s].type)) : "";

    if (!s)
        raise_status(ST_USAGE, (Loc){.file = m->file},
                     "tables: the model takes rows of no weight or constant, "
                     "so nothing can be read where it lies\nhint: `tier "
                     "class=param` keeps whole weights elsewhere");
    if (!t.found)
        raise_status(ST_USAGE, (Loc){.file = m->file},
                     "tables: %%%s, %s, is the largest table, and smaller "
                     "than the least to be sent away\nhint: --set "
                     "tables.least=%" PRId64 " sends it",
                     m->store[s].name, bytes, type_bytes(&m->store[s].type));
    raise_status(ST_USAGE, (Loc){.file = m->file},
                 "tables: nothing can be read where it lies: of %%%s, %s, rows "
                 "are taken, but %s\nhint: %s",
                 m->store[s].name, bytes, taker_text(r->scratch, m, &t),
                 is_update(&t) ? "adagrad, sgd with mu=0 and rules like them "
                                 "leave the rows that a step does not name "
                                 "(docs/passes.md, sparse)"
                               : "`tier class=param` keeps whole weights "
                                 "elsewhere");
}

/* ---- homes --------------------------------------------------------------- */

static Sym
asked_for(const PassRun *r)
{
    const char *to = opt_text(r, "to");

    if (strcmp(to, "host") != 0 && strcmp(to, "disk") != 0)
        raise_status(ST_USAGE, NOWHERE, "tables: to=%s\nit is host or disk",
                     to);
    return sym(r->m->syms, to);
}

static int
settle(PassRun *r, Sym space)
{
    Module *m = r->m;
    const bool *table = find_tables(r->scratch, m);
    int64_t least = opt_bytes(r, "least");
    int count = 0;

    for (size_t i = 1; i < vec_len(m->store); i++) {
        Store *s = &m->store[i];

        if (!table[i] || type_bytes(&s->type) < least)
            continue;
        count++;
        if (!s->place.space)
            s->place = (Place){space, 0};
    }
    return count;
}

void
pass_tables(PassRun *r)
{
    int count;

    if (!*opt_text(r, "to"))
        return;
    count = settle(r, asked_for(r));
    log_line("tables", "%d tables are read where they lie", count);
    if (!count)
        refuse(r);
}
