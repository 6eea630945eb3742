/* pipeline_choice_transfer: how much of what does not fit `recompute` leaves to
   transfers. */
#include "passes/pipeline_choice.h"

#include "ir/text.h"

#include <string.h>

static const int64_t everything = INT64_C(1) << 60;

/* Where `chunk` asks, for each number of parts, all is left to transfers only
   if nothing else fits. */
typedef struct Lending {
    Trial trial;
    int64_t excess; /* bytes that do not fit, if nothing runs again */
    int64_t least;  /* bytes that are gone in any case */
    int64_t chosen;
    Outcome best;
} Lending;

/* Options as text (a vector): recompute and schedule are told. */
static const char **
set_of(Arena *a, const Call *call, int64_t lent)
{
    const char **set = NULL;

    for (size_t k = 0; k < vec_len(call); k++) {
        const PassRow *row = call[k].row;
        Text t = text_new(a);

        text_add(&t, "%s.lent=%lld", row->name, (long long)lent);
        if (row->run == pass_recompute || row->run == pass_schedule)
            vec_push(a, set, text_str(&t));
    }
    return set;
}

static void
try_lending(Lending *l, int64_t lent)
{
    Trial t = l->trial;
    Outcome x;

    t.set = set_of(t.p->arena, t.call, lent);
    x = try_options(&t);
    log_line("transfer", "%lld bytes of %lld: %s, %.6g s", (long long)lent,
             (long long)l->excess, x.fits ? "fits" : "does not fit",
             x.seconds);
    if (lent == everything)
        l->excess = x.peak - t.o->budget;
    if (lent != everything && !outcome_is_better(&x, &l->best))
        return;
    l->best = x;
    l->chosen = lent;
}

/* All, none, or the better one of the quarters beside the best half. */
static void
find_best(Lending *l, bool roughly)
{
    int64_t quarter;

    try_lending(l, everything);
    if (l->excess <= l->least || (l->best.fits && !l->best.extra))
        return;
    try_lending(l, l->least);
    if (roughly)
        return;
    quarter = (l->excess - l->least) / 4;
    try_lending(l, l->least + 2 * quarter);
    if (l->chosen != everything)
        try_lending(l, l->least + quarter);
    if (l->chosen != l->least)
        try_lending(l, l->least + 3 * quarter);
}

/* The call of transfer, or NULL. */
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

void
choose_lent(Pipeline *p, const Module *m, const PipelineOptions *o, size_t k,
            bool roughly)
{
    Lending l = {0};
    const char **set;
    bool given;

    (void)option_text(&p->call[k], "lent", &given);
    if (given || !may_move(p, k))
        return;
    l.trial = trial_new(p, m, o, k);
    l.trial.hands_on = !roughly;
    l.least = settled_bytes(p, m, k);
    find_best(&l, roughly);
    if (!roughly)
        outcome_keep(p, &l.best);
    set = set_of(p->arena, l.trial.call, l.chosen);
    for (size_t i = 0; i < vec_len(set); i++)
        pipeline_set(p, set[i], false);
}
