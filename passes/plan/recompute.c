/* recompute: under a budget, what does not fit is dropped and run again, late
   before it is read. Where everything fits nothing changes. Without a budget,
   what adds next to nothing to the step is not kept.

   The search works on a course (course.h); what it finds is tried out on a copy
   of the entry by the same tools that the passes behind use, and where the
   addresses come out above the budget the search goes on below it. */
#include "passes/pass.h"

#include <inttypes.h>
#include <string.h>

#include "passes/plan/recompute_early.h"
#include "passes/plan/recompute_policy.h"
#include "passes/plan/recompute_search.h"
#include "passes/plan/recompute_spare.h"
#include "passes/tools/in_place.h"
#include "passes/tools/order_entry.h"
#include "passes/tools/placement_entry.h"
#include "passes/tools/scratch.h"

/* As in schedule and place. */
enum { WORTH = 10000, MANY_NODES = 256, MANY_BUFFERS = 64 };
/* Goals tried; each is that share of the budget lower than the one before, and
   twice that the next time. */
enum { ROUNDS = 6, LOWER = 512, SOME = 4 };
/* Goals tried for the least that a refusal names. */
enum { HALVINGS = 4 };
/* Times less of `states` and `nodes` than `schedule` and `place` have: the
   order with the least peak is no better to begin from, and what fits here fits
   there. Times the nodes for addresses of what is alive in the budget, before
   the search for what runs again goes lower for them, in a trial and where it
   is the plan. */
enum { ROUGHLY = 100, PATIENCE = 4, MUCH_PATIENCE = 40 };
/* What is above the budget by no more than such a share of the entry may fit in
   an order that is looked for with all states. */
enum { NEAR = 32 };

/* An entry that does not fit. */
typedef struct Entry {
    PassRun *r;
    Graph *g;
    CourseOf *of;
    int roughly;   /* times less than `states` and `nodes` */
    int64_t least; /* the lowest peak that was placed */
} Entry;

/* As low as the budget is enough where nodes run again (`again`); -> the
   peak. */
static int64_t
order_copy(const Entry *e, Graph *copy, bool again)
{
    const PassRun *r = e->r;
    int64_t states = opt_int(r, "states") / e->roughly, given;
    OrderProblem p = order_problem(copy, r->machine->align, r->scratch);
    int *node = NEWN(r->scratch, int, p.nodes + 1);
    int64_t stores = e->of->stores;
    Order o;

    for (int k = 0; k < p.nodes; k++)
        node[k] = k;
    given = stores + order_peak(r->scratch, &p, node);
    p.slack = p.nodes > MANY_NODES ? given / WORTH : 0;
    p.goal = again && r->budget > stores ? r->budget - stores : 0;
    o = order_solve(r->scratch, &p, states);
    if (stores + o.peak > r->budget && o.proof == ORDER_HEURISTIC) {
        p.slack = 0;
        o = order_solve(r->scratch, &p, states);
    }
    order_take(copy, &o);
    return stores + o.peak;
}

/* The bytes that the passes behind will come to; without a course, of the entry
   as it is, and then in which order. What is alive at once above `most` is
   enough to know: it is not placed. */
static int64_t
placed_bytes(const Entry *e, const Course *c, int64_t most, NodeId **order)
{
    const PassRun *r = e->r;
    Graph *copy = graph_clone(e->g, e->g->name);
    int64_t room = r->budget - e->of->stores;
    int64_t nodes = opt_int(r, "nodes") / e->roughly;
    uint32_t *buffer = NULL;
    Interval *x;
    Placement p;
    int64_t peak;

    if (c)
        course_write(r->scratch, copy, c);
    take_in_place(copy, r->scratch);
    show_scratch(copy, r->machine);
    peak = order_copy(e, copy, c);
    if (order)
        *order = copy->order;
    if (peak > most)
        return peak;
    x = placement_intervals(copy, r->scratch, module_arena(copy->module),
                            r->machine->align, &buffer);
    if (vec_len(x) > MANY_BUFFERS)
        nodes = nodes / (int64_t)vec_len(x) * MANY_BUFFERS;
    p = placement_solve(r->scratch, x, (int)vec_len(x), room > 0 ? room : 1,
                        nodes);
    if (c && p.height > room && peak <= r->budget)
        p = placement_solve(r->scratch, x, (int)vec_len(x), room,
                            nodes * (r->trial ? PATIENCE : MUCH_PATIENCE));
    return e->of->stores + p.height;
}

/* No schedule needs less than what is alive while the largest node runs. */
static int64_t
least_bound(const CourseOf *of, const Course *c, NodeId *at)
{
    int64_t most = 0;

    for (int r = 0; r < of->runs; r++) {
        const Run *run = &c->run[r];
        int64_t bytes = run->aside;

        for (int t = 0; t < run->ins; t++)
            bytes += c->item[c->touch[run->in + t]].bytes;
        for (int t = 0; t < run->outs; t++)
            bytes += c->item[c->touch[run->out + t]].bytes;
        bytes -= bytes_in_place(c, r);
        if (bytes > most) {
            most = bytes;
            *at = run->node;
        }
    }
    return of->stores + most;
}

/* What no plan goes below, cut in any way that was tried. */
static int64_t
tried_bound(const Module *m, int64_t bound)
{
    int64_t tried = module_number(m, "least_bound", bound);

    return tried < bound ? tried : bound;
}

static _Noreturn void
refuse(const PassRun *r, const Entry *e, int64_t least)
{
    Arena *a = r->scratch;
    NodeId at = 0;
    int64_t bound = least_bound(e->of, course_new(a, e->of), &at);
    const Node *n = node_at(e->g, at);
    const char *name = n->source ? n->source
                       : at      ? value_at(e->g, n->out[0])->name
                                 : "";

    /* for who tries again with another budget */
    module_set_number(r->m, "least", least);
    if (r->budget < tried_bound(r->m, bound))
        raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                     "no plan fits in %s: weights and state take %s, and what "
                     "node '%s' of entry %s reads, makes and works with comes "
                     "on top: %" PRId64 " bytes\nhint: --memory %" PRId64
                     " would fit; a smaller batch needs less",
                     format_bytes(a, r->budget),
                     format_bytes(a, e->of->stores), name, e->g->name, bound,
                     least);
    raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                 "no plan was found in %s, running again what can be: the "
                 "least that was found takes %" PRId64
                 " bytes, and no plan takes less than %" PRId64
                 "\nhint: --memory %" PRId64 " would fit",
                 format_bytes(a, r->budget), least,
                 tried_bound(r->m, bound), least);
}

/* What no schedule can add less than, if that is known: of the step, or of
   what there is. */
static void
claim_time(PassRun *r, const Entry *e, const TimeBound *b)
{
    if (!b)
        return;
    log_line("recompute", "%s: every schedule adds %.9f s", e->g->name,
             1e-12 * (double)b->picoseconds);
    if (e->g != module_entry(r->m, "train") && module_get(r->m, "time_bound"))
        return;
    module_set_number(r->m, "time_bound", b->picoseconds);
    module_set(r->m, "time_witness", b->witness);
}

/* How much lower to look for what has addresses in the budget, where they end
   that much above it: at first for less, as not all of it need go. */
static int64_t
lower(const Entry *e, int64_t above, int round)
{
    int64_t step = ((e->r->budget - e->of->stores) / LOWER) << round;

    if (round == 0)
        return above / SOME + 1;
    return round == 1 || above > step ? above : step;
}

/* Tightens the goal by what the addresses take more. */
static bool
fit_entry(PassRun *r, Entry *e)
{
    /* what transfers were tried on behind a trial is what they get */
    Effort effort = r->trial || opt_bytes(r, "lent") > 0 ? EFFORT_QUICK
                                                         : EFFORT_ALL;
    int64_t goal = r->budget;
    Course *c = course_new(r->scratch, e->of);
    TimeBounds b = {r->scratch, e->of, r->budget, false, NULL};
    int first = c->length;

    for (int k = 0; k < ROUNDS; k++) {
        bool fits = recompute_fit(r->scratch, c, goal, &b, effort);
        int64_t bytes = placed_bytes(e, c, INT64_MAX, NULL);
        int64_t peak = course_peak(r->scratch, c);

        log_line("recompute",
                 "%s: goal %" PRId64 " peak %" PRId64 " placed %" PRId64
                 " again %d, %.9f s",
                 e->g->name, goal, peak, bytes,
                 c->length - first, course_seconds(r->scratch, c));
        if (bytes < e->least)
            e->least = bytes;
        if (bytes <= r->budget) {
            if (!r->trial)
                claim_time(r, e, time_bounds(&b));
            course_write(r->scratch, e->g, c);
            return true;
        }
        if (!fits)
            return false;
        goal = (peak < goal ? peak : goal) -
               lower(e, bytes - r->budget, r->trial ? k + 1 : k);
    }
    return false;
}

static void
lower_least(Entry *e, const Course *c)
{
    int64_t bytes = placed_bytes(e, c, INT64_MAX, NULL);

    if (bytes < e->least)
        e->least = bytes;
}

/* The least that is found for a refusal to name: half-way between what cannot
   be and what is known, as chains of blocks go lower than one value after the
   other does. */
static void
find_least(PassRun *r, Entry *e)
{
    Course *whole = course_new(r->scratch, e->of);
    Course *c = course_new(r->scratch, e->of);
    NodeId at;
    int64_t low = least_bound(e->of, whole, &at);

    course_copy(c, whole);
    (void)recompute_fit(r->scratch, c, 0, NULL, EFFORT_ALL);
    lower_least(e, c);
    for (int k = 0; k < HALVINGS && low < e->least; k++) {
        int64_t goal = low + (e->least - low) / 2;

        course_copy(c, whole);
        if (!recompute_fit(r->scratch, c, goal, NULL, EFFORT_CHAINS))
            low = goal;
        lower_least(e, c);
    }
}

static CourseOf *
entry_course(const PassRun *r, size_t i)
{
    return course_of(r->scratch, r->m->entry[i], r->machine);
}

/* May it fit in another order? */
static bool
is_near(const Entry *e)
{
    int64_t above = e->least - e->r->budget;

    return vec_len(e->g->order) <= MANY_NODES ||
           above <= (e->least - e->of->stores) / NEAR;
}

/* Where it does not fit, the search begins from an order with a low peak, with
   what lets go of much run early. */
static Entry
entry_new(PassRun *r, CourseOf *of, int64_t most)
{
    Graph *g = of->g;
    Entry e = {.r = r, .g = g, .of = of, .roughly = ROUGHLY};
    NodeId *order;

    e.least = placed_bytes(&e, NULL, most, &order);
    if (e.least > r->budget && !r->trial && is_near(&e)) {
        e.roughly = 1;
        e.least = placed_bytes(&e, NULL, most, NULL);
        e.roughly = ROUGHLY;
    }
    if (e.least <= r->budget)
        return e;
    g->order = order;
    graph_touch(g);
    recompute_early(r->scratch, g);
    e.of = course_of(r->scratch, g, r->machine);
    e.of->states = opt_int(r, "states") * 2;
    return e;
}

/* What no plan of the module goes below. */
static int64_t
module_bound(const PassRun *r, CourseOf *const *of)
{
    int64_t most = 0;
    NodeId at;

    for (size_t i = 0; i < vec_len(of); i++) {
        int64_t bound =
            least_bound(of[i], course_new(r->scratch, of[i]), &at);

        most = bound > most ? bound : most;
    }
    return most;
}

/* Of a trial only figures are asked for. */
static _Noreturn void
refuse_trial(PassRun *r, int64_t bound, int64_t found)
{
    module_set_number(r->m, "least_bound", bound);
    module_set_number(r->m, "least_found", found);
    raise_status(ST_NO_FIT, (Loc){.file = r->m->file}, "no plan fits");
}

/* Does an entry fit in what another takes anyway? */
static bool
fits_in(const PassRun *r, const Entry *e, int64_t most)
{
    PassRun other = *r;
    Entry there = *e;
    Course *c = course_new(r->scratch, e->of);

    other.budget = most;
    there.r = &other;
    return e->least <= most ||
           (recompute_fit(r->scratch, c, most, NULL, EFFORT_QUICK) &&
            placed_bytes(&there, c, INT64_MAX, NULL) <= most);
}

/* The entry with the largest bound first. */
static void
swap_largest(PassRun *r, Entry *all)
{
    int64_t most = -1;

    for (size_t i = 0; i < vec_len(all); i++) {
        NodeId at;
        int64_t bound =
            least_bound(all[i].of, course_new(r->scratch, all[i].of), &at);
        Entry first = all[0];

        if (bound <= most)
            continue;
        most = bound;
        all[0] = all[i];
        all[i] = first;
    }
}

/* Names what all entries fit in; where the bound refuses, without a long search
   for it. failed: an entry that was searched, or NULL. */
static _Noreturn void
refuse_module(PassRun *r, int64_t bound, const Entry *failed)
{
    Entry *all = NULL, *worst;

    if (r->trial)
        refuse_trial(r, bound, failed ? failed->least : INT64_MAX);
    r->trial = r->budget < bound;
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        if (vec_len(r->m->entry[i]->order))
            vec_push(r->scratch, all,
                     entry_new(r, entry_course(r, i), INT64_MAX));
    swap_largest(r, all);
    worst = &all[0];
    for (size_t i = 0; i < vec_len(all); i++) {
        if (i > 0 && fits_in(r, &all[i], worst->least))
            continue;
        if (all[i].least > r->budget)
            find_least(r, &all[i]);
        if (failed && failed->g == all[i].g && failed->least < all[i].least)
            all[i].least = failed->least;
        if (all[i].least > worst->least)
            worst = &all[i];
    }
    refuse(r, worst, worst->least);
}

/* Of the training step: only it keeps values for long. */
static void
spare_bytes(PassRun *r)
{
    Graph *g = module_entry(r->m, "train");
    double share = opt_float(r, "spare");
    int64_t peak;
    NodeId at;
    Course *c;

    if (!g || !(share > 0))
        return;
    c = course_new(r->scratch, course_of(r->scratch, g, r->machine));
    peak = course_peak(r->scratch, c);
    if (least_bound(c->of, c, &at) > peak - opt_bytes(r, "worth"))
        return; /* nothing can be worth it */
    if (recompute_spare(r->scratch, c, share) &&
        course_peak(r->scratch, c) <= peak - opt_bytes(r, "worth"))
        course_write(r->scratch, g, c);
}

/* False: the budget decides. */
static bool
find_policy(const PassRun *r, Policy *policy)
{
    static const char *const name[] = {"none", "all", "sqrt", "recursive",
                                       "list", "steps"};
    const char *text = opt_text(r, "policy");

    if (strcmp(text, "auto") == 0)
        return false;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (strcmp(text, name[i]) == 0) {
            *policy = (Policy)i;
            return true;
        }
    raise_status(ST_USAGE, NOWHERE,
                 "recompute: policy=%s\nit is auto, none, all, sqrt, "
                 "recursive, list or steps",
                 text);
}

/* Of the training step, whatever the budget. */
static void
follow_policy(PassRun *r, Policy policy)
{
    Graph *g = module_entry(r->m, "train");
    Course *c;

    if (!g)
        return;
    c = course_new(r->scratch, course_of(r->scratch, g, r->machine));
    if (!recompute_policy(r->scratch, c, policy))
        raise_status(ST_NO_FIT, (Loc){.file = r->m->file},
                     "recompute: policy=%s runs more than %d times what there "
                     "is\nhint: policy=sqrt runs each node again once",
                     opt_text(r, "policy"), COURSE_ROOM);
    course_write(r->scratch, g, c);
}

void
pass_recompute(PassRun *r)
{
    CourseOf **of = NULL;
    Entry worst = {0};
    int64_t bound;
    Policy policy;

    module_unset(r->m, "time_bound");
    module_unset(r->m, "time_witness");
    if (find_policy(r, &policy)) {
        follow_policy(r, policy);
        return;
    }
    if (r->budget == 0) {
        spare_bytes(r);
        return;
    }
    if (__builtin_add_overflow(r->budget, opt_bytes(r, "lent"), &r->budget))
        r->budget = INT64_MAX; /* what transfers will take off on top */
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        vec_push(r->scratch, of, entry_course(r, i));
    bound = module_bound(r, of);
    if (r->budget < bound)
        refuse_module(r, bound, NULL);
    for (size_t i = 0; i < vec_len(r->m->entry); i++) {
        Entry e;

        if (!vec_len(r->m->entry[i]->order))
            continue;
        e = entry_new(r, of[i], r->budget);
        if (e.least > r->budget && !fit_entry(r, &e) && e.least > worst.least)
            worst = e;
    }
    if (worst.least > 0)
        refuse_module(r, bound, &worst);
    module_unset(r->m, "least_bound");
}
