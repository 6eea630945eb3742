/* expand_rotary: RotaryEmbedding: pairs of features turned by angles that the
   position gives. */
#include "frontend/onnx/heads.h"
#include "frontend/onnx/expand.h"
#include "ir/ops/gather.h"

typedef struct Rotary {
    ValueId x, cos, sin;
    int length; /* the axis of positions */
    int64_t positions, batch, size, turned;
    bool interleaved;
} Rotary;

/* The cosines or sines of input i, shaped to go with a part of x. */
static ValueId
take_angles(Import *I, const Rotary *r, int i)
{
    ValueId v = input(I, i);
    int64_t dim[4] = {r->batch, 1, 1, r->turned / 2};
    Type t;

    if (!v)
        return 0;
    keep_constant(I, v);
    if (has_input(I, 3))
        v = build_gather(&I->b, v, input(I, 3), 0);
    t = type_of(I, v);
    if (t.rank != 3 || t.dim[0] != r->batch || t.dim[1] != r->positions ||
        t.dim[2] != r->turned / 2) {
        lower_fault(I, "its angles are %s; %lld, %lld, %lld are expected",
                    type_text(I->a, &t), (long long)r->batch,
                    (long long)r->positions, (long long)r->turned / 2);
        return 0;
    }
    dim[r->length] = r->positions;
    return build_view(&I->b, v, 4, dim, NULL);
}

static bool
positions_fit(Import *I, const Rotary *r)
{
    const Type *t = has_input(I, 3) ? input_type(I, 3) : NULL;

    if (!has_input(I, 3))
        return true;
    if (t && (t->rank != 2 || t->dim[0] != r->batch ||
              t->dim[1] != r->positions || dtype_float(t->dtype)))
        lower_fault(I, "its position_ids are %s; %lld times %lld integers are "
                       "expected",
                    type_text(I->a, t), (long long)r->batch,
                    (long long)r->positions);
    else if (t)
        return true;
    return false;
}

static bool
take_rotary(Import *I, Rotary *r)
{
    Type t;

    r->x = input(I, 0);
    if (!r->x)
        return false;
    t = type_of(I, r->x);
    r->length = t.rank == 3 ? 1 : 2;
    if (t.rank != 4)
        r->x = split_heads(I, r->x, attr_int(I, "num_heads", 0), "input");
    else
        attr_int(I, "num_heads", 0);
    if (!r->x)
        return false;
    t = type_of(I, r->x);
    r->batch = t.dim[0];
    r->positions = t.dim[r->length];
    r->size = t.dim[3];
    r->turned = attr_int(I, "rotary_embedding_dim", 0);
    r->interleaved = attr_int(I, "interleaved", 0) != 0;
    if (r->turned == 0)
        r->turned = r->size;
    if (r->turned < 2 || r->turned > r->size || r->turned % 2) {
        lower_fault(I, "rotates %lld of %lld features", (long long)r->turned,
                    (long long)r->size);
        return false;
    }
    return positions_fit(I, r);
}

/* The two features of each pair side by side again. */
static ValueId
put_together(Import *I, const Rotary *r, ValueId *pair)
{
    const Type t = type_of(I, pair[0]);
    int64_t dim[5] = {t.dim[0], t.dim[1], t.dim[2], t.dim[3], 1};

    if (!r->interleaved)
        return joined(I, 2, pair, 3);
    for (int i = 0; i < 2; i++)
        pair[i] = build_view(&I->b, pair[i], 5, dim, NULL);
    dim[3] *= 2;
    return build_view(&I->b, joined(I, 2, pair, 4), 4, dim, NULL);
}

static ValueId
turned(Import *I, const Rotary *r)
{
    int64_t half = r->turned / 2, step = r->interleaved ? 2 : 1;
    ValueId x = slice_steps(I, r->x, 3, 0, step, half);
    ValueId y = slice_steps(I, r->x, 3, r->interleaved ? 1 : half, step, half);
    ValueId in[4] = {x, y, r->cos, r->sin}, part[2];

    part[0] = compose(I, DT_NONE, 4, in, "c*a-d*b");
    part[1] = compose(I, DT_NONE, 4, in, "d*a+c*b");
    part[0] = put_together(I, r, part);
    part[1] = r->size > r->turned ? slice_axis(I, r->x, 3, r->turned,
                                               r->size - r->turned)
                                  : 0;
    return joined(I, part[1] ? 2 : 1, part, 3);
}

void
lower_RotaryEmbedding(Import *I)
{
    Rotary r = {0};
    ValueId y;

    if (!take_rotary(I, &r))
        return;
    r.cos = take_angles(I, &r, 1);
    r.sin = take_angles(I, &r, 2);
    if (!r.cos || !r.sin ||
        !same_types(I, 3, (ValueId[]){r.x, r.cos, r.sin}))
        return;
    y = turned(I, &r);
    if (r.length == 1)
        y = build_view(&I->b, y, 3,
                       (int64_t[]){r.batch, r.positions,
                                   type_of(I, r.x).dim[2] * r.size},
                       NULL);
    bind_output(I, 0, y);
}
