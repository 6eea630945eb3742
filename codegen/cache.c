/* cache: an entry is a file: a mark, the digest of the rest, the length of the
   key, key, value. It is written beside and renamed, so that two compilers
   never see half of one; its time of change is when it was last used. */
#include "codegen/cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ir/base/diag.h"
#include "ir/base/vec.h"

enum {
    ABANDONED = 3600, /* seconds: whoever wrote it is gone */
    BLOCK = 4096      /* of a file system */
};

static const int64_t most_entry = 64 << 20, most_bytes = 64 << 20;
static const char mark[8] = "snugkept", beginning[] = "/k-";

typedef struct Head {
    char mark[8];
    XXH128_canonical_t digest; /* of all that follows it */
    uint64_t key;              /* its length */
} Head;

struct Cache {
    Arena *arena;
    const char *folder;
    bool grown;
};

/* ---- the folder --------------------------------------------------------- */

/* The folder and those above it. */
static bool
make_folder(char *path)
{
    for (char *s = path + 1; *s; s++)
        if (*s == '/') {
            *s = 0;
            mkdir(path, 0700);
            *s = '/';
        }
    mkdir(path, 0700);
    return access(path, R_OK | W_OK | X_OK) == 0;
}

const char *
cache_folder(Arena *a, const char *asked)
{
    const char *snug = getenv("SNUG_CACHE"), *home = getenv("HOME");
    const char *cache = getenv("XDG_CACHE_HOME");
    Text t = text_new(a);

    if (asked && !*asked)
        raise_status(ST_USAGE, NOWHERE, "--cache: the folder has no name");
    if (asked || (snug && *snug))
        text_add(&t, "%s", asked ? asked : snug);
    else if (cache && *cache == '/')
        text_add(&t, "%s/snug", cache);
    else if (home && *home == '/')
        text_add(&t, "%s/.cache/snug", home);
    else
        return NULL;
    if (make_folder(t.s))
        return t.s;
    if (asked)
        raise_at((Loc){.file = asked},
                 "cannot be used as a cache: %s\n"
                 "name a folder that is writable, or give --no-cache",
                 strerror(errno));
    return NULL;
}

Cache *
cache_open(Arena *a, const char *folder)
{
    Cache *c = NEW(a, Cache);
    Text t = text_new(a);

    c->arena = a;
    if (!folder)
        return c;
    text_add(&t, "%s/kernels", folder);
    if (make_folder(t.s))
        c->folder = t.s;
    return c;
}

/* ---- entries ------------------------------------------------------------ */

static const char *
path_of(const Cache *c, const Text *key)
{
    XXH128_hash_t h = XXH3_128bits(text_str(key), key->len);
    Text t = text_new(c->arena);

    text_add(&t, "%s%s%016llx%016llx", c->folder, beginning,
             (unsigned long long)h.high64, (unsigned long long)h.low64);
    return t.s;
}

/* A file of ours, whole; false if it is nothing of the kind. */
static bool
read_file(int fd, Text *t)
{
    struct stat st;
    char part[1 << 14];
    ssize_t got;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != geteuid() || st.st_size > most_entry)
        return false;
    while ((got = read(fd, part, sizeof part)) != 0) {
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            text_add_n(t, part, (size_t)got);
    }
    return true;
}

static XXH128_canonical_t
digest_of(const char *s, size_t n)
{
    XXH128_canonical_t c;

    XXH128_canonicalFromHash(&c, XXH3_128bits(s, n));
    return c;
}

static bool
is_whole(const Text *file, Head *h)
{
    const char *covered = text_str(file) + offsetof(Head, key);
    XXH128_canonical_t digest;

    if (file->len < sizeof *h)
        return false;
    memcpy(h, file->s, sizeof *h);
    digest = digest_of(covered, file->len - offsetof(Head, key));
    return memcmp(h->mark, mark, sizeof mark) == 0 &&
           memcmp(&h->digest, &digest, sizeof digest) == 0 &&
           h->key <= file->len - sizeof *h;
}

bool
cache_get(const Cache *c, const Text *key, Text *found)
{
    Text file = text_new(c->arena);
    const char *path;
    bool whole, same;
    Head h;
    int fd;

    if (!c->folder)
        return false;
    path = path_of(c, key);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    whole = read_file(fd, &file) && is_whole(&file, &h);
    same = whole && h.key == key->len &&
           memcmp(file.s + sizeof h, text_str(key), key->len) == 0;
    if (same)
        text_add_n(found, file.s + sizeof h + h.key,
                   file.len - sizeof h - h.key);
    if (same)
        futimens(fd, NULL);
    close(fd);
    return same;
}

static bool
write_file(int fd, const Text *t)
{
    size_t done = 0;

    while (done < t->len) {
        ssize_t put = write(fd, t->s + done, t->len - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static void
write_beside(const char *path, const Text *beside, const Text *file)
{
    int fd = open(beside->s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good;

    if (fd < 0)
        return;
    good = write_file(fd, file);
    good = close(fd) == 0 && good;
    if (!good || rename(beside->s, path) != 0)
        unlink(beside->s);
}

void
cache_put(Cache *c, const Text *key, const Text *value)
{
    Text file = text_new(c->arena), beside = text_new(c->arena);
    Head h = {.key = key->len};
    const char *path;

    if (!c->folder)
        return;
    memcpy(h.mark, mark, sizeof mark);
    text_add_n(&file, (const char *)&h, sizeof h);
    text_add_n(&file, text_str(key), key->len);
    text_add_n(&file, text_str(value), value->len);
    h.digest = digest_of(file.s + offsetof(Head, key),
                         file.len - offsetof(Head, key));
    memcpy(file.s, &h, sizeof h);
    path = path_of(c, key);
    text_add(&beside, "%s.%d.new", path, (int)getpid());
    write_beside(path, &beside, &file);
    c->grown = true;
}

/* ---- the size ----------------------------------------------------------- */

typedef struct Entry {
    const char *path;
    struct timespec used;
    int64_t bytes;
} Entry;

static int
by_use(const void *x, const void *y)
{
    const struct timespec *a = &((const Entry *)x)->used;
    const struct timespec *b = &((const Entry *)y)->used;

    if (a->tv_sec != b->tv_sec)
        return a->tv_sec < b->tv_sec ? -1 : 1;
    return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

/* What a compiler that died has left is removed on the way. */
static Entry *
entries_of(const Cache *c, int64_t *bytes)
{
    DIR *d = opendir(c->folder);
    Entry *entry = NULL;
    struct dirent *e;

    while (d && (e = readdir(d))) {
        Text path = text_new(c->arena);
        struct stat st;

        text_add(&path, "%s/%s", c->folder, e->d_name);
        if (strncmp(e->d_name, beginning + 1, sizeof beginning - 2) != 0 ||
            lstat(path.s, &st) != 0)
            continue;
        if (!strchr(e->d_name, '.')) {
            int64_t size = (st.st_size + BLOCK - 1) / BLOCK * BLOCK;

            vec_push(c->arena, entry, (Entry){path.s, st.st_mtim, size});
            *bytes += size;
        } else if (time(NULL) - st.st_mtim.tv_sec > ABANDONED) {
            unlink(path.s);
        }
    }
    if (d)
        closedir(d);
    return entry;
}

static int64_t
bytes_allowed(void)
{
    const char *s = getenv("SNUG_CACHE_SIZE");
    char *end;
    long long most = s ? strtoll(s, &end, 10) : 0;

    return s && *s && !*end && most >= 0 ? most : most_bytes;
}

void
cache_trim(const Cache *c)
{
    int64_t bytes = 0, most = bytes_allowed();
    Entry *entry;

    if (!c->folder || !c->grown)
        return;
    entry = entries_of(c, &bytes);
    if (bytes <= most)
        return;
    qsort(entry, vec_len(entry), sizeof *entry, by_use);
    for (size_t i = 0; i < vec_len(entry) && bytes > most; i++) {
        unlink(entry[i].path);
        bytes -= entry[i].bytes;
    }
}
