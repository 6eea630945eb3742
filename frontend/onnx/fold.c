/* fold: a node whose inputs are all known at import is lowered into a graph of
   its own and run there, so that arithmetic on shapes leaves constants, of
   whatever operators the exporter built it. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/lower.h"
#include "ir/eval.h"

enum { FOLDED_MOST = 4096 }; /* elements of an output */

/* Operators whose result is more than a tensor that is a function of their
   inputs: they have bodies, act differently in training, draw, or make what is
   no tensor. Nodes of bodies are folded one by one. */
static bool
is_pure(const char *op)
{
    static const char *const others[] = {
        "BatchNormalization", "Bernoulli", "Dropout", "FlexAttention",
        "Gradient", "If", "Loop", "Multinomial", "Optional",
        "OptionalGetElement", "Scan", "SequenceAt", "SequenceConstruct",
        "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceMap",
        "SplitToSequence", NULL};

    if (strncmp(op, "Random", 6) == 0)
        return false;
    for (int i = 0; others[i]; i++)
        if (strcmp(op, others[i]) == 0)
            return false;
    return true;
}

/* A number that only this operator takes for a setting is a parameter to
   others, and not folded. */
static bool
inputs_are_constant(Import *I)
{
    for (size_t i = 0; i < I->node->n_input; i++)
        if (*I->node->input[i] && (!input_constant(I, (int)i) ||
                                   !know(I, I->node->input[i])->constant))
            return false;
    return I->node->n_input > 0;
}

/* Each constant becomes an input of the small graph; was[] keeps what the
   names stood for. */
static void
enter_inputs(Import *I, ValueId *was)
{
    for (size_t i = 0; i < I->node->n_input; i++)
        was[i] = know(I, I->node->input[i])->value;
    for (size_t i = 0; i < I->node->n_input; i++) {
        Known *k = know(I, I->node->input[i]);
        bool again = false;

        for (size_t j = 0; j < i; j++)
            again = again || know(I, I->node->input[j]) == k;
        if (k->constant && !again)
            k->value = graph_input(I->g, k->name, k->constant->type);
    }
}

static void
leave_inputs(Import *I, const ValueId *was)
{
    for (size_t i = 0; i < I->node->n_input; i++)
        know(I, I->node->input[i])->value = was[i];
}

static const Tensor *
constant_named(Import *I, Sym name)
{
    for (size_t i = 0; i < I->node->n_input; i++) {
        Known *k = know(I, I->node->input[i]);

        if (k->constant && k->value && value_at(I->g, k->value)->name == name)
            return k->constant;
    }
    return NULL;
}

/* Can the text of the IR hold it? */
static bool
can_be_kept(const Tensor *t)
{
    for (int64_t i = 0; t->type.rank && i < type_elements(&t->type); i++)
        if (!isfinite(tensor_get(t, i)))
            return false;
    return true;
}

static bool
outputs_are_small(Import *I)
{
    for (size_t i = 0; i < I->node->n_output; i++) {
        const Known *k = know_here(I, I->node->output[i]);

        if (k->value &&
            type_elements(&value_at(I->g, k->value)->type) > FOLDED_MOST)
            return false;
    }
    return true;
}

/* Runs the small graph; false if some output must be computed at run time. */
static bool
run_node(Import *I, Tensor *out)
{
    Tensor *in = NEWN(I->a, Tensor, vec_len(I->g->input) + 1);
    bool kept = true;

    for (size_t i = 0; i < vec_len(I->g->input); i++)
        in[i] = *constant_named(I, value_at(I->g, I->g->input[i])->name);
    for (size_t i = 0; i < I->node->n_output; i++)
        if (know_here(I, I->node->output[i])->value)
            vec_push(I->a, I->g->output,
                     know_here(I, I->node->output[i])->value);
    eval_graph(I->a, I->g, NULL, in, out);
    for (size_t i = 0; i < vec_len(I->g->output); i++)
        kept = kept && can_be_kept(&out[i]);
    return kept;
}

/* The names of the outputs stand for the tensors, or for nothing yet. */
static void
leave_outputs(Import *I, const Tensor *out)
{
    int made = 0;

    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = know_here(I, I->node->output[i]);

        if (!k->value)
            continue;
        k->value = 0;
        if (!out)
            continue;
        k->constant = NEW(I->a, Tensor);
        *k->constant = out[made++];
    }
}

bool
fold_node(Import *I)
{
    Graph *g = I->g;
    Tensor *out = NEWN(I->a, Tensor, I->node->n_output + 1);
    ValueId *was = NEWN(I->a, ValueId, I->node->n_input + 1);
    int before = complaints();
    bool done, bound = false;

    if (!is_pure(I->row->name) || !inputs_are_constant(I))
        return false;
    I->g = I->b.g = graph_new(I->m, "fold");
    enter_inputs(I, was);
    lower_row(I);
    done = complaints() != before;
    if (!done && outputs_are_small(I))
        done = bound = run_node(I, out);
    leave_outputs(I, bound ? out : NULL);
    leave_inputs(I, was);
    I->g = I->b.g = g;
    for (size_t i = 0; !done && i < I->node->n_output; i++)
        know_here(I, I->node->output[i])->constant = NULL;
    return done;
}
