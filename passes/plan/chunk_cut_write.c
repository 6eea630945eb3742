/* chunk_cut_write: the passes over the classes, one behind the other. A sum
   that goes on with the largest so far:

     m' = max(m, max(x))     s' = s exp(m - m') + sum(exp(x - m'))

   for a part x of each row, from m the lowest number and s = 0. */
#include "passes/plan/chunk_cut.h"

#include <float.h>
#include <string.h>

#include "ir/base/diag.h"
#include "passes/plan/chunk_part.h"

typedef struct Writer {
    const Cut *c;
    PartWriter w;
    NodeId *order;  /* as it was */
    ValueId *whole; /* ValueId -> what it has come to; 0: nothing */
} Writer;

/* ---- sums and maxima ---------------------------------------------------- */

/* What one part hands to the next goes through a view: `fuse` joins nothing
   across it, else several parts would be there at once. */
static void
hand_on(Writer *w, ValueId y, ValueId now)
{
    int64_t all = type_elements(&value_at(w->w.g, now)->type);

    w->whole[y] = build_view(&w->w.b, now, 1, &all, NULL);
}

/* What node y of the step as written has come to, in its shape. */
static ValueId
so_far(Writer *w, ValueId y)
{
    const Type t = value_at(w->w.g, y)->type;

    return build_view(&w->w.b, w->whole[y], t.rank, t.dim,
                      value_at(w->w.g, y)->name);
}

static ValueId
fold_part(Writer *w, const Node *n, ValueId x)
{
    const int64_t *axes = node_list(n, "axes");

    return build_reduce(&w->w.b, node_text(n, "op"), x, (int)vec_len(axes),
                        axes, value_at(w->w.g, n->out[0])->name);
}

static Op
joining(const char *op)
{
    static const struct {
        const char *name;
        Op op;
    } row[] = {{"sum", OP_add}, {"max", OP_max}, {"min", OP_min},
               {"prod", OP_mul}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strcmp(row[i].name, op) == 0)
            return row[i].op;
    UNREACHABLE();
}

static void
write_fold(Writer *w, NodeId id)
{
    const Node n = *node_at(w->w.g, id);
    ValueId y = n.out[0], part = fold_part(w, &n, part_of(&w->w, n.in[0]));

    if (w->whole[y])
        part = build_map2(&w->w.b, joining(node_text(&n, "op")), so_far(w, y),
                          part, value_at(w->w.g, y)->name);
    hand_on(w, y, part);
}

/* A maximum, and the sum of exponentials below it. */
static void
write_softmax(Writer *w, NodeId id)
{
    const Node max = *node_at(w->w.g, id);
    const Node sum = *node_at(w->w.g, w->c->sum[id]);
    ValueId x = part_of(&w->w, max.in[0]), m = max.out[0], s = sum.out[0];
    DType d = value_at(w->w.g, x)->type.dtype;
    double lowest = d == DT_F64 ? -DBL_MAX : -(double)FLT_MAX;
    bool first = !w->whole[m];
    Builder *b = &w->w.b;
    ValueId in[4] = {
        first ? build_number(b, 0, d, NULL) : so_far(w, s),
        first ? build_number(b, lowest, d, NULL) : so_far(w, m)};

    in[2] = build_map2(b, OP_max, fold_part(w, &max, x), in[1], NULL);
    in[3] = build_map1(b, OP_exp, build_map2(b, OP_sub, x, in[2], NULL), NULL);
    in[3] = fold_part(w, &sum, in[3]);
    hand_on(w, m, in[2]);
    hand_on(w, s, build_formula(b, "a*exp(b-c)+d", 4, in, d, NULL));
}

static void
set_unsplit(Node *n, const void *from, Builder *b)
{
    const Node *model = from;

    (void)b;
    memcpy(n->attr, model->attr, sizeof n->attr);
    node_attr_set(n, "split")->i = 1;
}

static void
write_add(Writer *w, NodeId id)
{
    const Node n = *node_at(w->w.g, id);
    ValueId y = n.out[0], in[3] = {0, 0, w->whole[y]};
    NodeId made;

    part_operands(&w->w, id, in);
    made = build_node(&w->w.b, OP_contract, in[2] ? 3 : 2, in, 1, NULL,
                      set_unsplit, &n, value_at(w->w.g, y)->name);
    w->whole[y] = node_at(w->w.g, made)->out[0];
}

/* ---- other nodes -------------------------------------------------------- */

/* What is read as a whole is put together in its place. */
static void
put_together(Writer *w, ValueId v)
{
    const Value x = *value_at(w->w.g, v);
    ValueId part = w->w.part[v], before = w->whole[v];
    int64_t starts[MAXRANK] = {0};

    starts[w->c->axis[v] - 1] = w->w.at;
    if (!before) {
        w->whole[v] = build_pad(&w->w.b, part, starts, 0, x.type, x.name);
        return;
    }
    w->whole[v] = build_put(&w->w.b, before, part, starts, x.name);
    value_at(w->w.g, w->whole[v])->over = before;
}

static void
write_made(Writer *w, NodeId id, int pass)
{
    const Node n = *node_at(w->w.g, id);
    ValueId *in = NEWN(w->w.arena, ValueId, n.nin + 1);

    part_operands(&w->w, id, in);
    part_node(&w->w, id, in);
    if (w->c->kind[id] == CUT_UPDATE)
        part_put_back(&w->w, id);
    else if (w->c->leaves[n.out[0]] && w->c->pass[id] == pass)
        put_together(w, n.out[0]);
}

static void
write_node(Writer *w, NodeId id, int pass)
{
    const Cut *c = w->c;

    switch (c->kind[id]) {
    case CUT_FOLD:
        if (c->sum[id])
            write_softmax(w, id);
        else if (!c->top[id])
            write_fold(w, id);
        break;
    case CUT_ADD: write_add(w, id); break;
    case CUT_SPLIT:
    case CUT_UPDATE: write_made(w, id, pass); break;
    case CUT_NONE: UNREACHABLE();
    }
}

/* ---- the whole ---------------------------------------------------------- */

/* Nodes of the forward pass that are made again behind it are no longer of
   it. */
static bool
is_forward(const Cut *c, int pass)
{
    for (size_t k = 0; k < vec_len(c->g->order); k++) {
        NodeId id = c->g->order[k];

        if (c->part[pass][id] && node_at(c->g, id)->phase != 'f')
            return false;
    }
    return true;
}

static void
write_part(Writer *w, int pass, bool forward)
{
    for (size_t k = 0; k < vec_len(w->order); k++) {
        NodeId id = w->order[k];
        const Node *n = node_at(w->w.g, id);

        if (!w->c->part[pass][id])
            continue;
        w->w.b = builder_like(w->w.g,
                              !forward && n->phase == 'f' ? 'b' : n->phase, n);
        write_node(w, id, pass);
    }
}

/* What is made again and read outside as well stays there too. */
static bool *
kept_outside(Arena *a, const Cut *c)
{
    bool *kept = NEWN(a, bool, vec_len(c->g->node));

    for (size_t i = 0; i < vec_len(c->g->output); i++)
        kept[value_at(c->g, c->g->output[i])->def] = true;
    for (size_t k = vec_len(c->g->order); k-- > 0;) {
        NodeId id = c->g->order[k];
        const Node *n = node_at(c->g, id);

        kept[id] = !c->kind[id] || (c->kind[id] == CUT_SPLIT && kept[id] &&
                                    !c->leaves[n->out[0]]);
        for (int i = 0; kept[id] && i < n->nin; i++)
            kept[value_at(c->g, n->in[i])->def] = true;
    }
    return kept;
}

static void
push_outside(Writer *w, const bool *kept, int front)
{
    for (size_t k = 0; k < vec_len(w->order); k++)
        if (kept[w->order[k]] && w->c->front[w->order[k]] == front)
            vec_push(w->w.g->module->arena, w->w.g->order, w->order[k]);
}

/* Behind the last part of a pass, sums and maxima get their shapes again. */
static void
finish_folds(Writer *w, int pass)
{
    for (size_t k = 0; k < vec_len(w->order); k++) {
        NodeId id = w->order[k];
        ValueId y = node_at(w->w.g, id)->out[0];

        if (w->c->kind[id] == CUT_FOLD && w->c->pass[id] == pass)
            w->whole[y] = so_far(w, y);
    }
}

static void
hand_out(const Writer *w)
{
    for (size_t k = 0; k < vec_len(w->order); k++) {
        const Node n = *node_at(w->w.g, w->order[k]);

        for (int i = 0; i < n.nout; i++) {
            ValueId v = n.out[i];

            if (w->c->kind[w->order[k]] == CUT_UPDATE)
                graph_replace(w->w.g, v, w->w.now[value_at(w->w.g, v)->over]);
            else if (w->whole[v])
                graph_replace(w->w.g, v, w->whole[v]);
        }
    }
}

void
cut_write(Arena *scratch, const Cut *c, int64_t length)
{
    Graph *g = c->g;
    Writer w = {.c = c, .w = part_writer(scratch, g, c->axis, c->from),
                .order = g->order};
    bool *kept = kept_outside(scratch, c), *forward = NULL;

    w.whole = NEWN(scratch, ValueId, vec_len(g->value));
    for (int pass = 0; pass < c->passes; pass++)
        vec_push(scratch, forward, is_forward(c, pass));
    g->order = NULL;
    for (int pass = 0; pass < c->passes; pass++) {
        push_outside(&w, kept, pass);
        for (int64_t at = 0; at < c->count; at += length) {
            part_start(&w.w, at,
                       c->count - at < length ? c->count - at : length);
            write_part(&w, pass, forward[pass]);
        }
        finish_folds(&w, pass);
    }
    push_outside(&w, kept, c->passes);
    hand_out(&w);
    graph_touch(g);
}
