/* events: written and read by hand: three messages of five fields. */
#include "runtime/events.h"

#include <string.h>

enum {
    FRAME = 12, /* length and its sum, before the bytes */
    TAIL = 4,   /* the sum behind them */
    VARINT = 0,
    EIGHT_BYTES = 1,
    TEXT = 2,
    FOUR_BYTES = 5
};

/* CRC-32C (Castagnoli, reflected), bit by bit: records are short and few. */
static uint32_t
masked_crc(const char *from, int64_t bytes)
{
    uint32_t crc = 0xffffffffu;

    for (int64_t i = 0; i < bytes; i++) {
        crc ^= (unsigned char)from[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static char *
put_bytes(char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (char)(value >> (8 * i));
    return to;
}

static uint64_t
get_bytes(const char *from, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)from[i] << (8 * i);
    return value;
}

static char *
put_varint(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static char *
put_key(char *to, int field, int kind)
{
    return put_varint(to, (uint64_t)(field << 3 | kind));
}

static char *
put_text(char *to, int field, const char *from, int64_t bytes)
{
    to = put_varint(put_key(to, field, TEXT), (uint64_t)bytes);
    memcpy(to, from, (size_t)bytes);
    return to + bytes;
}

static char *
put_double(char *to, int field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return put_bytes(put_key(to, field, EIGHT_BYTES), bits, 8);
}

static char *
put_float(char *to, int field, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return put_bytes(put_key(to, field, FOUR_BYTES), bits, 4);
}

/* The frame around the bytes that stand behind it already. */
static int64_t
close_record(char *to, const char *end)
{
    int64_t bytes = end - to - FRAME;
    char *tail = to + FRAME + bytes;

    put_bytes(to, (uint64_t)bytes, 8);
    put_bytes(to + 8, masked_crc(to, 8), 4);
    put_bytes(tail, masked_crc(to + FRAME, bytes), TAIL);
    return FRAME + bytes + TAIL;
}

int64_t
rt_event_head(char *to, double wall_seconds)
{
    static const char version[] = "brain.Event:2"; /* what readers ask for */
    char *at = put_double(to + FRAME, 1, wall_seconds);

    return close_record(to, put_text(at, 3, version, sizeof version - 1));
}

int64_t
rt_event_scalars(char *to, double wall_seconds, int64_t step, int count,
                 const RtScalar *scalar)
{
    char summary[RT_EVENT_MOST], value[64], *end = summary;
    char *at = put_double(to + FRAME, 1, wall_seconds);

    for (int i = 0; i < count; i++) {
        char *v = put_text(value, 1, scalar[i].tag,
                           (int64_t)strlen(scalar[i].tag));

        v = put_float(v, 2, (float)scalar[i].value);
        end = put_text(end, 1, value, v - value);
    }
    at = put_varint(put_key(at, 2, VARINT), (uint64_t)step);
    return close_record(to, put_text(at, 5, summary, end - summary));
}

/* The step follows the time in every record that has one. */
static int64_t
step_of(const char *from, int64_t bytes)
{
    int64_t at = 1 + 8, step = 0;

    if (bytes <= at || from[at++] != (2 << 3 | VARINT))
        return 0;
    for (int shift = 0; at < bytes && shift < 63; shift += 7) {
        step |= (int64_t)(from[at] & 0x7f) << shift;
        if (!(from[at++] & 0x80))
            break;
    }
    return step;
}

int64_t
rt_event_read(const char *from, int64_t bytes, int64_t *step)
{
    uint64_t length;

    if (bytes < FRAME + TAIL || masked_crc(from, 8) != get_bytes(from + 8, 4))
        return 0;
    length = get_bytes(from, 8);
    if (length > (uint64_t)(bytes - FRAME - TAIL) ||
        masked_crc(from + FRAME, (int64_t)length) !=
            get_bytes(from + FRAME + length, 4))
        return 0;
    *step = step_of(from + FRAME, (int64_t)length);
    return FRAME + (int64_t)length + TAIL;
}
