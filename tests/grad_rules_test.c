/* grad_rules_test: the gradient rule of every kind with data against central
   differences in f64. */
#include "tests/small.h"

#include <math.h>

/* Appends the gradients of node n for a new input dy; outputs: y, then the
   gradients. */
static void
differentiate(Small *s, NodeId n)
{
    Graph *g = s->graph;
    int nin = g->node[n].nin;
    Builder b = {.g = g, .phase = 'b'};
    ValueId dy = graph_input(g, "dy", value_at(g, g->node[n].out[0])->type);
    ValueId *dx = NEWN(s->arena, ValueId, nin);
    bool *want = NEWN(s->arena, bool, nin);

    for (int i = 0; i < nin; i++)
        want[i] = true;
    op_rules(g->node[n].op)->grad(&b, n, &dy, want, dx);
    for (int i = 0; i < nin; i++) {
        cr_assert(dx[i], "no gradient of operand %d", i);
        vec_push(s->arena, g->output, dx[i]);
    }
}

/* The sum of dy * y. */
static double
objective(const Small *s)
{
    const Tensor *dy = &s->in[vec_len(s->graph->input) - 1];
    Tensor *out = NEWN(s->arena, Tensor, vec_len(s->graph->output));
    double sum = 0;

    eval_graph(s->arena, s->graph, NULL, s->in, out);
    for (int64_t i = 0; i < type_elements(&dy->type); i++)
        sum += tensor_get(dy, i) * tensor_get(&out[0], i);
    return sum;
}

static void
check_element(Small *s, int operand, int64_t i)
{
    Tensor *x = &s->in[operand];
    double was = tensor_get(x, i), step = 1e-5, up, down, slope, rule;

    tensor_set(x, i, was + step);
    up = objective(s);
    tensor_set(x, i, was - step);
    down = objective(s);
    tensor_set(x, i, was);
    slope = (up - down) / (2 * step);
    rule = tensor_get(&s->out[1 + operand], i);
    cr_assert(fabs(slope - rule) <= 1e-6 * fmax(1, fabs(slope)),
              "operand %d[%d]: the rule says %g, differences %g", operand,
              (int)i, rule, slope);
}

/* The graph's last node is checked; all operands are inputs. */
static void
check(const char *inputs, const char *operation)
{
    char body[1024];
    Small s;
    NodeId n;

    snprintf(body, sizeof body, "%sf %%y = %s\noutput %%y\n", inputs,
             operation);
    s = small_parse("", body);
    cr_assert_null(s.problems, "%s", s.problems);
    n = vec_last(s.graph->order);
    differentiate(&s, n);
    small_bind(&s);
    eval_graph(s.arena, s.graph, NULL, s.in, s.out);
    for (int i = 0; i < s.graph->node[n].nin; i++) {
        cr_assert(type_equal(&s.in[i].type, &s.out[1 + i].type));
        for (int64_t j = 0; j < type_elements(&s.in[i].type); j++)
            check_element(&s, i, j);
    }
    small_free(&s);
}

Test(gradient, contract)
{
    check("input %a : f64[3,4]\ninput %b : f64[4,2]\n",
          "contract %a, %b labels=\"mk,kn->mn\" split=1 : f64[3,2]");
    check("input %a : f64[2,3,4]\ninput %b : f64[4,2,5]\n",
          "contract %a, %b labels=\"bmk,kbn->nbm\" split=1 : f64[5,2,3]");
    check("input %a : f64[2,3,4]\ninput %b : f64[3,4,2]\n",
          "contract %a, %b labels=\"akl,klc->ca\" split=2 : f64[2,2]");
    check("input %a : f64[3]\ninput %b : f64[2]\n",
          "contract %a, %b labels=\"m,n->mn\" split=1 : f64[3,2]");
}

Test(gradient, reduce)
{
    static const char *const x = "input %x : f64[2,3,4]\n";

    check(x, "reduce %x op=sum axes=[1] : f64[2,1,4]");
    check(x, "reduce %x op=sum axes=[0,2] : f64[1,3,1]");
    check(x, "reduce %x op=max axes=[2] : f64[2,3,1]");
    check(x, "reduce %x op=min axes=[0,1,2] : f64[1,1,1]");
    check(x, "reduce %x op=prod axes=[1] : f64[2,1,4]");
}

/* Runs the gradient of one reduction of x for dy = 1. */
static void
check_special(const char *op, const double x[4], const double expect[4])
{
    char body[256];
    Small s;

    snprintf(body, sizeof body,
             "input %%x : f64[4]\nf %%y = reduce %%x op=%s axes=[0] : f64[1]\n"
             "output %%y\n",
             op);
    s = small_parse("", body);
    differentiate(&s, vec_last(s.graph->order));
    small_bind(&s);
    memcpy(s.in[0].data, x, 4 * sizeof *x);
    tensor_set(&s.in[1], 0, 1);
    eval_graph(s.arena, s.graph, NULL, s.in, s.out);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(tensor_get(&s.out[1], i), expect[i], "%s[%d]", op, i);
    small_free(&s);
}

#define FOUR(...) ((double[4]){__VA_ARGS__})

Test(gradient, of_ties_and_zeros)
{
    check_special("max", FOUR(1, 3, 3, 2), FOUR(0, 0.5, 0.5, 0));
    check_special("min", FOUR(1, 1, 1, 1), FOUR(0.25, 0.25, 0.25, 0.25));
    check_special("prod", FOUR(2, 0, 3, 4), FOUR(0, 24, 0, 0));
    check_special("prod", FOUR(0, 0, 3, 4), FOUR(0, 0, 0, 0));
    check_special("prod", FOUR(1, 2, 4, 8), FOUR(64, 32, 16, 8));
}

Test(gradient, moves)
{
    static const char *const x = "input %x : f64[3,4,5]\n";

    check(x, "view %x : f64[12,5]");
    check(x, "part %x at=7 : f64[2,1,5]");
    check(x, "transpose %x perm=[2,0,1] : f64[5,3,4]");
    check(x, "broadcast %x : f64[2,3,4,5]");
    check("input %x : f64[3,1]\n", "broadcast %x : f64[2,3,4]");
    check(x, "slice %x starts=[1,0,2] steps=[1,1,1] : f64[2,3,3]");
    check(x, "slice %x starts=[0,1,0] steps=[2,2,4] : f64[2,2,2]");
    check(x, "slice %x starts=[2,3,4] steps=[-1,-2,-3] : f64[2,2,2]");
    check(x, "slice %x starts=[2,3,4] steps=[-7,9,1] : f64[1,1,1]");
    check(x, "pad %x starts=[0,2,1] value=3 : f64[3,7,6]");
    check("input %a : f64[2,3]\ninput %b : f64[2,1]\n",
          "concat %a, %b axis=1 : f64[2,4]");
}

#define ATTRIBUTES "strides=[2,1] pads=[1,0,1,1] dilations=[1,2]"

Test(gradient, windows)
{
    check("input %x : f64[2,4,5,6]\ninput %w : f64[6,2,2,3]\n",
          "conv %x, %w " ATTRIBUTES " groups=2 : f64[2,6,3,3]");
    check("input %g : f64[2,6,3,3]\ninput %w : f64[6,2,2,3]\n",
          "conv_grad_input %g, %w " ATTRIBUTES " groups=2 : f64[2,4,5,6]");
    check("input %x : f64[2,4,5,6]\ninput %g : f64[2,6,3,3]\n",
          "conv_grad_weight %x, %g " ATTRIBUTES
          " groups=2 split=1 : f64[6,2,2,3]");
    check("input %x : f64[2,2,5,6]\n",
          "window %x op=max kernel=[2,3] " ATTRIBUTES
          " count_pad=0 : f64[2,2,3,3]");
    check("input %x : f64[2,2,5,6]\n",
          "window %x op=mean kernel=[2,3] " ATTRIBUTES
          " count_pad=0 : f64[2,2,3,3]");
    check("input %x : f64[2,2,5,6]\n",
          "window %x op=mean kernel=[2,3] " ATTRIBUTES
          " count_pad=1 : f64[2,2,3,3]");
}

Test(gradient, second_ones_are_refused)
{
    Small s = small_parse(
        "", "input %g : f64[1,1,2,2]\n"
            "f %y = window_grad_mean %g kernel=[2,2] strides=[1,1] "
            "pads=[0,0,0,0] dilations=[1,1] count_pad=0 : f64[1,1,3,3]\n"
            "output %y\n");
    Builder b = {.g = s.graph, .phase = 'b'};
    ValueId dx = 0;
    Guard guard;
    char *text;

    guard_enter(&guard);
    op_rules(OP_window_grad_mean)
        ->grad(&b, vec_last(s.graph->order), NULL, &(bool){true}, &dx);
    text = diag_text(&guard);
    guard_leave(&guard);
    cr_assert(strstr(text, "no second derivative"), "%s", text);
    free(text);
    small_free(&s);
}
