/* str: interned names (equal text = equal pointer) and text under
   construction. */
#ifndef SNUG_STR_H
#define SNUG_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/base/arena.h"

typedef const char *Sym; /* an interned string: compare with == */
typedef struct Syms Syms;

Syms *syms_new(Arena *a);
Sym sym(Syms *s, const char *text);
Sym sym_n(Syms *s, const char *text, size_t len);
Sym sym_format(Syms *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Text that grows in an arena; .s is always terminated (NULL when empty and
   never written: use text_str). */
typedef struct Text {
    Arena *arena;
    char *s;
    size_t len, cap;
} Text;

Text text_new(Arena *a);
const char *text_str(const Text *t);
void text_add(Text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_add_n(Text *t, const char *s, size_t len);
/* `s` in double quotes with C escapes; bytes below 32, 127 and invalid UTF-8
   as \xNN: safe for terminals and for the textual IR. */
void text_add_quoted(Text *t, const char *s);
/* As a JSON string that may also stand in HTML: `<` is escaped, and bytes that
   are not UTF-8 become the characters of their numbers. */
void text_add_json(Text *t, const char *s);
/* The shortest decimal that reads back as the same double. */
void text_add_double(Text *t, double x);
/* The shortest decimal that reads back as the same float. */
void text_add_float(Text *t, float x);

/* 64-bit FNV-1a, for keys of in-memory tables only. */
uint64_t hash_bytes(const void *p, size_t n);

/* Edit distance <= 2 helper for "did you mean": the candidate nearest to
   `word`, or NULL. names is NULL-terminated. */
const char *nearest_name(const char *word, const char *const *names);
/* "LEADdid you mean 'NAME'?" with the nearest, or "" (in the arena). */
const char *did_you_mean(Arena *a, const char *lead, const char *word,
                         const char *const *names);

/* "12,345,678" and "11.77 MiB" style sizes, into the arena. */
const char *format_bytes(Arena *a, int64_t bytes);

#endif
