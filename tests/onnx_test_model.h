/* onnx_test_model: a small good model in protobuf-c's structures, to change in
   one way and to write. */
#ifndef SNUG_TESTS_ONNX_MODEL_H
#define SNUG_TESTS_ONNX_MODEL_H

#include "tests/onnx_test_files.h"

#include "onnx.pb-c.h"

#include <string.h>

/* The good model: y = Relu(Gemm(x, w, b)), x f32[2,3], w f32[3,4]. */
typedef struct Model {
    Arena *a;
    Onnx__ModelProto *model;
    Onnx__GraphProto *graph;
    Onnx__NodeProto *gemm, *relu;
    Onnx__TensorProto *w, *b;
    Onnx__ValueInfoProto *x, *y;
} Model;

#define MAKE(m, type, lower)                                                   \
    ((type *)memcpy(NEW((m)->a, type), &(type)lower, sizeof(type)))

static inline char *
text_of(Arena *a, const char *s)
{
    Text t = text_new(a);

    text_add_n(&t, s, strlen(s));
    return t.s;
}

/* `list` of `count` pointers with one more. */
static inline void *
grown(Arena *a, void *list, size_t count, void *one)
{
    void **more = NEWN(a, void *, count + 1);

    if (count)
        memcpy(more, list, count * sizeof *more);
    more[count] = one;
    return more;
}

#define APPEND(m, message, field, one)                                         \
    ((message)->field =                                                        \
         grown((m)->a, (message)->field, (message)->n_##field++, one))

static inline Onnx__NodeProto *
add_node(Model *m, const char *op, const char *name, const char *output)
{
    Onnx__NodeProto *n =
        MAKE(m, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);

    n->op_type = text_of(m->a, op);
    n->name = text_of(m->a, name);
    APPEND(m, n, output, text_of(m->a, output));
    APPEND(m, m->graph, node, n);
    return n;
}

static inline void
reads(Model *m, Onnx__NodeProto *n, const char *name)
{
    APPEND(m, n, input, text_of(m->a, name));
}

static inline Onnx__TensorProto *
add_tensor(Model *m, const char *name, int rank, const int64_t *dim)
{
    Onnx__TensorProto *t =
        MAKE(m, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    int64_t count = 1;

    t->name = text_of(m->a, name);
    t->n_dims = (size_t)rank;
    t->dims = NEWN(m->a, int64_t, rank + 1);
    for (int i = 0; i < rank; i++)
        count *= t->dims[i] = dim[i];
    t->has_data_type = t->has_raw_data = 1;
    t->data_type = 1;
    t->raw_data.len = 4 * (size_t)count;
    t->raw_data.data = NEWN(m->a, uint8_t, 4 * count + 1);
    APPEND(m, m->graph, initializer, t);
    return t;
}

static inline Onnx__ValueInfoProto *
value_info(Model *m, const char *name, int rank, const int64_t *dim)
{
    Onnx__ValueInfoProto *v =
        MAKE(m, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    Onnx__TypeProto__Tensor *t = MAKE(m, Onnx__TypeProto__Tensor,
                                      ONNX__TYPE_PROTO__TENSOR__INIT);

    v->name = text_of(m->a, name);
    v->type = MAKE(m, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    v->type->tensor_type = t;
    t->has_elem_type = 1;
    t->elem_type = 1;
    t->shape = MAKE(m, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    for (int i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d =
            MAKE(m, Onnx__TensorShapeProto__Dimension,
                 ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);

        d->has_dim_value = 1;
        d->dim_value = dim[i];
        APPEND(m, t->shape, dim, d);
    }
    return v;
}

static inline Onnx__AttributeProto *
add_attribute(Model *m, Onnx__NodeProto *n, const char *name, int type)
{
    Onnx__AttributeProto *p =
        MAKE(m, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);

    p->name = text_of(m->a, name);
    p->has_type = type != 0;
    p->type = type;
    APPEND(m, n, attribute, p);
    return p;
}

static inline void
set_int(Model *m, Onnx__NodeProto *n, const char *name, int64_t x)
{
    Onnx__AttributeProto *p = add_attribute(m, n, name, 2);

    p->has_i = 1;
    p->i = x;
}

static inline void
set_ints(Model *m, Onnx__NodeProto *n, const char *name, int count,
         const int64_t *x)
{
    Onnx__AttributeProto *p = add_attribute(m, n, name, 7);

    p->n_ints = (size_t)count;
    p->ints = memcpy(NEWN(m->a, int64_t, count + 1), x,
                     (size_t)count * sizeof *x);
}

static inline void
set_text(Model *m, Onnx__NodeProto *n, const char *name, const char *s)
{
    Onnx__AttributeProto *p = add_attribute(m, n, name, 3);

    p->has_s = 1;
    p->s.len = strlen(s);
    p->s.data = (uint8_t *)text_of(m->a, s);
}

/* A model with an empty graph. */
static inline Model
empty_model(Arena *a, int ir_version, int opset)
{
    Model m = {.a = a};
    Onnx__OperatorSetIdProto *o;

    m.model = MAKE(&m, Onnx__ModelProto, ONNX__MODEL_PROTO__INIT);
    m.graph = MAKE(&m, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    o = MAKE(&m, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
    m.model->graph = m.graph;
    m.model->has_ir_version = o->has_version = 1;
    m.model->ir_version = ir_version;
    o->version = opset;
    APPEND(&m, m.model, opset_import, o);
    return m;
}

static inline Model
good_model(Arena *a)
{
    Model m = empty_model(a, 8, 17);

    m.x = value_info(&m, "x", 2, (int64_t[]){2, 3});
    m.y = value_info(&m, "y", 2, (int64_t[]){2, 4});
    APPEND(&m, m.graph, input, m.x);
    APPEND(&m, m.graph, output, m.y);
    m.w = add_tensor(&m, "w", 2, (int64_t[]){3, 4});
    m.b = add_tensor(&m, "b", 1, (int64_t[]){4});
    m.gemm = add_node(&m, "Gemm", "first", "h");
    reads(&m, m.gemm, "x");
    reads(&m, m.gemm, "w");
    reads(&m, m.gemm, "b");
    m.relu = add_node(&m, "Relu", "second", "y");
    reads(&m, m.relu, "h");
    return m;
}

static inline Bytes
packed(const Model *m)
{
    Bytes b;

    b.size = onnx__model_proto__get_packed_size(m->model);
    b.at = NEWN(m->a, unsigned char, b.size + 1);
    onnx__model_proto__pack(m->model, b.at);
    return b;
}

#endif
