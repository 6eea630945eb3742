/* terminal: colour and width of what is printed. */
#ifndef SNUG_TERMINAL_H
#define SNUG_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Shall this stream be coloured? `choice`: always, never or auto (a terminal
   that is not dumb); NO_COLOR and CLICOLOR_FORCE turn auto off and on. */
bool color_wanted(const char *choice, FILE *f);

/* Colours of messages by --color, which is looked for in all words: a wrong
   word in front of it is told in colour too. */
void color_messages(int argc, char **argv);

/* Columns of the standard output: of the terminal, else 80. */
int terminal_width(void);

/* The text in lines that begin at this column and end before the width; the
   first goes on where the cursor is (`at`). */
void print_wrapped(int at, int column, const char *text);

#endif
