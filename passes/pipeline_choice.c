/* pipeline_choice: what passes leave open under a budget. The rest of the
   pipeline is tried on copies of the module: into how many parts `chunk` cuts
   (1, 2, 4, ..., until more of them cannot help), and how much of what does not
   fit `recompute` leaves to transfers. */
#include "passes/pipeline_parts.h"

#include "ir/text.h"
#include "ir/timeline.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MOST = 32, VAIN_MOST = 2 };

static const int64_t everything = INT64_C(1) << 60;

typedef struct Outcome {
    bool fits, nothing; /* nothing: there is nothing to cut any further */
    bool extra;         /* something runs again, or waits for transfers */
    double seconds;     /* predicted, of a step */
    int64_t bound;      /* where it does not fit: no plan takes less */
    int64_t peak;       /* bytes alive in front of `transfer` */
} Outcome;

static bool
runs_again(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == 'r')
            return true;
    return false;
}

static double
stalls(const Graph *g, const Machine *machine)
{
    Arena *a = arena_new();
    double seconds = timeline_of(a, g, machine, true).stalls;

    arena_free(a);
    return seconds;
}

static void
tell_outcome(Outcome *x, Module *m, const Machine *machine)
{
    Graph *train = module_entry(m, "train");

    x->fits = true;
    for (size_t i = 0; i < vec_len(m->entry); i++)
        x->extra = x->extra || runs_again(m->entry[i]) ||
                   stalls(m->entry[i], machine) > 0;
    if (train)
        x->seconds = cost_entry(train, machine).many;
}

/* An option that is tried with a number. */
typedef struct Setting {
    enum { PARTS, LENT } what;
    int64_t x;
} Setting;

static bool
has_option(const Call *c, const Setting *s)
{
    return s->what == PARTS ? c->row->run == pass_chunk
                            : c->row->run == pass_recompute ||
                                  c->row->run == pass_schedule;
}

static void
apply(Pipeline *p, const Setting *s)
{
    static const char *const option[] = {"parts", "lent"};

    for (size_t k = 0; k < vec_len(p->call); k++) {
        Text t = text_new(p->arena);

        text_add(&t, "%s.%s=%lld", p->call[k].row->name, option[s->what],
                 (long long)s->x);
        if (has_option(&p->call[k], s))
            pipeline_set(p, text_str(&t));
    }
}

/* The calls from k on, with this setting. */
static Pipeline
rest_of(Arena *a, const Pipeline *p, size_t k, const Setting *s)
{
    Pipeline rest = {.arena = a, .plugged = p->plugged};

    for (; k < vec_len(p->call); k++)
        vec_push(a, rest.call, p->call[k]);
    apply(&rest, s);
    return rest;
}

static int64_t
peak_of(Module *m, const PipelineOptions *o)
{
    Arena *a = arena_new();
    int64_t most = statistics_of(a, m, o->machine->align).live;

    arena_free(a);
    return most;
}

/* The text of an option, and whether it was given. */
static const char *
option_text(const Call *c, const char *name, bool *given)
{
    for (int i = 0; i < c->options; i++)
        if (strcmp(c->option[i].name, name) == 0) {
            *given = c->given[i];
            return c->option[i].text;
        }
    UNREACHABLE();
}

/* The call of transfer behind k, or NULL. */
static const Call *
transfer_call(const Pipeline *p, size_t k)
{
    for (; k < vec_len(p->call); k++)
        if (p->call[k].row->run == pass_transfer)
            return &p->call[k];
    return NULL;
}

/* Is there somewhere to go for what does not fit? */
static bool
may_move(const Pipeline *p, size_t k)
{
    static const char *const option[] = {"host", "disk", "state", "param"};
    const Call *c = transfer_call(p, k);
    bool given, moves = false;

    for (int i = 0; c && i < 4; i++) {
        const char *text = option_text(c, option[i], &given);

        moves |= *text && strcmp(text, "0") != 0;
    }
    return moves;
}

/* Bytes of the stores that live elsewhere because that is asked for. */
static int64_t
settled_bytes(const Pipeline *p, const Module *m, size_t k)
{
    const Call *c = transfer_call(p, k);
    int64_t bytes = 0;
    bool given;

    for (size_t i = 1; i < vec_len(m->store); i++) {
        StoreKind kind = m->store[i].kind;

        if ((kind == SK_STATE && *option_text(c, "state", &given)) ||
            (kind == SK_PARAM && *option_text(c, "param", &given)))
            bytes += type_bytes(&m->store[i].type);
    }
    return bytes;
}

/* Of a call of chunk that was to cut something. */
static bool
cuts_nothing(const Call *c, const Module *m)
{
    bool given;

    return strcmp(option_text(c, "parts", &given), "1") != 0 &&
           !module_get(m, "chunk");
}

/* Is all made to fit by this call of recompute? */
static bool
leaves_nothing(const Pipeline *p, size_t k)
{
    bool given;

    return strcmp(option_text(&p->call[k], "lent", &given), "0") == 0;
}

/* Runs as much as tells whether it fits: recompute places what it finds, but
   not what it leaves to transfers. */
static void
run_rest(Pipeline *rest, Module *m, const PipelineOptions *o, Outcome *x)
{
    for (size_t k = 0; k < vec_len(rest->call); k++) {
        PassFunction *run = rest->call[k].row->run;

        choose_options(rest, m, o, k);
        if (run == pass_transfer)
            x->peak = peak_of(m, o);
        pipeline_step(rest, m, o, k);
        x->nothing = run == pass_chunk && cuts_nothing(&rest->call[k], m);
        if (x->nothing || (run == pass_recompute &&
                           leaves_nothing(rest, k)))
            break;
    }
}

static int64_t
noted_bound(const Module *m)
{
    const char *text = module_get(m, "least_bound");

    return text ? strtoll(text, NULL, 10) : INT64_MAX;
}

/* The calls from k on with this setting, on a copy. */
static Outcome
try_setting(const Pipeline *p, const Module *m, const PipelineOptions *o,
            size_t k, Setting s)
{
    Arena *a = arena_new();
    Module *copy = parse_module(a, print_module(a, m), m->file);
    Pipeline rest = rest_of(a, p, k, &s);
    Outcome x = {0};
    Guard g;

    ASSERT(copy);
    if (guarded(&g)) {
        run_rest(&rest, copy, o, &x);
        tell_outcome(&x, copy, o->machine);
        guard_leave(&g);
        arena_free(a);
        return x;
    }
    x.bound = noted_bound(copy);
    arena_free(a);
    if (g.status != ST_NO_FIT)
        raise_again(&g, NULL);
    diag_free(&g);
    return x;
}

/* Is x, of more parts, better? Where neither fits, the lower bound counts: the
   refusal names what no plan can go below. */
static bool
is_better(const Outcome *x, const Outcome *best)
{
    if (x->fits != best->fits)
        return x->fits;
    return x->fits ? x->seconds < best->seconds : x->bound < best->bound;
}

/* The parts with which a step that fits is fastest; where nothing fits, those
   with the lowest bound. */
static int64_t
best_parts(const Pipeline *p, const Module *m, const PipelineOptions *o,
           size_t k)
{
    Outcome best = {.bound = INT64_MAX}, x;
    int64_t chosen = 1;
    int vain = 0; /* tries in a row that made nothing better */

    for (int64_t parts = 1; parts <= PARTS_MOST; parts *= 2) {
        x = try_setting(p, m, o, k, (Setting){PARTS, parts});
        if (parts > 1 && x.nothing)
            break;
        log_line("chunk", "%lld parts: %s, %.6g s%s", (long long)parts,
                 x.fits ? "fits" : "does not fit", x.seconds,
                 x.extra ? ", some of it extra" : "");
        if (!is_better(&x, &best)) {
            if (best.fits && ++vain == VAIN_MOST)
                break;
            continue;
        }
        vain = 0;
        best = x;
        chosen = parts;
        if (x.fits && !x.extra)
            break;
    }
    return chosen;
}

/* ---- how much is lent ---------------------------------------------------- */

/* Where `chunk` asks, only all or nothing: it is asked for each number of
   parts. */
typedef struct Lending {
    const Pipeline *p;
    const Module *m;
    const PipelineOptions *o;
    size_t k;       /* the call of recompute */
    int64_t excess; /* bytes that do not fit, if nothing runs again */
    int64_t least;  /* bytes that are gone in any case */
    int64_t chosen;
    Outcome best;
} Lending;

static void
try_lending(Lending *l, int64_t lent)
{
    Outcome x =
        try_setting(l->p, l->m, l->o, l->k, (Setting){LENT, lent});

    log_line("transfer", "%lld bytes of %lld: %s, %.6g s", (long long)lent,
             (long long)l->excess, x.fits ? "fits" : "does not fit",
             x.seconds);
    if (lent == everything)
        l->excess = x.peak - l->o->budget;
    if (lent != everything && !is_better(&x, &l->best))
        return;
    l->best = x;
    l->chosen = lent;
}

/* Bytes that are left to transfers: all, none, or the better one of the
   quarters beside the best half. */
static int64_t
best_lent(const Pipeline *p, const Module *m, const PipelineOptions *o,
          size_t k, bool roughly)
{
    Lending l = {
        .p = p, .m = m, .o = o, .k = k, .least = settled_bytes(p, m, k)};
    int64_t quarter;

    try_lending(&l, everything);
    if (l.excess <= l.least || (l.best.fits && !l.best.extra))
        return l.chosen;
    try_lending(&l, l.least);
    if (roughly)
        return l.chosen;
    quarter = (l.excess - l.least) / 4;
    try_lending(&l, l.least + 2 * quarter);
    if (l.chosen != everything)
        try_lending(&l, l.least + quarter);
    if (l.chosen != l.least)
        try_lending(&l, l.least + 3 * quarter);
    return l.chosen;
}

/* ---- what is open -------------------------------------------------------- */

static bool
has_open_parts(const Call *c)
{
    bool given;

    return c->row->run == pass_chunk &&
           strcmp(option_text(c, "parts", &given), "auto") == 0;
}

static bool
has_open_lent(const Call *c)
{
    bool given = true;

    if (c->row->run == pass_recompute)
        (void)option_text(c, "lent", &given);
    return !given;
}

void
choose_options(Pipeline *p, const Module *m, const PipelineOptions *o,
               size_t k)
{
    PipelineOptions quiet = *o;

    if (!o->budget)
        return;
    quiet.print_before = quiet.print_after = quiet.print_changed = NULL;
    quiet.time_passes = quiet.statistics = false;
    quiet.trial = true;
    if (has_open_parts(&p->call[k]))
        apply(p, &(Setting){PARTS, best_parts(p, m, &quiet, k)});
    if (has_open_lent(&p->call[k]) && may_move(p, k))
        apply(p,
              &(Setting){LENT, best_lent(p, m, &quiet, k, o->trial)});
}
