/* sparse_test: tables that are updated by the rows that a step names have the
   bits of those that are updated whole, over several steps, whichever rows are
   named and however often; plans and programs have the bits of the graph as
   written. */
#include "tests/meaning.h"
#include "tests/recompute_test.h"
#include "tests/setting.h"
#include "tests/transformer_text.h"

#define TRAIN "loss{kind=mse},grad,optimizer{rule=%s},fold,cse,dce,sparse{%s}"
#define ROWS  "least=0,most=9"
#define PLAN                                                       \
    "fuse,recompute,share,inplace,workspace,schedule{states=200}," \
    "place{nodes=2000}"

enum { STEPS = 5, SIZE = 12 };

static const char one_gather[] =
    "snug 1 stage=model\n"
    "param %e : f32[12,5] = random 1 0.5\n"
    "param %w : f32[5,3] = random 2 0.5\n"
    "graph forward {\n"
    "input %i : i64[4,2]\n"
    "f %x = gather %e, %i axis=0 : f32[4,2,5]\n"
    "f %t = tanh %x : f32[4,2,5]\n"
    "f %r = reduce %t op=\"sum\" axes=[1] : f32[4,1,5]\n"
    "f %v = view %r : f32[4,5]\n"
    "f %y = contract %v, %w labels=\"mk,kn->mn\" split=1 : f32[4,3]\n"
    "output %y\n}\n";

/* Rows of two axes; what both gathers name adds up. */
static const char two_gathers[] =
    "snug 1 stage=model\n"
    "param %e : f64[12,2,3] = random 1 0.5\n"
    "graph forward {\n"
    "input %i : i64[4]\n"
    "input %j : i32[4,2]\n"
    "f %x = gather %e, %i axis=0 : f64[4,2,3]\n"
    "f %z = gather %e, %j axis=0 : f64[4,2,2,3]\n"
    "f %s = slice %z starts=[0,1,0,0] steps=[1,1,1,1] : f64[4,1,2,3]\n"
    "f %v = view %s : f64[4,2,3]\n"
    "f %y = map %x, %v \"sin(a)*b+a\" : f64[4,2,3]\n"
    "output %y\n}\n";

/* Indices at random, negative ones and some out of range among them; or one
   row in all places. */
static void
fill_indices(Tensor *t, uint64_t seed)
{
    int64_t same = (int64_t)(seed % (2 * SIZE)) - SIZE;

    compiled_fill(t, seed);
    for (int64_t i = 0; seed % 3 == 0 && i < type_elements(&t->type); i++)
        tensor_set_integer(t, i, same);
}

static const char *
trained(Arena *a, const char *text, const char *rule, const char *how)
{
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Module *m = read_module(a, text);

    pipeline_run(m, format(a, TRAIN, rule, how), &p);
    return print_module(a, m);
}

static bool
has_set(const char *text)
{
    return strstr(text, "op=\"set\"") != NULL;
}

/* ---- several steps ------------------------------------------------------- */

static void
run_steps_of(Arena *a, const char *text, Stores *stores)
{
    Module *m = read_module(a, text);
    const Graph *g = module_entry(m, "train");
    Tensor *in = NEWN(a, Tensor, vec_len(g->input) + 1), out[8];

    cr_assert(eval_init_stores(a, m, stores));
    for (uint64_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < vec_len(g->input); i++) {
            const Value *v = value_at(g, g->input[i]);
            uint64_t seed = step * 100 + (uint64_t)v->name[0];

            in[i] = tensor_new(a, v->type);
            if (strcmp(v->name, "lr") == 0)
                tensor_set(&in[i], 0, 0.25);
            else if (dtype_float(v->type.dtype))
                compiled_fill(&in[i], seed);
            else
                fill_indices(&in[i], seed);
        }
        eval_graph(a, g, stores, in, out);
    }
}

static void
check_steps(const char *text, const char *rule)
{
    Arena *a = arena_new();
    const char *rows = trained(a, text, rule, ROWS);
    const char *whole = trained(a, text, rule, "most=0");
    Stores x, y;
    Module *m = read_module(a, whole);

    cr_assert(has_set(rows), "%s", rule);
    cr_assert(!has_set(whole), "%s", rule);
    run_steps_of(a, rows, &x);
    run_steps_of(a, whole, &y);
    for (size_t s = 1; s < vec_len(m->store); s++)
        cr_assert(compiled_difference(&x.tensor[s], y.tensor[s].data) < 0,
                  "%s: %s", rule, m->store[s].name);
    arena_free(a);
}

Test(sparse, has_the_bits_of_the_whole_table)
{
    static const char *const rule[] = {"sgd,set=mu=0", "adagrad", "lomo",
                                       "signsgd"};

    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        check_steps(one_gather, rule[i]);
        check_steps(two_gathers, rule[i]);
    }
}

/* ---- who stays whole ----------------------------------------------------- */

Test(sparse, leaves_rules_that_move_every_row)
{
    static const char *const rule[] = {"sgd",
                                       "adamw",
                                       "adamw_hf",
                                       "adamw_sn",
                                       "lion",
                                       "adafactor",
                                       "came",
                                       "lamb",
                                       "adalomo",
                                       "adagrad,set=deps=0",
                                       "lomo,set=wd=0.1",
                                       "sgd,set=mu=0;wd=0.1"};
    Arena *a = arena_new();

    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        cr_expect(!has_set(trained(a, one_gather, rule[i], ROWS)), "%s",
                  rule[i]);
    arena_free(a);
}

Test(sparse, leaves_a_weight_that_is_the_head_too)
{
    static const char tied[] =
        "snug 1 stage=model\n"
        "param %e : f32[12,5] = random 1 0.5\n"
        "graph forward {\n"
        "input %i : i64[4]\n"
        "f %x = gather %e, %i axis=0 : f32[4,5]\n"
        "f %y = contract %x, %e labels=\"mk,nk->mn\" split=1 : f32[4,12]\n"
        "output %y\n}\n";
    Arena *a = arena_new();

    cr_expect(!has_set(trained(a, tied, "lomo", ROWS)));
    arena_free(a);
}

/* ---- plans and programs -------------------------------------------------- */

static void
check_plans(const char *text, const char *rule, const char *passes)
{
    Arena *a = arena_new();
    const char *rows = trained(a, text, rule, ROWS);
    Module *plan = recompute_plan(a, rows, passes, 0);

    for (uint64_t seed = 1; seed < 4; seed++) {
        Meaning x = meaning_of(a, rows, "train", seed);

        check_meaning(&x, plan, 0);
        check_program(&x, plan, 0);
    }
    arena_free(a);
}

Test(sparse, plans_and_programs_have_the_bits_of_the_graph)
{
    check_plans(one_gather, "adagrad", PLAN);
    check_plans(two_gathers, "sgd,set=mu=0", PLAN);
    check_plans(one_gather, "lomo", "workspace,schedule,place");
}

/* ---- any formula --------------------------------------------------------- */

static void
add_formula(Text *t, uint64_t *random, int depth)
{
    static const char *const leaf[] = {"a", "b", "b",  "c", "d",
                                       "0", "1", "-0", "2", "b*b"};
    static const char *const form[] = {"(%)+(%)", "(%)-(%)",    "(%)*(%)",
                                       "(%)/(%)", "max(%,%)",   "min(%,%)",
                                       "sqrt(%)", "-(%)",       "where(%,%,%)",
                                       "(%)<(%)", "fma(%,%,%)", "(%)*b"};

    if (depth == 0 || draw_below(random, 4) == 0) {
        text_add(t, "%s", leaf[draw_below(random, 10)]);
        return;
    }
    for (const char *s = form[draw_below(random, 12)]; *s; s++)
        if (*s == '%')
            add_formula(t, random, depth - 1);
        else
            text_add_n(t, s, 1);
}

/* A table %e and a state %e.d, of which both zeros are elements. */
static const char *
drawn_update(Arena *a, uint64_t *random)
{
    static const char *const form[] = {"c-(", "c+(", "c*(", "max(c,", "("};
    Text t = text_new(a);

    text_add(&t, "snug 1 stage=train\n"
                 "param %%e : f32[4,3] = [0,-0,1,-2,3,-0,0,5,-0,7,8,-9]\n"
                 "state %%e.d : f32[4,3] = 0\n"
                 "graph train {\n"
                 "input %%i : i64[2]\ninput %%x.g : f32[2,3]\n"
                 "input %%lr : f64[]\n"
                 "f %%loss = copy %%lr : f64[]\n"
                 "b %%e.g = scatter %%x.g, %%i op=\"add\" axis=0 : f32[4,3]\n"
                 "u %%s = map %%lr \"a\" : f32[]\n"
                 "u %%e.d', %%e' = map %%e.d, %%e.g, %%e, %%s \"a+");
    add_formula(&t, random, 2);
    text_add(&t, ";%s", form[draw_below(random, 5)]);
    add_formula(&t, random, 3);
    text_add(&t, ")\" : f32[4,3] over %%e.d, f32[4,3] over %%e\n"
                 "output %%loss\n}\n");
    return text_str(&t);
}

static bool
all_finite(const Tensor *t)
{
    for (int64_t i = 0; i < type_elements(&t->type); i++)
        if (!isfinite(tensor_get(t, i)))
            return false;
    return true;
}

Test(sparse, any_formula_that_is_taken_has_the_same_bits)
{
    uint64_t random = 5;
    int taken = 0;

    for (int draw = 0; draw < number_of("SNUG_FORMULAS", 15000); draw++) {
        Arena *a = arena_new();
        PipelineOptions p = {.machine = machine_named("x86-64-v3")};
        const char *whole = drawn_update(a, &random), *rows;
        Module *m = read_module(a, whole);
        Stores x, y;

        pipeline_run(m, "sparse{" ROWS "}", &p);
        rows = print_module(a, m);
        if (has_set(rows)) {
            taken++;
            run_steps_of(a, whole, &x);
            run_steps_of(a, rows, &y);
            for (int s = 1; s <= 2; s++)
                cr_assert(
                    !all_finite(&x.tensor[1]) || !all_finite(&x.tensor[2]) ||
                        compiled_difference(&x.tensor[s], y.tensor[s].data) < 0,
                    "draw %d: %s", draw, whole);
        }
        arena_free(a);
    }
    cr_expect_gt(taken, 100, "%d", taken);
}
