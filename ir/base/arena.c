/* arena: blocks of doubling size, linked; the only caller of malloc. */
#include "ir/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>

#include "ir/base/diag.h"

enum { ALIGN = 16, FIRST_BLOCK = 1 << 14, LAST_BLOCK = 1 << 22 };

typedef struct Block {
    struct Block *next;
    size_t used, size;
    _Alignas(ALIGN) char data[];
} Block;

typedef struct Deferred {
    struct Deferred *next;
    void (*fn)(void *);
    void *p;
} Deferred;

struct Arena {
    Block *block;
    Deferred *deferred;
    size_t next_size;
};

/* Blocks of the usual sizes that arenas have given back, zeroed: passes and
   searches make and free arenas by the thousand, and fresh pages are dear. The
   sanitizer is to see what is read after it was freed. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARE_MOST = 0 };
#else
enum { SPARE_MOST = 1 << 26 };
#endif
enum { SIZES = 9 };
_Static_assert(FIRST_BLOCK << (SIZES - 1) == LAST_BLOCK, "a list for a size");

static Block *spare[SIZES];
static size_t spare_bytes;

/* -1: not one of the usual sizes. */
static int
size_index(size_t size)
{
    for (int i = 0; i < SIZES; i++)
        if (size == (size_t)FIRST_BLOCK << i)
            return i;
    return -1;
}

static Block *
take_spare(size_t size)
{
    int i = size_index(size);
    Block *b = i < 0 ? NULL : spare[i];

    if (b) {
        spare[i] = b->next;
        spare_bytes -= size;
    }
    return b;
}

static void
give_back(Block *b)
{
    int i = size_index(b->size);

    if (i < 0 || spare_bytes + b->size > SPARE_MOST) {
        free(b);
        return;
    }
    memset(b->data, 0, b->used);
    b->used = 0;
    b->next = spare[i];
    spare[i] = b;
    spare_bytes += b->size;
}

static void
out_of_memory(size_t bytes)
{
    raise_status(ST_INTERNAL, NOWHERE,
                 E(E0901) "out of memory: %zu more bytes are not to be had",
                 bytes);
}

Arena *
arena_new(void)
{
    Arena *a = calloc(1, sizeof *a);

    if (!a)
        out_of_memory(sizeof *a);
    a->next_size = FIRST_BLOCK;
    return a;
}

void
arena_free(Arena *a)
{
    if (!a)
        return;
    for (Deferred *d = a->deferred; d; d = d->next)
        d->fn(d->p);
    for (Block *b = a->block; b;) {
        Block *next = b->next;

        give_back(b);
        b = next;
    }
    free(a);
}

/* Puts a block with room for `bytes` in front. A large request gets a block
   of its own behind the current one, which keeps its free space in use. */
static Block *
add_block(Arena *a, size_t bytes)
{
    bool large = bytes > a->next_size / 2 && a->block;
    size_t size = bytes > a->next_size ? bytes : a->next_size;
    Block *b;

    if (large)
        size = bytes;
    if (size > SIZE_MAX - sizeof *b)
        out_of_memory(bytes);
    b = take_spare(size);
    if (!b)
        b = calloc(1, sizeof *b + size);
    if (!b)
        out_of_memory(bytes);
    b->size = size;
    if (large) {
        b->next = a->block->next;
        a->block->next = b;
        return b;
    }
    b->next = a->block;
    a->block = b;
    if (a->next_size < LAST_BLOCK)
        a->next_size *= 2;
    return b;
}

void *
arena_alloc(Arena *a, size_t count, size_t size)
{
    size_t bytes;
    Block *b = a->block;
    void *p;

    if (__builtin_mul_overflow(count, size, &bytes) ||
        bytes > SIZE_MAX - ALIGN)
        out_of_memory(SIZE_MAX);
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!b || b->size - b->used < bytes)
        b = add_block(a, bytes);
    p = b->data + b->used;
    b->used += bytes;
    return p;
}

void
arena_defer(Arena *a, void (*fn)(void *), void *p)
{
    Deferred *d = NEW(a, Deferred);

    d->fn = fn;
    d->p = p;
    d->next = a->deferred;
    a->deferred = d;
}
