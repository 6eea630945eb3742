/* pipeline_choice: 1, 2, 4, ... parts, until more of them cannot help. */
#include "passes/pipeline_choice.h"

#include "ir/base/diag.h"
#include "ir/cost.h"

enum { PARTS_MOST = 32, VAIN_MOST = 2 };

static bool
runs_again(const Graph *g)
{
    for (size_t k = 0; k < vec_len(g->order); k++)
        if (node_at(g, g->order[k])->phase == 'r')
            return true;
    return false;
}

Outcome
plan_outcome(Module *m, const Machine *machine)
{
    Outcome x = {.fits = true};

    for (size_t i = 0; i < vec_len(m->entry); i++)
        x.again = x.again || runs_again(m->entry[i]);
    if (vec_len(m->entry)) {
        Graph *train = module_entry(m, "train");

        x.seconds = cost_entry(train ? train : m->entry[0], machine).many;
    }
    return x;
}

int64_t
choose_parts(TryParts *try_parts, const void *with)
{
    Outcome best = {0}, x;
    int64_t chosen = 1;
    int vain = 0; /* tries in a row that made nothing better */

    for (int64_t parts = 1; parts <= PARTS_MOST; parts *= 2) {
        x = try_parts(with, parts);
        if (parts > 1 && x.nothing)
            break;
        log_line("chunk", "%lld parts: %s, %.6g s%s", (long long)parts,
                 x.fits ? "fits" : "does not fit", x.seconds,
                 x.again ? ", some runs again" : "");
        if (best.fits && (!x.fits || x.seconds >= best.seconds)) {
            if (++vain == VAIN_MOST)
                break;
            continue;
        }
        vain = 0;
        best = x;
        chosen = parts;
        if (x.fits && !x.again)
            break;
    }
    return chosen;
}
