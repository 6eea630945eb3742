/* operators: onnx.def made usable. */
#include "frontend/onnx/operators.h"

#include <limits.h>
#include <string.h>

#include "frontend/onnx/expand.h"

/* The gradient of a `same` row is that of op.def's. */
#define same(op)    lower_same, OP_##op, GRADIENT_YES
#define compare(op) lower_compare, OP_##op, GRADIENT_NONE
#define expand(f)   lower_##f, OP_NONE, GRADIENT_YES
#define stepped(f)  lower_##f, OP_NONE, GRADIENT_ZERO
#define whole(f)    lower_##f, OP_NONE, GRADIENT_NONE
#define through(f)  lower_##f, OP_NONE, GRADIENT_STRAIGHT

static LowerNode lower_same, lower_compare;

static const OnnxRow rows[] = {
#define ANY INT_MAX
#define ONNX(name, since, least, most, outputs, first, what, doc)              \
    {"", #name, since, least, most, outputs, HOLDS_##first, what, doc},
#define ONNX_TRAINING(name, since, least, most, outputs, first, what, doc)     \
    {TRAINING_DOMAIN, #name, since, least, most, outputs, HOLDS_##first,       \
     what, doc},
#define ONNX_PREVIEW(name, since, least, most, outputs, first, what, doc)      \
    {PREVIEW_DOMAIN, #name, since, least, most, outputs, HOLDS_##first,        \
     what, doc},
#include "frontend/onnx/onnx.def"
#undef ONNX
#undef ONNX_TRAINING
#undef ONNX_PREVIEW
#undef ANY
    {0},
};

enum { ROWS = sizeof rows / sizeof *rows };

bool
take_operands(Import *I, int n, ValueId *in)
{
    if (input_count(I) != n) {
        lower_fault(I, "has %d inputs, %d are expected", input_count(I), n);
        return false;
    }
    for (int i = 0; i < n; i++) {
        in[i] = input(I, i);
        if (!in[i])
            return false;
    }
    return true;
}

bool
same_types(Import *I, int n, const ValueId *in)
{
    for (int i = 1; i < n; i++) {
        DType a = value_at(I->g, in[0])->type.dtype;
        DType b = value_at(I->g, in[i])->type.dtype;

        if (a == b)
            continue;
        lower_fault(I, "mixes %s and %s\nhint: a Cast before it makes them "
                       "equal",
                    dtype_name(a), dtype_name(b));
        return false;
    }
    return true;
}

/* A row of op.def on the same operands. */
static void
lower_same(Import *I)
{
    ValueId in[3];
    int n = op_info(I->row->op)->inputs;
    int choice = I->row->op == OP_where; /* its condition is boolean */
    NodeId made;

    if (!take_operands(I, n, in) || !same_types(I, n - choice, in + choice))
        return;
    made = build_node(&I->b, I->row->op, n, in, 1, NULL, NULL, NULL, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

/* The same where the result is boolean whatever the operands are. */
static void
lower_compare(Import *I)
{
    Type t;
    ValueId in[2];
    NodeId made;

    if (!take_operands(I, 2, in) || !same_types(I, 2, in))
        return;
    if (!type_broadcast(&value_at(I->g, in[0])->type,
                        &value_at(I->g, in[1])->type, &t)) {
        lower_fault(I, "compares %s with %s, which do not go together",
                    type_text(I->a, &value_at(I->g, in[0])->type),
                    type_text(I->a, &value_at(I->g, in[1])->type));
        return;
    }
    t.dtype = DT_I1;
    made = build_node(&I->b, I->row->op, 2, in, 1, &t, NULL, NULL, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

bool
same_domain(const char *a, const char *b)
{
    return strcmp(strcmp(a, "ai.onnx") == 0 ? "" : a,
                  strcmp(b, "ai.onnx") == 0 ? "" : b) == 0;
}

const OnnxRow *
onnx_row(const char *domain, const char *op_type)
{
    for (const OnnxRow *r = rows; r->name; r++)
        if (strcmp(r->name, op_type) == 0 && same_domain(r->domain, domain))
            return r;
    return NULL;
}

bool
holds_type(Holds first, DType dtype)
{
    switch (first) {
    case HOLDS_FLOAT: return dtype_float(dtype);
    case HOLDS_BOOL: return dtype == DT_I1;
    case HOLDS_NUMBER: return dtype != DT_I1;
    default: return true;
    }
}

/* Formulas of op.def that are "0" for every operand: zero of a number, none of
   a truth. */
static OnnxGradient
gradient_of(const OnnxRow *r)
{
    const char *s = r->lower == lower_same ? op_info(r->op)->gradients : "g";

    if (strspn(s, "0; ") != strlen(s))
        return r->gradient;
    return r->first == HOLDS_BOOL ? GRADIENT_NONE : GRADIENT_ZERO;
}

static OnnxOperator
told(const OnnxRow *r)
{
    bool own = *r->domain == 0;
    OnnxOperator o = {
        .domain = r->domain,
        .name = r->name,
        .since = own && r->since < OPSET_LEAST ? OPSET_LEAST : r->since,
        .until = own ? OPSET_MOST : r->since,
        .gradient = gradient_of(r),
        .doc = r->doc,
    };

    for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
        o.takes[d] = holds_type(r->first, d);
    return o;
}

const OnnxOperator *
onnx_operators(void)
{
    static OnnxOperator list[ROWS];

    for (int i = 0; i + 1 < ROWS; i++)
        list[i] = told(&rows[i]);
    return list;
}

const char *
gradient_word(OnnxGradient g)
{
    static const char *const words[] = {"yes", "zero", "none",
                                        "straight-through"};

    return words[g];
}
