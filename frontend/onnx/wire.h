/* wire: an iterative check of the raw bytes of a model before protobuf-c sees
   them, which has no limit on nesting, cuts strings at NUL and takes an empty
   file for a model. The data of large initializers is left in the file. */
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
    WIRE_DATA_MOST = 4096, /* bytes of an initializer that are not left */
    WIRE_NODES_MOST = 1000000,
    WIRE_MESSAGES_MOST = 4000000
};

/* Where the data of an initializer of the main graph stands in the file: raw
   little-endian bytes, or packed float_data, which is the same for f32. */
typedef struct WireData {
    int64_t offset, length; /* 0, 0: neither, or in several pieces */
    bool left; /* it stands in the file only: it is not in Wire.bytes */
} WireData;

typedef struct Wire {
    WireData *initializer; /* vector, in the order of the file */
    unsigned char *bytes;  /* in scratch: the model without what was left */
    size_t size;
} Wire;

/* Reads the model of `size` bytes from fd once, a window at a time. Complains
   and returns false at the first fault; file is for messages. */
bool wire_read(Arena *a, Arena *scratch, const char *file, int fd, size_t size,
               Wire *out);

#endif
