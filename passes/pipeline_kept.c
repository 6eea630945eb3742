/* pipeline_kept: plans that were tried. What is planned in earnest is searched
   for longer and may end elsewhere: where it does not fit, or is slower than
   what was tried, what was tried is taken, gone on with as it was tried. */
#include "passes/pipeline_parts.h"

#include <string.h>

#include "ir/cost.h"
#include "ir/text.h"

static double
seconds_of(Module *m, const Machine *machine)
{
    Graph *train = module_entry(m, "train");

    return train ? cost_entry(train, machine).many : 0;
}

/* What was tried has no proof of what every schedule adds, which is worth more
   than so many times the seconds. */
static const double proof_worth = 1.001;

bool
kept_is_faster(const Pipeline *p, Module *m, const PipelineOptions *o)
{
    double worth = module_get(m, "time_bound") ? proof_worth : 1;

    return vec_len(p->kept) && m->stage == ST_PLACED &&
           worth * vec_last(p->kept).seconds < seconds_of(m, o->machine);
}

static void
run_rest(const Pipeline *p, const Kept *kept, Module *m,
         const PipelineOptions *o)
{
    Pipeline rest = {
        .arena = p->arena, .plugged = p->plugged, .call = kept->call};

    for (size_t k = 0; k < vec_len(rest.call); k++) {
        pipeline_step(&rest, m, o, k);
        if (o->stop_after && strcmp(o->stop_after, rest.call[k].row->name) == 0)
            return;
    }
}

/* NULL: it does not fit to the end. */
static Module *
finish(const Pipeline *p, const Kept *kept, const Module *m,
       const PipelineOptions *o)
{
    Module *copy = parse_module(p->arena, kept->text, m->file);
    Guard g;

    ASSERT(copy);
    if (guarded(&g)) {
        run_rest(p, kept, copy, o);
        guard_leave(&g);
        return copy;
    }
    if (g.status != ST_NO_FIT)
        raise_again(&g, NULL);
    diag_free(&g);
    return NULL;
}

bool
kept_take(const Pipeline *p, Module *m, const PipelineOptions *o, bool fits)
{
    for (size_t i = vec_len(p->kept); i-- > 0;) {
        Module *copy = finish(p, &p->kept[i], m, o);

        if (copy && (!fits || seconds_of(copy, o->machine) <
                                  seconds_of(m, o->machine))) {
            module_take(m, copy);
            log_line("chunk", "taken as it was tried");
            return true;
        }
        if (fits)
            return false;
    }
    return false;
}
