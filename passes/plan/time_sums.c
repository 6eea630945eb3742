/* time_sums: a sum goes on where a product or a scatter begins from it. It is
   never made again (course_build.c): its bytes are written over. */
#include "passes/plan/time_sums.h"

/* A value of a sum, and what comes next. */
typedef struct Link {
    ValueId value;
    int item;
    int maker;     /* a run */
    int *reader;   /* vector of runs */
    int next;      /* link; -1: the sum ends */
} Link;

/* A product or scatter that adds an item to a sum. */
typedef struct Added {
    int item, link;
} Added;

struct Sums {
    const CourseOf *of;
    Link *link;   /* vector */
    Added *added; /* vector */
};

typedef struct Finder {
    Arena *a;
    Sums *s;
    int *run_of;  /* node -> run, -1 */
    int *link_of; /* value -> link, -1 */
} Finder;

/* What the sums of a node begin from; 0: from nothing. */
static ValueId
begins_from(const Graph *g, const Node *n)
{
    if ((n->op != OP_contract && n->op != OP_scatter) || n->nin < 3 ||
        !n->in[2])
        return 0;
    return graph_shown(g, n->in[2]);
}

static int
item_of(const CourseOf *of, ValueId v)
{
    ValueId root = graph_root(of->g, graph_shown(of->g, v));

    for (int i = 0; i < of->items; i++)
        if (of->first_item[i].value == root)
            return i;
    return -1;
}

static int
add_link(Finder *f, ValueId v)
{
    const Graph *g = f->s->of->g;
    int maker = f->run_of[value_at(g, v)->def];

    if (f->link_of[v] < 0 && maker >= 0) {
        f->link_of[v] = (int)vec_len(f->s->link);
        vec_push(f->a, f->s->link,
                 (Link){v, item_of(f->s->of, v), maker, NULL, -1});
    }
    return f->link_of[v];
}

/* Behind each sum that goes on, the next. */
static void
find_links(Finder *f)
{
    const CourseOf *of = f->s->of;

    for (int r = 0; r < of->runs; r++) {
        const Node *n = node_at(of->g, of->first_run[r].node);
        ValueId from = begins_from(of->g, n);
        int link, next;

        if (!from)
            continue;
        link = add_link(f, from);
        next = add_link(f, n->out[0]);
        if (link >= 0)
            f->s->link[link].next = next;
    }
}

static void
find_readers(Finder *f)
{
    const CourseOf *of = f->s->of;

    for (int r = 0; r < of->runs; r++) {
        const Node *n = node_at(of->g, of->first_run[r].node);

        for (int i = 0; i < n->nin; i++) {
            int link = n->in[i] ? f->link_of[graph_shown(of->g, n->in[i])] : -1;

            if (link >= 0)
                vec_push(f->a, f->s->link[link].reader, r);
        }
    }
}

static bool
is_sum(const Finder *f, int item)
{
    return f->link_of[f->s->of->first_item[item].value] >= 0;
}

static void
find_added(Finder *f)
{
    const CourseOf *of = f->s->of;

    for (size_t i = 0; i < vec_len(f->s->link); i++) {
        const Run *r = &of->first_run[f->s->link[i].maker];

        for (int t = 0; t < r->ins; t++)
            if (!is_sum(f, of->first_touch[r->in + t]))
                vec_push(f->a, f->s->added,
                         (Added){of->first_touch[r->in + t], (int)i});
    }
}

Sums *
sums_find(Arena *a, const CourseOf *of)
{
    Finder f = {.a = a, .s = NEW(a, Sums)};
    size_t nodes = vec_len(of->g->node), values = vec_len(of->g->value);

    f.s->of = of;
    f.run_of = NEWN(a, int, nodes + 1);
    f.link_of = NEWN(a, int, values + 1);
    for (size_t n = 0; n < nodes; n++)
        f.run_of[n] = -1;
    for (size_t v = 0; v < values; v++)
        f.link_of[v] = -1;
    for (int r = 0; r < of->runs; r++)
        f.run_of[of->first_run[r].node] = r;
    find_links(&f);
    find_readers(&f);
    find_added(&f);
    return f.s;
}

/* ---- at a moment --------------------------------------------------------- */

static bool
is_read_behind(const Moment *m, const Link *l)
{
    for (size_t i = 0; i < vec_len(l->reader); i++)
        if (m->behind[l->reader[i]])
            return true;
    return false;
}

/* From what is added to what is read behind; false: nothing is. */
static bool
follow(Arena *a, const Sums *s, const Moment *m, int link, SumPath *p)
{
    for (int at = link; at >= 0; at = s->link[at].next) {
        const Link *l = &s->link[at];

        if (m->before[l->maker] || m->behind[l->maker] || l->maker == m->run ||
            l->item < 0)
            return false;
        vec_push(a, p->value, l->value);
        vec_push(a, p->sum, l->item);
        if (is_read_behind(m, l))
            return true;
    }
    return false;
}

SumPath *
sums_paths(Arena *a, const Sums *s, const Moment *m)
{
    SumPath *list = NULL;

    for (size_t i = 0; i < vec_len(s->added); i++) {
        const Added *x = &s->added[i];
        SumPath p = {.item = x->item};

        if (s->of->first_item[x->item].bytes < m->least ||
            m->needed[x->item] || moment_reads(m, x->item) ||
            !moment_made(m, x->item))
            continue;
        if (follow(a, s, m, x->link, &p))
            vec_push(a, list, p);
    }
    return list;
}
