/* guard_test: nodes under guards, open and shut: the plan in the interpreter's
   arena and the program have the bits of the graph as written, whatever is
   fused, made again, put in place or moved. SNUG_GRAPHS=N takes N random
   transformers, SNUG_SEED=N another beginning. */
#include "ir/guard.h"
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"
#include "tests/transformer_text.h"

#define TRAIN "loss,grad,optimizer{rule=adamw},fold,cse,dce"
#define PLAN \
    "fuse,recompute{nodes=2000,policy=%s},share,inplace,workspace," \
    "schedule{states=200},place{nodes=2000}"
#define AWAY \
    "fuse,recompute{states=500,nodes=2000},share,inplace,workspace," \
    "schedule{states=200},transfer{host=64KiB,least=1,nodes=2000}," \
    "place{nodes=2000}"

/* ---- sums that go on ----------------------------------------------------- */

static const char drawn[] =
    "snug 1 stage=train\n"
    "module \"drawn\"\n"
    "state %one : f32[] = 0\n"
    "state %two : f32[1] = 0\n"
    "param %w : f32[24,24] = random 3 0.1\n"
    "graph train {\n"
    "input %x : f32[24,24]\n"
    "input %c : f32[8,24]\n"
    "input %seed : i64[]\n"
    "f %one' = map %one, %seed \"where(uniform(1,7,b)<0.5,1,0)\""
    " : f32[] over %one\n"
    "f %two' = map %two, %seed \"where(uniform(2,7,b)<0.5,1,0)\""
    " : f32[1] over %two\n"
    "f %a = contract %x, %w labels=\"mk,kn->mn\" split=1 : f32[24,24]"
    " if %one'\n"
    "f %b = map %a \"a*2+1\" : f32[24,24] if %one'\n"
    "f %s = contract %b, %w labels=\"mk,kn->mn\" split=1 : f32[24,24]"
    " if %one'\n"
    "f %d = map %x \"a*3\" : f32[24,24] if %two'\n"
    "f %t = contract %d, %w, %s labels=\"mk,kn->mn\" split=1 : f32[24,24]"
    " if %two'\n"
    "f %p = put %t, %c starts=[3,0] : f32[24,24] if %one'\n"
    "f %q = put %p, %c starts=[9,0] : f32[24,24] if %one'\n"
    "f %e = exp %b : f32[24,24]\n"
    "f %u = add %q, %e : f32[24,24]\n"
    "f %g = add %e, %d : f32[24,24] if %two'\n"
    "f %h = add %g, %a : f32[24,24] if %one'\n"
    "f %i = add %h, %b : f32[24,24] if %one'\n"
    "f %j = mul %i, %u : f32[24,24]\n"
    "f %r = reduce %j op=\"sum\" axes=[0,1] : f32[1,1]\n"
    "f %loss = view %r : f32[]\n"
    "u %w' = map %w, %u \"a-0.1*b\" : f32[24,24] over %w\n"
    "output %loss\n"
    "output %p\n"
    "output %i\n"
    "}\n";

static bool
is_open(const Meaning *x, const char *guard)
{
    Module *m = read_module(x->arena, x->text);
    uint32_t s = module_store(m, sym(m->syms, guard));

    return *(const float *)x->stores.tensor[s].data != 0;
}

Test(guard, sums_stay_where_they_are)
{
    static const char *const passes[] = {
        "fuse,share,inplace,workspace,schedule,place",
        "workspace,schedule{states=0},place"};
    int seen[4] = {0};

    for (uint64_t seed = 1; seed <= 32; seed++) {
        Arena *a = arena_new();
        Meaning x = meaning_of(a, drawn, "train", seed);
        int drawn_so = is_open(&x, "one") + 2 * is_open(&x, "two");

        for (int i = 0; i < 2 && !seen[drawn_so]; i++) {
            Module *m = recompute_plan(a, drawn, passes[i], 0);

            check_meaning(&x, m, i);
            check_program(&x, m, i);
        }
        seen[drawn_so]++;
        arena_free(a);
    }
    for (int i = 0; i < 4; i++)
        cr_expect(seen[i], "never drawn: %d", i);
}

/* ---- random graphs ------------------------------------------------------- */

enum { GUARDS = 3 };

/* Stretches of nodes, and single ones, under guards that are 0 or not. */
static void
add_guards(Module *m, uint64_t *random)
{
    Graph *g = module_entry(m, "train");
    ValueId guard[GUARDS], when = 0;

    for (int i = 0; i < GUARDS; i++) {
        Store s = {.name = sym_format(m->syms, "guard.%d", i),
                   .type = type_scalar(DT_F32),
                   .kind = SK_STATE,
                   .init = {.fill = draw_below(random, 3)}};

        guard[i] = graph_store(g, module_add_store(m, s));
    }
    for (size_t k = 0; k < vec_len(g->order); k++) {
        Node *n = node_at(g, g->order[k]);

        if (!draw_below(random, 6))
            when = draw_below(random, 2) ? guard[draw_below(random, GUARDS)]
                                         : 0;
        if (n->phase != 'u' && op_info(n->op)->kernel != KK_none)
            n->when = when;
    }
    graph_touch(g);
}

static const char *
guarded_text(Arena *a, uint64_t seed)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Maker k = maker_new(a, seed);
    Module *m;

    k.layers = 1;
    m = read_module(a, make_model(a, k));
    pipeline_run(m, TRAIN, &p);
    add_guards(m, &seed);
    return print_module(a, m);
}

static size_t
count_guards(Module *m)
{
    const Graph *g = module_entry(m, "train");
    size_t count = 0;

    for (size_t k = 0; k < vec_len(g->order); k++)
        count += node_at(g, g->order[k])->when != 0;
    return count;
}

/* In less than keeping all takes, some of it in another space. */
static int
check_away(const Meaning *x, int64_t peak)
{
    int plans = 0;

    for (int i = 1; i < 4; i++) {
        Module *m = recompute_plan(x->arena, x->text, AWAY,
                                   peak - peak * i / 16);

        if (!m)
            continue;
        check_meaning(x, m, i);
        plans++;
    }
    return plans;
}

static int
check_graph(uint64_t seed, bool compiled)
{
    static const char *const policy[] = {"none", "all", "sqrt"};
    Arena *a = arena_new();
    const char *text = guarded_text(a, seed);
    Meaning x = meaning_of(a, text, "train", seed);
    int64_t peak = 0;
    int plans;

    for (int i = 0; i < 3; i++) {
        Module *m = recompute_plan(a, text, format(a, PLAN, policy[i]), 0);

        peak = peak ? peak : meta_number(m, "peak");
        cr_assert(count_guards(m) > 0);
        check_meaning(&x, m, i);
        if (compiled)
            check_program(&x, m, i);
    }
    plans = check_away(&x, peak);
    arena_free(a);
    return plans;
}

static void
check_all(int few, bool compiled)
{
    uint64_t first = (uint64_t)number_of("SNUG_SEED", 11);
    int count = number_of("SNUG_GRAPHS", few), plans = 0;

    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        plans += check_graph(seed, compiled);
    cr_expect(compiled || plans, "no plan fits in less");
}

Test(guard, plans_keep_the_bits_of_random_graphs)
{
    check_all(12, false);
}

Test(guard, programs_keep_the_bits_of_random_graphs)
{
    check_all(1, true);
}
