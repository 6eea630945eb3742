/* plan_test: random training steps mean the same before and after fusing,
   writing in place, ordering and placing: in the planned arena of the
   interpreter, and compiled. */
#include "tests/compiled.h"
#include "tests/draw.h"

#define PASSES "fuse,inplace,workspace,schedule{states=2000},place{nodes=2000}"

enum { SHAPES = 4, MOST = 64, NODES = 14 };

/* Shapes: the plane [m,n], a column [m,1], a row [1,n], a point [1,1]. */
typedef enum Shape { PLANE, COLUMN, ROW, POINT } Shape;

typedef struct Known {
    char name[16];
    int root; /* whose bytes it has */
} Known;

typedef struct Maker {
    uint64_t random;
    int64_t m, n;
    Known known[SHAPES][MOST];
    int count[SHAPES];
    char updated[8][16]; /* stores: their last version; empty: as it was */
    int names;
    Text text;
} Maker;

static const struct {
    const char *name;
    Shape shape;
} stores[] = {
    {"w", PLANE}, {"v", PLANE}, {"s", COLUMN}, {"t", ROW}, {"u", POINT}};

enum { STORES = sizeof stores / sizeof *stores };

static int
below(Maker *k, int n)
{
    return draw_below(&k->random, n);
}

static const char *
type_of(const Maker *k, Shape s)
{
    static char text[4][32];
    static int turn;
    char *to = text[turn++ % 4];

    snprintf(to, sizeof text[0], "f32[%lld,%lld]",
             (long long)(s == PLANE || s == COLUMN ? k->m : 1),
             (long long)(s == PLANE || s == ROW ? k->n : 1));
    return to;
}

/* A name of shape s; a new one often. */
static const Known *
pick(Maker *k, Shape s)
{
    int count = k->count[s], i = below(k, count);

    return &k->known[s][below(k, 2) && count > 3 ? count - 1 - i % 3 : i];
}

static void
know(Maker *k, Shape s, const char *name, int root)
{
    Known *x = &k->known[s][k->count[s]++];

    snprintf(x->name, sizeof x->name, "%s", name);
    x->root = root;
}

static const char *
fresh(Maker *k)
{
    static char text[4][16];
    static int turn;
    char *to = text[turn++ % 4];

    snprintf(to, sizeof text[0], "a%d", k->names++);
    return to;
}

static void
forget(Maker *k, int root)
{
    for (int s = 0; s < SHAPES; s++) {
        int kept = 0;

        for (int i = 0; i < k->count[s]; i++)
            if (k->known[s][i].root != root)
                k->known[s][kept++] = k->known[s][i];
        k->count[s] = kept;
    }
}

static void
add_unary(Maker *k, Shape s)
{
    static const char *const ops[] = {"tanh", "neg", "relu", "abs", "copy"};
    const char *y = fresh(k);

    text_add(&k->text, "f %%%s = %s %%%s : %s\n", y, ops[below(k, 5)],
             pick(k, s)->name, type_of(k, s));
    know(k, s, y, -1);
}

/* The second operand may be repeated along the axes of the first. */
static void
add_binary(Maker *k, Shape s)
{
    static const char *const ops[] = {"add", "sub", "mul", "max"};
    Shape other = s == POINT    ? POINT
                  : s == PLANE  ? (Shape)below(k, SHAPES)
                  : below(k, 2) ? s
                                : POINT;
    const char *y = fresh(k);

    text_add(&k->text, "f %%%s = %s %%%s, %%%s : %s\n", y, ops[below(k, 4)],
             pick(k, s)->name, pick(k, other)->name, type_of(k, s));
    know(k, s, y, -1);
}

static void
add_two(Maker *k, Shape s)
{
    const char *y = fresh(k), *z = fresh(k);

    text_add(&k->text, "f %%%s, %%%s = map %%%s, %%%s \"a+b; a-b\" : %s, %s\n",
             y, z, pick(k, s)->name, pick(k, s)->name, type_of(k, s),
             type_of(k, s));
    know(k, s, y, -1);
    know(k, s, z, -1);
}

static void
add_reduce(Maker *k)
{
    static const char *const axes[] = {"0,1", "1", "0", "0,1"};
    Shape to = (Shape)(1 + below(k, 3));
    const char *y = fresh(k);

    text_add(&k->text, "f %%%s = reduce %%%s op=\"%s\" axes=[%s] : %s\n", y,
             pick(k, PLANE)->name, below(k, 2) ? "sum" : "max", axes[to],
             type_of(k, to));
    know(k, to, y, -1);
}

static void
add_product(Maker *k)
{
    const char *y = fresh(k);

    if (k->m == k->n)
        text_add(&k->text,
                 "f %%%s = contract %%%s, %%%s labels=\"mk,%s->mn\" split=1 "
                 ": %s\n",
                 y, pick(k, PLANE)->name, pick(k, PLANE)->name,
                 below(k, 2) ? "kn" : "nk", type_of(k, PLANE));
    else
        text_add(&k->text,
                 "f %%%s = contract %%%s, %%%s labels=\"mk,kn->mn\" split=1 "
                 ": %s\n",
                 y, pick(k, COLUMN)->name, pick(k, ROW)->name,
                 type_of(k, PLANE));
    know(k, PLANE, y, -1);
}

/* The same bytes as another shape, where there is one of as many elements. */
static void
add_view(Maker *k)
{
    Shape from = k->m == k->n ? (Shape)below(k, SHAPES) : POINT;
    Shape to = from == COLUMN ? ROW : from == ROW ? COLUMN : from;
    const Known *x = pick(k, from);
    const char *y = fresh(k);
    int root = x->root;

    text_add(&k->text, "f %%%s = view %%%s : %s\n", y, x->name, type_of(k, to));
    know(k, to, y, root);
}

static void
add_update(Maker *k)
{
    int i = below(k, STORES);
    Shape s = stores[i].shape;
    const char *y;

    if (k->updated[i][0])
        return;
    y = fresh(k);
    text_add(&k->text, "u %%%s = %s %%%s, %%%s : %s over %%%s\n", y,
             below(k, 2) ? "sub" : "add", stores[i].name, pick(k, s)->name,
             type_of(k, s), stores[i].name);
    forget(k, i);
    snprintf(k->updated[i], sizeof k->updated[i], "%s", y);
    know(k, s, y, i);
}

static void
add_node(Maker *k)
{
    Shape s = below(k, 2) ? PLANE : (Shape)below(k, SHAPES);

    switch (below(k, 10)) {
    case 0:
    case 1: add_unary(k, s); break;
    case 2:
    case 3:
    case 4: add_binary(k, s); break;
    case 5: add_two(k, s); break;
    case 6: add_reduce(k); break;
    case 7: add_product(k); break;
    case 8: add_view(k); break;
    default: add_update(k);
    }
}

/* The text of a random module. */
static const char *
make_module(Arena *a, uint64_t seed)
{
    static const int64_t sizes[] = {1, 2, 5, 8, 16, 17, 33, 70};
    Maker k = {.random = seed * 77777, .text = text_new(a)};

    k.m = sizes[below(&k, 8)];
    k.n = below(&k, 2) ? k.m : sizes[below(&k, 8)];
    text_add(&k.text, "snug 1 stage=train\nmodule \"m\"\n");
    for (int i = 0; i < STORES; i++) {
        text_add(&k.text, "param %%%s : %s = random 1 %d\n", stores[i].name,
                 type_of(&k, stores[i].shape), i + 1);
        know(&k, stores[i].shape, stores[i].name, i);
    }
    text_add(&k.text, "graph train {\n");
    for (int s = 0; s < SHAPES; s++) {
        text_add(&k.text, "input %%x%d : %s\n", s, type_of(&k, (Shape)s));
        know(&k, (Shape)s, (char[]){'x', (char)('0' + s), 0}, -1);
    }
    for (int i = 0; i < NODES; i++)
        add_node(&k);
    text_add(&k.text, "f %%loss = map \"0\" : f32[]\noutput %%loss\n");
    for (int s = 0; s < SHAPES; s++) {
        const Known *x = &k.known[s][k.count[s] - 1];

        if (x->root < 0 && x->name[0] == 'a')
            text_add(&k.text, "output %%%s\n", x->name);
    }
    text_add(&k.text, "}\n");
    return text_str(&k.text);
}

/* What the text as written makes of inputs and stores. */
typedef struct Meaning {
    Arena *arena;
    Stores stores;
    Tensor *in, *out;
} Meaning;

static Meaning
meaning_of(const char *text, uint64_t seed)
{
    Compiled c = {.arena = arena_new()};
    Meaning x = {.arena = c.arena};
    const Graph *g;

    c.module = parse_module(c.arena, text, "random.snug");
    g = c.module->entry[0];
    x.in = NEWN(x.arena, Tensor, vec_len(g->input) + 1);
    x.out = NEWN(x.arena, Tensor, vec_len(g->output) + 1);
    cr_assert(eval_init_stores(x.arena, c.module, &x.stores));
    for (size_t i = 0; i < vec_len(g->input); i++) {
        x.in[i] = tensor_new(x.arena, value_at(g, g->input[i])->type);
        compiled_fill(&x.in[i], seed * 10 + i);
    }
    eval_graph(x.arena, g, &x.stores, x.in, x.out);
    return x;
}

static void
expect_same(const Tensor *x, const void *y, const char *what, uint64_t seed,
            const char *text)
{
    int64_t at = compiled_difference(x, y);

    cr_assert(at < 0, "%s differs at %lld, seed %llu:\n%s", what, (long long)at,
              (unsigned long long)seed, text);
}

static void
check_placed(uint64_t seed)
{
    static Guard guard;
    static Module *m;
    Arena *a = arena_new();
    const char *text = make_module(a, seed);
    PipelineOptions p = {.machine = machine_named("x86-64-v3")};
    Meaning x;
    Stores s;
    Tensor out[8];

    if (!guarded(&guard)) {
        fprintf(stderr, "seed %llu:\n%s", (unsigned long long)seed, text);
        compiled_problem(&guard);
    }
    m = parse_module(a, text, "random.snug");
    raise_if_complained();
    x = meaning_of(text, seed);
    pipeline_run(m, PASSES, &p);
    cr_assert(eval_init_stores(a, m, &s));
    eval_placed(a, m->entry[0], &s, x.in, out, true);
    guard_leave(&guard);
    for (size_t i = 0; i < vec_len(m->entry[0]->output); i++)
        expect_same(&x.out[i], out[i].data, "output", seed, text);
    for (size_t i = 1; i < vec_len(m->store); i++)
        expect_same(&x.stores.tensor[i], s.tensor[i].data, "store", seed, text);
    arena_free(x.arena);
    arena_free(a);
}

static void
check_compiled(const char *text, uint64_t seed)
{
    Compiled c = compiled_new(text, PASSES, "native");
    Meaning x = meaning_of(text, seed);
    const RtEntry *e = &c.program->entry[0];
    Stores s;

    cr_assert(eval_init_stores(c.arena, c.module, &s));
    for (int i = 0; i < c.program->tensors; i++)
        memcpy(c.memory + c.program->tensor[i].offset, s.tensor[i + 1].data,
               (size_t)c.program->tensor[i].bytes);
    for (int i = 0; i < e->inputs; i++)
        memcpy(c.memory + e->input[i].offset, x.in[i].data,
               (size_t)e->input[i].bytes);
    compiled_run(&c, 0, seed % 3);
    for (int i = 0; i < e->outputs; i++)
        expect_same(&x.out[i], c.memory + e->output[i].offset, "output", seed,
                    text);
    for (int i = 0; i < c.program->tensors; i++)
        expect_same(&x.stores.tensor[i + 1],
                    c.memory + c.program->tensor[i].offset, "store", seed,
                    text);
    arena_free(x.arena);
    compiled_free(&c);
}

/* SNUG_PLAN_ROUNDS: how many more. */
static uint64_t
rounds(uint64_t usual)
{
    const char *more = getenv("SNUG_PLAN_ROUNDS");

    return more ? usual * strtoull(more, NULL, 10) : usual;
}

Test(plan, random_steps_in_the_planned_arena, .timeout = 0)
{
    for (uint64_t seed = 1; seed <= rounds(600); seed++)
        check_placed(seed);
}

Test(plan, random_steps_compiled, .timeout = 0)
{
    for (uint64_t seed = 1; seed <= rounds(40); seed++) {
        Arena *a = arena_new();

        check_compiled(make_module(a, seed), seed);
        arena_free(a);
    }
}

/* Each reads elsewhere what it would write, were it one kernel in place. */
static const char *const overruns[] = {
    "param %w : f32[90,90] = random 1 1\n"
    "graph train {\n"
    "input %x : f32[90,90]\n"
    "f %p = contract %x, %w labels=\"mk,kn->mn\" split=1 : f32[90,90]\n"
    "u %w' = sub %w, %p : f32[90,90] over %w\n",
    "graph train {\n"
    "input %x : f32[90,90]\n"
    "f %a = tanh %x : f32[90,90]\n"
    "f %v = view %a : f32[90,90]\n"
    "f %p = contract %v, %v labels=\"mk,nk->mn\" split=1 : f32[90,90]\n"
    "f %y = add %p, %a : f32[90,90]\n"
    "output %y\n",
    "state %s : f32[90,1] = random 1 1\n"
    "graph train {\n"
    "input %x : f32[90,90]\n"
    "f %t = view %s : f32[1,90]\n"
    "f %y = mul %x, %t : f32[90,90]\n"
    "f %r = reduce %y op=\"sum\" axes=[1] : f32[90,1]\n"
    "u %s' = add %s, %r : f32[90,1] over %s\n",
};

Test(plan, nothing_is_overrun)
{
    for (size_t i = 0; i < sizeof overruns / sizeof *overruns; i++) {
        Arena *a = arena_new();
        Text t = text_new(a);

        text_add(&t, "snug 1 stage=train\nmodule \"m\"\n%s", overruns[i]);
        text_add(&t, "f %%loss = map \"0\" : f32[]\noutput %%loss\n}\n");
        check_compiled(text_str(&t), i);
        arena_free(a);
    }
}
