/* events: the records of a TensorBoard event file: a TFRecord each (length,
   masked CRC-32C of the length, bytes, masked CRC-32C of the bytes) around an
   Event message of Protocol Buffers. */
#ifndef SNUG_RT_EVENTS_H
#define SNUG_RT_EVENTS_H

#include <stdint.h>

#define RT_EVENT_MOST 256 /* bytes of a record */

typedef struct RtScalar {
    const char *tag; /* at most 32 bytes */
    double value;    /* kept as f32 */
} RtScalar;

/* The first record of a file: its version. Returns the bytes written. */
int64_t rt_event_head(char *to, double wall_seconds);
/* At most four scalars of a step. */
int64_t rt_event_scalars(char *to, double wall_seconds, int64_t step,
                         int count, const RtScalar *scalar);

/* The record at the beginning of `from`, of which `bytes` are there: its
   length, or 0 if there is no whole and undamaged one; *step is its step. */
int64_t rt_event_read(const char *from, int64_t bytes, int64_t *step);

#endif
