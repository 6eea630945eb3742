/* errors: the pages of error codes. */
#ifndef SNUG_ERRORS_H
#define SNUG_ERRORS_H

/* The page of a code on stdout; raises status 2 where there is none. */
void error_page(const char *code);
/* All codes with their titles. */
void error_list(void);

#endif
