/* fuse_worth: what joining two clusters saves in bytes moved through memory,
   and a heap of pairs by it. */
#include "passes/memory/fuse.h"

#include <string.h>

static int64_t
bytes_of(const Fuse *f, ValueId v)
{
    return type_bytes(&value_at(f->g, v)->type);
}

static bool
made_by(const Fuse *f, const Cluster *c, ValueId v)
{
    NodeId def = value_at(f->g, v)->def;

    return def && f->of[def] == c;
}

/* Must v be written even if p and m are one? */
static bool
comes_out(const Fuse *f, const Cluster *p, const Cluster *m, ValueId v)
{
    const Facts *uses = f->facts;

    if (fuse_final(f, v))
        return true;
    for (uint32_t u = uses->use_of[v]; u < uses->use_of[v + 1]; u++) {
        NodeId user = uses->use[u].node;

        if (!user || (f->of[user] != m && f->of[user] != p))
            return true;
    }
    return false;
}

/* Marks what c reads from outside with the round. */
static void
mark_read(Fuse *f, const Cluster *c)
{
    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(f->g, c->member[i]);

        for (int k = 0; k < n->nin; k++)
            if (!made_by(f, c, n->in[k]))
                f->mark[n->in[k]] = f->round;
    }
}

int64_t
fuse_saved(Fuse *f, const Cluster *p, const Cluster *m)
{
    uint32_t common = ++f->round, seen = ++f->round;
    int64_t saved = 0;

    f->round = common;
    mark_read(f, p);
    f->round = seen;
    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        for (int k = 0; k < n->nin; k++) {
            ValueId v = n->in[k];
            bool shared = f->mark[v] == common;

            if (f->mark[v] == seen || made_by(f, m, v))
                continue;
            f->mark[v] = seen;
            if (made_by(f, p, v))
                saved += bytes_of(f, v) * (comes_out(f, p, m, v) ? 1 : 2);
            else if (shared)
                saved += bytes_of(f, v);
        }
    }
    return saved;
}

int64_t
fuse_saved_by(Fuse *f, const Cluster *c)
{
    uint32_t seen = ++f->round;
    int64_t saved = 0;

    for (size_t i = 0; i < vec_len(c->member); i++) {
        const Node *n = node_at(f->g, c->member[i]);

        for (int k = 0; k < n->nin; k++) {
            if (made_by(f, c, n->in[k]) || f->mark[n->in[k]] == seen)
                saved += bytes_of(f, n->in[k]);
            f->mark[n->in[k]] = seen;
        }
        for (int r = 0; r < n->nout; r++)
            if (!comes_out(f, c, c, n->out[r]))
                saved += bytes_of(f, n->out[r]);
    }
    return saved;
}

/* Does m read nothing of p but numbers of whole rows? They cost nothing to
   read, but keep apart what belongs together. */
static bool
linked_by_rows(const Fuse *f, const Cluster *p, const Cluster *m)
{
    const Shape *rows = p->shape.kind == CK_ROWS ? &p->shape : &m->shape;
    Type row = shape_row(rows);

    if (rows->kind != CK_ROWS || p->shape.kind == CK_TAIL ||
        m->shape.kind == CK_TAIL)
        return false;
    for (size_t i = 0; i < vec_len(m->member); i++) {
        const Node *n = node_at(f->g, m->member[i]);

        if (n->phase == 'u')
            return false;
        for (int k = 0; k < n->nin; k++)
            if (made_by(f, p, n->in[k]) &&
                type_elements(&value_at(f->g, n->in[k])->type) !=
                    type_elements(&row))
                return false;
    }
    return true;
}

static int64_t
worth(Fuse *f, const Cluster *p, const Cluster *m)
{
    return linked_by_rows(f, p, m) ? INT64_MAX : fuse_saved(f, p, m);
}

/* ---- the heap ------------------------------------------------------------ */

static bool
better(const Fuse *f, const Pair *a, const Pair *b)
{
    const int *position = f->facts->position;

    if (a->worth != b->worth)
        return a->worth > b->worth;
    if (a->m != b->m)
        return position[a->m] < position[b->m];
    return position[a->p] > position[b->p];
}

static void
swap(Pair *a, Pair *b)
{
    Pair c = *a;

    *a = *b;
    *b = c;
}

static void
push(Fuse *f, Pair pair)
{
    size_t i = vec_len(f->heap);

    vec_push(f->scratch, f->heap, pair);
    while (i && better(f, &f->heap[i], &f->heap[(i - 1) / 2])) {
        swap(&f->heap[i], &f->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static Pair
pop(Fuse *f)
{
    Pair top = f->heap[0], last = vec_pop(f->heap);
    size_t n = vec_len(f->heap), i = 0, k;

    if (!n)
        return top;
    f->heap[0] = last;
    while ((k = 2 * i + 1) < n) {
        if (k + 1 < n && better(f, &f->heap[k + 1], &f->heap[k]))
            k++;
        if (!better(f, &f->heap[k], &f->heap[i]))
            break;
        swap(&f->heap[k], &f->heap[i]);
        i = k;
    }
    return top;
}

static void
push_pair(Fuse *f, NodeId p, NodeId m)
{
    const Cluster *a = f->of[p], *b = f->of[m];

    if (a != b && a->position < b->position &&
        join_shapes(&a->shape, &b->shape).kind != CK_ALONE)
        push(f, (Pair){worth(f, a, b), p, m});
}

static bool
goes_beside(const Fuse *f, NodeId n)
{
    ClusterKind kind = f->of[n]->shape.kind;

    return kind == CK_TAIL || kind == CK_ROWS ||
           (kind == CK_MAP && node_at(f->g, n)->phase == 'u');
}

/* Reductions, of rows only with others over the rows, or maps of updates: one
   kernel reads for both. */
static bool
go_beside(const Fuse *f, NodeId a, NodeId b)
{
    ClusterKind x = f->of[a]->shape.kind, y = f->of[b]->shape.kind;

    return goes_beside(f, a) && goes_beside(f, b) &&
           (x == CK_ROWS) + (y == CK_ROWS) < 2 &&
           (x == CK_TAIL || y == CK_TAIL || x == y);
}

/* Those that read what node n reads at every point. */
static void
push_beside(Fuse *f, NodeId n, ValueId v)
{
    enum { READERS = 16 };
    const Facts *uses = f->facts;

    if (use_count(uses, v) > READERS || !goes_beside(f, n) ||
        bytes_of(f, v) < bytes_of(f, node_at(f->g, n)->out[0]))
        return;
    for (uint32_t u = uses->use_of[v]; u < uses->use_of[v + 1]; u++) {
        NodeId other = uses->use[u].node;

        if (!other || !go_beside(f, n, other))
            continue;
        push_pair(f, other, n);
        push_pair(f, n, other);
    }
}

void
fuse_push_all(Fuse *f, const Cluster *c)
{
    const Facts *uses = f->facts;

    for (size_t i = 0; i < vec_len(c->member); i++) {
        NodeId m = c->member[i];
        const Node *n = node_at(f->g, m);

        for (int k = 0; k < n->nin; k++) {
            NodeId def = value_at(f->g, n->in[k])->def;

            if (def)
                push_pair(f, def, m);
            push_beside(f, m, n->in[k]);
        }
        for (int r = 0; r < n->nout; r++)
            for (uint32_t u = uses->use_of[n->out[r]];
                 u < uses->use_of[n->out[r] + 1]; u++)
                if (uses->use[u].node)
                    push_pair(f, m, uses->use[u].node);
    }
}

/* What a pair was worth when it was pushed may be out of date. */
bool
fuse_pop(Fuse *f, Pair *best)
{
    while (vec_len(f->heap)) {
        const Cluster *p, *m;
        int64_t now;

        *best = pop(f);
        p = f->of[best->p];
        m = f->of[best->m];
        if (p == m || p->position >= m->position)
            continue;
        now = worth(f, p, m);
        if (now >= best->worth)
            return true;
        best->worth = now;
        push(f, *best);
    }
    return false;
}
