/* safetensors: the header of such a file, read strictly: the subset of JSON
   that writers use, no duplicate names, ranges that fill the file without
   overlap. */
#ifndef SNUG_RT_SAFETENSORS_H
#define SNUG_RT_SAFETENSORS_H

#include "runtime/abi.h"
#include "runtime/memory.h"

typedef struct RtStored {
    const char *name;
    RtType type;
    int rank;
    int64_t dim[8];
    int64_t offset, bytes; /* in the file */
} RtStored;

typedef struct RtNote {
    const char *key, *value;
} RtNote;

typedef struct RtSafetensors {
    const char *path;
    int fd;
    int64_t file_bytes, header_bytes; /* header: with its length in front */
    RtStored *stored;
    RtNote *note; /* __metadata__ */
    int count, notes;
    RtRegion region;
} RtSafetensors;

int rt_safetensors_open(RtSafetensors *s, const char *path);
void rt_safetensors_close(RtSafetensors *s);
const RtStored *rt_safetensors_find(const RtSafetensors *s, const char *name);
/* The value of a note, NULL without it. */
const char *rt_safetensors_note(const RtSafetensors *s, const char *key);

#endif
