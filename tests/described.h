/* described: a single-operator model and its inputs from one line of text, as
   tests/reference/gradients.py writes them. */
#ifndef SNUG_TESTS_DESCRIBED_H
#define SNUG_TESTS_DESCRIBED_H

#include "tests/cases.h"
#include "tests/onnx_test_model.h"

enum { WORDS_MOST = 16 };

typedef struct Described {
    Case c;
    const char *line;
    bool has_results;      /* PyTorch's */
    double loss;
    double dot[TENSORS_MOST][2]; /* of each floating input; NaN: not given */
} Described;

/* The words of the text between `separator`s; it is cut up. */
static inline int
cut(char *text, const char *separator, int most, char **word)
{
    char *rest = text;
    int n = 0;

    for (char *w; (w = strtok_r(rest, separator, &rest));) {
        cr_assert(n < most, "more than %d words", most);
        word[n++] = w;
    }
    return n;
}

/* 'a','b' without the quotes */
static inline char *
unquoted(char *text)
{
    size_t n = strlen(text);

    cr_assert(n >= 2 && *text == '\'' && text[n - 1] == '\'', "%s", text);
    text[n - 1] = 0;
    return text + 1;
}

static inline bool
is_whole(const char *number)
{
    return !strpbrk(number, ".en");
}

static inline void
set_list(Model *m, Onnx__NodeProto *n, const char *name, char *text)
{
    char *word[WORDS_MOST];
    int count = cut(text, ",", WORDS_MOST, word), type;
    Onnx__AttributeProto *p;

    type = count && *word[0] == '\'' ? 8 : count && !is_whole(word[0]) ? 6 : 7;
    p = add_attribute(m, n, name, type);
    p->ints = NEWN(m->a, int64_t, count + 1);
    p->floats = NEWN(m->a, float, count + 1);
    p->strings = NEWN(m->a, ProtobufCBinaryData, count + 1);
    for (int i = 0; i < count; i++) {
        if (type == 8) {
            char *s = unquoted(word[i]);

            p->strings[p->n_strings++] =
                (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
        } else if (type == 6) {
            p->floats[p->n_floats++] = strtof(word[i], NULL);
        } else {
            p->ints[p->n_ints++] = strtoll(word[i], NULL, 10);
        }
    }
}

/* NAME=VALUE */
static inline void
describe_attribute(Model *m, Onnx__NodeProto *n, char *text)
{
    char *value = strchr(text, '=');

    *value++ = 0;
    if (*value == '[') {
        value[strlen(value) - 1] = 0;
        set_list(m, n, text, value + 1);
    } else if (*value == '\'') {
        set_text(m, n, text, unquoted(value));
    } else if (is_whole(value)) {
        set_int(m, n, text, strtoll(value, NULL, 10));
    } else {
        Onnx__AttributeProto *p = add_attribute(m, n, text, 1);

        p->has_f = 1;
        p->f = strtof(value, NULL);
    }
}

/* Element i of input j: see gradients.py. */
static inline double
described_number(DType dtype, int64_t i, int j, double low, double high)
{
    double u = fmod((double)(i + 1) * 0.6180339887498949 +
                        (double)(j + 1) * 0.7548776662466927,
                    1);
    double x = low + (high - low) * u;

    return dtype == DT_I1 ? u < 0.5 : dtype_float(dtype) ? x : floor(x);
}

/* TYPE[SIZES][:LOW:HIGH][{x,y,...}] as input j. */
static inline Tensor
described_tensor(Arena *a, char *text, int j)
{
    char *sizes = strchr(text, '['), *rest = strchr(text, ']') + 1;
    char *list = strchr(rest, '{');
    Type t = {.dtype = dtype_named(text, (size_t)(sizes - text))};
    double low = -2, high = 2;
    Tensor made;

    for (char *s = sizes + 1; *s != ']'; s += *s == ',')
        t.dim[t.rank++] = strtoll(s, &s, 10);
    if (*rest == ':') {
        low = strtod(rest + 1, &rest);
        high = strtod(rest + 1, &rest);
    }
    made = tensor_new(a, t);
    for (int64_t i = 0; i < type_elements(&t); i++)
        tensor_set(&made, i,
                   list ? strtod(list + 1, &list)
                        : described_number(t.dtype, i, j, low, high));
    return made;
}

/* ONNX's number of an element type. */
static inline int
onnx_number(DType dtype)
{
    return dtype == DT_F32   ? 1
           : dtype == DT_I32 ? 6
           : dtype == DT_I64 ? 7
           : dtype == DT_I1  ? 9
                             : 11;
}

/* An initializer where the text begins with '=', else an input of the case. */
static inline void
describe_input(Model *m, Onnx__NodeProto *n, Case *c, char *text, int j)
{
    char name[16];
    Tensor t;

    snprintf(name, sizeof name, "x%d", j);
    reads(m, n, *text == '-' ? "" : name);
    if (*text == '-')
        return;
    t = described_tensor(m->a, text + (*text == '='), j);
    if (*text == '=') {
        Onnx__TensorProto *p = add_tensor(m, name, t.type.rank, t.type.dim);

        p->data_type = onnx_number(t.type.dtype);
        p->raw_data.len = (size_t)type_bytes(&t.type);
        p->raw_data.data = t.data;
    } else {
        Onnx__ValueInfoProto *v =
            value_info(m, name, t.type.rank, t.type.dim);

        v->type->tensor_type->elem_type = onnx_number(t.type.dtype);
        APPEND(m, m->graph, input, v);
        c->in[c->inputs++] = t;
    }
}

static inline void
describe_outputs(Model *m, Onnx__NodeProto *n, int count)
{
    n->n_output = 0;
    for (int i = 0; i < count; i++) {
        Onnx__ValueInfoProto *v =
            MAKE(m, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
        char name[16];

        snprintf(name, sizeof name, "y%d", i);
        v->name = text_of(m->a, name);
        APPEND(m, n, output, text_of(m->a, name));
        APPEND(m, m->graph, output, v);
    }
}

static inline void
describe_results(Described *d, char *text)
{
    char *rest = text;

    d->has_results = true;
    d->loss = strtod(rest, &rest);
    for (int i = 0; i < d->c.inputs; i++)
        if (d->c.in[i].type.dtype == DT_F64)
            for (int k = 0; k < 2; k++)
                d->dot[i][k] = strtod(rest, &rest);
}

/* OPERATOR OPSET [NAME=VALUE ...] | INPUT ... | OUTPUTS [| RESULTS] */
static inline Described
described(Arena *a, const char *line)
{
    Described d = {.line = text_of(a, line)};
    char *part[4], *word[WORDS_MOST];
    int parts = cut(text_of(a, line), "|", 4, part);
    int words = cut(part[0], " ", WORDS_MOST, word);
    Model m = empty_model(a, 10, (int)strtol(word[1], NULL, 10));
    Onnx__NodeProto *n = add_node(&m, word[0], "", "y0");
    Bytes bytes;

    d.c.op = d.c.name = word[0];
    for (int i = 2; i < words; i++)
        describe_attribute(&m, n, word[i]);
    words = cut(part[1], " ", WORDS_MOST, word);
    for (int i = 0; i < words; i++)
        describe_input(&m, n, &d.c, word[i], i);
    d.c.outputs = (int)strtol(part[2], NULL, 10);
    describe_outputs(&m, n, d.c.outputs);
    if (parts > 3)
        describe_results(&d, part[3]);
    bytes = packed(&m);
    d.c.model = (const char *)bytes.at;
    d.c.bytes = bytes.size;
    return d;
}

#endif
