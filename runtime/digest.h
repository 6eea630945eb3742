/* digest: XXH3-128 in pieces; the state is opaque so that only one file needs
   the library's header. */
#ifndef SNUG_RT_DIGEST_H
#define SNUG_RT_DIGEST_H

#include <stdint.h>

typedef struct RtDigest {
    _Alignas(64) unsigned char state[640];
} RtDigest;

void rt_digest_begin(RtDigest *d);
void rt_digest_add(RtDigest *d, const void *from, int64_t bytes);
/* 32 hexadecimal digits and a NUL. */
void rt_digest_end(const RtDigest *d, char digits[33]);
/* Where the digits stand in a file that image.c wrote. */
int64_t rt_digest_place(void);

#endif
