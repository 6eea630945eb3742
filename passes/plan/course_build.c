/* course_build: an entry as its course: what each node reads, makes and waits
   for, and how each buffer can be made again. */
#include <string.h>

#include "ir/cost.h"
#include "ir/facts.h"
#include "ir/infer.h"
#include "ir/tiling.h"
#include "passes/plan/course.h"
#include "passes/plan/recipe.h"
#include "passes/tools/in_place.h"

typedef struct Build {
    Arena *a;
    Graph *g, *draft; /* recipes are tried on the draft */
    const Facts *f;
    const Machine *machine;
    CourseOf *of;
    Item *item;      /* vector */
    Run *run;        /* vector */
    int *touch;      /* vector */
    int *run_of;     /* node -> run, -1: none */
    bool *begun;     /* buffer -> a sum begins from it */
    bool *unsettled; /* buffer -> what it holds changes on the way */
} Build;

static int64_t
aligned(const Build *b, int64_t bytes)
{
    return round_up(bytes, b->machine->align);
}

/* ---- items and runs --------------------------------------------------- */

static void
find_items(Build *b)
{
    const Facts *f = b->f;
    Sym arena = module_arena(b->g->module);

    b->of->buffers = (uint32_t)vec_len(f->buffer);
    b->of->item_of = NEWN(b->a, int, vec_len(f->buffer) + 1);
    for (size_t i = 0; i < vec_len(f->buffer); i++) {
        const Buffer *x = &f->buffer[i];
        int item = (int)vec_len(b->item);

        b->of->item_of[i] = -1;
        if (x->persistent || x->last < 0)
            continue;
        b->of->item_of[i] = item;
        vec_push(b->a, b->item,
                 (Item){x->space == arena ? aligned(b, x->bytes) : 0, x->root,
                        item, -1, -1, false});
    }
    for (size_t i = 0; i < vec_len(b->g->output); i++) {
        int item = b->of->item_of[f->buffer_of[b->g->output[i]]];

        if (item >= 0)
            b->item[item].to_end = true;
    }
    b->of->items = (int)vec_len(b->item);
}

static void
push_once(Arena *a, int **list, int x)
{
    for (size_t i = 0; i < vec_len(*list); i++)
        if ((*list)[i] == x)
            return;
    vec_push(a, *list, x);
}

static void
push_buffer(Arena *a, uint32_t **list, uint32_t x)
{
    for (size_t i = 0; i < vec_len(*list); i++)
        if ((*list)[i] == x)
            return;
    vec_push(a, *list, x);
}

/* The items and the stores that a node reads. */
static void
find_reads(const Build *b, const Node *n, int **in, uint32_t **store)
{
    for (int i = 0; i < n->nin; i++) {
        uint32_t buffer = b->f->buffer_of[n->in[i]];

        if (b->of->item_of[buffer] >= 0)
            push_once(b->a, in, b->of->item_of[buffer]);
        else
            push_buffer(b->a, store, buffer);
    }
}

/* Which results may take the bytes of which operands, as items. */
static void
find_pairs(const Build *b, const Node *n, const int *in, int **pair)
{
    int outs = 0;

    for (int i = 0; i < n->nout; i++) {
        uint32_t buffer = b->f->buffer_of[n->out[i]];
        const Value *v = value_at(b->g, n->out[i]);

        if (b->of->item_of[buffer] < 0 || v->over)
            continue;
        for (int k = 0; k < n->nin; k++) {
            int item = b->of->item_of[b->f->buffer_of[n->in[k]]], at = 0;

            while (at < (int)vec_len(in) && in[at] != item)
                at++;
            if (item < 0 ||
                b->item[item].bytes != aligned(b, type_bytes(&v->type)) ||
                !may_take_bytes(b->g, b->f, n, n->in[k], n->out[i]))
                continue;
            vec_push(b->a, *pair, outs);
            vec_push(b->a, *pair, at);
        }
        outs++;
    }
}

/* Do its sums begin from an operand? */
static bool
goes_on(const Node *n)
{
    return (n->op == OP_contract || n->op == OP_scatter) && n->nin > 2 &&
           n->in[2];
}

static void
add_run(Build *b, NodeId id)
{
    const Node *n = node_at(b->g, id);
    Scratch s = tiling_scratch(b->g, id, b->machine);
    int at = (int)vec_len(b->run), *in = NULL;
    Run r = {.node = id, .recipe = -1, .in = (int)vec_len(b->touch)};

    b->run_of[id] = at;
    if (goes_on(n))
        b->begun[b->f->buffer_of[n->in[2]]] = true;
    r.seconds = cost_seconds(b->g, id, b->machine).many;
    if (!node_scratch(b->g, n))
        r.aside = aligned(b, scratch_bytes(s, b->machine));
    find_reads(b, n, &in, &b->of->reads[at]);
    r.ins = (int)vec_len(in);
    for (int i = 0; i < r.ins; i++)
        vec_push(b->a, b->touch, in[i]);
    r.out = (int)vec_len(b->touch);
    for (int i = 0; i < n->nout; i++) {
        uint32_t buffer = b->f->buffer_of[n->out[i]];
        int item = b->of->item_of[buffer];

        if (item >= 0) {
            vec_push(b->a, b->touch, item);
            if (b->item[item].maker < 0)
                b->item[item].maker = at;
        } else if (value_at(b->g, n->out[i])->over) {
            push_buffer(b->a, &b->of->writes[at], buffer);
        }
        if (item >= 0 && value_at(b->g, n->out[i])->over)
            b->unsettled[buffer] = true;
    }
    r.outs = (int)vec_len(b->touch) - r.out;
    find_pairs(b, n, in, &b->of->pairs[at]);
    vec_push(b->a, b->run, r);
}

static void
find_runs(Build *b)
{
    const Graph *g = b->g;
    size_t count = vec_len(g->order);

    b->run_of = NEWN(b->a, int, vec_len(g->node) + 1);
    b->of->reads = NEWN(b->a, uint32_t *, count + 1);
    b->of->writes = NEWN(b->a, uint32_t *, count + 1);
    b->of->pairs = NEWN(b->a, int *, count + 1);
    b->unsettled = NEWN(b->a, bool, b->of->buffers + 1);
    b->begun = NEWN(b->a, bool, b->of->buffers + 1);
    for (size_t n = 0; n < vec_len(g->node); n++)
        b->run_of[n] = -1;
    for (size_t k = 0; k < count; k++)
        if (!node_is_view(node_at(g, g->order[k])))
            add_run(b, g->order[k]);
    b->of->runs = (int)vec_len(b->run);
}

/* ---- what waits for what ---------------------------------------------- */

/* What a node waits for: a view waits in the name of what it shows. */
static void
add_needs(const Build *b, const Depends *d, NodeId id, int **needs)
{
    for (uint32_t e = d->of[id]; e < d->of[id + 1]; e++) {
        NodeId on = d->on[e];

        if (b->run_of[on] >= 0)
            push_once(b->a, needs, b->run_of[on]);
        else
            add_needs(b, d, on, needs);
    }
}

static bool
writes_store(const Build *b, int run)
{
    return vec_len(b->of->writes[run]) > 0;
}

/* Updates that only updates wait for. */
static void
find_floating(Build *b)
{
    CourseOf *of = b->of;
    bool *waited = NEWN(b->a, bool, of->runs + 1);
    Depends d = depends(b->a, b->g);

    of->floating = NEWN(b->a, bool, of->runs + 1);
    of->needs = NEWN(b->a, int *, of->runs + 1);
    for (int r = 0; r < of->runs; r++)
        add_needs(b, &d, b->run[r].node, &of->needs[r]);
    for (int r = of->runs; r-- > 0;) {
        const Run *run = &b->run[r];

        of->floating[r] =
            !waited[r] && node_at(b->g, run->node)->phase == 'u';
        for (int t = 0; t < run->outs; t++)
            if (b->item[b->touch[run->out + t]].to_end)
                of->floating[r] = false;
        for (size_t i = 0; i < vec_len(of->needs[r]); i++)
            waited[of->needs[r][i]] |= !of->floating[r];
        for (size_t i = 0; i < vec_len(of->writes[r]); i++)
            b->unsettled[of->writes[r][i]] |= !of->floating[r];
    }
}

/* ---- recipes ---------------------------------------------------------- */

/* Operands whose bytes the result may take, as positions in in[]. */
static void
find_takes(const Build *b, NodeId made, ValueId result, Recipe *r)
{
    const Node *n = node_at(b->draft, made);
    const Type *t = &value_at(b->draft, result)->type;

    for (size_t i = 0; i < vec_len(r->in); i++)
        for (int k = 0; k < n->nin; k++)
            if (b->of->item_of[b->f->buffer_of[n->in[k]]] == r->in[i] &&
                b->item[r->in[i]].bytes == aligned(b, type_bytes(t)) &&
                may_take_bytes(b->draft, b->f, n, n->in[k], result)) {
                push_once(b->a, &r->takes, (int)i);
                break;
            }
}

static bool
reads_unsettled(const Build *b, const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (b->unsettled[b->f->buffer_of[n->in[i]]])
            return true;
    return false;
}

static void
add_recipe(Build *b, int item, bool part, const ValueId *now)
{
    Recipe r = {.value = b->item[item].value, .part = part, .item = item};
    NodeId made = recipe_node(b->a, b->draft, r.value, part, now);
    ValueId result = recipe_result(b->draft, made, r.value);
    const Node *n = node_at(b->draft, made);
    Scratch scratch;

    find_reads(b, n, &r.in, &r.store);
    r.seconds = cost_seconds(b->draft, made, b->machine).many;
    scratch = tiling_scratch(b->draft, made, b->machine);
    r.aside = aligned(b, scratch_bytes(scratch, b->machine));
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] != result)
            r.aside +=
                aligned(b, type_bytes(&value_at(b->draft, n->out[i])->type));
    find_takes(b, made, result, &r);
    if (reads_unsettled(b, n))
        return;
    vec_push(b->a, b->of->recipes[item], (int)vec_len(b->of->recipe));
    vec_push(b->a, b->of->recipe, r);
}

/* Is it a sum that goes on from node to node? Each is written over the one
   before: to make it again is to begin anew. */
static bool
is_sum(const Build *b, int item)
{
    ValueId v = b->item[item].value;
    const Node *n = node_at(b->g, value_at(b->g, v)->def);

    return goes_on(n) || b->begun[b->f->buffer_of[v]];
}

/* Can the item's node run again? It writes nothing but its own results. */
static bool
is_repeatable(const Build *b, int item)
{
    const Item *x = &b->item[item];
    const Run *r = x->maker < 0 ? NULL : &b->run[x->maker];

    return r && !x->to_end && !is_sum(b, item) &&
           !b->unsettled[b->f->buffer_of[x->value]] &&
           !writes_store(b, x->maker) && !b->of->floating[x->maker] &&
           value_at(b->g, x->value)->def == r->node &&
           aligned(b, type_bytes(&value_at(b->g, x->value)->type)) ==
               x->bytes;
}

static void
find_recipes(Build *b)
{
    ValueId *now = NEWN(b->a, ValueId, 2 * vec_len(b->g->value) + 1);

    b->draft = graph_clone(b->g, "draft");
    b->of->recipes = NEWN(b->a, int *, b->of->items + 1);
    for (int i = 0; i < b->of->items; i++) {
        if (!is_repeatable(b, i))
            continue;
        add_recipe(b, i, false, now);
        if (recipe_is_part(b->a, b->g, b->item[i].value))
            add_recipe(b, i, true, now);
    }
}

static uint8_t
does(const uint32_t *store, const int *takes)
{
    return (uint8_t)((vec_len(store) ? DOES_READ_STORES : 0) |
                     (vec_len(takes) ? DOES_TAKE_BYTES : 0));
}

static void
find_what_is_done(Build *b)
{
    CourseOf *of = b->of;
    int recipes = (int)vec_len(of->recipe);

    of->run_does = NEWN(b->a, uint8_t, of->runs + 1);
    of->recipe_does = NEWN(b->a, uint8_t, recipes + 1);
    for (int r = 0; r < of->runs; r++)
        of->run_does[r] = does(of->reads[r], of->pairs[r]);
    for (int r = 0; r < recipes; r++)
        of->recipe_does[r] = does(of->recipe[r].store, of->recipe[r].takes);
}

CourseOf *
course_of(Arena *a, Graph *g, const Machine *machine)
{
    Build b = {.a = a, .g = g, .f = facts(g), .machine = machine};

    b.of = NEW(a, CourseOf);
    b.of->g = g;
    b.of->stores = arena_store_bytes(g->module, machine->align);
    find_items(&b);
    find_runs(&b);
    find_floating(&b);
    find_recipes(&b);
    find_what_is_done(&b);
    b.of->first_item = b.item;
    b.of->first_run = b.run;
    b.of->first_touch = b.touch;
    return b.of;
}
