/* recompute_greedy: what most relieves the positions above the goal for
   a second of running again is dropped between two of its readers and made
   again in front of the second; what is needed for it and gone by then is kept
   for longer or made again too, as is cheaper at the price of a byte so far.
   In the end what fits all the same is kept. */
#include "passes/plan/recompute_greedy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIED = 8, MOST_TRIED = 64, PRICES = 3, STEPS_MOST = 4000 };
enum { DEPTH_MOST = 2000 };

/* To drop a version behind one of its readers until the next. */
typedef struct Gap {
    int item;
    int before; /* position of the next reader */
    double gain, score;
} Gap;

/* ---- having what a recipe reads ------------------------------------------ */

static bool
is_there(const Profile *p, int item, int at)
{
    return item >= 0 && p->last[item] >= at;
}

static double cost_of(Search *s, const Course *c, int base, int at, int depth);

static double
recipe_cost(Search *s, const Course *c, int recipe, int at, int depth)
{
    const Recipe *r = &s->of->recipe[recipe];
    double sum = r->seconds;

    s->asked += (int64_t)vec_len(r->in) + 1;
    for (size_t i = 0; i < vec_len(r->in); i++)
        sum += cost_of(s, c, r->in[i], at, depth + 1);
    return sum;
}

static int
best_recipe(Search *s, const Course *c, int base, int at, int depth,
            double *cost)
{
    const int *recipes = s->of->recipes[base];
    int best = -1;

    *cost = HUGE_VAL;
    for (size_t i = 0; i < vec_len(recipes); i++) {
        double x = recipe_cost(s, c, recipes[i], at, depth);

        if (x < *cost) {
            *cost = x;
            best = recipes[i];
        }
    }
    return best;
}

/* Seconds, and bytes at their price, to have `base` at position `at`. */
static double
cost_of(Search *s, const Course *c, int base, int at, int depth)
{
    int version;
    double again, keep;

    if (s->mark[base] == s->question)
        return s->cost[base];
    version = course_version(c, s->profile, base, at);
    if (is_there(s->profile, version, at))
        return 0;
    if (depth > DEPTH_MOST)
        return HUGE_VAL;
    (void)best_recipe(s, c, base, at, depth, &again);
    keep = version < 0 ? HUGE_VAL
                       : s->price * (double)c->item[base].bytes;
    s->mark[base] = s->question;
    s->cost[base] = again < keep ? again : keep;
    return s->cost[base];
}

/* ---- making again -------------------------------------------------------- */

static int make(Search *s, Course *c, int base, int at, int depth);

/* The version to read at `at`, made if that is better than to keep it. */
static int
supply(Search *s, Course *c, int base, int at, int depth)
{
    int version;
    double again, keep;

    if (s->made_mark[base] == s->question)
        return s->made[base];
    version = course_version(c, s->profile, base, at);
    if (is_there(s->profile, version, at) || depth > DEPTH_MOST)
        return version;
    (void)best_recipe(s, c, base, at, depth, &again);
    keep = s->price * (double)c->item[base].bytes;
    if (version >= 0 && keep <= again)
        return version;
    return make(s, c, base, at, depth);
}

/* -1: it cannot be made. */
static int
make(Search *s, Course *c, int base, int at, int depth)
{
    double cost;
    int recipe = best_recipe(s, c, base, at, depth, &cost), item;
    const Recipe *r;
    int *in;

    if (recipe < 0)
        return -1;
    r = &s->of->recipe[recipe];
    in = NEWN(s->scratch, int, vec_len(r->in) + 1);
    for (size_t i = 0; i < vec_len(r->in); i++) {
        in[i] = supply(s, c, r->in[i], at, depth + 1);
        if (in[i] < 0)
            return -1;
    }
    item = course_again(c, recipe, in, s->order_index);
    if (item < 0)
        return -1;
    s->order_index++;
    s->made[base] = item;
    s->made_mark[base] = s->question;
    return item;
}

/* The first place in the order behind what runs before this position. */
static int
order_index(const Course *c, const Profile *p, int before)
{
    int k = 0;

    while (k < c->length && p->place[c->order[k]] < before)
        k++;
    return k;
}

bool
search_drop(Search *s, Course *c, int item, int before)
{
    int made;

    s->question++;
    s->order_index = order_index(c, s->profile, before);
    made = make(s, c, c->item[item].base, before, 0);
    if (made < 0)
        return false;
    course_hand_over(c, s->profile, item, made, before);
    return true;
}

/* ---- what to drop -------------------------------------------------------- */

/* Bytes above the goal, summed up to each position, and how many positions. */
typedef struct Excess {
    double *bytes;
    int *count;
} Excess;

/* Position -> bytes that may be above the goal. */
static const int64_t *
find_spared(const Search *s, const Course *c, const Profile *p)
{
    return s->spared ? blocks_in_front(s->scratch, s->spared, c, p) : NULL;
}

static double
excess_of(const Search *s, const Course *c, const Profile *p)
{
    const int64_t *spared = find_spared(s, c, p);
    double sum = 0;

    for (int k = 0; k < p->length; k++) {
        int64_t over = p->live[k] - s->goal - (spared ? spared[k] : 0);

        sum += over > 0 ? (double)over : 0;
    }
    return sum;
}

static Excess
sum_excess(const Search *s)
{
    const Profile *p = s->profile;
    const int64_t *spared = find_spared(s, s->now, p);
    Excess e = {NEWN(s->scratch, double, p->length + 1),
                NEWN(s->scratch, int, p->length + 1)};

    for (int k = 0; k < p->length; k++) {
        int64_t over = p->live[k] - s->goal - (spared ? spared[k] : 0);

        e.bytes[k + 1] = e.bytes[k] + (over > 0 ? (double)over : 0);
        e.count[k + 1] = e.count[k] + (over > 0);
    }
    return e;
}

static void
consider(Search *s, const Excess *e, int item, int from, int to, Gap **gap)
{
    double whole = e->bytes[to] - e->bytes[from + 1];
    double own = (double)s->now->item[item].bytes *
                 (e->count[to] - e->count[from + 1]);
    Gap g = {item, to, own < whole ? own : whole, 0};
    double cost;

    if (g.gain <= 0 || !s->of->recipes[s->now->item[item].base] ||
        s->now->item[item].base == s->held)
        return;
    s->question++;
    (void)best_recipe(s, s->now, s->now->item[item].base, to, 0, &cost);
    if (isinf(cost))
        return;
    g.score = g.gain / (cost + 1e-12);
    vec_push(s->scratch, *gap, g);
}

static int
by_score(const void *a, const void *b)
{
    const Gap *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->before < y->before ? -1 : x->before > y->before;
}

/* Every stretch in which a version waits for its next reader. */
static Gap *
find_gaps(Search *s)
{
    const Course *c = s->now;
    const Profile *p = s->profile;
    Excess e = sum_excess(s);
    int *since = NEWN(s->scratch, int, c->items + 1); /* 1 + position */
    Gap *gap = NULL;

    for (int k = 0; k < p->length; k++) {
        const Run *r = &c->run[p->run[k]];

        for (int t = 0; t < r->ins + r->outs; t++) {
            int i = c->touch[t < r->ins ? r->in + t : r->out + t - r->ins];

            if (since[i] && since[i] < k && !c->item[i].to_end)
                consider(s, &e, i, since[i] - 1, k, &gap);
            since[i] = k + 1;
        }
    }
    if (gap)
        qsort(gap, vec_len(gap), sizeof *gap, by_score);
    return gap;
}

/* The best of what was tried in a step. */
typedef struct Change {
    double rate;  /* bytes relieved, over positions, for a second */
    double price; /* seconds for a byte dropped */
} Change;

/* What a drop has added: its recipes, and what these read. */
typedef struct Added {
    const int *word;
    int words;
} Added;

static Added
what_is_added(const Search *s)
{
    const Course *c = s->trial, *from = s->now;
    int runs = c->runs - from->runs, touches = c->touches - from->touches;
    int *word = NEWN(s->scratch, int, runs + touches + 1);

    for (int r = 0; r < runs; r++)
        word[r] = c->run[from->runs + r].recipe;
    memcpy(word + runs, c->touch + from->touches,
           (size_t)touches * sizeof *word);
    return (Added){word, runs + touches};
}

static bool
was_added(const Added *a, const Added *before, int count)
{
    for (int i = 0; i < count; i++)
        if (before[i].words == a->words &&
            memcmp(before[i].word, a->word,
                   (size_t)a->words * sizeof *a->word) == 0)
            return true;
    return false;
}

/* Is it in vain to look closer? Between its readers what is dropped relieves at
   most the gap's gain, and in front of them its bytes once, which a result may
   take there then; nothing else gets smaller. What is added is summed up in
   another order than that of a profile, hence the last digits. */
static bool
cannot_win(const Search *s, const Gap *gap, const Change *best)
{
    double gain = gap->gain + (double)s->now->item[gap->item].bytes;
    double seconds = -1e-9;

    for (int r = s->now->runs; r < s->trial->runs; r++)
        seconds += s->trial->run[r].seconds;
    return !s->spared && seconds > 0 &&
           gain / seconds < (1 - 1e-6) * best->rate;
}

/* Tries to drop one at several prices of a byte; mostly they lead to the
   same. */
static void
try_gap(Search *s, const Gap *gap, double before, Change *best)
{
    static const double factor[PRICES] = {0, 1, 1e9};
    double price = s->price;
    Added added[PRICES];
    int count = 0;

    for (int i = 0; i < PRICES; i++) {
        double gain, seconds;

        course_rewind(s->trial, s->now);
        s->work += s->now->length;
        s->price = price * factor[i];
        if (!search_drop(s, s->trial, gap->item, gap->before))
            continue;
        added[count] = what_is_added(s);
        if (was_added(&added[count], added, count))
            continue;
        count++;
        if (cannot_win(s, gap, best))
            continue;
        profile_find(s->trial, s->after);
        gain = before - excess_of(s, s->trial, s->after);
        seconds = s->after->seconds - s->profile->seconds + 1e-12;
        if (gain <= 0 || gain / seconds <= best->rate)
            continue;
        best->rate = gain / seconds;
        best->price = seconds / (double)s->now->item[gap->item].bytes;
        course_copy(s->best, s->trial);
    }
    s->price = price;
}

/* No search goes on for ever: that of an unrolled loop of thousands of nodes,
   each made again from the one before, would. To ask for what a recipe reads
   takes an eighth of what a run of a copied course does. */
bool
search_is_tired(const Search *s)
{
    return s->work + s->asked / 8 > s->most;
}

bool
search_step(Search *s)
{
    double before = excess_of(s, s->now, s->profile);
    Change best = {0};
    Gap *gap = search_is_tired(s) ? NULL : find_gaps(s);

    if (gap)
        course_copy(s->trial, s->now);
    for (size_t i = 0; i < vec_len(gap) && i < MOST_TRIED; i++) {
        if (i >= TRIED && best.rate > 0)
            break;
        try_gap(s, &gap[i], before, &best);
    }
    if (best.rate <= 0)
        return false;
    course_copy(s->now, s->best);
    s->price = best.price > s->price ? best.price : s->price;
    return true;
}

/* ---- keeping what fits --------------------------------------------------- */

typedef struct Made {
    int item;
    double seconds;
} Made;

static int
by_seconds(const void *a, const void *b)
{
    const Made *x = a, *y = b;

    if (x->seconds != y->seconds)
        return x->seconds > y->seconds ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static Made *
find_made(const Search *s)
{
    Made *made = NULL;

    for (int k = 0; k < s->now->length; k++) {
        const Run *r = &s->now->run[s->now->order[k]];

        if (r->recipe >= 0)
            vec_push(s->scratch, made,
                     (Made){s->now->touch[r->out], r->seconds});
    }
    if (made)
        qsort(made, vec_len(made), sizeof *made, by_seconds);
    return made;
}

/* s->after is its profile. */
static void
swap_in_trial(Search *s)
{
    Course *now = s->now;
    Profile *profile = s->profile;

    s->now = s->trial;
    s->trial = now;
    s->profile = s->after;
    s->after = profile;
}

/* Keeps one item, if the peak allows it and time is saved. */
static bool
keep_one(Search *s, int item)
{
    int base = s->now->item[item].base, instead;

    if (s->profile->last[item] < 0)
        return false;
    instead = course_version(s->now, s->profile, base,
                             s->profile->first[item]);
    if (instead < 0)
        return false;
    course_copy(s->trial, s->now);
    course_keep(s->scratch, s->trial, item, instead);
    profile_find(s->trial, s->after);
    if (s->after->peak > s->goal || s->after->seconds >= s->profile->seconds)
        return false;
    swap_in_trial(s);
    return true;
}

void
search_keep_what_fits(Search *s)
{
    Made *made = find_made(s);

    for (size_t i = 0; i < vec_len(made); i++)
        (void)keep_one(s, made[i].item);
}

/* ---- all together -------------------------------------------------------- */

Search
search_new(Arena *a, const CourseOf *of)
{
    Search s = {.a = a, .of = of, .held = -1, .most = SEARCH_MOST};

    s.scratch = arena_new();
    s.now = course_new(a, of);
    s.trial = course_new(a, of);
    s.best = course_new(a, of);
    s.profile = profile_new(a, s.now);
    s.after = profile_new(a, s.now);
    s.cost = NEWN(a, double, of->items + 1);
    s.mark = NEWN(a, int, of->items + 1);
    s.made = NEWN(a, int, of->items + 1);
    s.made_mark = NEWN(a, int, of->items + 1);
    return s;
}

void
search_free(Search *s)
{
    arena_free(s->scratch);
}

static double
first_price(const Search *s)
{
    double bytes = 1;

    for (int i = 0; i < s->of->items; i++)
        bytes += (double)s->now->item[i].bytes;
    return s->profile->seconds / bytes;
}

void
search_begin(Search *s, const Course *c)
{
    course_copy(s->now, c);
    profile_find(s->now, s->profile);
    s->price = first_price(s);
    s->enough = HUGE_VAL;
}

bool
search_is_there(const Search *s, int item, int at)
{
    return is_there(s->profile, item, at);
}

void
search_relieve(Search *s, int64_t goal)
{
    bool stuck = false;

    s->goal = goal;
    for (int k = 0; k < STEPS_MOST && !stuck; k++) {
        stuck = !search_step(s);
        arena_free(s->scratch);
        s->scratch = arena_new();
        profile_find(s->now, s->profile);
    }
}

/* Slice by slice: what is above a goal that is near tells what to drop for it,
   what is above a far one what serves all of it. */
void
search_descend(Search *s, int64_t goal, int slices)
{
    int64_t slice = (s->profile->peak - s->of->stores) / slices + 1;
    bool stuck = false;

    s->goal = s->profile->peak;
    for (int k = 0; k < STEPS_MOST && s->profile->peak > goal && !stuck &&
                    s->profile->seconds < s->enough;
         k++) {
        int64_t next = s->profile->peak - slice;

        if (s->profile->peak <= s->goal)
            s->goal = next > goal ? next : goal;
        stuck = !search_step(s);
        arena_free(s->scratch);
        s->scratch = arena_new();
        profile_find(s->now, s->profile);
    }
    s->goal = goal;
    if (s->profile->peak <= goal)
        search_keep_what_fits(s);
}
