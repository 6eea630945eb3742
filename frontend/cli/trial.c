/* trial: every plan begins from the text of the module in front of the passes
   that know the budget, in an arena of its own. */
#include "frontend/cli/trial.h"

#include "frontend/cli/method_join.h"
#include "ir/cost.h"
#include "ir/facts.h"
#include "ir/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command line of a part ----------------------------------------- */

Args
args_with(const Args *args, Arena *a, Option o, const char *value)
{
    Args more = *args;

    more.given[o] = NULL;
    for (size_t i = 0; i < vec_len(args->given[o]); i++)
        vec_push(a, more.given[o], args->given[o][i]);
    vec_push(a, more.given[o], value);
    return more;
}

/* Where a pass stands in a list, outside of its options; NULL: nowhere. */
static const char *
find_pass(const char *list, const char *name, size_t n)
{
    int depth = 0;

    for (const char *p = list; *p; p++) {
        bool begins = p == list || strchr(", \t\r\n", p[-1]);

        depth += (*p == '{') - (*p == '}');
        if (!depth && begins && strncmp(p, name, n) == 0 &&
            (!p[n] || strchr("{, \t\r\n", p[n])))
            return p;
    }
    return NULL;
}

/* Is --set s of a pass in the list? Hyper-parameters are of optimizer. */
static bool
set_is_of(const char *list, const char *s)
{
    size_t name = strcspn(s, "."), end = strcspn(s, "=");

    if (name > end)
        return find_pass(list, "optimizer", strlen("optimizer")) != NULL;
    return find_pass(list, s, name) != NULL;
}

/* What of the command line goes with the passes in front, and behind. */
static Args
part_of(const Args *args, Arena *a, const char *behind, bool front)
{
    static const Option leading[] = {OPT_loss, OPT_optimizer, OPT_precision,
                                     OPT_rules};
    Args part = *args;
    const char **set = method_join(a, args->given[OPT_method]);

    part.given[OPT_set] = part.given[OPT_memory] = NULL;
    part.given[OPT_print_after] = part.given[OPT_method] = NULL;
    for (size_t i = 0; i < vec_len(args->given[OPT_set]); i++)
        vec_push(a, set, args->given[OPT_set][i]);
    for (size_t i = 0; i < vec_len(set); i++)
        if (set_is_of(behind, set[i]) != front)
            vec_push(a, part.given[OPT_set], set[i]);
    for (size_t i = 0; !front && i < sizeof leading / sizeof *leading; i++)
        part.given[leading[i]] = NULL;
    return part;
}

/* ---- the model ---------------------------------------------------------- */

static const char *
passes_of(const Args *args, const Module *m)
{
    const char *passes = option(args, OPT_passes, passes_left(m));
    const char *preset = preset_text(passes);

    return preset ? preset : passes;
}

/* The passes in front of `behind`, without the comma between. */
static const char *
passes_before(Arena *a, const char *passes, const char *behind)
{
    size_t n = (size_t)(behind - passes);
    Text t = text_new(a);

    while (n > 0 && strchr(", \t\r\n", passes[n - 1]))
        n--;
    text_add_n(&t, passes, n);
    return text_str(&t);
}

static const char *
meta_text(Arena *a, const Module *m, const char *key)
{
    const char *s = module_get(m, key);
    Text t = text_new(a);

    text_add(&t, "%s", s ? s : "none");
    return t.s;
}

static void
name_trials(Trials *t, const Module *m)
{
    Arena *a = t->args->arena;
    Text name = text_new(a);

    text_add(&name, "%s", m->name);
    t->model = text_str(&name);
    t->loss = meta_text(a, m, "loss");
    t->optimizer = meta_text(a, m, "optimizer");
}

static void
free_arena(void *a)
{
    arena_free(a);
}

Trials
trials_new(const Args *args, const char *path)
{
    static const char first[] = "recompute";
    Arena *own = arena_new();
    Args quiet = *args;
    Trials t = {.args = args, .path = path};
    const char *behind;
    Module *m;

    arena_defer(args->arena, free_arena, own);
    quiet.arena = own;
    m = load_model(&quiet, path);
    t.loaded = m->stage;
    if (m->stage == ST_PLACED)
        raise_status(ST_USAGE, (Loc){.file = path},
                     E(E0403) "is a plan already: its budget is decided\n"
                              "give the model that it was made of");
    t.passes = passes_of(args, m);
    behind = find_pass(t.passes, first, strlen(first));
    t.split = behind != NULL;
    if (behind) {
        Args front = part_of(&quiet, own, behind, true);

        front.given[OPT_passes] = NULL;
        run_passes(&front, m, passes_before(own, t.passes, behind));
        t.passes = behind;
    }
    t.text = print_module(args->arena, m);
    t.stores = arena_store_bytes(m, machine_of(args)->align);
    name_trials(&t, m);
    return t;
}

/* ---- a plan ------------------------------------------------------------- */

static void
take_figures(Trial *r, const Machine *machine)
{
    Graph *g = main_entry(r->m);

    r->good = true;
    r->peak = module_number(r->m, "peak", 0);
    r->bound = module_number(r->m, "bound", 0);
    r->stores = arena_store_bytes(r->m, machine->align);
    r->seconds = cost_entry(g, machine).many;
    r->again = repeats_of(g, machine);
}

static void
make_plan(const Trials *t, Trial *r)
{
    Args args = *t->args;
    char budget[32];

    if (t->split)
        args = part_of(&args, r->arena, t->passes, false);
    args.arena = r->arena;
    args.given[OPT_passes] = args.given[OPT_memory] = NULL;
    snprintf(budget, sizeof budget, "%" PRId64, r->budget);
    if (r->budget)
        args = args_with(&args, r->arena, OPT_memory, budget);
    r->m = parse_module(r->arena, t->text, t->path);
    raise_if_complained();
    run_passes(&args, r->m, t->passes);
    if (r->m->stage != ST_PLACED)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0403) "the passes end before a plan is made: let them "
                              "end with ...,place");
    require_good_plan(&args, r->m);
    take_figures(r, machine_of(&args));
}

/* The words of a problem, the last line break off. */
const char *
problem_words(Arena *a, Guard *guard)
{
    char *text = diag_text(guard);

    diag_free(guard);
    if (!text)
        return "out of memory";
    arena_defer(a, free, text);
    if (*text)
        text[strlen(text) - 1] = 0;
    return text;
}

Trial *
trial_plan(const Trials *t, int64_t budget)
{
    Arena *const a = t->args->arena;
    Trial *const r = NEW(a, Trial);
    Guard guard;

    r->budget = budget;
    r->arena = arena_new();
    if (guarded(&guard)) {
        make_plan(t, r);
        guard_leave(&guard);
        return r;
    }
    if (guard.status != ST_NO_FIT) {
        trial_free(r);
        raise_again(&guard, NULL);
    }
    r->why = problem_words(a, &guard);
    if (r->m)
        r->least = module_number(r->m, "least", 0);
    trial_free(r);
    return r;
}

void
trial_free(Trial *t)
{
    if (t->arena)
        arena_free(t->arena);
    t->arena = NULL;
    t->m = NULL;
}
