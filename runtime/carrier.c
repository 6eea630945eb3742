/* carrier: the thread that gives moves writes a queue and counts `started`; the
   carrier takes pieces from it and counts `ended`. Neither waits for the other
   but on a futex. Once something failed, what follows is not carried any more
   but ends all the same, so nobody waits for ever. */
#include "runtime/carrier.h"

#include "runtime/futex.h"
#include "runtime/status.h"

#include <errno.h>
#include <string.h>

#define PIECE       ((int64_t)1 << 20)
#define STAGING     ((int64_t)512 << 10)
#define STACK_BYTES (64 << 10)

static bool
is_writing(const RtLane *l)
{
    return l->to.spill;
}

static const RtSpill *
spill_of(const RtLane *l)
{
    return l->to.spill ? l->to.spill : l->from.spill;
}

/* ---- ends ---------------------------------------------------------------- */

static void
forget(const RtLane *l, const RtMove *m)
{
    const RtSpill *s = spill_of(l);
    if (s)
        rt_spill_forget(s, is_writing(l) ? m->to : m->from, m->bytes);
}

/* Moves end in their order, also where pieces of later ones came first. */
static void
count_ended(RtLane *l)
{
    unsigned first = atomic_load(&l->ended), end = first;
    while (end != atomic_load(&l->started) && !l->left[end & l->mask])
        forget(l, l->move[end++ & l->mask]);
    if (end == first)
        return;
    atomic_store(&l->ended, end);
    if (atomic_load(&l->watched))
        rt_futex_wake(&l->ended);
}

static void
end_piece(RtSlot *s)
{
    RtLane *l = s->lane;
    if (!is_writing(l) && s->at != s->memory && !atomic_load(&l->failure))
        memcpy(s->memory, s->at, (size_t)s->bytes);
    l->left[s->turn & l->mask] -= s->bytes;
    count_ended(l);
}

/* What a call returned, or minus an error. False: it is to be called again for
   the rest. */
static bool
is_over(RtSlot *s, int64_t result)
{
    if (result == -EINTR || result == -EAGAIN)
        return false;
    if (result <= 0)
        atomic_store(&s->lane->failure, result ? (int)-result : EIO);
    else if ((s->done += result) < s->span)
        return false;
    end_piece(s);
    return true;
}

/* ---- pieces -------------------------------------------------------------- */

/* Past the page cache only whole blocks are carried, to and from memory that
   lies well; the rest of a move and other memory go over the staging. */
static void
cut_piece(RtSlot *s, int64_t left)
{
    const RtLane *l = s->lane;
    const RtSpill *spill = spill_of(l);
    s->bytes = s->span = left < l->most ? left : l->most;
    s->at = s->memory;
    if (!spill->direct)
        return;
    if ((intptr_t)s->memory % spill->memory)
        s->bytes = s->bytes < STAGING ? s->bytes : STAGING;
    if (s->bytes > RT_SPILL_BLOCK)
        s->bytes -= s->bytes % RT_SPILL_BLOCK;
    s->span = s->bytes < RT_SPILL_BLOCK ? RT_SPILL_BLOCK : s->bytes;
    if (s->span != s->bytes || (intptr_t)s->memory % spill->memory)
        s->at = s->staging;
}

/* The next piece of the lane; false: there is none. */
static bool
take_piece(RtSlot *s)
{
    RtLane *l = s->lane;
    if (l->turn == atomic_load(&l->started))
        return false;
    const RtMove *m = l->move[l->turn & l->mask];
    s->turn = l->turn;
    s->memory =
        (is_writing(l) ? l->from.memory + m->from : l->to.memory + m->to) +
        l->taken;
    s->offset = (is_writing(l) ? m->to : m->from) + l->taken;
    s->done = 0;
    cut_piece(s, m->bytes - l->taken);
    if (is_writing(l) && s->at != s->memory)
        memcpy(s->at, s->memory, (size_t)s->bytes);
    l->taken += s->bytes;
    if (l->taken == m->bytes) {
        l->turn++;
        l->taken = 0;
    }
    return true;
}

/* ---- three ways to carry; false: nothing was there ------------------------
 */

static bool
carry_memory(RtLane *l)
{
    if (l->turn == atomic_load(&l->started))
        return false;
    const RtMove *m = l->move[l->turn & l->mask];
    memcpy(l->to.memory + m->to, l->from.memory + m->from, (size_t)m->bytes);
    l->left[l->turn++ & l->mask] = 0;
    count_ended(l);
    return true;
}

static int64_t
call_once(const RtSlot *s)
{
    const RtSpill *spill = spill_of(s->lane);
    char *at = s->at + s->done;
    size_t bytes = (size_t)(s->span - s->done);
    off_t offset = s->offset + s->done;
    ssize_t n = is_writing(s->lane) ? pwrite(spill->fd, at, bytes, offset)
                                    : pread(spill->fd, at, bytes, offset);
    return n < 0 ? -errno : n;
}

static bool
carry_piece(RtLane *l)
{
    RtSlot *s = &l->slot[0];
    if (!take_piece(s))
        return false;
    if (atomic_load(&l->failure))
        end_piece(s);
    else
        while (!is_over(s, call_once(s)))
            ;
    return true;
}

static void
put(RtCarrier *c, RtSlot *s)
{
    rt_ring_put(c->ring, is_writing(s->lane), spill_of(s->lane)->fd,
                s->at + s->done, s->span - s->done, s->offset + s->done,
                (uint64_t)(uintptr_t)s);
}

static void
fill_ring(RtCarrier *c, RtSlot *s)
{
    while (!s->busy && take_piece(s)) {
        if (atomic_load(&s->lane->failure)) {
            end_piece(s);
            continue;
        }
        s->busy = true;
        c->busy++;
        put(c, s);
    }
}

static void
take_answers(RtCarrier *c)
{
    uint64_t name;
    int result;
    while (rt_ring_take(c->ring, &name, &result)) {
        RtSlot *s = (void *)(uintptr_t)name;
        if (is_over(s, result)) {
            s->busy = false;
            c->busy--;
        } else {
            put(c, s);
        }
    }
}

/* A ring that the kernel does not serve any more: what it has is lost. */
static void
give_up(RtCarrier *c, int error)
{
    for (RtLane *l = c->lane; l; l = l->next)
        for (int k = 0; k < RT_LANE_SLOTS; k++)
            if (l->slot[k].busy) {
                is_over(&l->slot[k], -error);
                l->slot[k].busy = false;
            }
    c->busy = 0;
}

static bool
carry_ring(RtCarrier *c)
{
    for (RtLane *l = c->lane; l; l = l->next)
        for (int k = 0; k < RT_LANE_SLOTS; k++)
            fill_ring(c, &l->slot[k]);
    if (!c->busy)
        return false;
    int failed = rt_ring_wait(c->ring);
    if (failed)
        give_up(c, failed);
    else
        take_answers(c);
    return true;
}

static bool
carry(RtCarrier *c)
{
    return c->ring             ? carry_ring(c)
           : spill_of(c->lane) ? carry_piece(c->lane)
                               : carry_memory(c->lane);
}

/* ---- threads ------------------------------------------------------------- */

static void *
work(void *argument)
{
    RtCarrier *c = argument;
    for (;;) {
        unsigned seen = atomic_load(&c->bell);
        if (carry(c))
            continue;
        if (atomic_load(&c->quit))
            return NULL;
        atomic_store(&c->asleep, 1);
        if (atomic_load(&c->bell) == seen)
            rt_futex_wait(&c->bell, seen);
        atomic_store(&c->asleep, 0);
    }
}

static void
ring_bell(RtCarrier *c)
{
    atomic_fetch_add(&c->bell, 1);
    if (atomic_load(&c->asleep))
        rt_futex_wake(&c->bell);
}

void
rt_carrier_start(RtCarrier *c, bool alone)
{
    pthread_attr_t attributes;
    size_t stack = STACK_BYTES, least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    if (alone || pthread_attr_init(&attributes))
        return;
    pthread_attr_setstacksize(&attributes, stack < least ? least : stack);
    c->running = !pthread_create(&c->thread, &attributes, work, c);
    pthread_attr_destroy(&attributes);
}

void
rt_carrier_stop(RtCarrier *c)
{
    if (!c->running)
        return;
    atomic_store(&c->quit, true);
    ring_bell(c);
    pthread_join(c->thread, NULL);
    c->running = false;
}

/* ---- lanes --------------------------------------------------------------- */

/* A large page for all slots where whole pieces are copied: the disk takes it
   in one part, which is thrice as quick as in many. */
static int
open_staging(RtLane *l, RtRegion *r)
{
    if (l->crooked)
        RT_TRY(rt_memory_map(&l->copies, "copies of moves",
                             RT_LANE_SLOTS * STAGING, RT_SPILL_BLOCK));
    for (int k = 0; k < RT_LANE_SLOTS; k++) {
        RtSlot *s = &l->slot[k];
        s->lane = l;
        s->staging = l->crooked ? l->copies.base + k * STAGING : NULL;
        if (!l->crooked)
            RT_TRY(rt_spill_staging(r, RT_SPILL_BLOCK, &s->staging));
    }
    return RT_OK;
}

int
rt_lane_open(RtLane *l, RtRegion *r, int moves)
{
    int64_t room = 1;
    while (room <= moves)
        room *= 2;
    l->mask = (unsigned)room - 1;
    l->most = PIECE;
    RT_TRY(rt_region_take(r, room * (int64_t)sizeof *l->move, &l->move));
    RT_TRY(rt_region_take(r, room * (int64_t)sizeof *l->left, &l->left));
    return spill_of(l) ? open_staging(l, r) : RT_OK;
}

void
rt_lane_close(RtLane *l)
{
    rt_arena_unmap(&l->copies);
}

unsigned
rt_lane_start(RtLane *l, const RtMove *m)
{
    unsigned turn = atomic_load(&l->started);
    l->move[turn & l->mask] = m;
    l->left[turn & l->mask] = m->bytes;
    atomic_store(&l->started, turn + 1);
    if (l->carrier->running)
        ring_bell(l->carrier);
    else
        while (carry(l->carrier))
            ;
    return turn;
}

bool
rt_lane_ended(const RtLane *l, unsigned turn)
{
    return (int)(atomic_load(&l->ended) - turn) > 0;
}

void
rt_lane_await(RtLane *l, unsigned turn)
{
    atomic_fetch_add(&l->watched, 1);
    while (!rt_lane_ended(l, turn)) {
        unsigned seen = atomic_load(&l->ended);
        if ((int)(seen - turn) <= 0)
            rt_futex_wait(&l->ended, seen);
    }
    atomic_fetch_sub(&l->watched, 1);
}

int
rt_lane_check(const RtLane *l)
{
    int failure = atomic_load(&l->failure);
    if (!failure)
        return RT_OK;
    return rt_spill_fail(spill_of(l), is_writing(l) ? "write" : "read",
                         failure);
}
