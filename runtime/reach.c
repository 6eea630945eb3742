/* reach: nothing is copied but the steps of entries that have some. */
#include "runtime/reach.h"

#include "runtime/status.h"

#include <string.h>

static bool
has_tables(const RtEntry *e, int tier)
{
    for (int k = 0; k < e->steps; k++)
        for (int i = 0; i < e->step[k].tables; i++)
            if (tier < 0 || e->step[k].table[i].tier == tier)
                return true;
    return false;
}

bool
rt_reach_has(const RtProgram *p, int tier)
{
    for (int k = 0; k < p->entries; k++)
        if (has_tables(&p->entry[k], tier))
            return true;
    return false;
}

/* ---- steps as they run --------------------------------------------------- */

static int
lead_there(RtStep *s, RtRegion *r, const RtTiers *tiers, const char *arena)
{
    int64_t *offset;
    RT_TRY(rt_region_take(r, s->offsets * (int64_t)sizeof *offset, &offset));
    memcpy(offset, s->offset, (size_t)s->offsets * sizeof *offset);
    for (int i = 0; i < s->tables; i++) {
        const RtTable *t = &s->table[i];
        const char *rows = tiers->place[t->tier + 1].rows;
        offset[t->index] += (int64_t)((intptr_t)rows - (intptr_t)arena);
    }
    s->offset = offset;
    return RT_OK;
}

static int
copy_steps(const RtStep **made, RtRegion *r, const RtEntry *e,
           const RtTiers *tiers, const char *arena)
{
    RtStep *step;
    RT_TRY(rt_region_take(r, e->steps * (int64_t)sizeof *step, &step));
    memcpy(step, e->step, (size_t)e->steps * sizeof *step);
    for (int k = 0; k < e->steps; k++)
        if (step[k].tables)
            RT_TRY(lead_there(&step[k], r, tiers, arena));
    *made = step;
    return RT_OK;
}

int
rt_reach_open(const RtStep ***step, RtRegion *r, const RtProgram *p,
              const RtTiers *tiers, const char *arena)
{
    RT_TRY(rt_region_take(r, p->entries * (int64_t)sizeof **step, step));
    for (int k = 0; k < p->entries; k++) {
        (*step)[k] = p->entry[k].step;
        if (has_tables(&p->entry[k], -1))
            RT_TRY(copy_steps(&(*step)[k], r, &p->entry[k], tiers, arena));
    }
    return RT_OK;
}

/* ---- what is promised ---------------------------------------------------- */

static bool
is_there(const RtProgram *p, const RtStep *s, const RtTable *t)
{
    if (t->tier < 0 || t->tier >= p->tiers || t->index < 0 ||
        t->index >= s->offsets || t->bytes <= 0)
        return false;
    return s->offset[t->index] >= 0 &&
           s->offset[t->index] <= p->tier[t->tier].bytes - t->bytes;
}

int
rt_reach_check(const RtProgram *p)
{
    for (int k = 0; k < p->entries; k++)
        for (int j = 0; j < p->entry[k].steps; j++) {
            const RtStep *s = &p->entry[k].step[j];
            for (int i = 0; i < s->tables; i++)
                if (!is_there(p, s, &s->table[i]))
                    return rt_fail(RT_ERROR_PROGRAM,
                                   "entry '%s', '%s': a table that leaves its "
                                   "tier",
                                   p->entry[k].name, s->name);
        }
    return RT_OK;
}
