/* codec_code: a value as codes and statistics of its groups, and back. */
#ifndef SNUG_CODEC_CODE_H
#define SNUG_CODEC_CODE_H

#include "passes/memory/codec.h"
#include "passes/memory/codec_mask.h"
#include "passes/memory/codec_rows.h"

typedef struct Code {
    const CodecChoice *choice; /* NULL: kept as it is */
    Mask mask;                 /* of a row without formulas */
    ValueId code, p, q;        /* 0: none, or not made yet */
    Type grouped;              /* how the value is seen by its statistics */
} Code;

/* Encodes x by v's choice; chance: of a choice that rounds by it, else NULL. */
void code_encode(Builder *b, ValueId x, Code *v, const Chance *chance);
/* What v decodes to, of type t. */
ValueId code_decode(Builder *b, Type t, const Code *v);
/* x under the shape of t. */
ValueId seen_as(Builder *b, ValueId x, const Type *t, const char *name);

#endif
