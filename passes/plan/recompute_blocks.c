/* recompute_blocks: a cut lies where at most one large value (two, where one is
   too few) is read across it by the forward part itself. What is read very far
   behind, as a skip over many blocks, is held in any case. The ways to hold a
   block come from letting go of one value after the other, the most bytes for a
   second of making again first. */
#include "passes/plan/recompute_blocks.h"

#include <math.h>

/* What is that much smaller than others is not counted as crossing, or always
   held; what spans such a share of the forward part is a skip. */
enum { SMALL = 8, TINY = 128, FAR = 4, BLOCKS_FEW = 4, CROSSING_MOST = 2 };

typedef struct Finder {
    Arena *a;
    const CourseOf *of;
    Blocks *b;
    bool *way;  /* run of the forward part -> the loss hangs on it */
    int *last;  /* item -> its last reader on that way; -1 */
    bool *back; /* item -> others read it */
} Finder;

/* ---- the forward part ---------------------------------------------------- */

static char
phase_of(const CourseOf *of, int run)
{
    return node_at(of->g, of->first_run[run].node)->phase;
}

static bool
reads_forward(const CourseOf *of, int run)
{
    const Run *r = &of->first_run[run];

    for (int t = 0; t < r->ins; t++) {
        int maker = of->first_item[of->first_touch[r->in + t]].maker;

        if (maker >= 0 && phase_of(of, maker) == 'f')
            return true;
    }
    return false;
}

/* The first run of the backward part that hangs on the forward part. */
static int
forward_runs(const CourseOf *of)
{
    int r = 0;

    while (r < of->runs &&
           (phase_of(of, r) == 'f' || !reads_forward(of, r)))
        r++;
    return r;
}

static void
mark_way(Finder *f, int run)
{
    const Run *r = &f->of->first_run[run];

    for (int t = 0; t < r->ins; t++) {
        int maker = f->of->first_item[f->of->first_touch[r->in + t]].maker;

        if (maker >= 0 && maker < f->b->forward)
            f->way[maker] = true;
    }
}

/* What only the backward part asks for may run late. */
static void
find_way(Finder *f)
{
    f->way = NEWN(f->a, bool, f->of->runs + 1);
    if (f->b->forward < f->of->runs)
        mark_way(f, f->b->forward);
    for (int r = f->b->forward; r-- > 0;)
        if (f->way[r])
            mark_way(f, r);
}

static void
find_readers(Finder *f)
{
    const CourseOf *of = f->of;

    for (int i = 0; i < of->items; i++)
        f->last[i] = -1;
    for (int r = 0; r < of->runs; r++)
        for (int t = 0; t < of->first_run[r].ins; t++) {
            int i = of->first_touch[of->first_run[r].in + t];

            if (r < f->b->forward && f->way[r])
                f->last[i] = r;
            else
                f->back[i] = true;
        }
}

/* ---- cuts ---------------------------------------------------------------- */

static bool
is_counted(const Finder *f, int item, int64_t least)
{
    const Item *x = &f->of->first_item[item];

    return x->maker >= 0 && x->maker < f->b->forward &&
           f->last[item] > x->maker && x->bytes >= least &&
           (f->last[item] - x->maker) * FAR < f->b->forward;
}

/* Of the values of the forward part that others read. */
static int64_t
mean_bytes(const Finder *f)
{
    int64_t bytes = 0, count = 1;

    for (int i = 0; i < f->of->items; i++) {
        const Item *x = &f->of->first_item[i];

        if (x->maker < 0 || x->maker >= f->b->forward || !f->back[i])
            continue;
        bytes += x->bytes;
        count++;
    }
    return bytes / count;
}

/* Run -> how many values are read across the cut behind it. */
static int *
find_crossing(const Finder *f)
{
    int64_t least = mean_bytes(f) / SMALL;
    int *crossing = NEWN(f->a, int, f->b->forward + 2);

    for (int i = 0; i < f->of->items; i++)
        if (is_counted(f, i, least)) {
            crossing[f->of->first_item[i].maker]++;
            crossing[f->last[i]]--;
        }
    for (int r = 1; r < f->b->forward; r++)
        crossing[r] += crossing[r - 1];
    return crossing;
}

/* A vector of the runs in front of cuts, the last run among them. */
static int *
find_cuts(const Finder *f)
{
    int *crossing = find_crossing(f), *cut = NULL;

    for (int most = 1; most <= CROSSING_MOST; most++) {
        cut = NULL;
        for (int r = 0; r < f->b->forward; r++)
            if (r + 1 == f->b->forward ||
                (crossing[r] > 0 && crossing[r] <= most))
                vec_push(f->a, cut, r);
        if (vec_len(cut) >= BLOCKS_FEW)
            break;
    }
    return cut;
}

/* The same, only where less than two thirds of what crosses on average does: as
   between the steps of an unrolled loop. */
static int *
find_necks(const Finder *f)
{
    int64_t *bytes = NEWN(f->a, int64_t, f->b->forward + 2), sum = 0;
    int *cut = NULL;

    for (int i = 0; i < f->of->items; i++)
        if (is_counted(f, i, 1)) {
            bytes[f->of->first_item[i].maker] += f->of->first_item[i].bytes;
            bytes[f->last[i]] -= f->of->first_item[i].bytes;
        }
    for (int r = 1; r < f->b->forward; r++)
        bytes[r] += bytes[r - 1];
    for (int r = 0; r < f->b->forward; r++)
        sum += bytes[r];
    for (int r = 0; r < f->b->forward; r++)
        if (r + 1 == f->b->forward ||
            (bytes[r] > 0 && 3 * bytes[r] < 2 * (sum / f->b->forward)))
            vec_push(f->a, cut, r);
    return cut;
}

static int *
join_blocks(Arena *a, const int *cut, int join)
{
    size_t count = vec_len(cut);
    int *few = NULL;

    for (size_t i = 0; i < count; i++)
        if ((i + 1) % (size_t)join == 0 || i + 1 == count)
            vec_push(a, few, cut[i]);
    return few;
}

/* ---- blocks -------------------------------------------------------------- */

static int64_t
run_bytes(const CourseOf *of, int run)
{
    const Run *r = &of->first_run[run];
    int64_t bytes = r->aside;

    for (int t = 0; t < r->ins; t++)
        bytes += of->first_item[of->first_touch[r->in + t]].bytes;
    for (int t = 0; t < r->outs; t++)
        bytes += of->first_item[of->first_touch[r->out + t]].bytes;
    return bytes;
}

static void
add_item(Finder *f, int *block_of, int item)
{
    const Item *x = &f->of->first_item[item];
    int k = block_of[x->maker];
    Block *block = &f->b->block[k];
    bool edge = f->last[item] >= 0 && block_of[f->last[item]] > k;

    f->b->made_in[item] = k;
    f->b->used_in[item] = edge ? k + 1 : k;
    if (edge) {
        vec_push(f->a, block->edge, item);
        block->edge_bytes += x->bytes;
    } else if (f->back[item]) {
        vec_push(f->a, block->item, item);
        block->item_bytes += x->bytes;
    }
}

/* The last block that a run reads. */
static int
block_fed(const Finder *f, const int *block_of, int run)
{
    const Run *r = &f->of->first_run[run];
    int block = 0;

    for (int t = 0; t < r->ins; t++) {
        int maker = f->of->first_item[f->of->first_touch[r->in + t]].maker;

        if (maker >= 0 && maker < run && block_of[maker] > block)
            block = block_of[maker];
    }
    return block;
}

static void
fill_blocks(Finder *f, const int *cut)
{
    const CourseOf *of = f->of;
    int *block_of = NEWN(f->a, int, of->runs + 1), k = 0;
    int64_t least = mean_bytes(f) / TINY;

    f->b->count = (int)vec_len(cut);
    f->b->block = NEWN(f->a, Block, f->b->count + 1);
    for (int r = 0; r < f->b->forward; r++) {
        int64_t bytes = run_bytes(of, r);

        block_of[r] = f->way[r] ? k : block_fed(f, block_of, r);
        if (bytes > f->b->block[k].work)
            f->b->block[k].work = bytes;
        k += r == cut[k];
    }
    for (int i = 0; i < of->items; i++) {
        int maker = of->first_item[i].maker;

        f->b->made_in[i] = f->b->used_in[i] = -1;
        if (maker >= 0 && maker < f->b->forward && of->recipes[i] &&
            of->first_item[i].bytes >= least &&
            (f->last[i] - maker) * FAR < f->b->forward)
            add_item(f, block_of, i);
    }
}

/* ---- the backward part --------------------------------------------------- */

/* Block -> vector of the positions behind the forward part that read it. */
static int **
find_reads(Arena *a, const Blocks *b, const Course *c, const Profile *p)
{
    int **reads = NEWN(a, int *, b->count + 1);

    for (int k = 0; k < p->length; k++) {
        const Run *r = &c->run[p->run[k]];

        for (int t = 0; p->run[k] >= b->forward && t < r->ins; t++) {
            int item = c->touch[r->in + t];

            if (item < b->of->items && b->made_in[item] >= 0)
                vec_push(a, reads[b->used_in[item]], k);
        }
    }
    return reads;
}

/* Where a block is read, and where at least half of what reads the block behind
   it has run. */
int *
blocks_begin(Arena *a, const Blocks *b, const Course *c, const Profile *p)
{
    int **reads = find_reads(a, b, c, p), half = 0;
    int *begin = NEWN(a, int, b->count + 1);

    for (int i = b->count - 1; i >= 0; i--) {
        size_t count = vec_len(reads[i]);

        begin[i] = count && reads[i][0] > half ? reads[i][0] : half;
        if (count && reads[i][count / 2] >= half)
            half = reads[i][count / 2] + 1;
    }
    return begin;
}

/* Of what is alive at each position, what blocks hold whose backward part is
   still to come. */
static int64_t *
find_in_front(Arena *a, const Blocks *b, const Profile *p, const int *begin)
{
    int64_t *bytes = NEWN(a, int64_t, p->length + 2);

    for (int i = 0; i < b->of->items; i++) {
        int block = b->made_in[i], to = p->last[i] + 1;

        if (block < 0 || p->first[i] >= begin[block])
            continue;
        bytes[p->first[i]] += b->of->first_item[i].bytes;
        to = to < begin[block] ? to : begin[block];
        bytes[to] -= b->of->first_item[i].bytes;
    }
    for (int k = 1; k < p->length; k++)
        bytes[k] += bytes[k - 1];
    return bytes;
}

static void
find_peaks(Arena *a, Blocks *b, const Course *c)
{
    Profile *p = profile_new(a, c);
    int block = b->count, *begin;
    int64_t *in_front;

    profile_find(c, p);
    begin = blocks_begin(a, b, c, p);
    in_front = find_in_front(a, b, p, begin);
    for (int k = 0; k < p->length; k++) {
        int64_t bytes = p->live[k] - b->of->stores - in_front[k];

        while (block > 0 && begin[block - 1] <= k)
            block--;
        if (block == b->count)
            b->turn = bytes > b->turn ? bytes : b->turn;
        else if (bytes > b->block[block].peak)
            b->block[block].peak = bytes;
    }
}

int64_t *
blocks_in_front(Arena *a, const Blocks *b, const Course *c, const Profile *p)
{
    return find_in_front(a, b, p, blocks_begin(a, b, c, p));
}

static Finder
look(Arena *a, const Course *c)
{
    const CourseOf *of = c->of;
    Blocks *b = NEW(a, Blocks);
    Finder f = {.a = a, .of = of, .b = b};

    b->of = of;
    b->forward = forward_runs(of);
    b->made_in = NEWN(a, int, of->items + 1);
    b->used_in = NEWN(a, int, of->items + 1);
    f.last = NEWN(a, int, of->items + 1);
    f.back = NEWN(a, bool, of->items + 1);
    find_way(&f);
    find_readers(&f);
    return f;
}

static Blocks *
finish(Finder *f, const Course *c, const int *cut)
{
    fill_blocks(f, cut);
    find_peaks(f->a, f->b, c);
    return f->b;
}

Blocks *
blocks_find(Arena *a, const Course *c, int join)
{
    Finder f = look(a, c);

    return finish(&f, c, join_blocks(a, find_cuts(&f), join));
}

Blocks *
blocks_of_steps(Arena *a, const Course *c)
{
    Finder f = look(a, c);

    return finish(&f, c, find_necks(&f));
}

/* ---- ways to hold a block ------------------------------------------------ */

typedef struct Ways {
    Arena *a;
    const Blocks *b;
    int block;
    int *held;     /* item -> the question for which it is there */
    int question;
} Ways;

/* Marks what has to be made for an item; -> the seconds. */
static double
make_all(Ways *w, int item)
{
    const CourseOf *of = w->b->of;
    const int *recipes = of->recipes[item];
    const Recipe *best = NULL;
    double seconds;

    if (w->b->made_in[item] != w->block || w->held[item] == w->question)
        return 0;
    for (size_t i = 0; i < vec_len(recipes); i++) {
        const Recipe *r = &of->recipe[recipes[i]];
        bool whole = true;

        for (size_t k = 0; r->part && k < vec_len(r->in); k++)
            whole &= w->held[r->in[k]] == w->question ||
                     w->b->made_in[r->in[k]] != w->block;
        if (whole && (!best || r->seconds < best->seconds))
            best = r;
    }
    if (!best)
        return HUGE_VAL;
    w->held[item] = w->question;
    seconds = best->seconds;
    for (size_t k = 0; k < vec_len(best->in); k++)
        seconds += make_all(w, best->in[k]);
    return seconds;
}

/* Seconds to make again what of the block is not among those held. */
static double
rest_seconds(Ways *w, const bool *kept)
{
    const Block *block = &w->b->block[w->block];
    double seconds = 0;

    w->question++;
    for (size_t i = 0; i < vec_len(block->item); i++)
        if (kept[i])
            w->held[block->item[i]] = w->question;
    for (size_t i = 0; i < vec_len(block->item); i++)
        seconds += make_all(w, block->item[i]);
    return seconds;
}

static void
push_way(Ways *w, const bool *kept, double seconds)
{
    Block *block = &w->b->block[w->block];
    BlockWay way = {.seconds = seconds};
    int *keep = NULL;

    for (size_t i = 0; i < vec_len(block->item); i++)
        if (kept[i]) {
            vec_push(w->a, keep, block->item[i]);
            way.bytes += w->b->of->first_item[block->item[i]].bytes;
        }
    way.keep = keep;
    vec_push(w->a, block->way, way);
}

/* What letting go of each value that is kept brings: its bytes for a second of
   running again; below 0: it cannot go. */
static void
find_worth(Ways *w, bool *kept, double now, double *worth)
{
    const Block *block = &w->b->block[w->block];

    for (size_t i = 0; i < vec_len(block->item); i++) {
        double bytes, after;

        worth[i] = -1;
        if (!kept[i])
            continue;
        kept[i] = false;
        after = rest_seconds(w, kept);
        kept[i] = true;
        bytes = (double)w->b->of->first_item[block->item[i]].bytes;
        if (after < HUGE_VAL)
            worth[i] = bytes / (after - now + 1e-12);
    }
}

static int
most_worth(const double *worth, size_t count)
{
    int best = -1;

    for (size_t i = 0; i < count; i++)
        if (worth[i] >= 0 && (best < 0 || worth[i] > worth[best]))
            best = (int)i;
    return best;
}

/* false: the rest cannot be made again without it. */
static bool
let_go(Ways *w, bool *kept, int item, double *seconds)
{
    double after;

    kept[item] = false;
    after = rest_seconds(w, kept);
    kept[item] = after == HUGE_VAL;
    if (kept[item])
        return false;
    *seconds = after;
    push_way(w, kept, after);
    return true;
}

/* Of up to twice as many values one goes at a time; of more, as an unrolled
   loop that is one block has, a few, or asking would take the longest of
   all. */
enum { QUESTIONS = 64 };

static void
find_block_ways(Ways *w)
{
    Block *block = &w->b->block[w->block];
    size_t count = vec_len(block->item), some = 1 + count / (2 * QUESTIONS);
    bool *kept = NEWN(w->a, bool, count + 1), gone = true;
    double *worth = NEWN(w->a, double, count + 1), seconds = 0;

    for (size_t i = 0; i < count; i++)
        kept[i] = true;
    w->question++;
    for (size_t i = 0; i < vec_len(block->edge); i++)
        block->seconds += make_all(w, block->edge[i]);
    push_way(w, kept, 0);
    while (gone) {
        gone = false;
        find_worth(w, kept, seconds, worth);
        for (size_t k = 0; k < some; k++) {
            int item = most_worth(worth, count);

            if (item < 0)
                break;
            worth[item] = -1;
            gone |= let_go(w, kept, item, &seconds);
        }
    }
}

void
blocks_find_ways(Arena *a, Blocks *b)
{
    Ways w = {.a = a, .b = b};

    w.held = NEWN(a, int, b->of->items + 1);
    for (w.block = 0; w.block < b->count; w.block++)
        find_block_ways(&w);
}
