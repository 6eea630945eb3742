/* course: what is alive when, and how a course changes. */
#include "passes/plan/course.h"

#include <string.h>

Course *
course_new(Arena *a, const CourseOf *of)
{
    Course *c = NEW(a, Course);

    c->of = of;
    c->items = of->items;
    c->runs = of->runs;
    c->touches = (int)vec_len(of->first_touch);
    c->item_room = COURSE_ROOM * of->items + 64;
    c->run_room = COURSE_ROOM * of->runs + 64;
    c->touch_room = COURSE_ROOM * c->touches + 512;
    c->item = NEWN(a, Item, c->item_room);
    c->run = NEWN(a, Run, c->run_room);
    c->touch = NEWN(a, int, c->touch_room);
    c->order = NEWN(a, int, c->run_room);
    c->added = NEWN(a, int, of->items + 1);
    for (int i = 0; i < c->items; i++) {
        c->item[i] = of->first_item[i];
        c->added[i] = -1;
    }
    for (int t = 0; t < c->touches; t++)
        c->touch[t] = of->first_touch[t];
    for (int r = 0; r < c->runs; r++) {
        c->run[r] = of->first_run[r];
        if (!of->floating[r])
            c->order[c->length++] = r;
    }
    return c;
}

void
course_copy(Course *to, const Course *from)
{
    to->items = from->items;
    to->runs = from->runs;
    to->touches = from->touches;
    to->length = from->length;
    memcpy(to->item, from->item, (size_t)from->items * sizeof *to->item);
    memcpy(to->run, from->run, (size_t)from->runs * sizeof *to->run);
    memcpy(to->touch, from->touch, (size_t)from->touches * sizeof *to->touch);
    memcpy(to->order, from->order, (size_t)from->length * sizeof *to->order);
    memcpy(to->added, from->added, (size_t)from->of->items * sizeof *to->added);
}

void
course_rewind(Course *to, const Course *from)
{
    for (int i = to->items; i-- > from->items;)
        to->added[to->item[i].base] = to->item[i].older;
    to->items = from->items;
    to->runs = from->runs;
    to->touches = from->touches;
    to->length = from->length;
    memcpy(to->touch, from->touch, (size_t)from->touches * sizeof *to->touch);
    memcpy(to->order, from->order, (size_t)from->length * sizeof *to->order);
}

Profile *
profile_new(Arena *a, const Course *c)
{
    Profile *p = NEW(a, Profile);

    p->run = NEWN(a, int, c->run_room + 1);
    p->place = NEWN(a, int, c->run_room + 1);
    p->first = NEWN(a, int, c->item_room + 1);
    p->last = NEWN(a, int, c->item_room + 1);
    p->live = NEWN(a, int64_t, c->run_room + 2);
    p->index = NEWN(a, int, c->run_room + 1);
    p->slot = NEWN(a, int, c->of->runs + 1);
    p->head = NEWN(a, int, c->run_room + 1);
    p->next = NEWN(a, int, c->of->runs + 1);
    p->last_read = NEWN(a, int, c->of->buffers + 1);
    return p;
}

/* ---- where updates run ------------------------------------------------ */

/* Most runs do nothing that is asked for here: one byte tells. */
static bool
does(const Course *c, int run, int what)
{
    int recipe = c->run[run].recipe;

    return (recipe < 0 ? c->of->run_does[run] : c->of->recipe_does[recipe]) &
           what;
}

static const uint32_t *
stores_read(const Course *c, int run)
{
    const Run *r = &c->run[run];

    return r->recipe < 0 ? c->of->reads[run]
                         : c->of->recipe[r->recipe].store;
}

/* Versions made again have to be there. */
static int
behind_makers(const Course *c, int run, const int *index, int slot)
{
    const Run *r = &c->run[run];

    for (int t = 0; t < r->ins; t++) {
        const Item *x = &c->item[c->touch[r->in + t]];

        if (x->maker >= c->of->runs && index[x->maker] > slot)
            slot = index[x->maker];
    }
    return slot;
}

/* Each floating run behind order[slot]: the last that it waits for. */
static void
find_slots(const Course *c, const int *index, int *last_read, int *slot)
{
    const CourseOf *of = c->of;

    for (int k = 0; k < c->length; k++) {
        const uint32_t *store;

        if (!does(c, c->order[k], DOES_READ_STORES))
            continue;
        store = stores_read(c, c->order[k]);
        for (size_t i = 0; i < vec_len(store); i++)
            last_read[store[i]] = k;
    }
    for (int r = 0; r < of->runs; r++) {
        if (!of->floating[r])
            continue;
        slot[r] = 0;
        for (size_t i = 0; i < vec_len(of->needs[r]); i++) {
            int n = of->needs[r][i];
            int at = of->floating[n] ? slot[n] : index[n];

            slot[r] = at > slot[r] ? at : slot[r];
        }
        slot[r] = behind_makers(c, r, index, slot[r]);
        for (size_t i = 0; i < vec_len(of->writes[r]); i++)
            if (last_read[of->writes[r][i]] > slot[r])
                slot[r] = last_read[of->writes[r][i]];
    }
}

static void
find_sequence(const Course *c, Profile *p)
{
    const CourseOf *of = c->of;

    memset(p->place, -1, (size_t)c->runs * sizeof *p->place);
    memset(p->index, 0, (size_t)c->runs * sizeof *p->index);
    memset(p->head, 0, (size_t)c->length * sizeof *p->head);
    memset(p->last_read, 0, of->buffers * sizeof *p->last_read);
    for (int k = 0; k < c->length; k++)
        p->index[c->order[k]] = k;
    find_slots(c, p->index, p->last_read, p->slot);
    for (int r = of->runs; r-- > 0;)
        if (of->floating[r]) {
            p->next[r] = p->head[p->slot[r]];
            p->head[p->slot[r]] = r + 1;
        }
    p->length = 0;
    for (int k = 0; k < c->length; k++) {
        p->run[p->length++] = c->order[k];
        for (int r = p->head[k]; r; r = p->next[r - 1])
            p->run[p->length++] = r - 1;
    }
    for (int k = 0; k < p->length; k++)
        p->place[p->run[k]] = k;
}

/* ---- what is alive ---------------------------------------------------- */

static void
touch_items(const Course *c, Profile *p)
{
    for (int i = 0; i < c->items; i++) {
        p->first[i] = p->length;
        p->last[i] = -1;
    }
    for (int k = 0; k < p->length; k++) {
        const Run *r = &c->run[p->run[k]];

        for (int t = 0; t < r->ins + r->outs; t++) {
            int i = c->touch[t < r->ins ? r->in + t : r->out + t - r->ins];

            if (t >= r->ins && c->item[i].maker >= 0)
                p->first[i] = k;
            p->last[i] = k;
        }
    }
    for (int i = 0; i < c->items; i++) {
        if (c->item[i].maker < 0 && p->last[i] >= 0)
            p->first[i] = 0;
        if (c->item[i].to_end && p->first[i] < p->length)
            p->last[i] = p->length - 1;
    }
}

/* Bytes that results at position k take from operands that end there. */
static int64_t
bytes_taken(const Course *c, const Profile *p, int k)
{
    const Run *r = &c->run[p->run[k]];
    const int *pair = r->recipe < 0 ? c->of->pairs[p->run[k]] : NULL;
    int64_t bytes = 0;
    int taken = -1, given = -1;

    for (size_t i = 0; i + 1 < vec_len(pair); i += 2) {
        int in = c->touch[r->in + pair[i + 1]];

        if (pair[i] == given || in == taken || p->last[in] != k ||
            c->item[in].maker < 0 || c->item[in].to_end)
            continue;
        given = pair[i];
        taken = in;
        bytes += c->item[in].bytes;
    }
    if (r->recipe >= 0) {
        const int *takes = c->of->recipe[r->recipe].takes;

        for (size_t i = 0; i < vec_len(takes) && !bytes; i++) {
            int in = c->touch[r->in + takes[i]];

            if (p->last[in] == k && c->item[in].maker >= 0 &&
                !c->item[in].to_end)
                bytes = c->item[in].bytes;
        }
    }
    return bytes;
}

void
profile_find(const Course *c, Profile *p)
{
    int64_t now = c->of->stores;

    p->items = c->items;
    p->runs = c->runs;
    find_sequence(c, p);
    touch_items(c, p);
    memset(p->live, 0, ((size_t)p->length + 2) * sizeof *p->live);
    for (int i = 0; i < c->items; i++)
        if (p->first[i] <= p->last[i]) {
            p->live[p->first[i]] += c->item[i].bytes;
            p->live[p->last[i] + 1] -= c->item[i].bytes;
        }
    p->peak = 0;
    p->at = 0;
    p->seconds = 0;
    for (int k = 0; k < p->length; k++) {
        const Run *r = &c->run[p->run[k]];

        now += p->live[k];
        p->live[k] = now + r->aside;
        if (does(c, p->run[k], DOES_TAKE_BYTES))
            p->live[k] -= bytes_taken(c, p, k);
        p->seconds += r->seconds;
        if (p->live[k] > p->peak) {
            p->peak = p->live[k];
            p->at = k;
        }
    }
}

int64_t
course_peak(Arena *scratch, const Course *c)
{
    Profile *p = profile_new(scratch, c);

    profile_find(c, p);
    return p->peak;
}

double
course_seconds(Arena *scratch, const Course *c)
{
    Profile *p = profile_new(scratch, c);

    profile_find(c, p);
    return p->seconds;
}

/* Each result takes the bytes of an operand of its own, if it may at all. */
int64_t
bytes_in_place(const Course *c, int run)
{
    const int *pair = c->of->pairs[run];
    int64_t bytes = 0;

    for (size_t i = 0; i + 1 < vec_len(pair); i += 2)
        if (i == 0 || pair[i] != pair[i - 2])
            bytes += c->item[c->touch[c->run[run].in + pair[i + 1]]].bytes;
    return bytes;
}

int
course_version(const Course *c, const Profile *p, int base, int at)
{
    int best = -1;

    if (p->first[base] < at ||
        (c->item[base].maker < 0 && p->first[base] <= at))
        best = base;
    for (int i = c->added[base]; i >= 0; i = c->item[i].older)
        if (i < p->items && p->first[i] < at &&
            (best < 0 || p->first[i] > p->first[best]))
            best = i;
    return best;
}

/* ---- changes ---------------------------------------------------------- */

static void
replace_in(Course *c, int run, int from, int to)
{
    const Run *r = &c->run[run];

    for (int t = 0; t < r->ins; t++)
        if (c->touch[r->in + t] == from)
            c->touch[r->in + t] = to;
}

void
course_hand_over(Course *c, const Profile *p, int from, int to, int at)
{
    for (int k = at; k <= p->last[from]; k++)
        replace_in(c, p->run[k], from, to);
}

int
course_again(Course *c, int recipe, const int *in, int k)
{
    const Recipe *r = &c->of->recipe[recipe];
    int ins = (int)vec_len(r->in), item = c->items;

    if (c->items == c->item_room || c->runs == c->run_room ||
        c->touches + ins + 1 > c->touch_room)
        return -1;
    c->item[c->items] = (Item){c->item[r->item].bytes,
                               c->item[r->item].value, r->item,
                               c->added[r->item], c->runs, false};
    c->added[r->item] = c->items++;
    c->run[c->runs] = (Run){0,   recipe, c->touches, ins, c->touches + ins,
                            1,   r->seconds, r->aside};
    memcpy(c->touch + c->touches, in, (size_t)ins * sizeof *in);
    c->touch[c->touches + ins] = item;
    c->touches += ins + 1;
    memmove(c->order + k + 1, c->order + k,
            (size_t)(c->length - k) * sizeof *c->order);
    c->order[k] = c->runs++;
    c->length++;
    return item;
}

/* How many runs read each item. */
static void
count_readers(const Course *c, int *readers)
{
    memset(readers, 0, (size_t)c->items * sizeof *readers);
    for (int r = 0; r < c->runs; r++)
        for (int t = 0; t < c->run[r].ins; t++)
            readers[c->touch[c->run[r].in + t]]++;
}

/* Takes the runs by recipes out whose result nobody reads, last first. */
static void
sweep(Arena *scratch, Course *c)
{
    int *readers = NEWN(scratch, int, c->items + 1), kept = c->length;

    count_readers(c, readers);
    for (int k = c->length; k-- > 0;) {
        Run *r = &c->run[c->order[k]];

        if (r->recipe < 0 || readers[c->touch[r->out]]) {
            c->order[--kept] = c->order[k];
            continue;
        }
        for (int t = 0; t < r->ins; t++)
            readers[c->touch[r->in + t]]--;
        r->ins = 0;
    }
    memmove(c->order, c->order + kept,
            (size_t)(c->length - kept) * sizeof *c->order);
    c->length -= kept;
}

void
course_keep(Arena *scratch, Course *c, int item, int instead)
{
    for (int r = 0; r < c->runs; r++)
        replace_in(c, r, item, instead);
    sweep(scratch, c);
}
