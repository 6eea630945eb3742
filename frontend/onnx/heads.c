/* heads: scores, weights and values as contractions. Heads that share
   their keys are a group: one more axis of the queries, nothing is copied. */
#include "frontend/onnx/heads.h"

#include <math.h>

#include "frontend/onnx/expand.h"

void
keep_constant(Import *I, ValueId v)
{
    const Value *p = value_at(I->g, v);

    if (p->kind == V_STORE && I->m->store[p->store].kind == SK_PARAM)
        I->m->store[p->store].kind = SK_CONST;
}

ValueId
converted(Import *I, ValueId x, DType to)
{
    if (!x || type_of(I, x).dtype == to)
        return x;
    return compose(I, to, 1, &x, "a");
}

DType
attention_precision(Import *I, DType otherwise)
{
    int64_t number = attr_int(I, "softmax_precision", 0);
    DType d = number > 0 && number < 64 ? onnx_dtype((int32_t)number)
                                        : DT_NONE;

    if (!attr_given(I, "softmax_precision"))
        return otherwise;
    if (!dtype_float(d)) {
        lower_fault(I, "softmax_precision %lld is no floating type that is "
                       "supported",
                    (long long)number);
        return DT_NONE;
    }
    return d;
}

ValueId
split_heads(Import *I, ValueId x, int64_t heads, const char *what)
{
    const Type t = type_of(I, x);

    if (t.rank != 3 || heads < 1 || t.dim[2] % heads != 0) {
        lower_fault(I, "its %s %s cannot be split into %lld heads", what,
                    type_text(I->a, &t), (long long)heads);
        return 0;
    }
    return build_view(&I->b, x, 4,
                      (int64_t[]){t.dim[0], t.dim[1], heads,
                                  t.dim[2] / heads},
                      NULL);
}

static bool
sizes_fit(const Type *q, const Type *k, const Type *v)
{
    return q->rank == 4 && k->rank == 4 && v->rank == 4 &&
           q->dim[0] == k->dim[0] && k->dim[0] == v->dim[0] &&
           k->dim[1] == v->dim[1] && k->dim[2] == v->dim[2] &&
           q->dim[3] == k->dim[3] && k->dim[1] > 0 &&
           q->dim[1] % k->dim[1] == 0 && type_elements(q) > 0 &&
           type_elements(k) > 0 && type_elements(v) > 0;
}

bool
attention_begin(Import *I, Attention *t)
{
    const Type q = type_of(I, t->q), k = type_of(I, t->k);
    const Type v = type_of(I, t->v);

    if (!same_types(I, 3, (ValueId[]){t->q, t->k, t->v}))
        return false;
    if (!sizes_fit(&q, &k, &v)) {
        lower_fault(I, "queries %s, keys %s and values %s do not go together: "
                       "batch, heads, length, size are expected",
                    type_text(I->a, &q), type_text(I->a, &k),
                    type_text(I->a, &v));
        return false;
    }
    t->batch = q.dim[0];
    t->heads = q.dim[1];
    t->groups = k.dim[1];
    t->queries = q.dim[2];
    t->keys = k.dim[2];
    t->size = q.dim[3];
    t->out = v.dim[3];
    t->scale = attr_float(I, "scale", 1 / sqrt((double)t->size));
    return true;
}

/* (batch, heads, a, b) as (batch, groups, heads of a group, a, b). */
static ValueId
in_groups(Import *I, const Attention *t, ValueId x)
{
    const Type is = type_of(I, x);

    return build_view(&I->b, x, 5,
                      (int64_t[]){t->batch, t->groups, t->heads / t->groups,
                                  is.dim[2], is.dim[3]},
                      NULL);
}

static ValueId
out_of_groups(Import *I, const Attention *t, ValueId x)
{
    const Type is = type_of(I, x);

    return build_view(
        &I->b, x, 4,
        (int64_t[]){t->batch, t->heads, is.dim[3], is.dim[4]}, NULL);
}

ValueId
attention_scores(Import *I, const Attention *t)
{
    ValueId q = scaled(I, t->q, t->scale);

    if (t->heads == t->groups)
        return build_contract(&I->b, "bhsd,bhtd->bhst", q, t->k, NULL);
    return out_of_groups(I, t,
                         build_contract(&I->b, "bgrsd,bgtd->bgrst",
                                        in_groups(I, t, q), t->k, NULL));
}

ValueId
attention_values(Import *I, const Attention *t, ValueId weight)
{
    if (!weight)
        return 0;
    if (t->heads == t->groups)
        return build_contract(&I->b, "bhst,bhtd->bhsd", weight, t->v, NULL);
    return out_of_groups(I, t,
                         build_contract(&I->b, "bgrst,bgtd->bgrsd",
                                        in_groups(I, t, weight), t->v, NULL));
}
