/* cut_steps: in each training step K of the T steps of a loop are drawn,
   uniformly and without putting any back: each has a random number, and the K
   with the smallest are drawn; of equal ones the first (after "SLTT-K", Meng et
   al., 2023). Loops of as many steps share what is drawn, so that layer after
   layer the same steps go backward.

   What is drawn follows from the run's seed and a count of steps that is saved
   with it, so a run that goes on after a stop draws the same. It lies in states
   named drawn.T.N, where the pass `guard` finds it. */
#include "passes/train/cut_steps.h"

#include <inttypes.h>

#include "ir/text.h"
#include "passes/tools/draw.h"
#include "passes/tools/name.h"

struct CutSteps {
    Arena *arena;
    Graph *g;
    int64_t subset;
    ValueId seed, count; /* 0: nothing is drawn yet */
    Map *rank, *drawn;   /* of loops of so many steps; of a step of one */
};

CutSteps *
cut_steps_new(Arena *a, Graph *g, int64_t subset)
{
    CutSteps *c = NEW(a, CutSteps);

    *c = (CutSteps){.arena = a,
                    .g = g,
                    .subset = subset,
                    .rank = map_new(a),
                    .drawn = map_new(a)};
    return c;
}

static ValueId
state(CutSteps *c, Sym name, DType d)
{
    if (module_store(c->g->module, name))
        raise_at(model_loc(c->g->module),
                 "cut: the model's tensor '%s' has a name that what is drawn "
                 "needs\nrename it in the export",
                 name);
    return draw_state(c->g, name, d);
}

static void
begin(CutSteps *c)
{
    c->seed = draw_seed(c->g);
    c->count = state(c, sym(c->g->module->syms, "drawn.count"), DT_I64);
}

/* How many steps are in front of each: f32[steps,1]. Draws of other kinds have
   other keys. */
static ValueId
rank_steps(CutSteps *c, Builder *b, int64_t steps)
{
    static const int64_t kind = INT64_C(0x736c7474), axis = 1;
    int64_t down[] = {steps, 1}, along[] = {1, steps};
    Text text = text_new(c->arena);
    ValueId in[4] = {0, c->count, c->seed}, x, i;
    Type t;

    type_make(DT_I64, 1, down, &t);
    i = in[0] = build_iota(b, t, 0, "drawn.index");
    text_add(&text, "uniform(a,b,bxor(c,%" PRId64 "))", kind + steps);
    x = build_formula(b, text_str(&text), 3, in, DT_F32, "drawn.number");
    in[0] = build_view(b, x, 2, along, NULL);
    in[1] = build_view(b, x, 2, down, NULL);
    in[2] = build_view(b, i, 2, along, NULL);
    in[3] = build_view(b, i, 2, down, NULL);
    x = build_formula(b, "where(a<b,1,where(a==b,where(c<d,1,0),0))", 4, in,
                      DT_F32, "drawn.before");
    return build_reduce(b, "sum", x, 1, &axis, "drawn.rank");
}

static ValueId
draw(CutSteps *c, ValueId rank, int64_t steps, int64_t at)
{
    Builder b = {.g = c->g, .phase = 'f'};
    Text text = text_new(c->arena);
    Type one = {.dtype = DT_F32, .rank = 2, .dim = {1, 1}};
    Sym name = sym_format(c->g->module->syms, "drawn.%" PRId64 ".%" PRId64,
                          steps, at);
    ValueId in[] = {state(c, name, DT_F32), 0}, drawn;

    in[1] = build_slice(&b, rank, (int64_t[]){at, 0}, NULL, one, NULL);
    in[1] = build_view(&b, in[1], 0, NULL, NULL);
    text_add(&text, "where(b<%" PRId64 ",1,0)", c->subset);
    name = sym_format(c->g->module->syms, "%s'", name);
    drawn = build_formula(&b, text_str(&text), 2, in, DT_F32, name);
    value_at(c->g, drawn)->over = in[0];
    return drawn;
}

ValueId
cut_steps_drawn(CutSteps *c, int64_t steps, int64_t at)
{
    Builder b = {.g = c->g, .phase = 'f'};
    uint64_t key = (uint64_t)steps << 32, rank, drawn;

    if (!c->count)
        begin(c);
    if (!map_get(c->rank, key, &rank)) {
        rank = rank_steps(c, &b, steps);
        map_put(c->rank, key, rank);
    }
    key += (uint64_t)at;
    if (!map_get(c->drawn, key, &drawn)) {
        drawn = draw(c, (ValueId)rank, steps, at);
        map_put(c->drawn, key, drawn);
    }
    return (ValueId)drawn;
}

void
cut_steps_count(CutSteps *c)
{
    draw_count(c->g, c->count, "drawn.count'");
}
