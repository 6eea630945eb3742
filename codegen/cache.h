/* cache: results kept between runs in files named by the digest of what they
   were made from. A cache never fails: what cannot be read or written is made
   anew. */
#ifndef SNUG_CACHE_H
#define SNUG_CACHE_H

#include "ir/base/str.h"

/* The user's folder for what is kept, made if need be: `asked`, else
   $SNUG_CACHE, $XDG_CACHE_HOME/snug, ~/.cache/snug. Raised if `asked` cannot be
   used; NULL if none of the others can. */
const char *cache_folder(Arena *a, const char *asked);

typedef struct Cache Cache;

/* folder NULL: a cache that holds nothing and takes nothing. */
Cache *cache_open(Arena *a, const char *folder);
/* What was put under exactly this key. */
bool cache_get(const Cache *c, const Text *key, Text *found);
void cache_put(Cache *c, const Text *key, const Text *value);
/* Where something was put: removes the entries that were not used for the
   longest time until the rest fits $SNUG_CACHE_SIZE bytes
   [64 MiB]. */
void cache_trim(const Cache *c);

#endif
