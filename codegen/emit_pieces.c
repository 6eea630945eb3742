/* emit_pieces: exporters write the same paragraphs (stack traces) into the
   metadata of every node. So the bytes are read from left to right as a
   dictionary coder does: what the pool has already, found by the digest of the
   next few bytes, is a span of it, the rest is appended. A program writes the
   spans one after the other: there is nothing to decode. */
#include "codegen/emit_pieces.h"

#include <string.h>

enum {
    WINDOW = 48,   /* bytes that are looked up */
    WORTH = 160,   /* a span and the rest behind it cost some 100 bytes */
    MOST_BITS = 20 /* of the table's index */
};

typedef struct Coder {
    Arena *arena;
    Spans *out;
    int64_t *at; /* digest of a window -> its place in the pool, plus 1 */
    uint64_t mask;
    uint64_t highest; /* weight of a window's first byte */
    uint64_t last;    /* digest of the pool's last window */
} Coder;

/* ---- digests of windows ------------------------------------------------- */

/* A polynomial of the bytes, so that the next one follows from it. */
static const uint64_t factor = 0x9e3779b97f4a7c15;

static uint64_t
digest_add(uint64_t h, char byte)
{
    return h * factor + (unsigned char)byte;
}

static uint64_t
digest_first(const char *s)
{
    uint64_t h = 0;

    for (int i = 0; i < WINDOW; i++)
        h = digest_add(h, s[i]);
    return h;
}

/* Of the window that begins behind s[0], from that of s. */
static uint64_t
digest_next(const Coder *c, uint64_t h, const char *s)
{
    return digest_add(h - c->highest * (unsigned char)s[0], s[WINDOW]);
}

static uint64_t
highest_power(void)
{
    uint64_t p = 1;

    for (int i = 0; i < WINDOW - 1; i++)
        p *= factor;
    return p;
}

static int64_t *
slot_of(const Coder *c, uint64_t digest)
{
    return &c->at[(digest >> 40 ^ digest) & c->mask];
}

/* ---- spans -------------------------------------------------------------- */

/* Spans that follow each other are one. */
static void
add_span(Coder *c, int64_t start, int64_t length)
{
    Span *last = vec_len(c->out->span) ? &vec_last(c->out->span) : NULL;

    if (last && !last->store && last->start + last->length == start)
        last->length += length;
    else
        vec_push(c->arena, c->out->span, (Span){start, length, 0});
}

/* A byte that the pool gets, and the window that ends with it. */
static void
add_new(Coder *c, char byte)
{
    Text *pool = &c->out->pool;
    int64_t start, *at;

    text_add_n(pool, &byte, 1);
    add_span(c, (int64_t)pool->len - 1, 1);
    start = (int64_t)pool->len - WINDOW;
    if (start < 0)
        return;
    c->last = start ? digest_next(c, c->last, pool->s + start - 1)
                    : digest_first(pool->s);
    at = slot_of(c, c->last);
    /* the first of equals: more follows it */
    if (!*at || memcmp(pool->s + *at - 1, pool->s + start, WINDOW) != 0)
        *at = start + 1;
}

/* How many bytes of s, `most` at most, the pool has from where it has a window
   of this digest. */
static int64_t
repeated(const Coder *c, uint64_t digest, const char *s, int64_t most,
         int64_t *start)
{
    int64_t n = 0, left;

    *start = *slot_of(c, digest) - 1;
    if (*start < 0)
        return 0;
    left = (int64_t)c->out->pool.len - *start;
    while (n < most && n < left && c->out->pool.s[*start + n] == s[n])
        n++;
    return n;
}

static void
add_bytes(Coder *c, const char *s, int64_t n)
{
    int64_t i = 0, begun = 0; /* where the digests were begun */
    uint64_t h = 0;

    while (i < n) {
        int64_t start, length = 0;

        if (i + WINDOW <= n) {
            h = i == begun ? digest_first(s + i)
                           : digest_next(c, h, s + i - 1);
            length = repeated(c, h, s + i, n - i, &start);
        }
        if (length >= WORTH) {
            add_span(c, start, length);
            begun = i += length;
        } else {
            add_new(c, s[i++]);
        }
    }
}

static uint64_t
table_size(const Piece *piece, int pieces)
{
    int64_t bytes = 0;
    int bits = 8;

    for (int i = 0; i < pieces; i++)
        bytes += piece[i].store ? 0 : piece[i].length;
    while (bits < MOST_BITS && bytes >> bits)
        bits++;
    return (uint64_t)1 << bits;
}

/* Literals that follow each other are one text. */
static void
add_literals(Coder *c, const Piece *piece, int count)
{
    Text t = text_new(c->arena);

    for (int i = 0; i < count; i++)
        text_add_n(&t, piece[i].bytes, (size_t)piece[i].length);
    if (t.len)
        add_bytes(c, t.s, (int64_t)t.len);
}

Spans
spans_of(Arena *a, const Piece *piece, int pieces)
{
    Spans out = {.pool = text_new(a)};
    Coder c = {.arena = a, .out = &out, .highest = highest_power()};
    int first = 0;

    c.mask = table_size(piece, pieces) - 1;
    c.at = NEWN(a, int64_t, c.mask + 1);
    for (int i = 0; i < pieces; i++) {
        if (!piece[i].store)
            continue;
        add_literals(&c, piece + first, i - first);
        vec_push(a, out.span, (Span){0, piece[i].length, piece[i].store});
        first = i + 1;
    }
    add_literals(&c, piece + first, pieces - first);
    return out;
}
