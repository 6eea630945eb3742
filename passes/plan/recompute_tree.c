/* recompute_tree: the tree becomes a list of moves (hold, let go, the backward
   part of a block), and the runs behind the forward part are walked in their
   order: in front of the first that reads a block, the moves as far as that
   block are made. Whatever is read then and is not there is made again, from
   what is there, and stays for this block. */
#include "passes/plan/recompute_tree.h"

#include <math.h>

typedef enum MoveKind { HOLD, LET_GO, BACK } MoveKind;

typedef struct Move {
    MoveKind kind;
    bool first;      /* as the forward part made it */
    int block;       /* BACK */
    const int *item; /* vector */
} Move;

typedef struct Writer {
    Arena *a;
    Course *c;
    const Blocks *b;
    Move *move;     /* vector */
    size_t done;    /* moves */
    int block;      /* whose backward part runs */
    int *there;     /* item -> the version held; -1 */
    int *made;      /* item -> the version made for this block; -1 */
    int *last;      /* item -> the version made last */
    int *here;      /* vector: items with made[] */
    double *cost;   /* item -> seconds to make it */
    int *asked;     /* item -> the question in which that holds */
    int question, at; /* at: where in the order */
    bool failed;
} Writer;

/* ---- moves --------------------------------------------------------------- */

static void
add_move(Writer *w, MoveKind kind, bool first, const int *item)
{
    vec_push(w->a, w->move, (Move){kind, first, 0, item});
}

static void
add_back(Writer *w, int block)
{
    vec_push(w->a, w->move, (Move){BACK, false, block, NULL});
}

static void
add_moves(Writer *w, const Tree *t, bool first)
{
    const int *edge;

    if (t->left) {
        edge = w->b->block[t->left->to - 1].edge;
        add_move(w, HOLD, first, edge);
        add_moves(w, t->right, first);
        add_move(w, LET_GO, first, edge);
        add_moves(w, t->left, false);
        return;
    }
    edge = w->b->block[t->from].edge;
    add_move(w, HOLD, first, t->keep);
    if (t->right) {
        add_move(w, HOLD, first, edge);
        add_moves(w, t->right, first);
    }
    add_back(w, t->from);
    add_move(w, LET_GO, first, t->keep);
    if (t->right)
        add_move(w, LET_GO, first, edge);
}

/* ---- making again -------------------------------------------------------- */

/* The version that is there; -1: none. */
static int
version_of(const Writer *w, int item)
{
    if (w->b->made_in[item] < 0)
        return item;
    return w->there[item] >= 0 ? w->there[item] : w->made[item];
}

static double
cost_of(Writer *w, int item, int *best)
{
    const int *recipes = w->c->of->recipes[item];
    double least = HUGE_VAL;

    if (version_of(w, item) >= 0)
        return 0;
    if (w->asked[item] == w->question && !best)
        return w->cost[item];
    for (size_t i = 0; i < vec_len(recipes); i++) {
        const Recipe *r = &w->c->of->recipe[recipes[i]];
        double seconds = r->seconds;

        for (size_t k = 0; k < vec_len(r->in); k++)
            seconds += cost_of(w, r->in[k], NULL);
        if (seconds < least) {
            least = seconds;
            if (best)
                *best = recipes[i];
        }
    }
    w->asked[item] = w->question;
    w->cost[item] = least;
    return least;
}

static int
make(Writer *w, int item)
{
    int version = version_of(w, item), best = -1, *in;
    const Recipe *r;

    if (version >= 0 || w->failed)
        return version;
    w->question++;
    (void)cost_of(w, item, &best);
    if (best < 0) {
        w->failed = true;
        return -1;
    }
    r = &w->c->of->recipe[best];
    in = NEWN(w->a, int, vec_len(r->in) + 1);
    for (size_t k = 0; k < vec_len(r->in); k++)
        in[k] = make(w, r->in[k]);
    version = w->failed ? -1 : course_again(w->c, best, in, w->at);
    w->failed |= version < 0;
    w->at += version >= 0;
    w->made[item] = w->last[item] = version;
    vec_push(w->a, w->here, item);
    return version;
}

/* What was made for a block is not looked for behind it. */
static void
forget(Writer *w)
{
    for (size_t i = 0; i < vec_len(w->here); i++)
        w->made[w->here[i]] = -1;
    vec_clear(w->here);
}

static void
do_move(Writer *w, const Move *m)
{
    for (size_t i = 0; i < vec_len(m->item); i++) {
        int item = m->item[i];

        if (m->kind == LET_GO)
            w->there[item] = -1;
        else
            w->there[item] = m->first ? item : make(w, item);
    }
    if (m->kind == BACK) {
        w->block = m->block;
        forget(w);
    }
}

/* ---- the runs behind the forward part ------------------------------------ */

/* What belongs to blocks whose backward part is over is read as it was. */
static void
supply(Writer *w, int run)
{
    const Run r = w->c->run[run];

    for (int t = 0; t < r.ins && !w->failed; t++) {
        int item = w->c->touch[r.in + t], version;

        if (item >= w->c->of->items || w->b->made_in[item] < 0)
            continue;
        version = version_of(w, item);
        if (version < 0)
            version = w->b->used_in[item] > w->block ? w->last[item]
                                                     : make(w, item);
        if (version >= 0)
            w->c->touch[r.in + t] = version;
    }
}

static void
walk(Writer *w, const Profile *p)
{
    const CourseOf *of = w->c->of;
    const int *begin = blocks_begin(w->a, w->b, w->c, p);

    for (int k = 0; k < p->length && !w->failed; k++) {
        int run = p->run[k];
        bool floats = run < of->runs && of->floating[run];

        if (run < w->b->forward) {
            w->at += !floats;
            continue;
        }
        while (w->block > 0 && k >= begin[w->block - 1])
            do_move(w, &w->move[w->done++]);
        supply(w, run);
        w->at += !floats;
    }
}

bool
tree_write(Arena *scratch, Course *c, const Blocks *b, const Tree *tree)
{
    int items = c->of->items;
    Writer w = {.a = scratch, .c = c, .b = b, .block = b->count};
    Profile *p = profile_new(scratch, c);

    w.there = NEWN(scratch, int, items + 1);
    w.made = NEWN(scratch, int, items + 1);
    w.last = NEWN(scratch, int, items + 1);
    w.cost = NEWN(scratch, double, items + 1);
    w.asked = NEWN(scratch, int, items + 1);
    for (int i = 0; i < items; i++) {
        w.there[i] = w.made[i] = -1;
        w.last[i] = i;
    }
    add_moves(&w, tree, true);
    profile_find(c, p);
    walk(&w, p);
    return !w.failed;
}
