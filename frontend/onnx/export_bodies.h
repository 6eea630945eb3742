/* export_bodies: nodes with bodies as the trained model has them. */
#ifndef SNUG_EXPORT_BODIES_H
#define SNUG_EXPORT_BODIES_H

#include "frontend/onnx/lower.h"

typedef struct Bodies {
    Arena *a;
    Module *m;
    const char *file;
    Onnx__NodeProto **node;    /* the graph's nodes as they are exported */
    Onnx__TensorProto **moved; /* vector: of bodies, trained: the graph's now */
    Map *names;                /* Sym: of initializers by now */
} Bodies;

/* What training changes moves from bodies to the graph, under the names of the
   stores; external data of bodies becomes inline. Raises. */
Bodies bodies_of(Arena *a, Module *m, const char *file,
                 const Onnx__GraphProto *graph);
/* Bodies in functions see nothing of the model's own graph. */
void bodies_warn_of_functions(const char *file, const Onnx__ModelProto *model);

#endif
