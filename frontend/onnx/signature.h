/* signature: what torch.export wrote of a model's parameters into the file, and
   which of them its optimizer took away. */
#ifndef SNUG_SIGNATURE_H
#define SNUG_SIGNATURE_H

#include "frontend/onnx/lower.h"

/* Reads I->model's; NULL where it has none. Call it once. */
Signature *signature_read(Import *I);
/* Is an initializer of floats a parameter? True where there is no signature:
   then nothing tells. */
bool signature_trains(const Signature *s, Sym initializer);
/* The same of one number without axes: true only where something tells. */
bool signature_trains_number(const Import *I, Sym initializer);
/* Warns of what an exporter took from the model that training needs. */
void signature_warn(Import *I);

/* The list of parameters and buffers in a graph's metadata, and the call that
   a node came from; NULL: none. */
const char *signature_list(const Onnx__GraphProto *graph);
const char *signature_call(const Onnx__NodeProto *node);
/* The text behind `before` and before the next '; false: there is none. */
bool signature_part(const char *line, size_t n, const char *before,
                    const char **part, size_t *size);
/* Gives tensors that the exporter merged an initializer each, in the unpacked
   model and in *wire. */
void unmerge(Arena *a, Syms *syms, Onnx__ModelProto *model, Wire *wire);

#endif
