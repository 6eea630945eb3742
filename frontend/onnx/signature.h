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
/* Warns of what an exporter took from the model that training needs. */
void signature_warn(Import *I);

#endif
