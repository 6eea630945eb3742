/* ops: the operators of the IR and of ONNX, from the tables themselves. */
#include "frontend/cli/commands.h"
#include "frontend/onnx/operators.h"

#include <stdio.h>
#include <string.h>

static const char *
gradient_of(const OpInfo *o)
{
    return o->gradients                    ? o->gradients
           : (o->flags & OF_BODY)          ? "none"
           : strcmp(o->name, "iota") == 0  ? "none"
           : strstr(o->name, "_grad") != 0 ? "none"
                                           : "by rule";
}

static void
print_text(void)
{
    printf("operators of the IR: name, operands, gradient\n");
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++) {
        const OpInfo *o = op_info(op);

        printf("  %-17s %-8s %s\n", o->name, o->input_names, gradient_of(o));
    }
    printf("\noperators of ONNX: name, since opset\n");
    for (const OnnxOperator *o = onnx_operators(); o->name; o++)
        printf("  %-24s %2d  %s\n", o->name, o->since, o->doc);
}

static void
print_json(Arena *a)
{
    Text t = text_new(a);
    const char *comma = "";

    text_add(&t, "{\"ir\": [");
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++) {
        const OpInfo *o = op_info(op);

        text_add(&t,
                 "%s\n  {\"name\": \"%s\", \"operands\": \"%s\", "
                 "\"gradient\": \"%s\"}",
                 comma, o->name, o->input_names, gradient_of(o));
        comma = ",";
    }
    text_add(&t, "],\n \"onnx\": [");
    comma = "";
    for (const OnnxOperator *o = onnx_operators(); o->name; o++) {
        text_add(&t, "%s\n  {\"name\": \"%s\", \"since\": %d}", comma, o->name,
                 o->since);
        comma = ",";
    }
    text_add(&t, "]}\n");
    fputs(t.s, stdout);
}

int
cmd_ops(const Args *args)
{
    expect_operands(args, 0);
    if (option_on(args, OPT_json))
        print_json(args->arena);
    else
        print_text();
    return ST_OK;
}
