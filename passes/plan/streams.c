/* streams: the uses of a store that follow each other quickly are one visit;
   one that writes goes on to the last use, and what it wrote goes home. */
#include "passes/plan/streams.h"

#include "ir/facts.h"
#include "ir/tables.h"
#include "ir/timeline.h"
#include "passes/plan/stand_in.h"

/* ---- homes --------------------------------------------------------------- */

static bool
is_of(const Stream *s, const Graph *g, ValueId root)
{
    const Value *v = value_at(g, root);

    return v->kind == V_STORE && g->module->store[v->store].kind == s->kind;
}

/* Stores of the entry that must be at hand: outputs, and what is written over
   a view. */
static void
find_settled(const Stream *s, Graph *g, bool *stays)
{
    const Facts *f = facts(g);

    for (size_t i = 0; i < vec_len(g->output); i++) {
        ValueId root = f->buffer[f->buffer_of[g->output[i]]].root;

        if (is_of(s, g, root))
            stays[value_at(g, root)->store] = true;
    }
    for (ValueId v = 1; v < vec_len(g->value); v++) {
        ValueId root = f->buffer[f->buffer_of[v]].root;

        if (root && value_at(g, v)->over &&
            graph_is_view(g, value_at(g, v)->over) && is_of(s, g, root))
            stays[value_at(g, root)->store] = true;
    }
}

int
streams_settle(Arena *scratch, Module *m, const Stream *s)
{
    bool *stays = NEWN(scratch, bool, vec_len(m->store));
    int count = 0;

    for (size_t i = 0; i < vec_len(m->entry); i++)
        find_settled(s, m->entry[i], stays);
    for (size_t i = 1; i < vec_len(m->store); i++) {
        Store *x = &m->store[i];

        if (x->kind != s->kind || stays[i] || x->place.space ||
            type_bytes(&x->type) == 0)
            continue;
        x->place = (Place){s->space, 0};
        count++;
    }
    for (size_t i = 0; i < vec_len(m->entry); i++)
        graph_touch(m->entry[i]);
    return count;
}

/* ---- visits -------------------------------------------------------------- */

typedef struct Visit {
    ValueId store;   /* as the entry reads it */
    ValueId content; /* that goes home; 0: nothing was written */
    int first, last; /* the uses */
    int fetch, gone; /* what happens before which position */
    ValueId moving, here;
} Visit;

typedef struct Streaming {
    Arena *arena;
    Graph *g;
    const Stream *s;
    const bool *table; /* store -> it is read and written where it lies */
    double *begin;
    Visit *visit; /* vector, in the order of `first` */
    int *latest;  /* ValueId of a store -> its latest visit, -1: none */
} Streaming;

static bool
may_go_between(const Streaming *x, const Visit *v, int next, double trip)
{
    return !v->content && x->begin[next] - x->begin[v->last + 1] > trip;
}

static void
use(Streaming *x, ValueId store, int k, ValueId written, double trip)
{
    int latest = x->latest[store];

    if (latest < 0 || may_go_between(x, &x->visit[latest], k, trip)) {
        x->latest[store] = latest = (int)vec_len(x->visit);
        vec_push(x->arena, x->visit, (Visit){.store = store, .first = k});
    }
    x->visit[latest].last = k;
    if (written)
        x->visit[latest].content = written;
}

static void
find_visits(Streaming *x, const Machine *machine)
{
    Graph *g = x->g;
    const Facts *f = facts(g);
    Link l = link_to(machine, x->s->space);

    for (int k = 0; k < (int)vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin + n->nout; i++) {
            ValueId v = i < n->nin ? n->in[i] : n->out[i - n->nin];
            const Buffer *b = &f->buffer[f->buffer_of[v]];

            if (b->space != x->s->space || !is_of(x->s, g, b->root) ||
                node_is_view(n) || x->table[value_at(g, b->root)->store])
                continue;
            use(x, b->root, k, i < n->nin ? 0 : v,
                2 * link_seconds(l.back, b->bytes));
        }
    }
}

/* Positions at which visits begin, each once. */
static int *
begins(const Streaming *x)
{
    int *at = NULL;

    for (size_t i = 0; i < vec_len(x->visit); i++)
        if (!at || at[vec_len(at) - 1] != x->visit[i].first)
            vec_push(x->arena, at, x->visit[i].first);
    return at;
}

/* What is needed at a position begins to come when what is needed `window`
   positions before is there, and has gone home when that so many behind is. */
static void
plan_visits(Streaming *x)
{
    int *at = begins(x), count = (int)vec_len(at), window = x->s->window;
    int k = 0, end = (int)vec_len(x->g->order);

    for (size_t i = 0; i < vec_len(x->visit); i++) {
        Visit *v = &x->visit[i];

        while (at[k] != v->first)
            k++;
        v->fetch = k < window ? 0 : at[k - window];
        v->gone = k + window + 1 < count ? at[k + window + 1] : end;
        if (v->gone <= v->last)
            v->gone = v->last + 1;
        for (size_t j = 0; j < i; j++) /* not before it was let go of */
            if (x->visit[j].store == v->store && v->fetch <= x->visit[j].last)
                v->fetch = x->visit[j].last + 1;
    }
}

/* ---- writing ------------------------------------------------------------- */

static void
begin_visits(Streaming *x, StandIn *w, int k)
{
    for (size_t i = 0; i < vec_len(x->visit); i++) {
        Visit *v = &x->visit[i];

        if (v->fetch == k)
            v->moving = stand_in_move(w, v->store, 0,
                                      module_arena(x->g->module), v->store,
                                      "comes");
    }
    for (size_t i = 0; i < vec_len(x->visit); i++) {
        Visit *v = &x->visit[i];

        if (v->first != k)
            continue;
        v->here = stand_in_wait(w, v->moving, v->store, v->store, "here");
        w->now[v->store] = v->here;
    }
}

static void
end_visits(Streaming *x, StandIn *w, int k)
{
    for (size_t i = 0; i < vec_len(x->visit); i++) {
        Visit *v = &x->visit[i];

        if (v->content && v->last + 1 == k)
            v->moving = stand_in_move(w, v->content, v->store, x->s->space,
                                      v->store, "goes");
    }
    for (size_t i = 0; i < vec_len(x->visit); i++) {
        Visit *v = &x->visit[i];

        if (v->content && v->gone == k)
            (void)stand_in_wait(w, v->moving, v->content, v->store, "home");
    }
}

/* A view of what is away is not made: its readers make their own. */
static bool
is_view_of_stream(const Streaming *x, const Facts *f, const Node *n)
{
    const Buffer *b = &f->buffer[f->buffer_of[n->out[0]]];

    return node_is_view(n) && b->space == x->s->space &&
           is_of(x->s, x->g, b->root);
}

void
streams_write(Arena *scratch, Graph *g, const Machine *machine,
              const Stream *s)
{
    Streaming x = {.arena = scratch,
                   .g = g,
                   .s = s,
                   .table = find_tables(scratch, g->module)};
    const Facts *f = facts(g);
    int steps = (int)vec_len(g->order);
    StandIn w;

    x.begin = timeline_of(scratch, g, machine, true).begin;
    x.latest = NEWN(scratch, int, vec_len(g->value));
    for (size_t v = 0; v < vec_len(g->value); v++)
        x.latest[v] = -1;
    find_visits(&x, machine);
    plan_visits(&x);
    w = stand_in_new(scratch, g);
    for (int k = 0; k <= steps; k++) {
        end_visits(&x, &w, k);
        if (k == steps)
            break;
        begin_visits(&x, &w, k);
        if (!is_view_of_stream(&x, f, node_at(g, g->order[k])))
            stand_in_node(&w, g->order[k]);
    }
    stand_in_done(&w);
}
