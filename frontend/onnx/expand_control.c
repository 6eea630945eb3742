/* expand_control: a condition that is known at import chooses its branch; else
   both branches are computed and each result is chosen. So a branch that is not
   taken costs its time, and where its slope is infinite it spoils the gradient
   (0 times infinity). */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

/* The truth of a known condition; false after a fault. */
bool
take_truth(Import *I, const Tensor *t, bool *truth)
{
    if (t->type.dtype != DT_I1 || type_elements(&t->type) != 1) {
        lower_fault(I, "its condition is %s, one truth value is expected",
                    type_text(I->a, &t->type));
        return false;
    }
    *truth = tensor_get(t, 0) != 0;
    return true;
}

/* ---- If --------------------------------------------------------------- */

static Known *chosen(Import *I, ValueId cond, Known *a, Known *b);

static Known *
chosen_sequence(Import *I, ValueId cond, const Sequence *a, const Sequence *b)
{
    Known *k = NEW(I->a, Known);

    k->name = sym(I->m->syms, "sequence");
    k->path = I->scope->path;
    k->sequence = NEW(I->a, Sequence);
    for (size_t i = 0; i < vec_len(a->item); i++) {
        Known *item = chosen(I, cond, a->item[i], b->item[i]);

        if (!item)
            return NULL;
        vec_push(I->a, k->sequence->item, item);
    }
    return k;
}

static Known *
chosen_value(Import *I, ValueId cond, ValueId a, ValueId b)
{
    Type ta = type_of(I, a), tb = type_of(I, b);
    NodeId made;

    if (!type_equal(&ta, &tb)) {
        lower_fault(I, "its branches make %s and %s; where the condition is "
                       "not known at import they must be equal",
                    type_text(I->a, &ta), type_text(I->a, &tb));
        return NULL;
    }
    made = build_node(&I->b, OP_where, 3, (ValueId[]){cond, a, b}, 1, NULL,
                      NULL, NULL, NULL);
    return known_of_value(I, node_at(I->g, made)->out[0]);
}

static Known *
chosen(Import *I, ValueId cond, Known *a, Known *b)
{
    bool whole = !a->sequence && !a->none && !b->sequence && !b->none;
    ValueId va, vb;

    if (a == b)
        return a;
    if (a->sequence && b->sequence &&
        vec_len(a->sequence->item) == vec_len(b->sequence->item))
        return chosen_sequence(I, cond, a->sequence, b->sequence);
    if (!whole) {
        lower_fault(I, "its branches make sequences of different lengths, or "
                       "nothing; its condition must be known at import");
        return NULL;
    }
    va = known_value(I, a);
    vb = known_value(I, b);
    return va && vb ? chosen_value(I, cond, va, vb) : NULL;
}

static bool
branches_fit(Import *I, const Onnx__GraphProto *a, const Onnx__GraphProto *b)
{
    if (a->n_input || b->n_input)
        lower_fault(I, "a branch has inputs, which no branch has");
    else if (a->n_output != b->n_output || a->n_output < I->node->n_output)
        lower_fault(I, "has %zu outputs, its branches make %zu and %zu",
                    I->node->n_output, a->n_output, b->n_output);
    else
        return true;
    return false;
}

static void
take_branch(Import *I, const Onnx__GraphProto *g,
            const Onnx__GraphProto *other)
{
    Known **out = NEWN(I->a, Known *, g->n_output + 1);

    body_scope(I, other); /* its tensors are checked all the same */
    if (!scope_results(I, body_scope(I, g), out))
        return;
    for (size_t i = 0; i < I->node->n_output; i++)
        bind_known(I, (int)i, out[i]);
}

/* Both branches run, so neither may change what the model keeps. */
static bool
run_both(Import *I, const Onnx__GraphProto *a, const Onnx__GraphProto *b,
         Known **out_a, Known **out_b)
{
    bool modes = I->modes, done, changes;

    I->modes = false;
    done = scope_results(I, body_scope(I, a), out_a) &&
           scope_results(I, body_scope(I, b), out_b);
    changes = I->modes;
    I->modes = I->modes || modes;
    if (done && changes)
        lower_fault(I, "a branch acts differently in training, and its "
                       "condition is not known at import");
    return done && !changes;
}

static void
choose_branch(Import *I, const Onnx__GraphProto *a, const Onnx__GraphProto *b)
{
    Known **out_a = NEWN(I->a, Known *, a->n_output + 1);
    Known **out_b = NEWN(I->a, Known *, b->n_output + 1);
    ValueId cond = input(I, 0);
    Type t;

    if (!cond)
        return;
    t = type_of(I, cond);
    if (type_elements(&t) != 1) {
        lower_fault(I, "its condition is %s, one truth value is expected",
                    type_text(I->a, &t));
        return;
    }
    if (t.rank)
        cond = build_view(&I->b, cond, 0, NULL, NULL);
    if (!run_both(I, a, b, out_a, out_b))
        return;
    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = chosen(I, cond, out_a[i], out_b[i]);

        if (k)
            bind_known(I, (int)i, k);
    }
}

void
lower_If(Import *I)
{
    const Onnx__GraphProto *a = attr_graph(I, "then_branch");
    const Onnx__GraphProto *b = attr_graph(I, "else_branch");
    const Tensor *known = input_constant(I, 0);
    bool truth;

    if (!a || !b || !branches_fit(I, a, b))
        return;
    if (!known)
        choose_branch(I, a, b);
    else if (take_truth(I, known, &truth))
        take_branch(I, truth ? a : b, truth ? b : a);
}
