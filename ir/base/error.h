/* error: the codes of messages and what is told about each; the rows are in
   error.def. */
#ifndef SNUG_ERROR_H
#define SNUG_ERROR_H

#include <stdbool.h>

typedef struct Error {
    const char *code, *title, *cause, *example, *remedy;
} Error;

typedef enum ErrorCode {
#define ERROR(code, title, cause, example, remedy) ERROR_##code,
#define RAISED(file, code)
#include "ir/base/error.def"
#undef ERROR
#undef RAISED
    ERROR_COUNT
} ErrorCode;

extern const Error errors[ERROR_COUNT];

/* "E0123" (the letter small or not); NULL if there is none. */
const Error *error_named(const char *code);
/* What is raised in this file of ours and names no code. */
ErrorCode error_of_file(const char *file);
/* Takes the mark that E() made out of a message; its code, or `otherwise`. */
ErrorCode error_take_mark(char *message, ErrorCode otherwise);

#endif
