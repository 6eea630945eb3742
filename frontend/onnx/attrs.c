/* attrs: attributes and constant inputs of the current node. What was asked
   for is noted, so that the importer can name what nobody knows. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/onnx/lower.h"
#include "ir/eval.h"

enum AttrType {
    A_FLOAT = 1,
    A_INT,
    A_STRING,
    A_TENSOR,
    A_GRAPH,
    A_FLOATS = 6,
    A_INTS,
    A_STRINGS
};

Loc
lower_loc(const Import *I)
{
    return (Loc){.file = I->file, .node = I->b.source, .op = I->b.source_op};
}

void
lower_fault_in(const char *file, Import *I, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain_in(file, lower_loc(I), "%s", text);
}

/* Does it hold values of its own type at most? None at all means zero or an
   empty list: some writers leave those out. */
static bool
holds(const Onnx__AttributeProto *p)
{
    unsigned there = (p->has_f ? 1u << A_FLOAT : 0) |
                     (p->has_i ? 1u << A_INT : 0) |
                     (p->has_s ? 1u << A_STRING : 0) |
                     (p->t ? 1u << A_TENSOR : 0) |
                     (p->g ? 1u << A_GRAPH : 0) |
                     (p->n_floats ? 1u << A_FLOATS : 0) |
                     (p->n_ints ? 1u << A_INTS : 0) |
                     (p->n_strings ? 1u << A_STRINGS : 0);

    if (p->type < A_FLOAT || p->type > A_STRINGS)
        return false;
    return (there & ~(1u << p->type)) == 0;
}

Onnx__AttributeProto *
attr_resolved(Import *I, Onnx__AttributeProto *p)
{
    const char *name = p->ref_attr_name;

    if (!name || !*name)
        return p;
    if (!I->scope->function)
        lower_fault(I, "attribute %s refers to one of a function",
                    p->name ? p->name : "");
    for (size_t i = 0; i < vec_len(I->scope->given); i++)
        if (strcmp(I->scope->given[i]->name, name) == 0)
            return I->scope->given[i];
    return NULL;
}

void
attr_ignored(Import *I, const char *name)
{
    for (size_t i = 0; i < I->node->n_attribute && i < 64; i++)
        if (I->node->attribute[i]->name &&
            strcmp(I->node->attribute[i]->name, name) == 0)
            I->used |= 1ull << i;
}

static const Onnx__AttributeProto *
find(Import *I, const char *name, int type)
{
    for (size_t i = 0; i < I->node->n_attribute; i++) {
        const Onnx__AttributeProto *p = I->node->attribute[i];

        if (!p->name || strcmp(p->name, name) != 0)
            continue;
        if (i < 64)
            I->used |= 1ull << i;
        p = attr_resolved(I, I->node->attribute[i]);
        if (!p)
            return NULL;
        if ((type && p->type != type) || !holds(p)) {
            lower_fault(I, "attribute %s has the wrong type", name);
            return NULL;
        }
        return p;
    }
    return NULL;
}

bool
attr_given(Import *I, const char *name)
{
    return find(I, name, 0) != NULL;
}

int64_t
attr_int(Import *I, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *p = find(I, name, A_INT);

    return p ? p->i : otherwise;
}

double
attr_float(Import *I, const char *name, double otherwise)
{
    const Onnx__AttributeProto *p = find(I, name, A_FLOAT);

    return p ? (double)p->f : otherwise;
}

const char *
attr_text(Import *I, const char *name, const char *otherwise)
{
    const Onnx__AttributeProto *p = find(I, name, A_STRING);
    Text t = text_new(I->a);

    if (!p)
        return otherwise;
    text_add_n(&t, (const char *)p->s.data, p->s.len);
    if (memchr(t.s, 0, p->s.len))
        lower_fault(I, "attribute %s holds a NUL byte", name);
    return t.s;
}

int
attr_texts(Import *I, const char *name, int most, const char **text)
{
    const Onnx__AttributeProto *p = find(I, name, A_STRINGS);

    if (p && p->n_strings > (size_t)most) {
        lower_fault(I, "attribute %s has %zu texts, at most %d make sense",
                    name, p->n_strings, most);
        return 0;
    }
    for (size_t i = 0; p && i < p->n_strings; i++) {
        Text t = text_new(I->a);

        text_add_n(&t, (const char *)p->strings[i].data, p->strings[i].len);
        text[i] = t.s;
    }
    return p ? (int)p->n_strings : 0;
}

void
attr_ints(Import *I, const char *name, int most, int64_t *x, int *count)
{
    const Onnx__AttributeProto *p = find(I, name, A_INTS);

    *count = 0;
    if (!p)
        return;
    if (p->n_ints > (size_t)most) {
        lower_fault(I, "attribute %s has %zu numbers, at most %d make sense",
                    name, p->n_ints, most);
        return;
    }
    for (size_t i = 0; i < p->n_ints; i++)
        x[i] = p->ints[i];
    *count = (int)p->n_ints;
}

const void *
attr_list(Import *I, const char *name, int64_t *count)
{
    const Onnx__AttributeProto *p = find(I, name, 0);

    if (!p)
        return NULL;
    if (p->type != (strcmp(name, "value_ints") == 0 ? A_INTS : A_FLOATS)) {
        lower_fault(I, "attribute %s has the wrong type", name);
        return NULL;
    }
    *count = (int64_t)(p->type == A_INTS ? p->n_ints : p->n_floats);
    if (*count == 0)
        return "";
    return p->type == A_INTS ? (const void *)p->ints : p->floats;
}

const Onnx__TensorProto *
attr_tensor(Import *I, const char *name)
{
    const Onnx__AttributeProto *p = find(I, name, A_TENSOR);

    return p ? p->t : NULL;
}

const Onnx__GraphProto *
attr_graph(Import *I, const char *name)
{
    const Onnx__AttributeProto *p = find(I, name, A_GRAPH);

    if (!p || !p->g)
        lower_fault(I, "has no graph %s", name);
    return p ? p->g : NULL;
}

bool
input_integers(Import *I, int i, int most, int64_t *x, int *count)
{
    const Tensor *t = input_constant(I, i);

    *count = 0;
    if (!t) {
        lower_fault(I, "input %d must be known at compile time: make it a "
                       "constant or an initializer",
                    i);
        return false;
    }
    if ((t->type.dtype != DT_I64 && t->type.dtype != DT_I32) ||
        t->type.rank > 1 || type_elements(&t->type) > most) {
        lower_fault(I, "input %d must be at most %d integers, is %s", i, most,
                    type_text(I->a, &t->type));
        return false;
    }
    *count = (int)type_elements(&t->type);
    for (int k = 0; k < *count; k++)
        x[k] = t->type.dtype == DT_I64 ? ((const int64_t *)t->data)[k]
                                       : ((const int32_t *)t->data)[k];
    return true;
}

bool
normal_axis(Import *I, int64_t axis, int rank, int64_t *out)
{
    if (axis < -rank || axis >= rank) {
        lower_fault(I, "axis %lld is outside a tensor of %d axes",
                    (long long)axis, rank);
        return false;
    }
    *out = axis < 0 ? axis + rank : axis;
    return true;
}
