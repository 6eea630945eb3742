/* codec: activations that the backward pass reads are kept in fewer bits.

   The forward pass goes on with the exact value; what the backward pass reads
   is decoded from the code, once for each reader, so that it may be fused into
   it. Encoding and decoding are ordinary maps and reductions. */
#include "passes/memory/codec_code.h"
#include "passes/memory/codec_frozen.h"
#include "passes/memory/codec_state.h"
#include "passes/memory/fuse_kinds.h"

#include "passes/pass.h"
#include "passes/tools/draw.h"

#include <string.h>

/* Nodes between the last reader of the forward pass and the first of the
   backward pass: fewer, and there is nothing to win. */
enum { LEAST_ELEMENTS = 1024, LEAST_WAIT = 16 };

typedef struct Coded {
    Code code;
    bool again;   /* made again of an operand that is kept */
    RowCode rows; /* of what products sum over rows */
} Coded;

/* A product made anew, and the result that it stands for. */
typedef struct Anew {
    ValueId old, made;
} Anew;

typedef struct Coding {
    PassRun *run;
    Graph *g;
    CodecChoice *choice; /* vector */
    Coded *of;           /* of the values before */
    size_t values;
    ValueId step, seed; /* for rounding by chance */
    int stream;
    const CodecChoice *gradient; /* NULL: they stay as they are */
    int gradients;               /* that are coded */
    int64_t before, after;       /* bytes */
    Anew *anew;            /* vector */
} Coding;

/* ---- what is kept -------------------------------------------------------- */

/* Statistics of rows are small, and wrong by the least step they spoil all. */
static bool
may_be_coded(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);
    const Type *t = &x->type;

    return x->kind == V_TEMP && !x->over && t->dtype == DT_F32 &&
           t->rank >= 1 && t->dim[t->rank - 1] > 1 &&
           type_elements(t) >= LEAST_ELEMENTS &&
           node_at(g, x->def)->phase == 'f' &&
           node_at(g, x->def)->op != OP_reduce &&
           node_at(g, x->def)->out[0] == v;
}

static bool
read_by(const Graph *g, ValueId v, const char *op)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; i < n->nin && n->phase == 'f'; i++)
            if (n->in[i] == v && n->source_op && strcmp(n->source_op, op) == 0)
                return true;
    }
    return false;
}

static bool
selected(const Graph *g, ValueId v, const char *selector)
{
    const Value *x = value_at(g, v);
    const char *made_by = node_at(g, x->def)->source_op;
    size_t n = strlen(selector);
    char op[128];

    if (strcmp(selector, "saved") == 0)
        return true;
    if (strncmp(selector, "op:", 3) != 0)
        return codec_name_matches(selector, x->name);
    if (n > 6 && n < sizeof op && strcmp(selector + n - 3, ".in") == 0) {
        memcpy(op, selector + 3, n - 6);
        op[n - 6] = 0;
        return read_by(g, v, op);
    }
    return made_by && strcmp(selector + 3, made_by) == 0;
}

/* The operand that v is made again of, behind views; 0: v is kept itself. */
static ValueId
made_of(const Coding *c, ValueId v)
{
    const Graph *g = c->g;
    const Node *n = node_at(g, value_at(g, v)->def);
    ValueId large;

    if (node_shape(g, n).kind != CK_MAP || n->nout != 1 ||
        !map_one_large_operand(g, n, &large) || !large ||
        map_cost(c->run->scratch, g, n) > MAP_COST_MOST)
        return 0;
    large = behind_views(g, large);
    return may_be_coded(g, large) ? large : 0;
}

static bool
read_back(const Graph *g, ValueId v)
{
    for (size_t k = 0; k < vec_len(g->order); k++) {
        const Node *n = node_at(g, g->order[k]);

        for (int i = 0; n->phase == 'b' && n->op != OP_view && i < n->nin; i++)
            if (behind_views(g, n->in[i]) == v)
                return true;
    }
    return false;
}

/* Bits are dearer than to make v again of what is there anyway. */
static bool
may_be_masked(Coding *c, ValueId v)
{
    ValueId large = made_of(c, v);

    return (!large || !read_back(c->g, large)) &&
           codec_mask_of(c->g, v, &c->of[v].code.mask);
}

static bool
is_mask(const CodecChoice *choice)
{
    return choice && choice->row && !*choice->row->value &&
           choice->row->levels;
}

/* Is a part kept, of rows or columns? */
static bool
is_part(const CodecChoice *choice)
{
    return choice && choice->row && !*choice->row->value &&
           !choice->row->levels;
}

static bool
draws_rows(const CodecChoice *choice)
{
    return strcmp(choice->row->name, "rows") == 0;
}

static int64_t
part_of(const Graph *g, const CodecChoice *choice, ValueId v)
{
    const Type *t = &value_at(g, v)->type;
    int64_t columns = t->dim[t->rank - 1];
    int64_t rows = type_elements(t) / columns;

    return codec_rows_kept(draws_rows(choice) ? rows : columns, choice->share);
}

static bool
may_be(Coding *c, const CodecChoice *choice, ValueId v)
{
    if (is_part(choice))
        return part_of(c->g, choice, v) && codec_rows_fit(c->g, v);
    return !is_mask(choice) || may_be_masked(c, v);
}

/* The choice that goes first with v; NULL: it is kept as it is. */
static const CodecChoice *
choice_of(Coding *c, ValueId v)
{
    for (size_t i = 0; i < vec_len(c->choice); i++)
        if (selected(c->g, v, c->choice[i].selector) &&
            may_be(c, &c->choice[i], v))
            return c->choice[i].row ? &c->choice[i] : NULL;
    return NULL;
}

/* Can the value itself be decoded? Of a bit, or a part, it cannot. */
static bool
is_whole(const CodecChoice *choice)
{
    return choice && !is_mask(choice) && !is_part(choice);
}

/* Is it made again of a value that is coded, or made again itself? */
static bool
goes_with(const Coding *c, ValueId large)
{
    return large && (is_whole(c->of[large].code.choice) || c->of[large].again);
}

static void
choose(Coding *c, ValueId v)
{
    ValueId large;

    if (v >= c->values || c->of[v].code.choice || !may_be_coded(c->g, v))
        return;
    c->of[v].code.choice = choice_of(c, v);
    if (c->of[v].code.choice && !is_whole(c->of[v].code.choice))
        return;
    c->of[v].code.choice = NULL;
    large = made_of(c, v);
    if (large)
        choose(c, large);
    c->of[v].again = goes_with(c, large);
    if (!c->of[v].again)
        c->of[v].code.choice = choice_of(c, v);
}

static void
choose_all(Coding *c)
{
    int *last = NEWN(c->run->scratch, int, c->values);

    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        const Node *n = node_at(c->g, c->g->order[k]);

        for (int i = 0; i < n->nin; i++) {
            ValueId v = behind_views(c->g, n->in[i]);

            if (n->phase == 'f')
                last[v] = (int)k;
            else if (n->phase == 'b' && (int)k - last[v] > LEAST_WAIT)
                choose(c, v);
        }
    }
}

/* ---- encoding ------------------------------------------------------------ */

static int64_t
bytes_of(const Graph *g, ValueId v)
{
    return v ? type_bytes(&value_at(g, v)->type) : 0;
}

/* v is kept as what `kept` says (0: nothing). */
static void
count_bytes(Coding *c, ValueId v, const ValueId kept[3])
{
    c->before += bytes_of(c->g, v);
    for (int i = 0; i < 3; i++)
        c->after += bytes_of(c->g, kept[i]);
}

/* A counter of steps, and the run's seed, as dropout has them. */
static void
find_draws(Coding *c)
{
    Sym name = sym(c->g->module->syms, "codec.step");

    if (c->step)
        return;
    c->step = draw_state(c->g, name, DT_I64);
    c->seed = draw_seed(c->g);
}

static void
count_step(Coding *c)
{
    if (c->step)
        draw_count(c->g, c->step, "codec.step'");
}

/* Numbers of its own for one more value. */
static Chance
draws(Coding *c)
{
    find_draws(c);
    return (Chance){c->step, c->seed, ++c->stream};
}

static void
encode_part(Coding *c, ValueId id)
{
    Graph *g = c->g;
    Coded *v = &c->of[id];
    Node like = *node_at(g, value_at(g, id)->def);
    Builder b = builder_like(c->g, 'f', &like);
    int64_t k = part_of(g, v->code.choice, id);
    Chance chance = draws(c);

    v->rows = draws_rows(v->code.choice) ? codec_rows_draw(&b, id, k, chance)
                                    : codec_rows_project(&b, id, k, chance);
    count_bytes(c, id, (ValueId[]){v->rows.code, v->rows.index, 0});
}

static void
encode(Coding *c, ValueId id)
{
    Graph *g = c->g;
    Coded *v = &c->of[id];
    Node like = *node_at(g, value_at(g, id)->def);
    Builder b = builder_like(c->g, 'f', &like);
    Chance chance = {0};

    if (v->code.choice->stochastic)
        chance = draws(c);
    code_encode(&b, id, &v->code, &chance);
    count_bytes(c, id, (ValueId[]){v->code.code, v->code.p, v->code.q});
}

static ValueId
decode(Coding *c, const Node *reader, ValueId id)
{
    Builder b = builder_like(c->g, 'b', reader);

    return code_decode(&b, value_at(c->g, id)->type, &c->of[id].code);
}

/* ---- the graph anew ------------------------------------------------------ */

static ValueId instead(Coding *c, const Node *reader, ValueId v);

/* v made again for its reader, of what its maker's operand is decoded to. */
static ValueId
made_again(Coding *c, const Node *reader, ValueId v)
{
    Graph *g = c->g;
    Node n = *node_at(g, value_at(g, v)->def);
    ValueId *in = NEWN(g->module->arena, ValueId, n.nin + 1);
    NodeId id;

    for (int i = 0; i < n.nin; i++)
        in[i] = instead(c, reader, n.in[i]);
    id = graph_copy_node(g, g, value_at(g, v)->def, 'b', in);
    return node_at(g, id)->out[0];
}

/* What the reader, of phase b, reads instead of v, under v's shape. */
static ValueId
instead(Coding *c, const Node *reader, ValueId v)
{
    ValueId base = behind_views(c->g, v), x = base;
    Builder b = builder_like(c->g, 'b', reader);
    Type t = value_at(c->g, v)->type;

    if (base >= c->values)
        return v;
    if (c->of[base].code.code)
        x = decode(c, reader, base);
    else if (c->of[base].again)
        x = made_again(c, reader, base);
    return x == base ? v : seen_as(&b, x, &t, "decoded");
}

/* Is n a product of what is kept in part? Then it is made anew. */
static bool
make_product(Coding *c, const Node *n)
{
    Builder b = builder_like(c->g, 'b', n);

    for (int i = 0; n->phase == 'b' && n->op == OP_contract && i < n->nin;
         i++) {
        ValueId v = behind_views(c->g, n->in[i]);

        if (v >= c->values || !c->of[v].rows.code)
            continue;
        Anew a = {n->out[0], codec_rows_product(&b, n, i, c->of[v].rows)};

        vec_push(c->run->scratch, c->anew, a);
        return true;
    }
    return false;
}

static void
remake(Coding *c, NodeId id)
{
    Graph *g = c->g;
    Node n = *node_at(g, id); /* building moves nodes */
    ValueId *in = NEWN(g->module->arena, ValueId, n.nin + 1);

    if (make_product(c, &n))
        return;
    for (int i = 0; i < n.nin; i++)
        in[i] = n.phase == 'b' && n.op != OP_view ? instead(c, &n, n.in[i])
                                                  : n.in[i];
    node_at(g, id)->in = in;
    vec_push(g->module->arena, g->order, id);
    for (int i = 0; i < n.nout; i++)
        if (n.out[i] >= c->values || !c->of[n.out[i]].code.choice)
            continue;
        else if (is_part(c->of[n.out[i]].code.choice))
            encode_part(c, n.out[i]);
        else
            encode(c, n.out[i]);
}

static void
code_graph(Coding *c)
{
    Graph *g = c->g;
    NodeId *order;

    c->values = vec_len(g->value);
    c->of = NEWN(c->run->scratch, Coded, c->values);
    choose_all(c);
    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++)
        remake(c, order[k]);
    for (size_t i = 0; i < vec_len(c->anew); i++)
        graph_replace(g, c->anew[i].old, c->anew[i].made);
    graph_updates_last(g);
    graph_touch(g);
}

/* The first choice of this selector that codes; NULL: there is none. */
static const CodecChoice *
choice_for(const CodecChoice *choice, const char *selector)
{
    for (size_t i = 0; i < vec_len(choice); i++)
        if (strcmp(choice[i].selector, selector) == 0)
            return choice[i].row ? &choice[i] : NULL;
    return NULL;
}

/* ---- gradients ----------------------------------------------------------- */

static bool
is_product(const Node *n)
{
    return n->phase == 'b' && (n->op == OP_contract ||
                               n->op == OP_conv_grad_input ||
                               n->op == OP_conv_grad_weight);
}

/* A gradient that products read. */
static bool
is_gradient(const Graph *g, ValueId v)
{
    const Value *x = value_at(g, v);
    const Type *t = &x->type;

    return x->kind == V_TEMP && t->dtype == DT_F32 && t->rank >= 1 &&
           t->dim[t->rank - 1] > 1 && type_elements(t) >= LEAST_ELEMENTS &&
           node_at(g, x->def)->phase == 'b';
}

/* What product n reads of gradients is coded in front of the first product
   that reads it, and decoded for each. */
static void
code_operands(Coding *c, NodeId id)
{
    Graph *g = c->g;
    Node n = *node_at(g, id);
    ValueId *in = NEWN(g->module->arena, ValueId, n.nin + 1);
    Builder b = builder_like(c->g, 'b', &n);

    for (int i = 0; i < n.nin; i++) {
        ValueId v = n.in[i];
        Code *code;
        Chance chance = {0};

        in[i] = v;
        if (!is_product(&n) || v >= c->values || !is_gradient(g, v))
            continue;
        code = &c->of[v].code;
        if (!code->code) {
            code->choice = c->gradient;
            if (code->choice->stochastic)
                chance = draws(c);
            code_encode(&b, v, code, &chance);
            c->gradients++;
        }
        in[i] = code_decode(&b, value_at(g, v)->type, code);
    }
    node_at(g, id)->in = in;
    vec_push(g->module->arena, g->order, id);
}

static void
code_gradients(Coding *c)
{
    Graph *g = c->g;
    NodeId *order;

    if (!c->gradient)
        return;
    c->values = vec_len(g->value);
    c->of = NEWN(c->run->scratch, Coded, c->values);
    order = graph_take_order(g);
    for (size_t k = 0; k < vec_len(order); k++)
        code_operands(c, order[k]);
    graph_updates_last(g);
    graph_touch(g);
}

static Chance
draw_one(void *from)
{
    return draws(from);
}

static void
tell(PassRun *run, const char *text, const Coding *c, const Frozen *f,
     const int64_t state[2])
{
    Text t = text_new(run->scratch);

    text_add(&t, "%s: ", text);
    if (c->gradients)
        text_add(&t, "%d gradients, ", c->gradients);
    if (state[0])
        text_add(&t, "%lld bytes of states in %lld%s", (long long)state[0],
                 (long long)state[1], c->before || f->before ? ", " : "");
    if (c->before || (!f->before && !state[0]))
        text_add(&t, "%lld bytes of activations in %lld%s",
                 (long long)c->before, (long long)c->after,
                 f->before ? ", " : "");
    if (f->before)
        text_add(&t, "%lld bytes of frozen weights in %lld",
                 (long long)f->before, (long long)f->after);
    module_set(run->m, "codec", text_str(&t));
}

void
pass_codec(PassRun *run)
{
    const char *text = opt_text(run, "as");
    Graph *train = module_entry(run->m, "train");
    Coding c = {.run = run, .g = train};
    const CodecChoice *weights, *states;
    int64_t state[2] = {0, 0};
    Frozen frozen = {0};

    c.choice = codec_choices(run->scratch, text);
    if (!vec_len(c.choice) || !train)
        return;
    weights = choice_for(c.choice, "frozen");
    if (weights)
        frozen = codec_frozen(run, weights);
    c.gradient = choice_for(c.choice, "grad");
    code_gradients(&c);
    code_graph(&c);
    states = choice_for(c.choice, "state");
    if (states)
        codec_states(run, states, draw_one, &c, state);
    count_step(&c);
    tell(run, text, &c, &frozen, state);
}
