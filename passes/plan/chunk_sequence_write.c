/* chunk_sequence_write: keys and values are put into room for all positions, in
   which attention sees none behind its queries; so is all else
   that is read as a whole. Gradients of keys and values add up in one value for
   all positions, from the last part to the first; of a part they are complete
   when its own queries have added theirs. */
#include "passes/plan/chunk_sequence_write.h"

#include <stdlib.h>
#include <string.h>

#include "ir/ops/attention.h"

static Sym
name_of(const Parts *p, ValueId v)
{
    return value_at(p->g, v)->name;
}

/* The part at hand of v, put into `all` (0: nothing is there yet) of this type
   along this axis. */
static ValueId
put_part(Parts *p, ValueId v, ValueId part, ValueId all, Type type, int axis)
{
    int64_t starts[MAXRANK] = {0};

    starts[axis] = p->from;
    return all ? build_put(&p->b, all, part, starts, name_of(p, v))
               : build_pad(&p->b, part, starts, 0, type, name_of(p, v));
}

void
sequence_keep(Parts *p, ValueId v)
{
    Type type = value_at(p->g, v)->type, some;
    int axis = p->s->rows[v].seq;
    ValueId part = parts_part(p, v);

    if (!part)
        return;
    parts_begin(p, value_at(p->g, v)->def);
    if (parts_are_torn(p, v)) {
        some = parts_apart(p, &type, axis, false);
        type = parts_apart(p, &type, axis++, true);
        part = build_view(&p->b, part, some.rank, some.dim, name_of(p, v));
    }
    p->total[v] = put_part(p, v, part, p->total[v], type, axis);
}

void
sequence_keep_key(Parts *p, ValueId v)
{
    parts_begin(p, value_at(p->g, v)->def);
    p->keys[v] = put_part(p, v, parts_part(p, v), p->keys[v],
                          value_at(p->g, v)->type, p->s->rows[v].seq);
}

ValueId
sequence_scaled(Builder *b, ValueId v, double factor)
{
    Text text = text_new(b->g->module->arena);

    text_add(&text, "a*%.17g", factor);
    return build_formula(b, text_str(&text), 1, &v, DT_NONE,
                         value_at(b->g, v)->name);
}

/* Of the gradient of keys or values: that of the part at hand, which begins at
   `starts`, times a number. */
static ValueId
cut_gradient(Parts *p, ValueId v, double scale, int64_t *starts)
{
    ValueId part;

    memset(starts, 0, MAXRANK * sizeof *starts);
    starts[p->s->rows[v].seq] = p->from;
    part = build_slice(&p->b, p->sum[v], starts, NULL, parts_type(p, v),
                       name_of(p, v));
    return scale == 1 ? part : sequence_scaled(&p->b, part, scale);
}

/* What later parts have added to the gradient of this one's keys or values
   counts for more, as some of these parts are left out. */
static ValueId
weigh_part(Parts *p, ValueId v)
{
    int64_t starts[MAXRANK];
    ValueId part = cut_gradient(p, v, p->weight, starts);

    return build_put(&p->b, p->sum[v], part, starts, name_of(p, v));
}

static void
write_back(Parts *p, NodeId id)
{
    int64_t starts[MAXRANK];
    Attention whole = attention_of(p->g, id);
    ValueId *in = parts_operands(p, id, 2), out[3];
    int nin = node_at(p->g, id)->nin;
    Like like = {.shift = p->to - p->s->length, .more = true};
    NodeId made;

    for (int i = 0; i < 3; i++)
        out[i] = node_at(p->g, id)->out[i];
    for (int i = 1; i < 3 && p->weight > 1 && p->sum[out[i]]; i++)
        p->sum[out[i]] = weigh_part(p, out[i]);
    if (p->sum[out[1]]) {
        in[nin++] = p->sum[out[1]];
        in[nin++] = p->sum[out[2]];
    } else {
        like.part = whole.items; /* one chain */
    }
    made = parts_node(p, id, nin, in, &like);
    map_put(p->part, out[0], node_at(p->g, made)->out[0]);
    for (int i = 1; i < 3; i++)
        p->sum[out[i]] = node_at(p->g, made)->out[i];
    map_put(p->part, out[1], cut_gradient(p, out[1], whole.scale, starts));
    map_put(p->part, out[2], cut_gradient(p, out[2], 1, starts));
}

static void
write_sum(Parts *p, NodeId id)
{
    ValueId *in = parts_operands(p, id, 1), y = node_at(p->g, id)->out[0];
    Like like = {.one = true};
    NodeId made;

    in[2] = p->sum[y];
    made = parts_node(p, id, p->sum[y] ? 3 : 2, in, &like);
    p->sum[y] = node_at(p->g, made)->out[0];
}

static void
write_columns(Parts *p, NodeId id)
{
    ValueId *in = parts_operands(p, id, 0), y = node_at(p->g, id)->out[0];
    NodeId made = parts_node(p, id, 1, in, &(Like){0});
    ValueId sum = node_at(p->g, made)->out[0];

    p->sum[y] = p->sum[y] ? build_map2(&p->b, OP_add, p->sum[y], sum,
                                       name_of(p, y))
                          : sum;
}

void
sequence_write(Parts *p, NodeId id)
{
    parts_begin(p, id);
    switch (p->s->kind[id]) {
    case STREAM_BACK: write_back(p, id); break;
    case STREAM_SUM: write_sum(p, id); break;
    case STREAM_COLUMNS: write_columns(p, id); break;
    default: parts_write(p, id); break;
    }
}

ValueId
sequence_result(Parts *p, ValueId v)
{
    const Type t = value_at(p->g, v)->type;

    if (!p->total[v])
        return p->sum[v];
    if (value_at(p->g, p->total[v])->type.rank == t.rank)
        return p->total[v];
    parts_begin(p, value_at(p->g, v)->def);
    return build_view(&p->b, p->total[v], t.rank, t.dim, name_of(p, v));
}
