/* tiers: places first, then a lane for every direction that a move takes, then
   the threads that serve them. */
#include "runtime/tiers.h"

#include "runtime/progress.h"
#include "runtime/status.h"
#include "runtime/reach.h"

#include <stdlib.h>
#include <string.h>

/* ---- places -------------------------------------------------------------- */

static int
open_place(RtTiers *t, RtRegion *r, int k, const char *folder)
{
    const RtTier *tier = &t->program->tier[k];
    RtPlace *place = &t->place[k + 1];
    bool tables = rt_reach_has(t->program, k);
    if (tier->kind == RT_TIER_FILE) {
        RT_TRY(rt_spill_open(&t->spill[k], r, folder, tier->bytes,
                             !tables && rt_tiers_aligned(t->program, k)));
        place->spill = &t->spill[k];
        if (tables)
            RT_TRY(rt_spill_map(&t->spill[k], tier->bytes));
        place->rows = t->spill[k].rows.base;
        return RT_OK;
    }
    RT_TRY(rt_memory_map(&t->host[k], tier->name, tier->bytes, RT_SPILL_BLOCK));
    place->memory = place->rows = t->host[k].base;
    return RT_OK;
}

static int
open_places(RtTiers *t, RtRegion *r, char *arena, const char *folder)
{
    int count = t->program->tiers;
    RT_TRY(rt_region_take(r, count * (int64_t)sizeof *t->host, &t->host));
    RT_TRY(rt_region_take(r, count * (int64_t)sizeof *t->spill, &t->spill));
    RT_TRY(
        rt_region_take(r, (count + 1) * (int64_t)sizeof *t->place, &t->place));
    for (int k = 0; k < count; k++)
        t->spill[k].fd = -1;
    t->place[0].memory = arena;
    for (int k = 0; k < count; k++)
        RT_TRY(open_place(t, r, k, folder && *folder ? folder : "."));
    return RT_OK;
}

/* ---- lanes --------------------------------------------------------------- */

static RtLane *
find_lane(RtTiers *t, const RtMove *m)
{
    for (int k = 0; k < t->lanes; k++)
        if (t->lane[k].from_tier == m->from_tier &&
            t->lane[k].to_tier == m->to_tier)
            return &t->lane[k];
    return NULL;
}

/* Whether the file can neither take the bytes from where they lie nor put them
   there. */
static bool
is_crooked(const RtLane *l, const RtMove *m)
{
    const RtSpill *s = l->to.spill ? l->to.spill : l->from.spill;
    const char *at =
        l->to.spill ? l->from.memory + m->from : l->to.memory + m->to;
    return s && s->direct && (intptr_t)at % s->memory;
}

static void
add_move(RtTiers *t, const RtMove *m)
{
    RtLane *l = find_lane(t, m);
    if (!l) {
        l = &t->lane[t->lanes++];
        l->from_tier = m->from_tier;
        l->to_tier = m->to_tier;
        l->from = t->place[m->from_tier + 1];
        l->to = t->place[m->to_tier + 1];
    }
    l->crooked = l->crooked || is_crooked(l, m);
}

static int
open_lanes(RtTiers *t, RtRegion *r)
{
    const RtProgram *p = t->program;
    int64_t places = p->tiers + 1;
    RT_TRY(rt_region_take(r, places * places * (int64_t)sizeof *t->lane,
                          &t->lane));
    for (int k = 0; k < p->entries; k++) {
        const RtEntry *e = &p->entry[k];
        t->tickets = e->tickets > t->tickets ? e->tickets : t->tickets;
        for (int j = 0; j < e->steps; j++)
            if (e->step[j].move && !e->step[j].move->wait)
                add_move(t, e->step[j].move);
    }
    RT_TRY(
        rt_region_take(r, t->tickets * (int64_t)sizeof *t->ticket, &t->ticket));
    for (int k = 0; k < t->lanes; k++)
        RT_TRY(rt_lane_open(&t->lane[k], r, t->tickets));
    return RT_OK;
}

/* ---- carriers ------------------------------------------------------------ */

static bool
is_of_file(const RtLane *l)
{
    return l->from.spill || l->to.spill;
}

/* The ring where the kernel has it; a system that forbids it is none of the
   user's fault unless it was asked for by name. */
static int
open_ring(RtTiers *t, bool alone)
{
    const char *wanted = getenv("SNUG_IO");
    bool must = wanted && !strcmp(wanted, "uring");
    unsigned slots = 0;
    if (wanted && *wanted && !must && strcmp(wanted, "threads"))
        return rt_fail(RT_ERROR_USAGE,
                       "SNUG_IO: '%s' is not one of uring, threads", wanted);
    for (int k = 0; k < t->lanes; k++)
        slots += is_of_file(&t->lane[k]) ? RT_LANE_SLOTS : 0;
    if (alone || !slots || (wanted && !strcmp(wanted, "threads")))
        return RT_OK;
    int failed = rt_ring_open(&t->ring, slots);
    t->has_ring = !failed;
    if (failed && must)
        return rt_fail(RT_ERROR_USAGE,
                       "SNUG_IO=uring: the system refuses it: %s",
                       strerror(failed));
    return RT_OK;
}

static void
serve(RtCarrier *c, RtLane *l)
{
    l->next = c->lane;
    l->carrier = c;
    c->lane = l;
}

static int
open_carriers(RtTiers *t, RtRegion *r, bool alone)
{
    RtCarrier *of_ring = NULL;
    RT_TRY(open_ring(t, alone));
    RT_TRY(
        rt_region_take(r, t->lanes * (int64_t)sizeof *t->carrier, &t->carrier));
    for (int k = 0; k < t->lanes; k++) {
        bool ring = t->has_ring && is_of_file(&t->lane[k]);
        RtCarrier *c = ring && of_ring ? of_ring : &t->carrier[t->carriers++];
        if (ring) {
            of_ring = c;
            c->ring = &t->ring;
        }
        serve(c, &t->lane[k]);
    }
    for (int k = 0; k < t->carriers; k++)
        rt_carrier_start(&t->carrier[k], alone);
    return RT_OK;
}

/* ---- all of it ----------------------------------------------------------- */

int
rt_tiers_open(RtTiers **made, RtRegion *r, const RtProgram *p, char *arena,
              const char *folder, bool alone)
{
    RtTiers *t;
    *made = NULL;
    if (!p->tiers)
        return RT_OK;
    RT_TRY(rt_region_take(r, sizeof *t, &t));
    t->program = p;
    t->ring.fd = -1;
    int status = open_places(t, r, arena, folder);
    if (!status)
        status = open_lanes(t, r);
    if (!status)
        status = open_carriers(t, r, alone);
    if (status)
        rt_tiers_close(t);
    else
        *made = t;
    return status;
}

void
rt_tiers_close(RtTiers *t)
{
    if (!t)
        return;
    for (int k = 0; k < t->carriers; k++)
        rt_carrier_stop(&t->carrier[k]);
    rt_ring_close(&t->ring);
    for (int k = 0; k < t->lanes; k++)
        rt_lane_close(&t->lane[k]);
    for (int k = 0; t->spill && k < t->program->tiers; k++)
        rt_spill_close(&t->spill[k]);
    for (int k = 0; t->host && k < t->program->tiers; k++)
        rt_arena_unmap(&t->host[k]);
}

/* What a failed run leaves: moves that would write where nobody expects it. */
static int
fail_all(RtTiers *t, int status)
{
    for (int k = 0; k < t->tickets; k++)
        if (t->ticket[k].lane)
            rt_lane_await(t->ticket[k].lane, t->ticket[k].turn);
    memset(t->ticket, 0, (size_t)t->tickets * sizeof *t->ticket);
    return status;
}

static void
start(RtTiers *t, const RtMove *m)
{
    RtLane *l = find_lane(t, m);
    double began = l->carrier->running ? 0 : rt_seconds();
    t->ticket[m->ticket] = (RtTicket){l, rt_lane_start(l, m)};
    if (!l->carrier->running)
        t->stalled += rt_seconds() - began;
}

int
rt_tiers_move(RtTiers *t, const RtMove *m)
{
    RtTicket *ticket = &t->ticket[m->ticket];
    if (!m->wait) {
        start(t, m);
        return RT_OK;
    }
    if (!rt_lane_ended(ticket->lane, ticket->turn)) {
        double began = rt_seconds();
        rt_lane_await(ticket->lane, ticket->turn);
        t->stalled += rt_seconds() - began;
    }
    int status = rt_lane_check(ticket->lane);
    ticket->lane = NULL;
    return status ? fail_all(t, status) : RT_OK;
}
