/* patch: the first part of a net of convolutions, up to a value of the model,
   runs for some areas of its result after the others. Each asks for the area of
   the image that it sees, so what several areas see is computed several times;
   no value before the end is ever there as a whole. The result has the same
   bits; gradients, which come from each area by itself, add up in another
   order. `chunk` makes the areas again in the backward pass. */
#include "passes/pass.h"

#include "ir/base/str.h"
#include "passes/plan/patch_region.h"
#include "passes/plan/patch_write.h"
#include "passes/tools/name.h"

enum { PARTS_MOST = 16, SHARE = 8 }; /* of bytes: an eighth counts */

typedef struct Choice {
    const PassRun *run;
    Graph *g;
    int64_t parts, total; /* bytes of all values of the forward pass */
    int (*axis)[2];
    NodeId reader;        /* of the first region that was none, */
    ValueId cut;          /* and where it would have ended */
} Choice;

/* ---- what a region takes ------------------------------------------------ */

static int64_t
bytes_of(const Graph *g, NodeId id)
{
    return node_is_view(node_at(g, id))
               ? 0
               : type_bytes(&value_at(g, node_at(g, id)->out[0])->type);
}

typedef struct Sizes {
    int64_t most, sum; /* bytes of the largest patch, of all */
} Sizes;

/* false: there is a patch that sees padding only. */
static bool
patch_sizes(PatchRegion *r, int64_t parts, Sizes *s)
{
    *s = (Sizes){0, 0};
    for (int64_t i = 0; i < parts * parts; i++) {
        int64_t bytes = 0;

        if (!patch_ranges(r, parts, (int64_t[]){i / parts, i % parts}))
            return false;
        for (size_t k = 0; k < vec_len(r->node); k++) {
            Type t = patch_type(r, node_at(r->g, r->node[k])->out[0]);

            bytes += bytes_of(r->g, r->node[k]) ? type_bytes(&t) : 0;
        }
        s->most = bytes > s->most ? bytes : s->most;
        s->sum += bytes;
    }
    return true;
}

/* What is kept for the backward pass (of the net behind the region, then of one
   patch; the end beside its pieces, then its gradient, is there all the time)
   times the work, for which the bytes that are made stand: a pass forward and
   two back, and of patches one more. -1: it cannot be, or saves too little. */
static double
price(const Choice *c, PatchRegion *r)
{
    int64_t region = 0, rest, kept;
    Sizes patch;

    for (size_t k = 0; k < vec_len(r->node); k++)
        region += bytes_of(c->g, r->node[k]);
    if (!patch_sizes(r, c->parts, &patch))
        return -1;
    rest = c->total - region;
    kept = (rest > patch.most ? rest : patch.most) +
           2 * type_bytes(&value_at(c->g, r->end)->type);
    if (kept > c->total - c->total / SHARE)
        return -1;
    return (double)kept * (3 * (double)rest + 4 * (double)patch.sum);
}

/* ---- where it ends ------------------------------------------------------ */

static bool
has_parts(const Choice *c, ValueId v)
{
    const Value *x = value_at(c->g, v);

    for (int d = 0; d < 2; d++)
        if (x->kind != V_TEMP || c->axis[v][d] < 0 ||
            x->type.dim[c->axis[v][d]] < c->parts)
            return false;
    return true;
}

static double
try_end(Choice *c, ValueId v)
{
    Arena *a = arena_new();
    PatchRegion *r = patch_region(a, c->g, v, c->axis[v]);
    double x = r->reader ? -1 : price(c, r);

    if (r->reader && !c->reader) {
        c->reader = r->reader;
        c->cut = v;
    }
    arena_free(a);
    return x;
}

/* 0: none saves enough. */
static ValueId
choose_end(Choice *c)
{
    double least = 0;
    ValueId best = 0;

    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        ValueId v = node_at(c->g, c->g->order[k])->out[0];
        double x = has_parts(c, v) ? try_end(c, v) : -1;

        if (x >= 0 && (!best || x <= least)) {
            least = x;
            best = v;
        }
    }
    return best;
}

#define REMEDY                                                                 \
    "what looks at all of an image, as batch statistics do, cannot be in a "   \
    "region of patches: export the model with frozen norms, or end the "      \
    "region before it (patch.end=VALUE)"

static ValueId
found_end(Choice *c)
{
    ValueId v = choose_end(c);

    if (!v && c->reader)
        raise_at(graph_loc(c->g, c->reader),
                 "patch: this needs more than a patch of what comes before "
                 "'%s'\n" REMEDY,
                 value_at(c->g, c->cut)->name);
    if (!v)
        raise_at(model_loc(c->g->module),
                 "patch: there is no first part of convolutions that takes an "
                 "eighth of the bytes less in %lld x %lld patches\nname its "
                 "last value with patch.end=VALUE to cut it nevertheless",
                 (long long)c->parts, (long long)c->parts);
    return v;
}

static ValueId
named_end(Choice *c, const char *name)
{
    ValueId v = graph_find(c->g, sym(c->g->module->syms, name));

    if (!v || !has_parts(c, v))
        raise_at(model_loc(c->g->module),
                 "patch: '%s' is no value with a height and a width of %lld "
                 "and more that convolutions made\n`snug opt` prints the "
                 "names of values",
                 name, (long long)c->parts);
    return v;
}

static PatchRegion *
region_to(const Choice *c, ValueId end)
{
    PatchRegion *r = patch_region(c->run->scratch, c->g, end, c->axis[end]);
    Sizes sizes;

    if (r->reader)
        raise_at(graph_loc(c->g, r->reader),
                 "patch: this needs more than a patch of what comes before "
                 "'%s'\n" REMEDY,
                 value_at(c->g, end)->name);
    if (!patch_sizes(r, c->parts, &sizes))
        raise_at(graph_loc(c->g, value_at(c->g, end)->def),
                 "patch: a patch of '%s' would see nothing but padding\nask "
                 "for fewer patches",
                 value_at(c->g, end)->name);
    return r;
}

/* ------------------------------------------------------------------------ */

static void
sum_bytes(Choice *c)
{
    for (size_t k = 0; k < vec_len(c->g->order); k++)
        c->total += bytes_of(c->g, c->g->order[k]);
}

/* Of all that the model does, training is chosen for. */
static Graph *
training_form(Module *m)
{
    Graph *g = module_entry(m, "forward_train");

    return g ? g : module_entry(m, "forward");
}

/* The name of the value that the region of g ends at. */
static const char *
cut_graph(const PassRun *run, Graph *g, int64_t parts, const char *name)
{
    Choice c = {.run = run, .g = g, .parts = parts};
    ValueId end;

    c.axis = patch_axes(run->scratch, g);
    sum_bytes(&c);
    end = *name ? named_end(&c, name) : found_end(&c);
    name = value_at(g, end)->name;
    patch_write(run->scratch, region_to(&c, end), parts);
    return name;
}

void
pass_patch(PassRun *run)
{
    Module *m = run->m;
    int64_t parts = opt_int(run, "parts");
    Graph *first = training_form(m);
    const char *end = opt_text(run, "end");
    Text t = text_new(run->scratch);

    if (parts < 1 || parts > PARTS_MOST)
        raise_status(ST_USAGE, NOWHERE,
                     "patch: parts=%lld\nit is a number from 1 to %d: of "
                     "patches along the height, and as many along the width",
                     (long long)parts, PARTS_MOST);
    if (parts == 1 || !first)
        return;
    end = cut_graph(run, first, parts, end);
    for (size_t i = 0; i < vec_len(m->entry); i++)
        if (m->entry[i] != first)
            cut_graph(run, m->entry[i], parts, end);
    text_add(&t, "%lld %s", (long long)parts, end);
    module_set(m, "patch", text_str(&t));
}
