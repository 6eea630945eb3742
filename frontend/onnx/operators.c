/* operators: onnx.def made usable. */
#include "frontend/onnx/operators.h"

#include <string.h>

#include "frontend/onnx/expand.h"

#define same(op) lower_same, OP_##op
#define expand(f) lower_##f, OP_NONE

static LowerNode lower_same;

static const OnnxRow rows[] = {
#define ONNX(name, since, what, doc) {#name, since, what, doc},
#include "frontend/onnx/onnx.def"
#undef ONNX
    {0},
};

enum { ROWS = sizeof rows / sizeof *rows };

/* A row of op.def on the same operands. */
static void
lower_same(Import *I)
{
    int n = op_info(I->row->op)->inputs;
    ValueId in[3];
    NodeId made;

    if (input_count(I) != n) {
        lower_fault(I, "has %d inputs, %d are expected", input_count(I), n);
        return;
    }
    for (int i = 0; i < n; i++) {
        in[i] = input(I, i);
        if (!in[i])
            return;
    }
    made = build_node(&I->b, I->row->op, n, in, 1, NULL, NULL, NULL, NULL);
    bind_output(I, 0, node_at(I->g, made)->out[0]);
}

const OnnxRow *
onnx_row(const char *op_type)
{
    for (const OnnxRow *r = rows; r->name; r++)
        if (strcmp(r->name, op_type) == 0)
            return r;
    return NULL;
}

const OnnxOperator *
onnx_operators(void)
{
    static OnnxOperator list[ROWS];

    for (int i = 0; i < ROWS; i++)
        list[i] = (OnnxOperator){rows[i].name, rows[i].since, rows[i].doc};
    return list;
}
