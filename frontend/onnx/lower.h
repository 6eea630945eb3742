/* lower: what a lowering function of onnx.def sees: the current ONNX node, its
   inputs as IR values or as constants, its attributes; and how it binds its
   outputs. */
#ifndef SNUG_LOWER_H
#define SNUG_LOWER_H

#include <sys/stat.h>

#include "frontend/onnx/import.h"
#include "frontend/onnx/operators.h"
#include "frontend/onnx/wire.h"
#include "ir/ops/rules.h"
#include "onnx.pb-c.h"

typedef struct Known Known;

/* A sequence whose length is known at import. */
typedef struct Sequence {
    Known **item; /* vector */
} Sequence;

/* What an ONNX name stands for. */
struct Known {
    Sym name;
    Sym path; /* of the body or function it belongs to; NULL: the model's */
    ValueId value;                  /* 0: not made into an IR value yet */
    const Onnx__TensorProto *proto; /* an initializer, or NULL */
    WireData data;                  /* of the initializer */
    Tensor *constant;               /* content known at import, or NULL */
    Sequence *sequence;
    ValueId narrow; /* of which `value` is the f32 form in this node, or 0 */
    bool loose;    /* its value has no name of the model yet */
    bool none;     /* an optional that holds nothing */
    bool absent;   /* an input that the caller of a function left out */
    bool forgiven; /* its node failed: who reads it says nothing */
};

/* A graph whose nodes are lowered: the model's, the body of a node or of a
   function. Nothing of scopes is left in the IR. */
typedef struct Scope {
    struct Scope *outer;
    bool body;  /* sees the names of the outer one */
    Map *known; /* Sym -> Known * */
    Onnx__NodeProto **node;
    size_t nodes;
    const char **output; /* vector */
    int opset;
    Onnx__OperatorSetIdProto **import;
    size_t imports;
    Sym path; /* stands before the names of its nodes in messages; or NULL */
    const Onnx__FunctionProto *function; /* whose body it is in, or NULL */
    Onnx__AttributeProto **given; /* vector: that the function was given */
    int depth;
} Scope;

typedef struct Signature Signature; /* signature.h */

/* An integer tensor, and the same numbers as floats with a gradient. */
typedef struct Quantized {
    const Graph *graph;
    ValueId value, real;
} Quantized;

typedef struct Import {
    Arena *a;
    Module *m;
    Graph *g;
    Builder b;
    const char *file;
    const Onnx__ModelProto *model;
    int opset;
    Scope *scope;
    const Onnx__NodeProto *node;
    const struct OnnxRow *row; /* of the node's operator */
    uint64_t used; /* bit i: attribute i of the node was asked for */
    const DimBinding *dim;
    int dims;
    bool training; /* the form for training is being made (see import.h) */
    bool modes;    /* some node has two forms */
    int draws;     /* random streams so far */
    DType narrow;  /* f32 results of this node are rounded to it; or DT_NONE */
    Quantized *quantized; /* vector (expand_quantize.c) */
    int64_t inlined;  /* nodes of bodies and functions so far */
    Map *reserved;    /* Sym: names of the model's own graph */
    Map *inner_store; /* proto or hash of a constant -> store */
    Map *checked;     /* TensorProto: what is wrong with it was said */
    Map *functions;   /* Sym of domain, name and overload -> FunctionProto */
    Signature *signature; /* what the file says of its parameters, or NULL */
} Import;

typedef void LowerNode(Import *I);

/* ---- the current node ------------------------------------------------- */

Loc lower_loc(const Import *I); /* of this node */
/* A problem with this node; lowering goes on with the next node. */
#define lower_fault(...) lower_fault_in(__FILE__, __VA_ARGS__)
void lower_fault_in(const char *file, Import *I, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int input_count(const Import *I); /* trailing blanks aside */
bool has_input(const Import *I, int i);
ValueId input(Import *I, int i); /* 0 after a fault, or where it is blank */
const Type *input_type(Import *I, int i); /* NULL like input's 0 */
/* The type of input 0, a constant or not; NULL after a fault. */
const Type *first_type(Import *I);
/* The content of input i if it is known at import; NULL otherwise. */
const Tensor *input_constant(Import *I, int i);
/* Input i as at most `most` integers; false after a fault naming it. */
bool input_integers(Import *I, int i, int most, int64_t *x, int *count);

int64_t attr_int(Import *I, const char *name, int64_t otherwise);
double attr_float(Import *I, const char *name, double otherwise);
const char *attr_text(Import *I, const char *name, const char *otherwise);
/* A list of at most `most` texts; how many, 0 after a fault. */
int attr_texts(Import *I, const char *name, int most, const char **text);
bool attr_given(Import *I, const char *name);
/* Element j of `from` into element i of `to`, exactly; one element type. */
void copy_element(Tensor *to, int64_t i, const Tensor *from, int64_t j);
/* At most `most` integers; *count is 0 where it is not given. */
void attr_ints(Import *I, const char *name, int most, int64_t *x, int *count);
/* Of a list of ints or floats; NULL if it is not given or after a fault. */
const void *attr_list(Import *I, const char *name, int64_t *count);
const Onnx__TensorProto *attr_tensor(Import *I, const char *name);
const Onnx__GraphProto *attr_graph(Import *I, const char *name);
/* It may be there; it says nothing that is not known otherwise. */
void attr_ignored(Import *I, const char *name);
/* An attribute or what the function's caller gives for it; NULL: neither. */
Onnx__AttributeProto *attr_resolved(Import *I, Onnx__AttributeProto *p);

/* An axis of a tensor of this rank, negative ones counted from the end; false
   after a fault. */
bool normal_axis(Import *I, int64_t axis, int rank, int64_t *out);

/* Input i, a tensor that training updates but no gradient: running statistics.
   0 after a fault. */
ValueId input_state(Import *I, int i);
/* A store of the importer's own, read as a value; made once. */
ValueId own_state(Import *I, const char *name, Type t);
/* The graph's scalar input of this name, made once. */
ValueId own_input(Import *I, const char *name, Type t);

void bind_output(Import *I, int output, ValueId v);
void bind_constant(Import *I, int output, Tensor t);
bool wants_output(const Import *I, int output);
/* Does a node or an output of the model read it? Linear in the model. */
bool reads_output(const Import *I, int output);

/* ---- widen.c ---------------------------------------------------------- */

/* Lowers the node by its row, narrow floats read as f32 where the operator
   computes with them. */
void lower_row(Import *I);
/* What stands for v, a result, outside this node. */
ValueId narrowed(Import *I, ValueId v);

/* ---- known.c, for import.c -------------------------------------------- */

Loc here(const Import *I);
ValueId known_value(Import *I, Known *k); /* 0 after a complaint */
/* Runs a node all of whose inputs are known at import; false: it must be
   lowered. */
bool fold_node(Import *I);

/* ---- scope.c: names, and the bodies that they stand in ------------------ */

Known *know(Import *I, const char *name); /* to read; made if it is new */
Known *know_here(Import *I, const char *name); /* to make, in this scope */
bool is_known(const Known *k);
Known *known_of_value(Import *I, ValueId v);
Known *known_of_constant(Import *I, Tensor t);
/* The content if it is known at import; NULL otherwise. */
const Tensor *known_constant(Import *I, Known *k);
/* The output stands for what k is. */
void bind_known(Import *I, int output, Known *k);

/* The body of the current node, its initializers taken; NULL after a fault. */
Scope *body_scope(Import *I, const Onnx__GraphProto *g);
/* A scope inside the current one, empty; NULL after a fault. */
Scope *scope_new(Import *I);
/* Input i of a body stands for k. */
void scope_bind(Import *I, Scope *s, const char *name, Known *k);
/* Lowers the nodes of s, NULL after a fault: out[] is what its outputs are.
   False after a fault. */
bool scope_results(Import *I, Scope *s, Known **out);

/* ---- functions.c ------------------------------------------------------- */

/* False after a complaint. */
bool take_functions(Import *I);
/* The model's own function that this node calls; NULL: none. */
const Onnx__FunctionProto *called_function(Import *I,
                                           const Onnx__NodeProto *n);
void lower_call(Import *I, const Onnx__FunctionProto *f);

/* ---- import.c, nodes.c -------------------------------------------------- */

/* The initializers of a graph, which is the model's where wire is given. */
void take_initializers(Import *I, const Onnx__GraphProto *g, const Wire *wire);
bool opset_is_read(int64_t version);
void lower_nodes(Import *I); /* of the current scope */

/* ---- model.c ---------------------------------------------------------- */

/* Reads, scans and unpacks, all but the data of large initializers, which have
   its length only; *st: the file as it is. NULL after a complaint. */
Onnx__ModelProto *read_model(Arena *a, const char *file, Wire *wire,
                             struct stat *st);
/* ONNX's number of an element type; DT_NONE: not one that the IR has. */
DType onnx_dtype(int32_t elem_type);
const char *onnx_type_name(int32_t elem_type);
/* Several elements share a byte in the file, but not in memory. */
bool is_packed(DType d);
/* Type of a tensor; false after a complaint at loc. */
bool tensor_type(const Onnx__TensorProto *t, Loc loc, Type *out);
/* Its content in memory (inline data only); NULL after a complaint. */
Tensor *tensor_content(Arena *a, const Onnx__TensorProto *t, Loc loc);
/* Where its raw bytes stand: the model's own file by `data`, or an external
   file that passes every check and is known to m from then on. False after a
   complaint; *path NULL: neither, the content must be listed. */
bool tensor_place(Arena *a, Module *m, const char *file,
                  const Onnx__TensorProto *t, WireData data, const char **path,
                  int64_t *offset);

/* ---- content.c -------------------------------------------------------- */

/* The content of an initializer of the file, wherever its data stands; NULL
   after a complaint. */
Tensor *initializer_content(Arena *a, Module *m, const char *file,
                            const Onnx__TensorProto *t, WireData data);
/* n bytes of a file that is as m knows it; false after a complaint. */
bool read_range(const Module *m, const char *path, int64_t offset, void *to,
                int64_t n);

/* ---- onnx.def --------------------------------------------------------- */

typedef enum Holds {
    HOLDS_ANY,
    HOLDS_COMPUTED,
    HOLDS_NUMBER,
    HOLDS_FLOAT,
    HOLDS_BOOL
} Holds;

typedef struct OnnxRow {
    const char *domain, *name;
    int since;
    int least, most, outputs;
    Holds first;
    LowerNode *lower;
    Op op; /* of `same` rows */
    OnnxGradient gradient;
    const char *doc;
} OnnxRow;

/* Is this an element type of such a first input? */
bool holds_type(Holds first, DType dtype);

#define TRAINING_DOMAIN "ai.onnx.preview.training"
#define PREVIEW_DOMAIN  "ai.onnx.preview"

/* NULL: there is none. */
const OnnxRow *onnx_row(const char *domain, const char *op_type);
/* "" and "ai.onnx" are one. */
bool same_domain(const char *a, const char *b);

#endif
