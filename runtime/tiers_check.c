/* tiers_check: a program with a wrong move is refused before it runs: places
   that are there, a wait for every start, nothing under way at the end. */
#include "runtime/status.h"
#include "runtime/tiers.h"

/* Between tiers alone nothing moves by plain reads and writes. */
static bool
is_file(const RtProgram *p, int tier)
{
    return tier >= 0 && p->tier[tier].kind == RT_TIER_FILE;
}

static bool
is_inside(const RtProgram *p, int tier, int64_t offset, int64_t bytes)
{
    if (tier < -1 || tier >= p->tiers || offset < 0 || bytes <= 0)
        return false;
    return offset <= (tier < 0 ? p->arena_bytes : p->tier[tier].bytes) - bytes;
}

static int
wrong(const RtEntry *e, const RtStep *s, const char *what)
{
    return rt_fail(RT_ERROR_PROGRAM, "entry '%s', '%s': %s", e->name, s->name,
                   what);
}

static int
check_start(const RtProgram *p, const RtEntry *e, const RtStep *s)
{
    const RtMove *m = s->move;
    if (!is_inside(p, m->from_tier, m->from, m->bytes) ||
        !is_inside(p, m->to_tier, m->to, m->bytes))
        return wrong(e, s, "a move that leaves its tier");
    if (m->from_tier == m->to_tier ||
        (is_file(p, m->from_tier) && is_file(p, m->to_tier)))
        return wrong(e, s,
                     "a move within the arena or a tier, or from file "
                     "to file");
    return RT_OK;
}

/* under_way[]: by ticket. */
static int
check_steps(const RtProgram *p, const RtEntry *e, bool *under_way)
{
    for (int k = 0; k < e->steps; k++) {
        const RtStep *s = &e->step[k];
        const RtMove *m = s->move;
        if (!m)
            continue;
        if (m->ticket < 0 || m->ticket >= e->tickets)
            return wrong(e, s, "a ticket that is not there");
        if (!m->wait)
            RT_TRY(check_start(p, e, s));
        if (under_way[m->ticket] == !m->wait)
            return wrong(e, s,
                         m->wait ? "a wait for what was not started"
                                 : "a start where another is under way");
        under_way[m->ticket] = !m->wait;
    }
    for (int32_t k = 0; k < e->tickets; k++)
        if (under_way[k])
            return rt_fail(RT_ERROR_PROGRAM,
                           "entry '%s' ends with a move under way", e->name);
    return RT_OK;
}

static int
check_entry(const RtProgram *p, const RtEntry *e)
{
    RtRegion region = {0};
    bool *under_way;
    if (e->tickets < 0)
        return rt_fail(RT_ERROR_PROGRAM, "entry '%s': tickets", e->name);
    RT_TRY(rt_region_take(&region, e->tickets, &under_way));
    int status = check_steps(p, e, under_way);
    rt_region_drop(&region);
    return status;
}

int
rt_tiers_check(const RtProgram *p)
{
    for (int k = 0; k < p->tiers; k++)
        if (p->tier[k].bytes < 0)
            return rt_fail(RT_ERROR_PROGRAM, "tier '%s' has no size",
                           p->tier[k].name);
    for (int k = 0; k < p->entries; k++)
        RT_TRY(check_entry(p, &p->entry[k]));
    return RT_OK;
}

static bool
moves_aligned(const RtEntry *e, int tier)
{
    for (int k = 0; k < e->steps; k++) {
        const RtMove *m = e->step[k].move;
        if (!m || m->wait)
            continue;
        if ((m->from_tier == tier && m->from % RT_SPILL_BLOCK) ||
            (m->to_tier == tier && m->to % RT_SPILL_BLOCK))
            return false;
    }
    return true;
}

bool
rt_tiers_aligned(const RtProgram *p, int tier)
{
    for (int k = 0; k < p->entries; k++)
        if (!moves_aligned(&p->entry[k], tier))
            return false;
    for (int k = 0; k < p->tensors; k++)
        if (p->tensor[k].tier == tier && p->tensor[k].offset % RT_SPILL_BLOCK)
            return false;
    return true;
}
