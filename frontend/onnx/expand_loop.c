/* expand_loop: loops are unrolled, so how often they run must be known at
   import. */
#include "frontend/onnx/compose.h"
#include "frontend/onnx/expand.h"
#include "ir/eval.h"

#include <string.h>

enum { TRIPS_MOST = 16384 };

/* ---- stacking what the steps of a loop make --------------------------- */

static bool
all_constant(Import *I, Known **item)
{
    const Type *first = NULL;

    for (size_t i = 0; i < vec_len(item); i++) {
        const Tensor *t = known_constant(I, item[i]);

        if (!t || (first && !type_equal(first, &t->type)))
            return false;
        first = &t->type;
    }
    return first != NULL;
}

/* Constants one after the other, on a new first axis. */
static Known *
stacked_constants(Import *I, Known **item)
{
    Type t = item[0]->constant->type, whole;
    int64_t dim[MAXRANK] = {(int64_t)vec_len(item)};
    size_t bytes = (size_t)type_bytes(&t);
    Tensor made;

    memcpy(dim + 1, t.dim, (MAXRANK - 1) * sizeof *dim);
    if (t.rank == MAXRANK || !type_make(t.dtype, t.rank + 1, dim, &whole)) {
        lower_fault(I, "makes more elements or axes than there can be");
        return NULL;
    }
    made = tensor_new(I->a, whole);
    for (size_t i = 0; i < vec_len(item); i++)
        memcpy((char *)made.data + i * bytes, item[i]->constant->data, bytes);
    return known_of_constant(I, made);
}

/* The items along a new axis; NULL after a fault. */
static Known *
stacked(Import *I, Known **item, int64_t axis)
{
    int n = (int)vec_len(item);
    ValueId *x = NEWN(I->a, ValueId, n + 1);

    if (n == 0) {
        lower_fault(I, "runs no step, and the shape of an output is not "
                       "known then");
        return NULL;
    }
    if (axis == 0 && all_constant(I, item))
        return stacked_constants(I, item);
    for (int i = 0; i < n; i++) {
        x[i] = item[i]->sequence || item[i]->none ? 0
                                                  : known_value(I, item[i]);
        if (!x[i] || type_of(I, x[i]).rank == MAXRANK) {
            lower_fault(I, "a step makes what cannot be stacked");
            return NULL;
        }
        if (i == 0 &&
            !normal_axis(I, axis, type_of(I, x[0]).rank + 1, &axis))
            return NULL;
        if (axis > type_of(I, x[i]).rank) {
            lower_fault(I, "its steps make different numbers of axes");
            return NULL;
        }
        x[i] = with_axis(I, x[i], (int)axis);
    }
    return known_of_value(I, joined(I, n, x, (int)axis));
}

/* A list from its end to its beginning. */
static Known **
reversed(Import *I, Known **item)
{
    Known **list = NULL;

    for (size_t i = vec_len(item); i-- > 0;)
        vec_push(I->a, list, item[i]);
    return list;
}

/* ---- steps of a loop -------------------------------------------------- */

typedef struct Steps {
    const Onnx__GraphProto *body;
    size_t lead;      /* outputs before the carried ones */
    size_t carried, scans;
    Known **state;    /* what is carried now */
    Known ***scanned; /* for each scan output a vector of its steps */
    Known **out;      /* of the step done last */
    int64_t done;
} Steps;

static void
begin_steps(Import *I, Steps *s)
{
    s->scans = s->body->n_output - s->lead - s->carried;
    s->state = NEWN(I->a, Known *, s->carried + 1);
    s->scanned = NEWN(I->a, Known **, s->scans + 1);
    s->out = NEWN(I->a, Known *, s->body->n_output + 1);
}

/* May a gradient go through it? */
static bool
is_differentiable(Import *I, const Known *k)
{
    return k->value && !k->constant && !k->narrow &&
           dtype_float(type_of(I, k->value).dtype);
}

/* The states, floats by names that the pass `cut` knows. */
static void
take_over(Import *I, const Steps *s, int64_t at, Known **in)
{
    for (size_t i = 0; i < s->carried; i++) {
        Known *k = s->state[i];

        in[i] = at && is_differentiable(I, k)
                    ? known_of_value(I, carried(I, k->value, at))
                    : k;
    }
}

/* What the last of the steps done so far leaves, by such a name too, and once
   more for the name that the model gives it. */
static Known *
left_over(Import *I, const Steps *s, Known *k)
{
    ValueId v;

    if (!s->done || !is_differentiable(I, k))
        return k;
    v = step_result(I, k->value, s->done - 1);
    return known_of_value(I, build_map1(&I->b, OP_copy, v, NULL));
}

/* One step with these inputs of the body. */
static bool
step(Import *I, Steps *s, Known **in)
{
    Scope *scope = body_scope(I, s->body);

    for (size_t i = 0; scope && i < s->body->n_input; i++)
        scope_bind(I, scope, s->body->input[i]->name, in[i]);
    if (!scope_results(I, scope, s->out))
        return false;
    for (size_t i = 0; i < s->carried; i++)
        s->state[i] = s->out[s->lead + i];
    s->done++;
    for (size_t i = 0; i < s->scans; i++) {
        Known *k = s->out[s->lead + s->carried + i];

        vec_push(I->a, s->scanned[i], s->carried ? left_over(I, s, k) : k);
    }
    return true;
}

static bool
steps_are_few(Import *I, int64_t n)
{
    if (n <= TRIPS_MOST)
        return true;
    lower_fault(I, "runs more than %d steps, the most that are unrolled",
                TRIPS_MOST);
    return false;
}

/* ---- Loop ------------------------------------------------------------- */

/* Is the loop to go on? False after a fault, too. */
static bool
take_condition(Import *I, Known *k, bool *goes_on)
{
    const Tensor *t = known_constant(I, k);

    if (t)
        return take_truth(I, t, goes_on);
    lower_fault(I, "its condition depends on data: it must be known at import "
                   "how often a loop runs");
    return false;
}

static Known *
known_number(Import *I, DType dtype, int64_t x)
{
    Tensor t = tensor_new(I->a, type_scalar(dtype));

    tensor_set_integer(&t, 0, x);
    return known_of_constant(I, t);
}

static bool
take_trips(Import *I, int64_t *most)
{
    int n = 1;

    *most = INT64_MAX;
    if (has_input(I, 0) && !input_integers(I, 0, 1, most, &n))
        return false;
    if (n != 1)
        lower_fault(I, "its trip count is not one number");
    return n == 1;
}

/* Runs the steps; false after a fault. */
static bool
run_loop(Import *I, Steps *s, int64_t most)
{
    Known **in = NEWN(I->a, Known *, s->body->n_input + 1);
    bool conditional = has_input(I, 1), goes_on = true;

    in[1] = conditional ? know(I, I->node->input[1])
                        : known_number(I, DT_I1, 1);
    if (conditional && !take_condition(I, in[1], &goes_on))
        return false;
    for (int64_t i = 0; i < most && goes_on; i++) {
        in[0] = known_number(I, DT_I64, i);
        take_over(I, s, i, in + 2);
        if (!steps_are_few(I, i + 1) || !step(I, s, in))
            return false;
        if (conditional && !take_condition(I, s->out[0], &goes_on))
            return false;
        in[1] = s->out[0];
    }
    return true;
}

void
lower_Loop(Import *I)
{
    size_t n = I->node->n_input > 2 ? I->node->n_input - 2 : 0;
    Steps s = {.body = attr_graph(I, "body"), .lead = 1, .carried = n};
    int64_t most;

    if (!s.body || !take_trips(I, &most))
        return;
    if (s.body->n_input != 2 + n || s.body->n_output < 1 + n ||
        I->node->n_output > s.body->n_output - 1) {
        lower_fault(I, "carries %zu values; its body takes %zu and makes %zu, "
                       "and there are %zu outputs",
                    n, s.body->n_input, s.body->n_output, I->node->n_output);
        return;
    }
    begin_steps(I, &s);
    for (size_t i = 0; i < n; i++)
        s.state[i] = know(I, I->node->input[2 + i]);
    if (!run_loop(I, &s, most))
        return;
    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = !wants_output(I, (int)i) ? NULL
                   : i < n                  ? left_over(I, &s, s.state[i])
                                            : stacked(I, s.scanned[i - n], 0);

        if (k)
            bind_known(I, (int)i, k);
    }
}

/* ---- SequenceMap ------------------------------------------------------ */

/* What the body takes in a step: items of sequences, or whole tensors. */
static bool
take_items(Import *I, size_t at, size_t count, Known **in)
{
    for (size_t i = 0; i < I->node->n_input; i++) {
        in[i] = know(I, I->node->input[i]);
        if (in[i]->sequence && vec_len(in[i]->sequence->item) != count) {
            lower_fault(I, "its sequences have different lengths");
            return false;
        }
        if (in[i]->sequence)
            in[i] = in[i]->sequence->item[at];
    }
    return true;
}

void
lower_SequenceMap(Import *I)
{
    Steps s = {.body = attr_graph(I, "body")};
    const Sequence *first = input_sequence(I, 0);
    Known **in = NEWN(I->a, Known *, I->node->n_input + 1);
    size_t count = first ? vec_len(first->item) : 0;

    if (!s.body || !first)
        return;
    if (s.body->n_input != I->node->n_input ||
        s.body->n_output < I->node->n_output) {
        lower_fault(I, "has %zu inputs and %zu outputs, its body %zu and %zu",
                    I->node->n_input, I->node->n_output, s.body->n_input,
                    s.body->n_output);
        return;
    }
    begin_steps(I, &s);
    for (size_t i = 0; i < count; i++)
        if (!take_items(I, i, count, in) || !step(I, &s, in))
            return;
    for (size_t i = 0; i < I->node->n_output; i++)
        bind_sequence(I, (int)i, s.scanned[i]);
}

/* ---- Scan ------------------------------------------------------------- */

typedef struct Scanning {
    Steps steps;
    size_t first, inputs; /* node inputs before the states; scan inputs */
    int64_t length;
    int64_t *axis, *backward;         /* of scan inputs */
    int64_t *out_axis, *out_backward; /* of scan outputs */
} Scanning;

/* A list of `count` integers, zeros where it is not given. */
static int64_t *
integers(Import *I, const char *name, size_t count)
{
    int64_t *x = NEWN(I->a, int64_t, count + 1);
    int n;

    attr_ints(I, name, (int)count, x, &n);
    if (n && (size_t)n != count)
        lower_fault(I, "attribute %s has %d numbers, %zu are expected", name,
                    n, count);
    return x;
}

static bool
take_scan(Import *I, Scanning *s)
{
    int64_t inputs = attr_int(I, "num_scan_inputs", 0);
    int64_t left = (int64_t)I->node->n_input - (int64_t)s->first;
    const Onnx__GraphProto *g = attr_graph(I, "body");

    s->steps.body = g;
    if (!g)
        return false;
    if (inputs < 1 || inputs > left || (int64_t)g->n_input != left ||
        (int64_t)g->n_output < left - inputs ||
        I->node->n_output > g->n_output) {
        lower_fault(I, "scans %lld of %lld inputs; its body takes %zu and "
                       "makes %zu, and there are %zu outputs",
                    (long long)inputs, (long long)left, g->n_input,
                    g->n_output, I->node->n_output);
        return false;
    }
    s->inputs = (size_t)inputs;
    s->steps.carried = (size_t)(left - inputs);
    begin_steps(I, &s->steps);
    s->axis = integers(I, "scan_input_axes", s->inputs);
    s->backward = integers(I, s->first ? "directions" : "scan_input_directions",
                           s->inputs);
    s->out_axis = integers(I, "scan_output_axes", s->steps.scans);
    s->out_backward = integers(I, "scan_output_directions", s->steps.scans);
    return true;
}

/* The length that all scan inputs have along their axes. */
static bool
take_length(Import *I, Scanning *s, const ValueId *x)
{
    for (size_t i = 0; i < s->inputs; i++) {
        Type t = type_of(I, x[i]);

        if (!normal_axis(I, s->axis[i], t.rank, &s->axis[i]))
            return false;
        if (i == 0)
            s->length = t.dim[s->axis[i]];
        if (t.dim[s->axis[i]] != s->length) {
            lower_fault(I, "its scan inputs have %lld and %lld steps",
                        (long long)s->length, (long long)t.dim[s->axis[i]]);
            return false;
        }
    }
    return steps_are_few(I, s->length);
}

/* Element `at` along an axis, without it. */
static Known *
part_of(Import *I, ValueId x, int64_t axis, int64_t at)
{
    ValueId part = slice_axis(I, x, (int)axis, at, 1);

    return known_of_value(I, without_axes(I, part, &axis, 1));
}

/* All steps over x, from the states in steps.state on. */
static bool
scan(Import *I, Scanning *s, const ValueId *x)
{
    Steps *steps = &s->steps;
    Known **in = NEWN(I->a, Known *, steps->body->n_input + 1);

    if (!take_length(I, s, x))
        return false;
    memset(steps->scanned, 0, steps->scans * sizeof *steps->scanned);
    steps->done = 0;
    for (int64_t at = 0; at < s->length; at++) {
        take_over(I, steps, at, in);
        for (size_t i = 0; i < s->inputs; i++)
            in[steps->carried + i] =
                part_of(I, x[i], s->axis[i],
                        s->backward[i] ? s->length - 1 - at : at);
        if (!step(I, steps, in))
            return false;
    }
    return true;
}

/* Scan output i of the steps that were done; NULL after a fault. */
static Known *
scan_output(Import *I, const Scanning *s, size_t i)
{
    Known **item = s->steps.scanned[i];

    return stacked(I, s->out_backward[i] ? reversed(I, item) : item,
                   s->out_axis[i]);
}

/* The node's inputs as values; NULL after a fault. */
static ValueId *
scan_operands(Import *I, const Scanning *s)
{
    ValueId *x = NEWN(I->a, ValueId, I->node->n_input + 1);

    for (size_t i = s->first; i < I->node->n_input; i++) {
        x[i - s->first] = input(I, (int)i);
        if (!x[i - s->first])
            return NULL;
    }
    return x;
}

static void
scan_whole(Import *I, Scanning *s, const ValueId *x)
{
    Steps *steps = &s->steps;
    size_t n = steps->carried;

    for (size_t i = 0; i < n; i++)
        steps->state[i] = know(I, I->node->input[i]);
    if (!scan(I, s, x + n))
        return;
    for (size_t i = 0; i < I->node->n_output; i++) {
        Known *k = !wants_output(I, (int)i) ? NULL
                   : i < n ? left_over(I, steps, steps->state[i])
                           : scan_output(I, s, i - n);

        if (k)
            bind_known(I, (int)i, k);
    }
}

/* Have all operands the same first axis, the batch? */
static bool
take_batch(Import *I, const ValueId *x, size_t n, int64_t *batch)
{
    for (size_t i = 0; i < n; i++) {
        Type t = type_of(I, x[i]);

        if (i == 0 && t.rank)
            *batch = t.dim[0];
        if (t.rank == 0 || t.dim[0] != *batch) {
            lower_fault(I, "input %zu is %s, a batch is expected first", i + 1,
                        type_text(I->a, &t));
            return false;
        }
    }
    if (has_input(I, 0))
        lower_fault(I, "its sequences have lengths of their own, which is not "
                       "supported");
    return !has_input(I, 0);
}

/* The form of opset 8: every element of the batch by itself. */
static void
scan_batch(Import *I, Scanning *s, const ValueId *x)
{
    size_t n = s->steps.carried, outputs = I->node->n_output;
    Known ***made = NEWN(I->a, Known **, outputs + 1);
    ValueId *part = NEWN(I->a, ValueId, n + s->inputs + 1);
    int64_t batch = 0;

    if (!take_batch(I, x, n + s->inputs, &batch))
        return;
    for (int64_t b = 0; b < batch; b++) {
        for (size_t i = 0; i < n + s->inputs; i++) {
            Known *k = part_of(I, x[i], 0, b);

            part[i] = k->value;
            if (i < n)
                s->steps.state[i] = k;
        }
        if (!scan(I, s, part + n))
            return;
        for (size_t i = 0; i < outputs; i++) {
            Known *k = i < n ? left_over(I, &s->steps, s->steps.state[i])
                             : scan_output(I, s, i - n);

            if (!k)
                return;
            vec_push(I->a, made[i], k);
        }
    }
    for (size_t i = 0; i < outputs; i++) {
        Known *k = stacked(I, made[i], 0);

        if (k)
            bind_known(I, (int)i, k);
    }
}

void
lower_Scan(Import *I)
{
    Scanning s = {.first = I->opset < 9};
    int before = complaints();
    ValueId *x;

    if (!take_scan(I, &s) || complaints() != before)
        return;
    x = scan_operands(I, &s);
    if (x && s.first)
        scan_batch(I, &s, x);
    else if (x)
        scan_whole(I, &s, x);
}
