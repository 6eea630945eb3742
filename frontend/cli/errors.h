/* errors: the pages of error codes. */
#ifndef SNUG_ERRORS_H
#define SNUG_ERRORS_H

#include <stdbool.h>

/* Is it of the form of a code, E and four digits? */
bool is_error_code(const char *text);
/* The page of a code on stdout; raises status 2 where there is none. */
void error_page(const char *code);
/* All codes with their titles. */
void error_list(void);

#endif
