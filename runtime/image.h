/* image: the tensors of a program as a safetensors file. The header is made
   once, with room for notes that change, so that writing takes no memory. */
#ifndef SNUG_RT_IMAGE_H
#define SNUG_RT_IMAGE_H

#include "runtime/file.h"
#include "runtime/model.h"

#define RT_DIGEST_DIGITS 32

typedef struct RtImage {
    const RtProgram *program;
    unsigned kinds; /* set of 1 << RtKind */
    char *header;
    char *notes; /* in the header: the fields of __metadata__ */
    int64_t notes_bytes, header_bytes, file_bytes;
} RtImage;

/* Constants are part of it only where their content is in the weights file. */
int rt_image_make(RtImage *i, RtRegion *r, const RtProgram *p, unsigned kinds);

/* Writes header and tensors with `notes` ("\"key\":\"value\",..." of JSON) and
   a digest of the whole: XXH3-128 of the file's bytes, the digits of the digest
   itself being 0. The bytes stand set aside first. */
int rt_image_write(const RtImage *i, const RtModel *m, RtOutput *o,
                   const char *path, const char *notes);

/* Text as the inside of a JSON string; cut where it does not fit. */
void rt_json_text(char *to, size_t most, const char *text);

#endif
