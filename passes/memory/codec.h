/* codec: which activations are kept in fewer bits, and how: the words of
   --method "codec SELECTOR=CODEC ...". */
#ifndef SNUG_CODEC_H
#define SNUG_CODEC_H

#include "ir/base/arena.h"
#include "ir/type.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct CodecRow {
    const char *name;
    DType type;
    int pack;
    const char *p, *q;
    int levels;
    const char *value, *decoded, *doc;
} CodecRow;

typedef enum GroupKind {
    GROUP_ROW,   /* the innermost axis; the default, and fused the best */
    GROUP_SIZE,  /* so many neighbours along the innermost axis */
    GROUP_COLUMN, /* what has the same place along the innermost axis */
    GROUP_TENSOR /* all elements */
} GroupKind;

typedef struct CodecChoice {
    const char *selector; /* saved, frozen, grad, state, op:NAME, op:NAME.in, or
                             a name with * */
    const CodecRow *row;  /* NULL: kept as it is */
    GroupKind group;
    int64_t size;    /* GROUP_SIZE */
    int bits;        /* of a code; 0: all that its type has */
    bool pow2;       /* ranges are the largest over powers of two */
    bool stochastic; /* rounded up or down by chance, unbiased */
    bool twice;      /* statistics are coded in 8 bits themselves */
    double share;    /* of rows or columns */
} CodecChoice;

/* "SELECTOR=CODEC[(OPTION,...)] ...", the first selector that matches counts;
   a vector. CODEC is a row of codec.def or `keep`; options:
   group=N|row|column|tensor, bits=N and scale=pow2 of i8,
   round=nearest|stochastic, share=X of rows and proj, double of frozen. What is
   not understood is raised. */
CodecChoice *codec_choices(Arena *a, const char *text);

/* Does NAME match a pattern in which * stands for any characters? */
bool codec_name_matches(const char *pattern, const char *name);

#endif
