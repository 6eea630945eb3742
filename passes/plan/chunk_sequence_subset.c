/* chunk_sequence_subset: each part goes backward with the same probability,
   independently of the others, so that a path through several parts is there
   as often as its weight says: the mean of the gradients is that of all parts
   (after "SpaCO", of the authors of SeCO, 2025, who draw a fixed number).

   What is drawn follows from the run's seed and a count of steps that is saved
   with it, so a run that goes on after a stop draws the same. */
#include "passes/plan/chunk_sequence_subset.h"

#include <inttypes.h>

#include "passes/plan/chunk_sequence_write.h"
#include "passes/tools/draw.h"

Subset *
subset_new(Arena *a, Graph *g, const bool *seed, double share)
{
    Subset *s = NEW(a, Subset);

    *s = (Subset){.arena = a, .g = g, .seed = seed, .share = share};
    return s;
}

/* Draws of other kinds have other keys. */
static ValueId
draw_part(Builder *b, Subset *s, ValueId old, ValueId seed, int64_t part)
{
    static const int64_t kind = INT64_C(0x7370616);
    Text text = text_new(s->arena);
    ValueId in[] = {old, s->step, seed}, drawn;

    text_add(&text,
             "where(uniform(%" PRId64 ",b,bxor(c,%" PRId64 "))<%.17g,1,0)",
             part, kind, s->share);
    drawn = build_formula(b, text_str(&text), 3, in, DT_F32, "chunk.drawn");
    value_at(s->g, drawn)->over = old;
    return drawn;
}

void
subset_draw(Subset *s, int64_t parts)
{
    Syms *syms = s->g->module->syms;
    Builder b = {.g = s->g, .phase = 'f'};
    ValueId seed = draw_seed(s->g);

    s->step = draw_state(s->g, sym(syms, "chunk.step"), DT_I64);
    for (int64_t i = 0; i < parts; i++) {
        Sym name = sym_format(syms, "chunk.part.%" PRId64, i + 1);

        vec_push(s->arena, s->guard,
                 draw_part(&b, s, draw_state(s->g, name, DT_F32), seed, i));
    }
}

void
subset_scale(Subset *s, Parts *p)
{
    size_t values = vec_len(s->g->value);

    p->weight = 1 / s->share;
    p->b.phase = 'b';
    for (ValueId v = 1; v < values && v < p->values; v++)
        if (s->seed[v])
            p->whole[v] = sequence_scaled(&p->b, v, p->weight);
}

/* A sum of what several parts leave goes on in any case: where a part was not
   drawn, it left zeros. */
static bool
adds_parts(const Parts *p, const Node *n)
{
    for (ValueId v = 1; n->op == OP_add && v < p->values; v++)
        if (p->sum[v] == n->out[0])
            return true;
    return false;
}

void
subset_guard(const Subset *s, const Parts *p, NodeId first, int64_t part)
{
    for (NodeId id = first; id < vec_len(s->g->node); id++) {
        Node *n = node_at(s->g, id);

        if (op_info(n->op)->kernel != KK_none && !adds_parts(p, n))
            n->when = s->guard[part];
    }
    graph_touch(s->g);
}

void
subset_count(Subset *s)
{
    draw_count(s->g, s->step, "chunk.step");
}
