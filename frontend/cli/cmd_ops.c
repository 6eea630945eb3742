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

/* ---- groups of element types ------------------------------------------- */

static bool
is_float(DType d)
{
    return dtype_float(d);
}

static bool
is_truth(DType d)
{
    return d == DT_I1;
}

static bool
is_number(DType d)
{
    return d != DT_I1;
}

static bool
is_any(DType d)
{
    return d != DT_NONE;
}

typedef struct Kind {
    const char *word;
    bool (*holds)(DType d);
} Kind;

static const Kind kinds[] = {{"floats", is_float},
                             {"bool", is_truth},
                             {"numbers", is_number},
                             {"any", is_any}};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* The word for the types that an operator takes. */
static const char *
kind_of(const OnnxOperator *o)
{
    for (int k = 0; k < KINDS; k++) {
        bool same = true;

        for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
            same &= kinds[k].holds(d) == o->takes[d];
        if (same)
            return kinds[k].word;
    }
    return "some";
}

static void
print_kinds(void)
{
    for (int k = 0; k < KINDS; k++) {
        printf("  %-9s", kinds[k].word);
        for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
            if (kinds[k].holds(d))
                printf(" %s", dtype_name(d));
        printf("\n");
    }
}

/* ---- text -------------------------------------------------------------- */

static void
print_row(const OnnxOperator *o)
{
    char opsets[32];

    snprintf(opsets, sizeof opsets, "%d-%d", o->since, o->until);
    printf("  %-27s %-7s %-9s ", o->name, opsets, kind_of(o));
    if (*o->doc)
        printf("%-16s %s\n", gradient_word(o->gradient), o->doc);
    else
        printf("%s\n", gradient_word(o->gradient));
}

static void
print_text(void)
{
    printf("operators of the IR: name, operands, gradient (g arrives, y is the "
           "result)\n");
    for (Op op = OP_NONE + 1; op < OP_COUNT; op++) {
        const OpInfo *o = op_info(op);

        printf("  %-17s %-8s %s\n", o->name, o->input_names, gradient_of(o));
    }
    printf("\noperators of ONNX\n  %-27s %-7s %-9s %-16s %s\n", "name",
           "opsets", "types", "gradient", "what is read");
    for (const OnnxOperator *o = onnx_operators(); o->name; o++)
        print_row(o);
    printf("\ntypes of the first input; the gradient flows to floating "
           "inputs\n");
    print_kinds();
    printf("gradient\n"
           "  yes               flows to the floating inputs\n"
           "  zero              the result is constant between jumps\n"
           "  none              integers, truth, shapes: nothing before it is "
           "trained through it\n"
           "  straight-through  as if nothing were rounded, 0 where it "
           "saturates\n");
}

/* ---- JSON -------------------------------------------------------------- */

static void
add_types(Text *t, const OnnxOperator *o)
{
    const char *comma = "";

    for (DType d = DT_NONE + 1; d < DT_COUNT; d++)
        if (o->takes[d]) {
            text_add(t, "%s\"%s\"", comma, dtype_name(d));
            comma = ", ";
        }
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
        text_add(&t,
                 "%s\n  {\"domain\": \"%s\", \"name\": \"%s\", \"opsets\": "
                 "[%d, %d], \"gradient\": \"%s\", \"types\": [",
                 comma, o->domain, o->name, o->since, o->until,
                 gradient_word(o->gradient));
        add_types(&t, o);
        text_add(&t, "], \"doc\": \"%s\"}", o->doc);
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
