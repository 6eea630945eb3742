/* wire: an iterative check of the raw bytes of a model before protobuf-c sees
   them, which has no limit on nesting, cuts strings at NUL and takes an empty
   file for a model. */
#ifndef SNUG_WIRE_H
#define SNUG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/base/arena.h"

/* Limits, named in the messages. */
enum {
    WIRE_NESTING_MOST = 100,
    WIRE_NAME_MOST = 1 << 20,
    WIRE_NODES_MOST = 1000000,
    WIRE_MESSAGES_MOST = 4000000
};

/* Where the data of an initializer of the main graph stands in the file: raw
   little-endian bytes, or packed float_data, which is the same for f32. */
typedef struct WireData {
    int64_t offset, length; /* 0, 0: neither, or in several pieces */
} WireData;

typedef struct Wire {
    WireData *initializer; /* vector, in the order of the file */
} Wire;

/* Complains and returns false at the first fault; file is for messages. */
bool wire_scan(Arena *a, const char *file, const unsigned char *bytes,
               size_t size, Wire *out);

#endif
